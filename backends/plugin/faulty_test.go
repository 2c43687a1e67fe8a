package plugin

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"os/exec"
	"syscall"
	"time"

	"github.com/clsbench/clsbench/backends"
	"github.com/clsbench/clsbench/backends/null"
	"github.com/clsbench/clsbench/graph"
	"github.com/clsbench/clsbench/tensor"
)

// faulty is null with a fault: `faulty:in=CALL,how=FAULT`. What goes wrong
// before there is a session is set in the environment.
type faulty struct{ backends.Backend }

const faultEnv = "CLSBENCH_TEST_FAULT" // CALL=FAULT

func newFaulty() backends.Backend {
	misbehave("start", os.Getenv(faultEnv))
	return faulty{null.New()}
}

// misbehave does what wanted says if it names this call.
func misbehave(call, wanted string) {
	how, ok := bytes.CutPrefix([]byte(wanted), []byte(call+"="))
	if !ok {
		return
	}
	switch string(how) {
	case "exit":
		fmt.Fprintln(os.Stderr, "no licence found")
		os.Exit(7)
	case "kill":
		_ = syscall.Kill(os.Getpid(), syscall.SIGKILL)
		forever()
	case "segv":
		_ = syscall.Kill(os.Getpid(), syscall.SIGSEGV)
		forever()
	case "panic":
		panic("planned panic")
	case "goroutine":
		go func() { panic("planned panic in a goroutine") }()
		forever()
	case "hang":
		fmt.Fprintln(os.Stderr, "hangs in", call)
		forever()
	case "speak":
		fmt.Fprintln(os.Stderr, "runs")
	case "version":
		fmt.Printf("1|2|unix|%s/socket|grpc\n", os.Getenv("PLUGIN_UNIX_SOCKET_DIR"))
		forever()
	case "garbage":
		fmt.Println("Welcome to my backend!")
		forever()
	case "closed":
		os.Stdout.Close()
		syscall.Close(1)
		time.Sleep(30 * time.Millisecond)
		os.Exit(9)
	case "grow":
		for hold := [][]byte{}; ; {
			b := make([]byte, 8<<20)
			for i := 0; i < len(b); i += 4096 {
				b[i] = 1
			}
			hold = append(hold, b)
			time.Sleep(time.Millisecond)
		}
	case "flood":
		line := bytes.Repeat([]byte("this plugin talks too much. "), 4000) // 112 kB without an end
		for range 60 {
			_, _ = os.Stdout.Write(line)
			_, _ = os.Stderr.Write(line)
			_, _ = syscall.Write(1, line)
		}
		fmt.Fprintln(os.Stderr, "\nthe end of the flood")
	case "children":
		// One in the group, one that leaves it and keeps the log's pipe open.
		for _, own := range []bool{false, true} {
			c := exec.Command("/bin/sleep", "1000")
			c.Stdout, c.Stderr = os.Stdout, os.Stderr
			c.SysProcAttr = &syscall.SysProcAttr{Setsid: own}
			if err := c.Start(); err != nil {
				panic(err)
			}
			fmt.Fprintf(os.Stderr, "child %d\n", c.Process.Pid)
		}
	}
}

func (f faulty) Describe(ctx context.Context) (backends.Description, error) {
	misbehave("describe", os.Getenv(faultEnv))
	d, err := f.Backend.Describe(ctx)
	d.Name = "faulty"
	if os.Getenv(faultEnv) == "describe=nameless" {
		d.Name = "My Backend\x1b[2J"
	}
	d.Options = []backends.Option{{Name: "in"}, {Name: "how"}}
	return d, err
}

func (f faulty) Open(ctx context.Context, cfg backends.SessionConfig) (backends.Session, error) {
	fault := cfg.Options["in"] + "=" + cfg.Options["how"]
	misbehave("open", fault)
	cfg.Options = nil
	s, err := f.Backend.Open(ctx, cfg)
	return &faultySession{s, fault}, err
}

type faultySession struct {
	backends.Session
	fault string
}

func (s *faultySession) Map(ctx context.Context, r *backends.Region) error {
	misbehave("map", s.fault)
	return s.Session.Map(ctx, r)
}

func (s *faultySession) Unmap(ctx context.Context, id uint32) error {
	misbehave("unmap", s.fault)
	return s.Session.Unmap(ctx, id)
}

func (s *faultySession) Check(ctx context.Context, p *graph.Program) ([]backends.NodeVerdict, error) {
	misbehave("check", s.fault)
	v, err := s.Session.Check(ctx, p)
	switch s.fault {
	case "check=short":
		v = v[:0]
	case "check=other":
		v[0].Node = "another"
	}
	return v, err
}

func (s *faultySession) Compile(ctx context.Context, p *graph.Program, b []backends.Binding) (backends.Executable, error) {
	misbehave("compile", s.fault)
	e, err := s.Session.Compile(ctx, p, b)
	return &faultyExecutable{e, s.fault}, err
}

func (s *faultySession) Read(ctx context.Context, names []string, dst []*tensor.Tensor) error {
	misbehave("read", s.fault)
	return s.Session.Read(ctx, names, dst)
}

func (s *faultySession) Write(ctx context.Context, names []string, src []*tensor.Tensor) error {
	misbehave("write", s.fault)
	return s.Session.Write(ctx, names, src)
}

func (s *faultySession) Stats(ctx context.Context) (backends.Stats, error) {
	misbehave("stats", s.fault)
	return s.Session.Stats(ctx)
}

func (s *faultySession) Close() error {
	misbehave("close-session", s.fault)
	return s.Session.Close()
}

type faultyExecutable struct {
	backends.Executable
	fault string
}

func (e *faultyExecutable) Plan() backends.Plan {
	p := e.Executable.Plan()
	switch e.fault {
	case "plan=unknown-node":
		p.Partitions[0].Nodes = append(p.Partitions[0].Nodes, "no-such-node")
	case "plan=node-twice":
		p.Partitions = append(p.Partitions, p.Partitions[0])
	case "plan=no-digest":
		p.Digest = ""
	}
	return p
}

func (e *faultyExecutable) Run(ctx context.Context, r backends.RunRequest) (backends.Samples, error) {
	misbehave("run", e.fault)
	s, err := e.Executable.Run(ctx, r)
	switch e.fault {
	case "run=short":
		s.Steps = s.Steps[:len(s.Steps)-1]
	case "run=long":
		s.Steps = append(s.Steps, s.Steps[0])
	case "run=lie-early":
		for i := range s.Steps {
			s.Steps[i].Start -= int64(time.Hour)
			s.Steps[i].End -= int64(time.Hour)
		}
	case "run=lie-fast": // all steps at one moment that has not come yet
		for i := range s.Steps {
			s.Steps[i].Start = backends.Now() + int64(time.Minute)
			s.Steps[i].End = s.Steps[i].Start
		}
	case "run=lie-split":
		s.Steps[0].Split.Device = int64(time.Hour)
	case "run=other-partition":
		s.Partitions = []backends.PartitionSample{{Partition: 7}}
	case "run=error":
		return s, fmt.Errorf("the device fell off the bus")
	case "run=slow":
		time.Sleep(300 * time.Millisecond)
	}
	return s, err
}

func (e *faultyExecutable) Close() error {
	misbehave("close-executable", e.fault)
	return e.Executable.Close()
}

// forever does not return. An empty select would not do: in a process without
// another goroutine Go's runtime calls that a deadlock and ends it.
func forever() {
	for {
		time.Sleep(time.Hour)
	}
}
