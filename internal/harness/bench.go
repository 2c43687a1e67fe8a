package harness

import (
	"context"
	"errors"
	"strings"
	"time"

	"github.com/clsbench/clsbench/backends"
	"github.com/clsbench/clsbench/backends/plugin"
	"github.com/clsbench/clsbench/results"
)

// bench is one backend under measurement: its process and its session, which
// can be had anew after a failure.
type bench struct {
	spec   plugin.Spec
	config backends.SessionConfig
	opts   plugin.Options
	limit  time.Duration // for one answer

	plugin     *plugin.Plugin
	desc       backends.Description
	session    backends.Session
	openMillis float64
	broken     bool // the session can't be used any more
	lastTail   string
}

// open starts the process and takes the device, unless both stand already.
func (b *bench) open(ctx context.Context) error {
	if b.session != nil && !b.broken {
		return nil
	}
	return b.reopen(ctx)
}

// reopen starts a new process whatever became of the last one.
func (b *bench) reopen(ctx context.Context) error {
	b.close()
	ctx, cancel := context.WithTimeout(ctx, b.limit)
	defer cancel()
	begin := time.Now()
	p, err := plugin.Open(ctx, b.spec, b.opts)
	if err != nil {
		return err
	}
	b.plugin = p
	if b.desc, err = p.Describe(ctx); err != nil {
		return err
	}
	if b.session, err = p.Open(ctx, b.config); err != nil {
		return err
	}
	b.openMillis = millis(time.Since(begin))
	b.broken = false
	return nil
}

// close ends session and process; errors mean that they had ended already.
func (b *bench) close() {
	if b.plugin == nil {
		return
	}
	b.lastTail = b.plugin.LogTail()
	if b.session != nil && b.plugin.Alive() && !b.broken {
		_ = b.session.Close()
	}
	_ = b.plugin.Close()
	b.plugin, b.session = nil, nil
}

func (b *bench) pid() int { return b.plugin.Pid() }

// logTail is the last few lines of the plugin's log.
func (b *bench) logTail() []string {
	tail := b.lastTail
	if b.plugin != nil {
		tail = b.plugin.LogTail()
	}
	const most = 20
	lines := strings.Split(strings.TrimSpace(tail), "\n")
	if len(lines) == 1 && lines[0] == "" {
		return nil
	}
	return lines[max(0, len(lines)-most):]
}

// statusOf turns an error of a backend into a cell's status and cause.
func statusOf(err error) (results.Status, *results.Cause) {
	cause := &results.Cause{Kind: results.CauseInternal, Message: err.Error()}
	var f *plugin.Failure
	if errors.As(err, &f) {
		return failureStatus(f, cause), cause
	}
	var e *backends.Error
	if errors.As(err, &e) {
		cause.Kind = results.CauseKind(strings.ToLower(string(e.Code)))
		cause.Node, cause.Op, cause.Wanted, cause.Free = e.Node, e.Op, e.Wanted, e.Free
		switch e.Code {
		case backends.Unimplemented:
			return results.StatusUnsupported, cause
		case backends.ResourceExhausted:
			return results.StatusOOM, cause
		case backends.DeadlineExceeded:
			return results.StatusTimeout, cause
		case backends.Unavailable:
			return results.StatusCrashed, cause
		}
	}
	return results.StatusError, cause
}

func failureStatus(f *plugin.Failure, cause *results.Cause) results.Status {
	switch f.Cause {
	case plugin.ExitedAtStart, plugin.BadHandshake, plugin.ProtocolVersion:
		cause.Kind = results.CauseStart
		return results.StatusError
	case plugin.StartTimeout:
		cause.Kind = results.CauseStart
		return results.StatusTimeout
	case plugin.Hung:
		cause.Kind = results.CauseDeadlineExceeded
		return results.StatusTimeout
	case plugin.OutOfMemory:
		cause.Kind = results.CauseResourceExhausted
		return results.StatusOOM
	}
	cause.Kind = results.CauseUnavailable
	return results.StatusCrashed
}
