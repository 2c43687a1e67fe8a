package plugin

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/clsbench/clsbench/backends"
	"github.com/clsbench/clsbench/backends/wire"
	"github.com/clsbench/clsbench/internal/faulty"
)

// hostCommand makes the test binary a host: `__host DIR SPEC`. It opens the
// plugin, maps, compiles and runs, and prints what became of that.
const hostCommand = "__host"

func maybeHost() {
	if len(os.Args) != 4 || os.Args[1] != hostCommand {
		return
	}
	spec, err := ParseSpec(os.Args[3])
	if err == nil {
		err = host(spec, Options{Registry: registry, Dir: os.Args[2], Transport: wire.File})
	}
	fmt.Println("host:", err)
	os.Exit(0)
}

func host(spec Spec, o Options) error {
	ctx := context.Background()
	p, err := Open(ctx, spec, o)
	if err != nil {
		return err
	}
	defer p.Close()
	fmt.Fprintln(os.Stderr, "plugin is up")
	s, err := p.Open(ctx, backends.SessionConfig{})
	if err != nil {
		return err
	}
	t := &testing.T{}
	r := newProgram(t)
	e, err := backends.CompileBound(ctx, s, r, func(string) int { return 1 }, nil)
	if err != nil {
		return err
	}
	for err == nil {
		_, err = e.Run(ctx, backends.RunRequest{Steps: 100})
	}
	return err
}

// victims are a running host and its plugin.
type victims struct {
	dir    string
	host   *exec.Cmd
	out    bytes.Buffer
	plugin int
}

// reach starts a host and waits until its plugin's log says so.
func reach(t *testing.T, spec, fault, logged string) *victims {
	v := &victims{dir: options(t).Dir}
	v.host = exec.Command(os.Args[0], hostCommand, v.dir, spec)
	v.host.Env = append(os.Environ(), faulty.Env+"="+fault)
	v.host.Stdout = &v.out
	require.NoError(t, v.host.Start())
	t.Cleanup(func() { _ = v.host.Process.Kill() })
	require.Eventually(t, func() bool {
		logs, _ := filepath.Glob(filepath.Join(v.dir, "*", "plugin.log"))
		pids, _ := filepath.Glob(filepath.Join(v.dir, "*", pidName))
		if len(logs) != 1 || len(pids) != 1 {
			return false
		}
		text, _ := os.ReadFile(logs[0])
		pid, _ := os.ReadFile(pids[0])
		v.plugin, _ = strconv.Atoi(strings.Split(string(pid), " ")[0])
		return v.plugin > 1 && strings.Contains(string(text), logged)
	}, 20*time.Second, 2*time.Millisecond, "the plugin did not get there")
	return v
}

func (v *victims) kill(pid int) { _ = syscall.Kill(pid, syscall.SIGKILL) }

// left lists what is in the run folders' folder beside its gate.
func (v *victims) left(t *testing.T) (names []string) {
	entries, err := os.ReadDir(v.dir)
	require.NoError(t, err)
	for _, e := range entries {
		if e.Name() != "gate" {
			names = append(names, e.Name())
		}
	}
	return names
}

var stages = []struct{ name, spec, fault, logged string }{
	{"handshake", "faulty", "start=hang", "hangs in start"},
	{"map", "faulty", "map=hang", "hangs in map"},
	{"compile", "faulty", "compile=hang", "hangs in compile"},
	{"run", "faulty", "run=hang", "hangs in run"},
	{"running", "faulty", "run=speak", "speaks in run"},
}

func TestKilledHostLeavesNothing(t *testing.T) {
	for _, stage := range stages {
		t.Run(stage.name, func(t *testing.T) {
			v := reach(t, stage.spec, stage.fault, stage.logged)
			v.kill(v.host.Process.Pid)
			gone(t, v.plugin)
			require.Eventually(t, func() bool { return len(v.left(t)) == 0 }, 10*time.Second, time.Millisecond)
		})
	}
}

// TestSlowlyDyingHostLeavesNothing is what a busy machine makes of a kill: the
// signal comes when the thread dies that started the plugin, the end of the
// life pipe when all have.
func TestSlowlyDyingHostLeavesNothing(t *testing.T) {
	v := reach(t, "faulty", "run=speak", "speaks in run")
	require.NoError(t, syscall.Kill(v.host.Process.Pid, syscall.SIGSTOP)) // it tidies up nothing
	require.NoError(t, syscall.Kill(v.plugin, syscall.SIGTERM))
	time.Sleep(300 * time.Millisecond)
	v.kill(v.host.Process.Pid)
	gone(t, v.plugin)
	require.Eventually(t, func() bool { return len(v.left(t)) == 0 }, 10*time.Second, time.Millisecond)
}

func TestKilledHostOfPythonLeavesNothing(t *testing.T) {
	v := reach(t, python(t), "", "")
	// Its handshake done, its socket is there.
	require.Eventually(t, func() bool {
		sockets, _ := filepath.Glob(filepath.Join(v.dir, "*", "*", "socket"))
		return len(sockets) == 1
	}, 20*time.Second, time.Millisecond)
	v.kill(v.host.Process.Pid)
	gone(t, v.plugin)
	require.Eventually(t, func() bool { return len(v.left(t)) == 0 }, 10*time.Second, time.Millisecond)
}

func TestKilledPluginLeavesNothing(t *testing.T) {
	for _, stage := range stages {
		t.Run(stage.name, func(t *testing.T) {
			v := reach(t, stage.spec, stage.fault, stage.logged)
			v.kill(v.plugin)
			require.NoError(t, v.host.Wait())
			require.Contains(t, v.out.String(), "signal: killed")
			require.Empty(t, v.left(t))
		})
	}
}

func TestBothKilledAreSwept(t *testing.T) {
	for _, stage := range stages {
		t.Run(stage.name, func(t *testing.T) {
			v := reach(t, stage.spec, stage.fault, stage.logged)
			v.kill(v.host.Process.Pid)
			v.kill(v.plugin)
			gone(t, v.plugin)
			_ = v.host.Wait()
			p := open(t, "null", Options{Registry: registry, Dir: v.dir}) // the next start
			require.NoError(t, p.Close())
			require.Empty(t, v.left(t))
		})
	}
}

// TestStubbornOrphanIsSwept: a plugin that heeds neither pipe nor signal
// outlives its host, but not the next one's start.
func TestStubbornOrphanIsSwept(t *testing.T) {
	v := reach(t, `exec:/bin/sh -c "trap '' TERM; echo here >&2; exec sleep 1000"`, "", "here")
	v.kill(v.host.Process.Pid)
	_ = v.host.Wait()
	require.NoError(t, syscall.Kill(v.plugin, 0), "the plugin should live")
	sweep(v.dir)
	gone(t, v.plugin)
	require.Empty(t, v.left(t))
}

func TestSweepSparesTheLiving(t *testing.T) {
	o := options(t)
	p := open(t, "null", o)
	sweep(o.Dir)
	require.FileExists(t, p.LogPath())
	require.True(t, p.Alive())
	require.NoError(t, p.Close())
}
