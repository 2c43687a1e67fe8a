package plugin

import (
	"fmt"

	"github.com/clsbench/clsbench/backends"
)

// Cause says what became of a plugin.
type Cause string

// The causes.
const (
	ExitedAtStart   Cause = "exited-at-start"  // before its handshake
	BadHandshake    Cause = "bad-handshake"    // its first line is no handshake
	ProtocolVersion Cause = "protocol-version" // speaks another version
	StartTimeout    Cause = "start-timeout"    // no handshake or description in time
	Crashed         Cause = "crashed"          // ended by itself during use
	Hung            Cause = "hung"             // killed: a call was not answered in time
	OutOfMemory     Cause = "out-of-memory"    // killed: passed its memory limit
	Killed          Cause = "killed"           // by Kill or Close
)

// code is what callers see through backends.CodeOf.
func (c Cause) code() backends.Code {
	switch c {
	case StartTimeout, Hung:
		return backends.DeadlineExceeded
	case OutOfMemory:
		return backends.ResourceExhausted
	}
	return backends.Unavailable
}

// Failure is the end of a plugin, as every call that it interrupts and every
// later one reports it. backends.CodeOf gives its code.
type Failure struct {
	Label   string // of the plugin
	Cause   Cause
	Detail  string // one line
	LogTail string // the last of what the plugin wrote, without what came after
	err     *backends.Error
}

func newFailure(label string, cause Cause, format string, args ...any) *Failure {
	f := &Failure{Label: label, Cause: cause, Detail: fmt.Sprintf(format, args...)}
	f.err = backends.Errorf(cause.code(), "%s", f.Detail)
	return f
}

func (f *Failure) Error() string { return fmt.Sprintf("plugin %s: %s", f.Label, f.Detail) }

// Unwrap gives the typed error of the boundary.
func (f *Failure) Unwrap() error { return f.err }
