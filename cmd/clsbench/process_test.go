package main

import (
	"bufio"
	"bytes"
	"io"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/creack/pty"
	"github.com/stretchr/testify/require"

	"github.com/clsbench/clsbench/results"
)

// command is clsbench in a folder of its own, with a TMPDIR of its own.
func command(t *testing.T, args ...string) *exec.Cmd {
	env, err := environment()
	require.NoError(t, err)
	c := exec.Command("clsbench", args...)
	c.Dir = t.TempDir()
	tmp, err := os.MkdirTemp(shared, "")
	require.NoError(t, err)
	c.Env = append(append(os.Environ(), env...), "TMPDIR="+tmp, "NO_COLOR=")
	return c
}

// again is another command in the same place.
func again(c *exec.Cmd, args ...string) *exec.Cmd {
	next := exec.Command("clsbench", args...)
	next.Dir, next.Env = c.Dir, c.Env
	return next
}

func smoke(t *testing.T, more ...string) []string {
	tiny, err := tinyData()
	require.NoError(t, err)
	return append([]string{"run", "--effort", "smoke", "--mode", "infer", "--data", tiny}, more...)
}

// onLine starts c and calls act with the first line of its standard error that
// matches. It gives the exit code, the rest of standard error, and how long
// the end took from then.
func onLine(t *testing.T, c *exec.Cmd, wanted string, act func()) (code int, rest string, took time.Duration) {
	stderr, err := c.StderrPipe()
	require.NoError(t, err)
	require.NoError(t, c.Start())
	lines := bufio.NewScanner(stderr)
	re := regexp.MustCompile(wanted)
	var at time.Time
	var after, before strings.Builder
	for lines.Scan() {
		if !at.IsZero() {
			after.WriteString(lines.Text() + "\n")
			continue
		}
		before.WriteString(lines.Text() + "\n")
		if re.MatchString(lines.Text()) {
			at = time.Now()
			act()
		}
	}
	_ = c.Wait() // its code tells
	require.False(t, at.IsZero(), "no line %q in %q", wanted, before.String())
	return c.ProcessState.ExitCode(), after.String(), time.Since(at)
}

// documents are the result files of a command's folder, each read and valid.
func documents(t *testing.T, c *exec.Cmd) (docs []*results.Document) {
	paths, err := filepath.Glob(filepath.Join(c.Dir, "results", "runs", "*.json"))
	require.NoError(t, err)
	for _, p := range paths {
		d, err := results.ReadFile(p)
		require.NoError(t, err)
		docs = append(docs, d)
	}
	return docs
}

// requireNothingLeft waits until no process of the command's TMPDIR is left.
func requireNothingLeft(t *testing.T, c *exec.Cmd) {
	var tmp []byte
	for _, kv := range c.Env {
		if strings.HasPrefix(kv, "TMPDIR=") {
			tmp = []byte(kv)
		}
	}
	require.Eventually(t, func() bool {
		environments, err := filepath.Glob("/proc/[0-9]*/environ")
		require.NoError(t, err)
		for _, path := range environments {
			if b, err := os.ReadFile(path); err == nil && bytes.Contains(b, tmp) {
				return false
			}
		}
		return true
	}, 5*time.Second, 50*time.Millisecond)
}

func TestInterruptKeepsWhatIsDone(t *testing.T) {
	c := command(t, smoke(t, "--backend", "cpu", "--batch", "1,2,3")...)
	var once int
	code, rest, took := onLine(t, c, "^ok .*infer/f32/1/", func() {
		once++
		require.NoError(t, c.Process.Signal(os.Interrupt))
	})
	require.Equal(t, exitInterrupted, code, rest)
	require.Less(t, took, 4*time.Second)
	said := regexp.MustCompile(`clsbench: interrupted with [12] cells finished, .*clsbench run --resume ([0-9a-f]{12}) goes on\n$`).FindStringSubmatch(rest)
	require.NotNil(t, said, rest)
	require.Empty(t, documents(t, c))
	requireNothingLeft(t, c)

	// Nothing but the id: the rest is the interrupted run's. Other cells can't
	// be asked for.
	out, err := again(c, "run", "--resume", said[1], "--batch", "7").CombinedOutput()
	require.Error(t, err)
	require.Regexp(t, "^clsbench: flag --batch: --resume takes it from the interrupted run", string(out))
	out, err = again(c, "results", "list").CombinedOutput()
	require.NoError(t, err)
	require.Contains(t, string(out), said[1]+" is unfinished: clsbench run --resume "+said[1])
	out, err = again(c, "run", "--resume", said[1], "--dry-run").CombinedOutput()
	require.NoError(t, err)
	require.NotContains(t, string(out), "lenet5/infer/f32/1/", "it is finished")
	require.Regexp(t, `(?m)^lenet5/infer/f32/3/cpu;input=tiny-41b179\n[12] of 3 cells to go · smoke`, string(out))
	out, err = again(c, "run", "--resume", said[1][:6], "-q").CombinedOutput()
	require.NoError(t, err, string(out))
	docs := documents(t, c)
	require.Len(t, docs, 1)
	require.Len(t, docs[0].Results, 3)
	require.Len(t, docs[0].Run.Resumed, 1)
	require.Equal(t, said[1], docs[0].Run.ID)
	out, err = again(c, "run", "--resume", said[1]).CombinedOutput()
	require.Error(t, err)
	require.Contains(t, string(out), "no unfinished run")
}

// A closed terminal is told more than once, and is an interruption; but not to
// a run that is meant to outlive it.
func TestHangupKeepsWhatIsDone(t *testing.T) {
	caught := make(chan os.Signal, 1)
	signal.Notify(caught, syscall.SIGHUP) // a test run under nohup would pass the deafness on
	defer signal.Stop(caught)
	c := command(t, smoke(t, "--backend", "cpu", "--batch", "1,2,3")...)
	code, rest, _ := onLine(t, c, "^ok .*infer/f32/1/", func() {
		for range 3 {
			require.NoError(t, c.Process.Signal(syscall.SIGHUP))
			time.Sleep(5 * time.Millisecond)
		}
	})
	require.Equal(t, exitInterrupted, code, rest)
	require.Regexp(t, `clsbench: interrupted with [12] cells finished, .*clsbench run --resume [0-9a-f]{12} goes on\n$`, rest)
	requireNothingLeft(t, c)

	deaf := exec.Command("nohup", append([]string{"clsbench"}, smoke(t, "--backend", "cpu", "--batch", "1,2")...)...)
	deaf.Dir, deaf.Env = t.TempDir(), c.Env
	code, rest, _ = onLine(t, deaf, "^ok .*infer/f32/1/", func() {
		require.NoError(t, deaf.Process.Signal(syscall.SIGHUP))
	})
	require.Equal(t, exitDone, code, rest)
	require.Len(t, documents(t, deaf), 1)
}

// A plugin in a step that does not end, of a run that is watched.
func TestInterruptInALongStep(t *testing.T) {
	c := command(t, smoke(t, "--backend", "slow=exec:faulty run=sleep batch=1", "--batch", "1", "-v")...)
	code, rest, took := onLine(t, c, "warming up slow", func() {
		time.Sleep(500 * time.Millisecond)
		require.NoError(t, c.Process.Signal(os.Interrupt))
	})
	require.Equal(t, exitInterrupted, code, rest)
	require.Less(t, took-500*time.Millisecond, 4*time.Second)
	require.NotContains(t, rest, "goroutine ")
	requireNothingLeft(t, c)
}

// A host that is killed leaves no torn file and no process; its journal is
// taken up, and what is left in TMPDIR is swept by then.
func TestKilledHostLeavesItsJournal(t *testing.T) {
	for _, wanted := range []string{"^ok .*infer/f32/1/", "^ok .*infer/f32/2/"} { // in the midst, and about to save
		c := command(t, smoke(t, "--backend", "cpu", "--batch", "1,2")...)
		code, _, _ := onLine(t, c, wanted, func() { require.NoError(t, c.Process.Kill()) })
		requireNothingLeft(t, c)
		if docs := documents(t, c); len(docs) > 0 { // it was faster than we
			require.Len(t, docs[0].Results, 2)
			continue
		}
		require.Equal(t, -1, code)
		ids := results.Store{Dir: filepath.Join(c.Dir, "results", "runs")}.Unfinished()
		require.Len(t, ids, 1)
		out, err := again(c, "run", "--resume", ids[0].RunID, "-q").CombinedOutput()
		require.NoError(t, err, string(out))
		docs := documents(t, c)
		require.Len(t, docs, 1)
		require.Len(t, docs[0].Results, 2)
		requireNothingLeft(t, c)
		left, err := filepath.Glob(filepath.Join(strings.TrimPrefix(tmpOf(c), "TMPDIR="), "clsbench-*", "*"))
		require.NoError(t, err)
		for _, path := range left {
			require.Equal(t, "gate", filepath.Base(path))
		}
	}
}

func tmpOf(c *exec.Cmd) (last string) {
	for _, kv := range c.Env {
		if strings.HasPrefix(kv, "TMPDIR=") {
			last = kv
		}
	}
	return last
}

// terminal starts a command whose standard error is a terminal, and gives what
// was written there.
func terminal(t *testing.T, c *exec.Cmd, both bool) (screen string, stdout string) {
	master, tty, err := pty.Open()
	require.NoError(t, err)
	require.NoError(t, pty.Setsize(tty, &pty.Winsize{Rows: 24, Cols: 100}))
	var out bytes.Buffer
	c.Stdout, c.Stderr = &out, tty
	if both {
		c.Stdout = tty
	}
	require.NoError(t, c.Start())
	tty.Close()
	read := make(chan string)
	go func() {
		b, _ := io.ReadAll(master) // EIO when the other side has closed
		read <- string(b)
	}()
	require.NoError(t, c.Wait())
	screen = <-read
	master.Close()
	return screen, out.String()
}

func TestProgressOnATerminal(t *testing.T) {
	c := command(t, smoke(t, "--backend", "cpu", "--batch", "1")...)
	screen, stdout := terminal(t, c, false)
	require.Contains(t, screen, "\x1b[", "bars move the cursor")
	require.Contains(t, screen, "conform ")
	require.Contains(t, screen, "infer b1")
	require.Regexp(t, `ok +lenet5/infer/f32/1/cpu;input=tiny-41b179`, screen)
	require.Contains(t, stdout, "conform PASS")
	require.NotContains(t, stdout, "\x1b", "standard output is no terminal")

	screen, _ = terminal(t, again(c, append(c.Args[1:], "-q")...), false)
	require.Empty(t, screen)

	// Colour in the table, on a terminal that is not told otherwise.
	id := documents(t, c)[0].Run.ID
	screen, _ = terminal(t, again(c, "results", "show", id), true)
	require.Contains(t, screen, "\x1b[3", "green")
	plain := again(c, "results", "show", id)
	plain.Env = append(plain.Env, "NO_COLOR=1")
	screen, _ = terminal(t, plain, true)
	require.NotContains(t, screen, "\x1b")
	require.Contains(t, screen, "conform PASS")
}

// A terminal that goes away takes the bars with it, not the run.
func TestTerminalGoesAway(t *testing.T) {
	c := command(t, smoke(t, "--backend", "cpu", "--batch", "1", "--json")...)
	master, tty, err := pty.Open()
	require.NoError(t, err)
	require.NoError(t, pty.Setsize(tty, &pty.Winsize{Rows: 24, Cols: 100}))
	var out bytes.Buffer
	c.Stdout, c.Stderr = &out, tty
	require.NoError(t, c.Start())
	tty.Close()
	_, err = master.Read(make([]byte, 1))
	require.NoError(t, err)
	master.Close()
	done := make(chan error, 1)
	go func() { done <- c.Wait() }()
	select {
	case err := <-done:
		require.NoError(t, err)
	case <-time.After(time.Minute):
		_ = c.Process.Signal(syscall.SIGQUIT)
		require.Fail(t, "the run hangs")
	}
	require.Len(t, documents(t, c), 1)
	require.NotEmpty(t, out.String())
}
