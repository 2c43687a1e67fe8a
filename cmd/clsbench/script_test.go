package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"

	"github.com/clsbench/clsbench/backends/plugin"
	"github.com/clsbench/clsbench/backends/reference"
	"github.com/clsbench/clsbench/backends/wire"
	"github.com/clsbench/clsbench/conformance/faults"
	"github.com/clsbench/clsbench/internal/faulty"
	"github.com/clsbench/clsbench/results"
	"github.com/clsbench/clsbench/workloads/data"
)

// shared is a folder of all tests: caches, data, and plugins' folders, whose
// sockets want short paths.
var shared string

// tests sets up what the tests share, when the binary is not one of the
// commands below.
type tests struct{ m *testing.M }

func (t tests) Run() int {
	var err error
	if shared, err = os.MkdirTemp("", "clsb"); err != nil {
		panic(err)
	}
	defer os.RemoveAll(shared)
	return t.m.Run()
}

// The binary under test is the test binary: as `clsbench` it is the command
// line, as `faulty` a plugin that misbehaves, and the embedded backends start
// it once more.
func TestMain(m *testing.M) {
	plugin.MaybeServe(served())
	testscript.Main(tests{m}, map[string]func(){
		"clsbench": main,
		"faulty":   func() { faulty.Main(reference.New(), os.Args[1:]) },
		"planted":  func() { planted(os.Args[1]) },
	})
}

// planted serves a backend with one of the faults that the suites must catch.
func planted(name string) {
	for _, f := range faults.Faults() {
		if f.Name == name {
			wire.Serve(f.Backend())
			os.Exit(0)
		}
	}
	fmt.Fprintln(os.Stderr, "no fault", name)
	os.Exit(2)
}

// tinyData is a folder of 64 training and 32 test digits.
var tinyData = sync.OnceValues(func() (string, error) {
	set, err := data.Open(context.Background(), "digits/v1", data.Options{TrainLimit: 64, TestLimit: 32})
	if err != nil {
		return "", err
	}
	dir := filepath.Join(shared, "tiny")
	return dir, data.WriteIDX(dir, set, false)
})

// environment is what every command under test gets beside PATH.
func environment() ([]string, error) {
	tiny, err := tinyData()
	if err != nil {
		return nil, err
	}
	tmp := filepath.Join(shared, "tmp")
	if err := os.MkdirAll(tmp, 0o755); err != nil {
		return nil, err
	}
	return []string{"TINY=" + tiny, "TMPDIR=" + tmp, data.CacheEnv + "=" + filepath.Join(shared, "cache"),
		"XDG_CACHE_HOME=" + filepath.Join(shared, "xdg"), "XDG_CONFIG_HOME=" + filepath.Join(shared, "config")}, nil
}

func TestScripts(t *testing.T) {
	testscript.Run(t, testscript.Params{
		Dir: filepath.Join("testdata", "script"),
		Setup: func(e *testscript.Env) error {
			more, err := environment()
			for _, kv := range more {
				k, v, _ := strings.Cut(kv, "=")
				e.Setenv(k, v)
			}
			return err
		},
		Cmds: map[string]func(ts *testscript.TestScript, neg bool, args []string){
			"exits":   exits,
			"refuses": refuses,
			"rows":    rows,
			"json":    checkJSON,
			"setenv":  setenv,
		},
		RequireExplicitExec: true,
	})
}

// run starts a program and gives its exit code.
func runCommand(ts *testscript.TestScript, args []string) int {
	err := ts.Exec(args[0], args[1:]...)
	var exit *exec.ExitError
	switch {
	case err == nil:
		return 0
	case errors.As(err, &exit):
		return exit.ExitCode()
	}
	ts.Fatalf("%v", err)
	return -1
}

// exits CODE COMMAND...: the command ends with this code.
func exits(ts *testscript.TestScript, _ bool, args []string) {
	want, err := strconv.Atoi(args[0])
	ts.Check(err)
	if got := runCommand(ts, args[1:]); got != want {
		ts.Fatalf("exit code %d, want %d", got, want)
	}
}

// refuses REGEXP ARGS...: clsbench with these arguments says one line that
// matches, nothing on standard output, and exits with 2.
func refuses(ts *testscript.TestScript, _ bool, args []string) {
	code := runCommand(ts, append([]string{"clsbench"}, args[1:]...))
	stderr := ts.ReadFile("stderr")
	if code != exitUsage {
		ts.Fatalf("exit code %d, want %d", code, exitUsage)
	}
	if out := ts.ReadFile("stdout"); out != "" {
		ts.Fatalf("standard output is not empty: %q", out)
	}
	line, ok := strings.CutSuffix(stderr, "\n")
	if !ok || strings.Contains(line, "\n") || !strings.HasPrefix(line, "clsbench: ") {
		ts.Fatalf("not one line: %q", stderr)
	}
	if !regexp.MustCompile(args[0]).MatchString(line) {
		ts.Fatalf("%q does not match %q", line, args[0])
	}
}

// setenv FILE: the file's only line is KEY=VALUE, and goes to the environment.
func setenv(ts *testscript.TestScript, _ bool, args []string) {
	k, v, ok := strings.Cut(strings.TrimSpace(ts.ReadFile(args[0])), "=")
	if !ok || v == "" {
		ts.Fatalf("no KEY=VALUE in %s", args[0])
	}
	ts.Setenv(k, v)
}

// rows FILE CELL=STATUS[/KIND]...: the document has these cells, with these
// statuses and kinds of cause, and is valid. FILE may be stdout.
func rows(ts *testscript.TestScript, _ bool, args []string) {
	doc, err := results.Read(strings.NewReader(ts.ReadFile(args[0])), args[0])
	ts.Check(err)
	var got, want []string
	for i := range doc.Results {
		r := &doc.Results[i]
		s := r.Cell + "=" + string(r.Status)
		if r.Cause != nil {
			s += "/" + string(r.Cause.Kind)
		}
		got = append(got, s)
	}
	want = args[1:]
	if g, w := strings.Join(got, "\n"), strings.Join(want, "\n"); g != w {
		ts.Fatalf("rows are\n%s\nwant\n%s", g, w)
	}
}

// json FILE KEY...: the file is one JSON document that has these paths.
func checkJSON(ts *testscript.TestScript, _ bool, args []string) {
	var doc any
	dec := json.NewDecoder(strings.NewReader(ts.ReadFile(args[0])))
	ts.Check(dec.Decode(&doc))
	if dec.More() {
		ts.Fatalf("more than one document")
	}
	for _, path := range args[1:] {
		at := doc
		for _, key := range strings.Split(path, ".") {
			var ok bool
			switch x := at.(type) {
			case map[string]any:
				at, ok = x[key]
			case []any:
				n, err := strconv.Atoi(key)
				if ok = err == nil && n < len(x); ok {
					at = x[n]
				}
			}
			if !ok {
				ts.Fatalf("no %s (at %s)", path, fmt.Sprint(key))
			}
		}
	}
}
