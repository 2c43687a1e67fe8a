package wire

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/clsbench/clsbench/backends"
	v1 "github.com/clsbench/clsbench/backends/wire/backendv1"
)

var grpcCodes = map[backends.Code]codes.Code{
	backends.Unimplemented:      codes.Unimplemented,
	backends.InvalidArgument:    codes.InvalidArgument,
	backends.FailedPrecondition: codes.FailedPrecondition,
	backends.ResourceExhausted:  codes.ResourceExhausted,
	backends.Internal:           codes.Internal,
	backends.Unavailable:        codes.Unavailable,
	backends.DeadlineExceeded:   codes.DeadlineExceeded,
	backends.Canceled:           codes.Canceled,
}

// maxErrorText bounds the message of an error: gRPC sends it as a header.
const maxErrorText = 4 << 10

// toStatus turns a backend's error into a gRPC status.
func toStatus(err error) error {
	if err == nil {
		return nil
	}
	var e *backends.Error
	switch {
	case errors.As(err, &e):
	case errors.Is(err, context.Canceled):
		e = backends.Errorf(backends.Canceled, "%v", err)
	case errors.Is(err, context.DeadlineExceeded):
		e = backends.Errorf(backends.DeadlineExceeded, "%v", err)
	default:
		e = backends.Errorf(backends.Internal, "%v", err)
	}
	code, ok := grpcCodes[e.Code]
	if !ok {
		code = codes.Internal
	}
	s := status.New(code, clip(e.Message))
	if e.Node != "" || e.Op != "" || e.Wanted != 0 || e.Free != 0 {
		d := &v1.ErrorDetail{Node: clip(e.Node), Op: clip(e.Op), Wanted: e.Wanted, Free: e.Free}
		if with, err := s.WithDetails(d); err == nil {
			s = with
		}
	}
	return s.Err()
}

// clip makes text of any origin fit for a header and a proto string.
func clip(s string) string {
	if len(s) > maxErrorText {
		s = s[:maxErrorText] + " …"
	}
	return strings.ToValidUTF8(s, "\uFFFD")
}

// fromStatus is the inverse. Codes that the boundary does not know become
// Internal.
func fromStatus(err error) *backends.Error {
	s, ok := status.FromError(err)
	if !ok {
		return backends.Errorf(backends.Internal, "%v", err)
	}
	e := &backends.Error{Code: backends.Internal, Message: s.Message()}
	for ours, theirs := range grpcCodes {
		if theirs == s.Code() {
			e.Code = ours
		}
	}
	if e.Code == backends.Internal && s.Code() != codes.Internal {
		e.Message = fmt.Sprintf("%s (gRPC code %s)", e.Message, s.Code())
	}
	for _, d := range s.Details() {
		if d, ok := d.(*v1.ErrorDetail); ok {
			e.Node, e.Op, e.Wanted, e.Free = d.GetNode(), d.GetOp(), d.GetWanted(), d.GetFree()
		}
	}
	return e
}
