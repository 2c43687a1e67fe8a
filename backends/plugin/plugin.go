// Package plugin is the life of a backend as a process: finding it by its
// spec, starting it, watching it, ending it, and saying what became of it.
//
// A plugin runs in a process group and a folder of its own and dies with this
// process. What it writes goes to a log of bounded size. If it crashes, hangs
// or grows beyond its limit, its calls end with a *Failure; another Open
// starts it anew.
package plugin

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/hashicorp/go-hclog"
	goplugin "github.com/hashicorp/go-plugin"
	"github.com/hashicorp/go-plugin/runner"

	"github.com/clsbench/clsbench/backends"
	"github.com/clsbench/clsbench/backends/wire"
	"github.com/clsbench/clsbench/internal/machine"
)

// Options say where plugins are found and how they are held.
type Options struct {
	Registry     Registry // embedded backends
	ManifestDirs []string // folders of manifests; nil is DefaultDirs()

	Dir          string        // where run folders are made; "" is clsbench-UID in TMPDIR
	Env          []string      // KEY=value, beside this process's own
	StartTimeout time.Duration // for handshake and description; 0 is 30 s
	Grace        time.Duration // from a call's cancellation or deadline to the kill; 0 is 1 s
	CloseTime    time.Duration // for Close of sessions and executables; 0 is 5 s
	MemoryLimit  int64         // of anonymous memory, bytes; 0 is 90 % of what this process may use, -1 none
	LogLimit     int64         // bytes of log kept; 0 is 16 MiB
	LogDir       string        // where to keep the log after the end; "" removes it
	Transport    wire.Transport
}

// Plugin is a running plugin.
type Plugin struct {
	*wire.Client // Describe and calls of its sessions

	spec        Spec
	target      *target
	description backends.Description
	hash        string
	process     *process
	client      *goplugin.Client
	log         *logFile
	dir         *runDir

	closing  sync.Once
	closeErr error
	mu       sync.Mutex
	failure  *Failure
}

var _ backends.Backend = (*Plugin)(nil)

// Open starts the plugin that s names and asks it what it is. The error is a
// *SpecError for bad input and a *Failure for a plugin that does not come up.
func Open(ctx context.Context, s Spec, o Options) (_ *Plugin, err error) {
	t, err := o.resolve(s)
	if err != nil {
		return nil, err
	}
	o.StartTimeout = cmp.Or(o.StartTimeout, 30*time.Second)
	o.Grace = cmp.Or(o.Grace, time.Second)
	o.LogLimit = cmp.Or(o.LogLimit, 16<<20)
	o.MemoryLimit = cmp.Or(o.MemoryLimit, machine.UsableMemory()/10*9)
	hashed := make(chan error, 1)
	p := &Plugin{spec: s, target: t}
	go func() {
		var err error
		p.hash, err = t.hash()
		hashed <- err
	}()
	defer func() {
		if hashErr := <-hashed; err == nil && hashErr != nil {
			err = fmt.Errorf("plugin %s: hashing it: %w", s.Label, hashErr)
		}
		if err != nil && p.process != nil {
			p.Kill()
			_ = p.Close() // the first error counts
		}
	}()
	if err := p.prepare(o); err != nil {
		return nil, fmt.Errorf("plugin %s: %w", s.Label, err)
	}
	ctx, stop := context.WithTimeoutCause(ctx, o.StartTimeout, errStartTimeout)
	defer stop()
	if err := p.start(ctx); err != nil {
		return nil, err
	}
	if p.description, err = p.Client.Describe(ctx); err != nil {
		return nil, p.startFailure(ctx, err)
	}
	if err := p.checkOptions(); err != nil {
		return nil, err
	}
	if o.MemoryLimit > 0 {
		go p.watchMemory(o.MemoryLimit)
	}
	return p, nil
}

var errStartTimeout = errors.New("start timeout")

// prepare makes the run folder, the log and the go-plugin client.
func (p *Plugin) prepare(o Options) error {
	base := o.Dir
	if base == "" {
		base = defaultBase()
	}
	var err error
	if p.dir, err = newRunDir(base); err != nil {
		return err
	}
	logPath := filepath.Join(p.dir.path, "plugin.log")
	if o.LogDir != "" {
		if err := os.MkdirAll(o.LogDir, 0o755); err != nil {
			return errors.Join(err, p.dir.close())
		}
		logPath = filepath.Join(o.LogDir, fmt.Sprintf("%s-%s.log", p.spec.Label, filepath.Base(p.dir.path)))
	}
	if p.log, err = newLog(logPath, o.LogLimit); err != nil {
		return errors.Join(err, p.dir.close())
	}
	p.process = newProcess(p.log, p.dir)
	p.client = goplugin.NewClient(&goplugin.ClientConfig{
		HandshakeConfig: wire.Handshake,
		VersionedPlugins: map[int]goplugin.PluginSet{wire.Version: {wire.Name: &wire.Plugin{Options: wire.Options{
			Transport: o.Transport, Dir: p.dir.path, Grace: o.Grace, CloseTime: o.CloseTime, Abandon: p.abandon, Lost: p.lost,
		}}}},
		GRPCDialOptions:  wire.DialOptions(),
		AllowedProtocols: []goplugin.Protocol{goplugin.ProtocolGRPC},
		Logger:           hclog.NewNullLogger(),
		StartTimeout:     o.StartTimeout,
		UnixSocketConfig: &goplugin.UnixSocketConfig{TempDir: p.dir.path},
		RunnerFunc: func(_ hclog.Logger, cmd *exec.Cmd, _ string) (runner.Runner, error) {
			cmd.Path, cmd.Args, cmd.Err = p.target.path, p.target.args, nil
			cmd.Env = slices.Concat(cmd.Env, p.target.env, o.Env)
			p.process.cmd = cmd
			return p.process, nil
		},
	})
	return nil
}

// start starts the process, shakes hands and connects.
func (p *Plugin) start(ctx context.Context) error {
	type result struct {
		client *wire.Client
		err    error
	}
	done := make(chan result, 1)
	go func() {
		var r result
		defer func() { done <- r }()
		protocol, err := p.client.Client()
		if err != nil {
			r.err = err
			return
		}
		raw, err := protocol.Dispense(wire.Name)
		if err != nil {
			r.err = err
			return
		}
		r.client = raw.(*wire.Client)
	}()
	var r result
	select {
	case r = <-done:
	case <-ctx.Done():
		select {
		case <-p.process.started:
			p.process.kill()
			r = <-done
		case r = <-done:
		}
	}
	if r.err != nil {
		return p.startFailure(ctx, r.err)
	}
	p.Client = r.client
	return nil
}

// startFailure says why a plugin did not come up.
func (p *Plugin) startFailure(ctx context.Context, err error) error {
	if !p.process.running() {
		return p.fail(ExitedAtStart, "can't be started: %v", err)
	}
	p.process.kill()
	status := p.process.status()
	line := strings.TrimSpace(p.process.firstLine)
	parts := strings.Split(line, "|")
	var typed *backends.Error
	switch {
	case errors.Is(context.Cause(ctx), errStartTimeout):
		return p.fail(StartTimeout, "gave no handshake and description in time")
	case ctx.Err() != nil:
		return fmt.Errorf("plugin %s: starting it: %w", p.spec.Label, backends.Errorf(backends.Canceled, "cancelled"))
	case line == "":
		return p.fail(ExitedAtStart, "exited at start, before its handshake: %s", status)
	case len(parts) < 4 || parts[0] != strconv.Itoa(goplugin.CoreProtocolVersion):
		return p.fail(BadHandshake, "its first line of output is no handshake: %q", clipped(line))
	case parts[1] != strconv.Itoa(wire.Version):
		return p.fail(ProtocolVersion, "speaks version %s of the protocol, this clsbench version %d: build both from the same release", clipped(parts[1]), wire.Version)
	case errors.As(err, &typed):
		return p.fail(Crashed, "does not describe itself: %v (%s)", typed, status)
	}
	return p.fail(BadHandshake, "%v", err)
}

func clipped(s string) string {
	const most = 200
	if len(s) > most {
		return s[:most] + "…"
	}
	return s
}

// checkOptions holds the spec's options against what the plugin declares.
func (p *Plugin) checkOptions() error {
	for _, k := range slices.Sorted(maps.Keys(p.spec.Options)) {
		i := slices.IndexFunc(p.description.Options, func(o backends.Option) bool { return o.Name == k })
		if i < 0 {
			var names []string
			for _, o := range p.description.Options {
				names = append(names, o.Name)
			}
			if names == nil {
				return &SpecError{p.spec.String(), fmt.Sprintf("option %q: the backend has no options", k)}
			}
			return &SpecError{p.spec.String(), fmt.Sprintf("option %q: want one of %s", k, strings.Join(names, ", "))}
		}
		if o, v := p.description.Options[i], p.spec.Options[k]; o.Values != nil && !slices.Contains(o.Values, v) {
			return &SpecError{p.spec.String(), fmt.Sprintf("option %s=%q: want one of %s", k, v, strings.Join(o.Values, ", "))}
		}
	}
	return nil
}

// Describe is what the plugin said at its start.
func (p *Plugin) Describe(context.Context) (backends.Description, error) {
	if f := p.Failure(); f != nil {
		return backends.Description{}, f
	}
	return p.description, nil
}

// Open opens a session with the spec's options; cfg's come on top.
func (p *Plugin) Open(ctx context.Context, cfg backends.SessionConfig) (backends.Session, error) {
	options := maps.Clone(p.spec.Options)
	if options == nil {
		options = map[string]string{}
	}
	maps.Copy(options, cfg.Options)
	cfg.Options = options
	return p.Client.Open(ctx, cfg)
}

// Spec is what the plugin was opened by.
func (p *Plugin) Spec() Spec { return p.spec }

// Kind says where the plugin comes from.
func (p *Plugin) Kind() Kind { return p.target.kind }

// Pid is the plugin's process number.
func (p *Plugin) Pid() int { return p.process.cmd.Process.Pid }

// Hash identifies the plugin's program: hex of a SHA-256.
func (p *Plugin) Hash() string { return p.hash }

// LogTail is the last of what the plugin wrote, at most 4 KiB.
func (p *Plugin) LogTail() string { return p.log.Tail(4 << 10) }

// LogPath is the log's file. It is gone after Close unless Options.LogDir was
// set.
func (p *Plugin) LogPath() string { return p.log.path }

// Alive reports whether the process runs.
func (p *Plugin) Alive() bool {
	select {
	case <-p.process.exited:
		return false
	default:
		return true
	}
}

// Failure is why the plugin ended; nil while it runs.
func (p *Plugin) Failure() *Failure {
	if p.Alive() {
		return nil
	}
	return p.fail(Crashed, "crashed: %s", p.process.status())
}

// fail is note, and gives the reason that is kept.
func (p *Plugin) fail(cause Cause, format string, args ...any) *Failure {
	p.note(newFailure(p.spec.Label, cause, format, args...))
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.failure
}

// note records why the plugin ends. The first reason is kept.
func (p *Plugin) note(f *Failure) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.failure == nil {
		f.LogTail = p.LogTail()
		p.failure = f
	}
}

// Kill ends the plugin at once, with its children. Calls under way end with a
// *Failure.
func (p *Plugin) Kill() {
	if p.Alive() {
		p.note(newFailure(p.spec.Label, Killed, "killed on request"))
	}
	p.process.kill()
}

// Close ends the plugin: by request, by force after a second. It frees the run
// folder and returns when the process is gone.
func (p *Plugin) Close() error {
	p.closing.Do(func() {
		if p.process.running() {
			if p.Alive() {
				p.note(newFailure(p.spec.Label, Killed, "closed"))
			}
			force := time.AfterFunc(time.Second, p.process.kill)
			p.client.Kill()
			force.Stop()
			<-p.process.exited
		}
		p.closeErr = errors.Join(p.log.Close(), p.dir.close())
	})
	return p.closeErr
}

// abandon ends a plugin that did not answer a cancelled call.
func (p *Plugin) abandon(call string, cause error) {
	f := newFailure(p.spec.Label, Hung, "%s was not answered before its deadline, nor soon after; killed", call)
	if !errors.Is(cause, context.DeadlineExceeded) {
		f = newFailure(p.spec.Label, Hung, "%s went on after it was cancelled; killed", call)
		f.err.Code = backends.Canceled
	}
	p.note(f)
	p.process.kill()
}

// lost explains a lost connection. The process has usually died with it.
func (p *Plugin) lost(call string, err *backends.Error) error {
	select {
	case <-p.process.exited:
	case <-time.After(2 * time.Second):
		p.note(newFailure(p.spec.Label, Crashed, "closed its connection in %s: %v", call, err))
		p.process.kill()
		<-p.process.exited
	}
	return p.fail(Crashed, "crashed in %s: %s", call, p.process.status())
}
