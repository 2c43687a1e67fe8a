// Command clsbench benchmarks image-classification stacks and checks that
// they compute what they claim. See the README for a tour, `clsbench help` for
// the commands.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"strings"
	"syscall"

	"github.com/clsbench/clsbench/backends/plugin"
)

func main() {
	// A plugin process is this binary again; it never comes back from here.
	plugin.MaybeServe(served())
	os.Exit(run(os.Args[1:], os.Stdin, os.Stdout, os.Stderr))
}

// run is main without the process: arguments in, exit code out.
func run(args []string, stdin io.Reader, stdout, stderr io.Writer) int {
	ctx := context.Background()
	if !signal.Ignored(syscall.SIGHUP) { // as under nohup
		// A terminal that closes says so more than once, shell and kernel each.
		hangup, forget := signal.NotifyContext(ctx, syscall.SIGHUP)
		defer forget()
		ctx = hangup
	}
	ctx, stop := signal.NotifyContext(ctx, os.Interrupt, syscall.SIGTERM)
	defer stop()
	context.AfterFunc(ctx, stop) // a second Ctrl-C ends the process at once
	root, started := newRoot()
	root.SetArgs(args)
	root.SetIn(stdin)
	root.SetOut(stdout)
	root.SetErr(stderr)
	err := root.ExecuteContext(ctx)
	if err == nil {
		return exitDone
	}
	code := exitCode(ctx, err, *started)
	if msg := oneLine(err.Error()); msg != "" {
		fmt.Fprintf(stderr, "clsbench: %s\n", msg)
	}
	return code
}

// oneLine is a message without line breaks, whoever made it.
func oneLine(msg string) string {
	if !strings.ContainsAny(msg, "\n\r") {
		return msg
	}
	return strings.Join(strings.Fields(msg), " ")
}

// The exit codes, the same for every command. When several apply, 1 beats 3.
const (
	exitDone        = 0
	exitVerdict     = 1   // the answer is no: a failed check, a slower row
	exitUsage       = 2   // bad input
	exitPartial     = 3   // some cells errored, the rest stands
	exitInterrupted = 130 // SIGINT, SIGTERM or SIGHUP
)

// exitError is an error that knows its exit code.
type exitError struct {
	code int
	err  error
}

func (e *exitError) Error() string {
	if e.err == nil {
		return ""
	}
	return e.err.Error()
}

func (e *exitError) Unwrap() error { return e.err }

// usage marks an error as the user's to mend.
func usage(err error) error {
	if err == nil {
		return nil
	}
	return &exitError{exitUsage, err}
}

func usagef(format string, args ...any) error { return usage(fmt.Errorf(format, args...)) }

// exitCode decides. Errors before a command started come from the flag and
// argument parser, whatever their type.
func exitCode(ctx context.Context, err error, started bool) int {
	var e *exitError
	switch {
	case errors.As(err, &e):
		return e.code
	case ctx.Err() != nil:
		return exitInterrupted
	case !started:
		return exitUsage
	}
	return exitPartial
}
