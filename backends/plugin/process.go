package plugin

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/hashicorp/go-plugin/runner"

	"github.com/clsbench/clsbench/backends/wire"
)

// process is a plugin's process as go-plugin runs it: in a group of its own,
// with a pipe that closes when this process dies, its output in the log.
type process struct {
	cmd *exec.Cmd
	log *logFile
	dir *runDir

	life *os.File // our end of the life pipe
	// What go-plugin reads: the first line of the plugin's output, and nothing
	// as its error output, since that goes to the log.
	stdout *io.PipeReader
	// Written before stdout ends.
	firstLine string
	lineRead  chan struct{}

	pumps   sync.WaitGroup
	started chan struct{} // closed when there is a process
	reaped  atomic.Bool   // its number may be another's
	exited  chan struct{} // closed when the process has been waited for
	ended   error         // its exit status, valid then
}

var _ runner.Runner = (*process)(nil)

// starter runs f on a thread that lives as long as this process: the parent's
// death signal fires when the thread that started the child ends.
var starter = sync.OnceValue(func() chan<- func() {
	work := make(chan func())
	go func() {
		runtime.LockOSThread()
		for f := range work {
			f()
		}
	}()
	return work
})

func onStarter(f func()) {
	done := make(chan struct{})
	starter() <- func() { f(); close(done) }
	<-done
}

// maxHandshake bounds the first line; a certificate makes it about 1.5 kB.
const maxHandshake = 16 << 10

func newProcess(log *logFile, dir *runDir) *process {
	return &process{log: log, dir: dir,
		started: make(chan struct{}), lineRead: make(chan struct{}), exited: make(chan struct{})}
}

// running reports whether there has been a process at all.
func (p *process) running() bool {
	select {
	case <-p.started:
		return true
	default:
		return false
	}
}

// Start starts the process.
func (p *process) Start(context.Context) error {
	var files []*os.File
	pipe := func() (r, w *os.File, err error) {
		r, w, err = os.Pipe()
		files = append(files, r, w)
		return r, w, err
	}
	outR, outW, err1 := pipe()
	errR, errW, err2 := pipe()
	lifeR, lifeW, err3 := pipe()
	err := errors.Join(err1, err2, err3)
	if err == nil {
		p.cmd.Stdin, p.cmd.Stdout, p.cmd.Stderr = nil, outW, errW
		p.cmd.ExtraFiles = []*os.File{lifeR} // descriptor 3
		p.cmd.Env = append(p.cmd.Env, wire.EnvLifePipe+"=3", wire.EnvRunDir+"="+p.dir.path)
		isolate(p.cmd)
		onStarter(func() { err = p.cmd.Start() })
	}
	if err != nil {
		for _, f := range files {
			f.Close()
		}
		return err
	}
	outW.Close()
	errW.Close()
	lifeR.Close()
	p.life = lifeW
	_ = p.dir.record(p.cmd.Process.Pid) // only sweeps need it
	reader, writer := io.Pipe()
	p.stdout = reader
	p.pumps.Add(2)
	go p.readHandshake(outR, writer)
	go p.log.pump(errR, p.pumps.Done)
	go p.wait(outR, errR)
	close(p.started)
	return nil
}

// readHandshake gives go-plugin the first line and the log the rest.
func (p *process) readHandshake(r *os.File, w *io.PipeWriter) {
	b := bufio.NewReaderSize(r, maxHandshake)
	line, _ := b.ReadSlice('\n') // an overlong line is cut and will not parse
	p.firstLine = string(line)
	close(p.lineRead)
	_, _ = w.Write(line)
	w.Close()
	p.log.pump(b, p.pumps.Done)
}

// wait reaps the process and what it leaves behind.
func (p *process) wait(pipes ...*os.File) {
	waitUnreaped(p.cmd.Process.Pid)
	// Not yet reaped, its number can't have gone to another group.
	killTree(p.cmd.Process.Pid, p.dir.path)
	p.reaped.Store(true)
	p.ended = p.cmd.Wait()
	p.life.Close()
	// A descendant in a group of its own may hold the pipes open.
	closed := make(chan struct{})
	go func() { p.pumps.Wait(); close(closed) }()
	select {
	case <-closed:
	case <-time.After(200 * time.Millisecond):
	}
	for _, f := range pipes {
		f.Close()
	}
	<-closed
	close(p.exited)
}

// Wait waits for the end.
func (p *process) Wait(context.Context) error {
	<-p.exited
	return p.ended
}

// Kill ends the process and all that it started at once. A process that has closed its output
// without a handshake is about to exit: its status is worth a moment.
func (p *process) Kill(context.Context) error {
	select {
	case <-p.lineRead:
		if p.firstLine == "" {
			select {
			case <-p.exited:
			case <-time.After(100 * time.Millisecond):
			}
		}
	default:
	}
	p.kill()
	return nil
}

func (p *process) kill() {
	if p.running() && !p.reaped.Load() {
		killTree(p.cmd.Process.Pid, p.dir.path)
	}
}

// status describes how the process ended.
func (p *process) status() string {
	<-p.exited
	var e *exec.ExitError
	switch {
	case p.ended == nil:
		return "exit status 0"
	case errors.As(p.ended, &e):
		return e.String()
	}
	return p.ended.Error()
}

// Stdout is the handshake's line.
func (p *process) Stdout() io.ReadCloser { return p.stdout }

// Stderr is empty: the log has it.
func (p *process) Stderr() io.ReadCloser { return io.NopCloser(strings.NewReader("")) }

// Name is the program's path.
func (p *process) Name() string { return p.cmd.Path }

// ID is the process number, empty before the start.
func (p *process) ID() string {
	if !p.running() {
		return ""
	}
	return fmt.Sprint(p.cmd.Process.Pid)
}

// Diagnose has nothing to add to what Open says.
func (p *process) Diagnose(context.Context) string { return "" }

// PluginToHost and HostToPlugin are the identity: both share a file system.
func (p *process) PluginToHost(network, addr string) (string, string, error) {
	return network, addr, nil
}

// HostToPlugin is the identity too.
func (p *process) HostToPlugin(network, addr string) (string, string, error) {
	return network, addr, nil
}
