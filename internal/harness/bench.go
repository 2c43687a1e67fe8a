package harness

import (
	"context"
	"errors"
	"slices"
	"strings"
	"time"

	"github.com/clsbench/clsbench/backends"
	"github.com/clsbench/clsbench/backends/plugin"
	"github.com/clsbench/clsbench/conformance"
	"github.com/clsbench/clsbench/graph"
	"github.com/clsbench/clsbench/results"
	"github.com/clsbench/clsbench/workloads"
)

// bench is one backend under measurement: its process and its session, which
// can be had anew after a failure.
type bench struct {
	ops   *conformance.Verdict // of the single ops of its cells; nil before judgeOps
	parts conformance.Parts    // what is known of its plans' partitions

	spec   plugin.Spec
	config backends.SessionConfig
	opts   plugin.Options
	limit  time.Duration // for one answer

	plugin      *plugin.Plugin
	desc        backends.Description
	session     backends.Session // each of its calls ends within the limit
	serves      string           // the network whose cells were last measured
	startMillis float64
	openMillis  float64 // the start of the process included
	broken      bool    // the session can't be used any more
	dead        error   // why the plugin does not come up: it won't for the next cell either
	lastTail    string
}

// start starts the process and asks what the backend is, unless it stands.
func (b *bench) start(ctx context.Context) error {
	if b.dead != nil {
		return b.dead
	}
	if b.plugin != nil && !b.broken && b.plugin.Alive() {
		return nil
	}
	b.close()
	begin := time.Now()
	o := b.opts
	o.StartTimeout = min(b.limit, 30*time.Second)
	p, err := plugin.Open(ctx, b.spec, o)
	if err != nil {
		if ctx.Err() == nil {
			b.dead = err
		}
		return err
	}
	b.plugin, b.broken = p, false
	if b.desc, err = p.Describe(ctx); err != nil {
		return err
	}
	b.startMillis = millis(time.Since(begin))
	return nil
}

// open starts the process and takes the device, unless both stand already.
func (b *bench) open(ctx context.Context) error {
	if err := b.start(ctx); err != nil || b.session != nil {
		return err
	}
	if !b.has(b.config.Math) {
		return backends.Errorf(backends.Unimplemented, "math mode %q: the backend has %s", b.config.Math, strings.Join(b.modes(), ", "))
	}
	begin := time.Now()
	s, err := (&limited{b.plugin, b.limit}).Open(ctx, b.config)
	if err != nil {
		return err
	}
	b.session = s
	b.openMillis = b.startMillis + millis(time.Since(begin))
	return nil
}

// serve makes the session one for cells of w: state that another network left
// behind would have the same names and other shapes.
func (b *bench) serve(w *workloads.Workload) {
	if b.serves != "" && b.serves != w.String() {
		b.close()
	}
	b.serves = w.String()
}

// modes are the backend's math modes, once it is started.
func (b *bench) modes() []string { return append([]string{graph.Strict}, b.desc.Math...) }

func (b *bench) has(math string) bool { return slices.Contains(b.modes(), math) }

// reopen starts a new process whatever became of the last one.
func (b *bench) reopen(ctx context.Context) error {
	b.close()
	return b.open(ctx)
}

// close ends session and process; errors mean that they had ended already.
func (b *bench) close() {
	if b.plugin == nil {
		return
	}
	if b.session != nil && b.plugin.Alive() && !b.broken {
		_ = b.session.Close()
	}
	b.end()
}

// patience is what a plugin gets for its own end when the run was interrupted.
const patience = 300 * time.Millisecond

// stop ends the process soon, whatever it is doing.
func (b *bench) stop() {
	if b.plugin == nil {
		return
	}
	force := time.AfterFunc(patience, b.plugin.Kill)
	defer force.Stop()
	b.end()
}

func (b *bench) end() {
	_ = b.plugin.Close() // a plugin that has ended already has its say in Failure
	b.lastTail = b.plugin.LogTail()
	b.plugin, b.session = nil, nil
}

func (b *bench) pid() int { return b.plugin.Pid() }

// identify says in a result whose figures it has.
func (b *bench) identify(r *results.Result) {
	if b.plugin == nil {
		return
	}
	r.PluginHash, r.Version = b.plugin.Hash(), b.desc.Version
	if i := b.config.Device; i < len(b.desc.Devices) {
		r.Device, r.Driver = b.desc.Devices[i].Name, b.desc.Devices[i].Driver
		r.Implementation = b.implementation(r.Device)
	}
	if b.plugin.Kind() == plugin.Unregistered {
		r.Flags = append(r.Flags, results.FlagUnregistered)
	}
}

// implementation is the first word that the backend has for its device,
// "avx512, 2 threads", unless an option that knows this word chose another.
func (b *bench) implementation(device string) string {
	word, _, _ := strings.Cut(device, ",")
	for _, o := range b.desc.Options {
		if chosen, ok := b.spec.Options[o.Name]; ok && slices.Contains(o.Values, word) {
			return chosen
		}
	}
	return word
}

// logTail is the last few lines of the plugin's log.
func (b *bench) logTail() []string {
	if b.plugin != nil {
		return lastLines(b.plugin.LogTail())
	}
	return lastLines(b.lastTail)
}

func lastLines(text string) []string {
	const most = 20
	lines := strings.Split(strings.TrimSpace(text), "\n")
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
		cause.LogTail = lastLines(f.LogTail)
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
	if errors.Is(err, context.DeadlineExceeded) {
		cause.Kind = results.CauseDeadlineExceeded
		return results.StatusTimeout, cause
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
