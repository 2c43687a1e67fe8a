package plugin

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/clsbench/clsbench/backends"
	"github.com/clsbench/clsbench/backends/wire"
	"github.com/clsbench/clsbench/graph"
	"github.com/clsbench/clsbench/internal/faulty"
	"github.com/clsbench/clsbench/tensor"
)

// failsToOpen opens a faulty plugin and returns why it did not come up.
func failsToOpen(t *testing.T, fault string, o Options) *Failure {
	o.Env = []string{faulty.Env + "=" + fault}
	_, err := Open(context.Background(), Spec{Label: "bad", Name: "faulty"}, o)
	var f *Failure
	require.ErrorAs(t, err, &f)
	return f
}

func TestPluginsThatDoNotComeUp(t *testing.T) {
	for _, c := range []struct {
		fault   string
		cause   Cause
		code    backends.Code
		says    string
		timeout time.Duration
	}{
		{"start=exit", ExitedAtStart, backends.Unavailable, "exit status 7", 0},
		{"start=closed", ExitedAtStart, backends.Unavailable, "exit status 9", 0},
		{"start=kill", ExitedAtStart, backends.Unavailable, "signal: killed", 0},
		{"start=panic", ExitedAtStart, backends.Unavailable, "exit status 2", 0},
		{"start=version", ProtocolVersion, backends.Unavailable, "speaks version 2 of the protocol, this clsbench version 1", 0},
		{"start=garbage", BadHandshake, backends.Unavailable, "Welcome to my backend!", 0},
		{"start=hang", StartTimeout, backends.DeadlineExceeded, "in time", 200 * time.Millisecond},
		{"describe=exit", Crashed, backends.Unavailable, "exit status 7", 0},
		{"describe=hang", Hung, backends.DeadlineExceeded, "Describe", time.Second},
		{"describe=panic", Crashed, backends.Unavailable, "planned panic", 0},
		{"describe=nameless", Crashed, backends.Unavailable, "calls itself", 0},
	} {
		t.Run(c.fault, func(t *testing.T) {
			o := options(t)
			o.StartTimeout, o.Grace = c.timeout, 200*time.Millisecond
			f := failsToOpen(t, c.fault, o)
			require.Equal(t, c.cause, f.Cause, f.Error())
			require.Equal(t, c.code, backends.CodeOf(f))
			require.Contains(t, f.Error(), c.says)
			require.NotContains(t, f.Error(), "\x1b", "a terminal's escape")
			if c.fault == "start=exit" {
				require.Contains(t, f.LogTail, "no licence found")
			}
		})
	}
}

func TestOpenIsCancelled(t *testing.T) {
	o := options(t)
	o.Env = []string{faulty.Env + "=start=hang"}
	ctx, cancel := context.WithCancel(context.Background())
	time.AfterFunc(100*time.Millisecond, cancel)
	_, err := Open(ctx, Spec{Label: "bad", Name: "faulty"}, o)
	require.Equal(t, backends.Canceled, backends.CodeOf(err), err)
}

// rig is a plugin with a fault, or "" for none, and its session.
type rig struct {
	*Plugin
	session backends.Session
	program *graph.Program
}

func newRig(t *testing.T, fault string, change ...func(*Options)) *rig {
	o := options(t)
	o.Grace, o.CloseTime = 200*time.Millisecond, 200*time.Millisecond
	o.Env = []string{faulty.Env + "=" + fault}
	for _, f := range change {
		f(&o)
	}
	r := &rig{Plugin: open(t, "faulty", o)}
	r.program = newProgram(t)
	return r
}

// newProgram is y = 2x, w ← x.
func newProgram(t require.TestingT) *graph.Program {
	b := graph.NewBuilder("double")
	x := b.Feed("x", tensor.T(tensor.F32, 4))
	b.Update(b.State("w", tensor.T(tensor.F32, 4)), x)
	b.Fetch(b.Op("Add", nil, x, x))
	p, err := b.Program()
	require.NoError(t, err)
	return p
}

// all makes every call in turn and returns the first error.
func (r *rig) all(ctx context.Context) (err error) {
	if r.session, err = r.Open(ctx, backends.SessionConfig{}); err != nil {
		return err
	}
	if _, err := r.session.Check(ctx, r.program); err != nil {
		return err
	}
	e, err := backends.CompileBound(ctx, r.session, r.program, func(string) int { return 4 }, nil)
	if err != nil {
		return err
	}
	_, err = e.Run(ctx, backends.RunRequest{Steps: 4})
	x := []*tensor.Tensor{tensor.New(tensor.F32, 4)}
	for _, call := range []func() error{
		func() error { return r.session.Write(ctx, []string{"w"}, x) },
		func() error { return r.session.Read(ctx, []string{"w"}, x) },
		func() error { _, err := r.session.Stats(ctx); return err },
		e.Close,
		r.session.Close,
	} {
		if err == nil {
			err = call()
		}
	}
	_ = e.Region.Close() // freed twice is freed once
	return err
}

var calls = []string{"open", "map", "unmap", "check", "compile", "run", "read", "write", "stats", "close-executable", "close-session"}

func TestCrashInEachCall(t *testing.T) {
	for i, call := range calls {
		how := []string{"exit", "kill", "segv", "goroutine"}[i%4]
		t.Run(call+"="+how, func(t *testing.T) {
			r := newRig(t, call+"="+how)
			err := r.all(context.Background())
			var f *Failure
			require.ErrorAs(t, err, &f)
			require.Equal(t, Crashed, f.Cause, f.Error())
			require.Equal(t, backends.Unavailable, backends.CodeOf(err))
			want := map[string]string{"exit": "exit status 7", "kill": "signal: killed", "segv": "exit status 2", "goroutine": "exit status 2"}
			require.Contains(t, f.Detail, want[how])
			if how == "goroutine" {
				require.Contains(t, f.LogTail, "planned panic in a goroutine")
			}
			require.False(t, r.Alive())
			require.Equal(t, f, r.Failure())
			_, err = r.session2(t)
			require.ErrorAs(t, err, &f)
		})
	}
}

// session2 asks a dead plugin for one more session.
func (r *rig) session2(t *testing.T) (backends.Session, error) {
	return r.Open(context.Background(), backends.SessionConfig{})
}

func TestHangInEachCall(t *testing.T) {
	for _, call := range calls {
		t.Run(call, func(t *testing.T) {
			t.Parallel() // they wait more than they work
			r := newRig(t, call+"=hang")
			ctx, done := context.WithTimeout(context.Background(), time.Second)
			defer done()
			err := r.all(ctx)
			var f *Failure
			require.ErrorAs(t, err, &f)
			require.Equal(t, Hung, f.Cause, f.Error())
			require.Equal(t, backends.DeadlineExceeded, backends.CodeOf(err))
			require.False(t, r.Alive())
		})
	}
}

func TestCancelledHangIsKilledAsCancelled(t *testing.T) {
	r := newRig(t, "run=hang")
	ctx, cancel := context.WithCancel(context.Background())
	time.AfterFunc(300*time.Millisecond, cancel)
	err := r.all(ctx)
	var f *Failure
	require.ErrorAs(t, err, &f)
	require.Equal(t, Hung, f.Cause)
	require.Equal(t, backends.Canceled, backends.CodeOf(err))
	require.False(t, r.Alive())
}

// TestSlowStepOutlivesItsCancel: a step may end within the grace, and the
// plugin stays.
func TestSlowStepOutlivesItsCancel(t *testing.T) {
	r := newRig(t, "run=late-answer", func(o *Options) { o.Grace = 5 * time.Second })
	ctx, cancel := context.WithCancel(context.Background())
	time.AfterFunc(200*time.Millisecond, cancel)
	err := r.all(ctx)
	require.Error(t, err) // of the run itself or of the call after it
	require.Equal(t, backends.Canceled, backends.CodeOf(err), err)
	require.True(t, r.Alive())
}

func TestPanicIsAnErrorAndPoisons(t *testing.T) {
	for _, call := range calls[:9] {
		r := newRig(t, call+"=panic")
		err := r.all(context.Background())
		require.Equal(t, backends.Internal, backends.CodeOf(err), call)
		require.ErrorContains(t, err, "planned panic")
		require.True(t, r.Alive())
		if call != "open" {
			_, err = r.session.Stats(context.Background())
			require.Equal(t, backends.FailedPrecondition, backends.CodeOf(err), call)
			require.NoError(t, r.session.Close())
		}
	}
}

func TestFailedRunPoisons(t *testing.T) {
	r := newRig(t, "run=error")
	err := r.all(context.Background())
	require.Equal(t, backends.Internal, backends.CodeOf(err))
	require.ErrorContains(t, err, "fell off the bus")
	_, err = r.session.Stats(context.Background())
	require.Equal(t, backends.FailedPrecondition, backends.CodeOf(err))
	require.ErrorContains(t, err, "fell off the bus")
	require.NoError(t, r.session.Close())
}

func TestWrongAnswersAreErrors(t *testing.T) {
	for _, c := range [][2]string{
		{"check=short", "0 verdicts on 1 nodes"},
		{"check=other", "another"},
		{"plan=unknown-node", "no-such-node"},
		{"plan=node-twice", "once more"},
		{"plan=no-digest", "digest"},
		{"run=short", "ran 4 steps and answered with 3"},
		{"run=long", "ran 4 steps and answered with 5"},
		{"run=other-partition", "partition 7 of 1"},
	} {
		r := newRig(t, c[0])
		err := r.all(context.Background())
		require.Equal(t, backends.Internal, backends.CodeOf(err), c)
		require.ErrorContains(t, err, c[1])
		require.True(t, r.Alive())
		require.NoError(t, r.session.Close())
	}
}

func TestLiesAboutTimeShow(t *testing.T) {
	for _, fault := range []string{"run=early", "run=late", "run=ahead", "run=split", "run=negative", ""} {
		r := newRig(t, fault)
		ctx := context.Background()
		s, err := r.Open(ctx, backends.SessionConfig{})
		require.NoError(t, err)
		e, err := backends.CompileBound(ctx, s, r.program, func(string) int { return 1 }, nil)
		require.NoError(t, err)
		before := backends.Now()
		got, err := e.Run(ctx, backends.RunRequest{Steps: 5})
		require.NoError(t, err)
		err = backends.CheckSamples(got, backends.RunRequest{Steps: 5}, before, backends.Now())
		require.Equal(t, fault != "", err != nil, fault)
		require.NoError(t, e.Close())
		require.NoError(t, s.Close())
	}
}

// TestTruncatedMemory: what is shared cannot be taken away where the kernel can
// forbid it, and where it can't, the host says who did it and lives on.
func TestTruncatedMemory(t *testing.T) {
	for _, c := range []struct {
		transport wire.Transport
		says      string // "": the plugin was not able to
	}{{wire.Memfd, ""}, {wire.File, "made the file that it shares with the host shorter"}} {
		t.Run(string(c.transport), func(t *testing.T) {
			r := newRig(t, "run=truncate", func(o *Options) { o.Transport = c.transport })
			ctx := context.Background()
			s, err := r.Open(ctx, backends.SessionConfig{})
			require.NoError(t, err)
			e, err := backends.CompileBound(ctx, s, r.program, func(string) int { return 1 }, nil)
			require.NoError(t, err)
			for _, v := range tensor.View[float32](e.At("x", 0)) {
				require.Zero(t, v)
			}
			_, err = e.Run(ctx, backends.RunRequest{Steps: 1})
			require.Eventually(t, func() bool { return strings.Contains(r.LogTail(), "truncates") }, 10*time.Second, time.Millisecond)
			if c.says == "" {
				require.NoError(t, err)
				require.Contains(t, r.LogTail(), "operation not permitted")
			} else {
				require.Equal(t, backends.Internal, backends.CodeOf(err))
				require.ErrorContains(t, err, c.says)
			}
			require.Equal(t, make([]byte, 16), e.At(r.program.Fetches[0], 0))
			_, _ = e.Close(), s.Close()
		})
	}
}

func TestGrowthIsStopped(t *testing.T) {
	r := newRig(t, "run=grow", func(o *Options) { o.MemoryLimit = 128 << 20 })
	err := r.all(context.Background())
	var f *Failure
	require.ErrorAs(t, err, &f)
	require.Equal(t, OutOfMemory, f.Cause, f.Error())
	require.Equal(t, backends.ResourceExhausted, backends.CodeOf(err))
	require.False(t, r.Alive())
}

func TestFloodIsCapped(t *testing.T) {
	const limit = 1 << 20
	r := newRig(t, "open=flood", func(o *Options) { o.LogLimit, o.LogDir = limit, t.TempDir() })
	require.NoError(t, r.all(context.Background()), "the flood must not stop the plugin")
	require.NoError(t, r.Close())
	require.Contains(t, r.LogTail(), "the end of the flood")
	size := int64(0)
	for _, path := range []string{r.LogPath(), r.LogPath() + ".1"} {
		st, err := os.Stat(path)
		require.NoError(t, err)
		size += st.Size()
	}
	require.LessOrEqual(t, size, int64(limit))
	tail, err := os.ReadFile(r.LogPath())
	require.NoError(t, err)
	require.Contains(t, string(tail), "the end of the flood")
}

func TestRestartAfterCrash(t *testing.T) {
	r := newRig(t, "run=kill")
	require.Error(t, r.all(context.Background()))
	require.NoError(t, r.Close())
	again := newRig(t, "")
	require.NoError(t, again.all(context.Background()))
}

// TestNothingIsHeld: whatever became of plugins, no goroutine and no descriptor
// stays.
func TestNothingIsHeld(t *testing.T) {
	once := open(t, "null", options(t)) // starts the thread that starts plugins
	require.NoError(t, once.Close())
	descriptors := func() int {
		list, err := os.ReadDir("/proc/self/fd")
		require.NoError(t, err)
		return len(list)
	}
	goroutines, before := goleak.IgnoreCurrent(), descriptors()
	for _, fault := range []string{"", "run=kill", "map=hang", "compile=panic"} {
		r := newRig(t, fault)
		ctx, done := context.WithTimeout(t.Context(), time.Second)
		require.Equal(t, fault != "", r.all(ctx) != nil)
		done()
		if r.session != nil {
			_ = r.session.Close() // dead or closed already
		}
		require.NoError(t, r.Close())
	}
	for _, fault := range []string{"start=exit", "start=version", "start=garbage", "describe=panic"} {
		failsToOpen(t, fault, options(t))
	}
	goleak.VerifyNone(t, goroutines)
	require.Equal(t, before, descriptors())
}

var childPattern = regexp.MustCompile(`child (\d+)`)

// TestChildrenDie, whether they stayed in the group, left it, or left their
// parent too.
func TestChildrenDie(t *testing.T) {
	for _, end := range []func(p *Plugin){
		func(p *Plugin) { p.Kill() },
		func(p *Plugin) { _ = syscall.Kill(p.Pid(), syscall.SIGKILL) },
		func(p *Plugin) { _ = p.Close() },
		func(p *Plugin) { p.watchMemory(1) }, // more is in use
	} {
		r := newRig(t, "open=children")
		require.NoError(t, r.all(context.Background()))
		require.Eventually(t, func() bool { return len(childPattern.FindAllString(r.LogTail(), -1)) == 3 }, 10*time.Second, time.Millisecond)
		var pids []int
		for _, m := range childPattern.FindAllStringSubmatch(r.LogTail(), -1) {
			pid, err := strconv.Atoi(m[1])
			require.NoError(t, err)
			pids = append(pids, pid)
		}
		end(r.Plugin)
		for _, pid := range pids {
			gone(t, pid)
		}
		require.NoError(t, r.Close())
	}
}

// gone waits until no such process runs; a zombie waiting for its parent does
// not.
func gone(t *testing.T, pid int) {
	require.Eventually(t, func() bool {
		b, err := os.ReadFile(filepath.Join("/proc", strconv.Itoa(pid), "stat"))
		return errors.Is(err, fs.ErrNotExist) || errors.Is(err, syscall.ESRCH) || regexp.MustCompile(`\) [ZX] `).Match(b)
	}, 10*time.Second, 2*time.Millisecond, "process %d lives", pid)
}
