package opbench

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/clsbench/clsbench/backends"
	"github.com/clsbench/clsbench/graph"
)

// Starter starts a backend and gives what ends it again.
type Starter func(ctx context.Context) (backends.Backend, func() error, error)

// Lane is a backend to be measured.
type Lane struct {
	Label  string
	Config backends.SessionConfig
	Start  Starter
}

// ModeError says that a backend has no such math mode.
type ModeError struct{ what string }

func (e *ModeError) Error() string { return e.what }

// lane is a backend under way.
type lane struct {
	Lane
	what    backends.Description
	session backends.Session // nil after a failure
	end     func() error
	failed  int   // starts, in a row
	why     error // of the last one
}

// open starts the backend and takes a session.
func (l *lane) open(ctx context.Context) error {
	b, end, err := l.Start(ctx)
	if err != nil {
		return err
	}
	l.end = end
	if l.what, err = b.Describe(ctx); err != nil {
		return fmt.Errorf("describe: %w", errors.Join(err, l.close()))
	}
	if m := l.Config.Math; m != "" && m != graph.Strict && !slices.Contains(l.what.Math, m) {
		return errors.Join(&ModeError{fmt.Sprintf("backend %s has no mode %q: want %s", l.Label, m, strings.Join(append([]string{graph.Strict}, l.what.Math...), ", "))}, l.close())
	}
	s, err := b.Open(ctx, l.Config)
	if err != nil {
		return fmt.Errorf("open: %w", errors.Join(err, l.close()))
	}
	l.session = s
	return nil
}

// close ends session and backend. One that has failed may fail to close.
func (l *lane) close() error {
	if l.session != nil {
		_ = l.session.Close()
		l.session = nil
	}
	if l.end == nil {
		return nil
	}
	end := l.end
	l.end = nil
	return end()
}

// maxStarts is how often in a row a backend may fail to start: what is broken
// stays so, and may take long to say it.
const maxStarts = 2

// renew starts the backend anew, unless it has failed to start too often.
func (l *lane) renew(ctx context.Context) error {
	_ = l.close() // it may have gone already
	if l.failed >= maxStarts {
		return l.why
	}
	if l.why = l.open(ctx); l.why != nil {
		l.failed++
		return l.why
	}
	l.failed = 0
	return nil
}

// onCPU says whether the backend computes on the processor, whose peaks are
// known and whose caches can be emptied from here.
func (l *lane) onCPU() bool {
	return l.Config.Device < len(l.what.Devices) && l.what.Devices[l.Config.Device].Kind == "cpu"
}
