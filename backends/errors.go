package backends

import (
	"errors"
	"fmt"

	"github.com/clsbench/clsbench/graph"
)

// Code classifies an error at the boundary, under gRPC's names.
type Code string

// The codes that cross the boundary.
const (
	Unimplemented      Code = "UNIMPLEMENTED"       // a well-formed program that the backend can't run
	InvalidArgument    Code = "INVALID_ARGUMENT"    // the caller's fault
	FailedPrecondition Code = "FAILED_PRECONDITION" // poisoned or closed session, bound region
	ResourceExhausted  Code = "RESOURCE_EXHAUSTED"  // out of memory: Wanted and Free
	Internal           Code = "INTERNAL"            // the backend's fault
	Unavailable        Code = "UNAVAILABLE"         // the plugin has gone
	DeadlineExceeded   Code = "DEADLINE_EXCEEDED"   // no answer in time
	Canceled           Code = "CANCELLED"           // stopped on request
)

// Error is a typed failure of a backend.
type Error struct {
	Code    Code
	Message string
	Node    string // node at fault, if one is
	Op      string
	Wanted  int64 // ResourceExhausted: bytes asked for and free
	Free    int64
}

func (e *Error) Error() string {
	s := e.Message
	if e.Node != "" {
		s = fmt.Sprintf("node %s (%s): %s", e.Node, e.Op, s)
	}
	if e.Code == ResourceExhausted && e.Wanted > 0 {
		s = fmt.Sprintf("%s (wanted %d bytes, free %d)", s, e.Wanted, e.Free)
	}
	return s
}

// Errorf makes an error of one code.
func Errorf(code Code, format string, args ...any) *Error {
	return &Error{Code: code, Message: fmt.Sprintf(format, args...)}
}

// CodeOf is the code of err: that of the first *Error in its chain, Internal
// for others, "" for nil.
func CodeOf(err error) Code {
	if err == nil {
		return ""
	}
	var e *Error
	if errors.As(err, &e) {
		return e.Code
	}
	return Internal
}

// Malformed turns an error of graph.Program.Infer into the boundary's: an op
// that the table lacks is Unimplemented, all else InvalidArgument.
func Malformed(err error) *Error {
	e := &Error{Code: InvalidArgument, Message: err.Error()}
	var n *graph.NodeError
	if errors.As(err, &n) {
		e.Node, e.Op, e.Message = n.Node, n.Op, n.Err.Error()
	}
	var u *graph.UnknownOpError
	if errors.As(err, &u) {
		e.Code = Unimplemented
	}
	return e
}
