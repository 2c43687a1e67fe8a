package faulty

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"github.com/clsbench/clsbench/backends"
	"github.com/clsbench/clsbench/backends/wire"
)

// Main is the main function of the plugin; words are its arguments.
func Main(healthy backends.Backend, words []string) {
	wire.Serve(Start(healthy, words))
	os.Exit(0)
}

// Start makes the backend as the plugin's process begins: words that no fault
// is made of, and a fault at the start that is an error, end it with 2.
func Start(healthy backends.Backend, words []string) backends.Backend {
	f, err := Parse(words)
	if err == nil {
		err = f.in("start")
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(2)
	}
	return New(healthy, f)
}

// Env is the variable whose words FromEnv makes a fault of.
const Env = "CLSBENCH_TEST_FAULT"

// FromEnv is Start for a process whose arguments are another's: an embedded
// plugin.
func FromEnv(healthy backends.Backend) backends.Backend {
	return Start(healthy, strings.Fields(os.Getenv(Env)))
}

// vices are what a process can do wrong in any call. Some let it go on, some
// are an error that the call answers with.
var vices = map[string]func(call string) error{
	"exit": func(string) error {
		fmt.Fprintln(os.Stderr, "no licence found")
		os.Exit(7)
		return nil
	},
	"closed": func(string) error { // gone before its output is read
		os.Stdout.Close()
		syscall.Close(1)
		time.Sleep(30 * time.Millisecond)
		os.Exit(9)
		return nil
	},
	"kill": func(string) error { return signal(syscall.SIGKILL) },
	"segv": func(string) error { return signal(syscall.SIGSEGV) },
	"panic": func(string) error { // in the call, where a server may recover it
		panic("planned panic")
	},
	"goroutine": func(string) error { // one that no server recovers from
		fmt.Fprintln(os.Stderr, "about to fall over")
		go func() { panic("planned panic in a goroutine") }()
		return forever()
	},
	"hang": func(call string) error {
		fmt.Fprintln(os.Stderr, "hangs in", call)
		return forever()
	},
	"speak": func(call string) error {
		fmt.Fprintln(os.Stderr, "speaks in", call)
		return nil
	},
	"version": func(string) error {
		fmt.Printf("1|2|unix|%s/socket|grpc\n", os.Getenv("PLUGIN_UNIX_SOCKET_DIR"))
		return forever()
	},
	"garbage": func(string) error {
		fmt.Println("Welcome to my backend!")
		return forever()
	},
	"grow":     func(string) error { return grow() },
	"flood":    func(string) error { return flood() },
	"children": func(string) error { return children() },
	"error":    func(string) error { return fmt.Errorf("the device fell off the bus") },
	"oom": func(string) error {
		return &backends.Error{Code: backends.ResourceExhausted, Message: "device memory", Wanted: 8 << 30, Free: 1 << 20}
	},
	"refuse": func(string) error {
		return &backends.Error{Code: backends.Unimplemented, Message: "no kernel for it", Node: "conv1", Op: "Conv"}
	},
}

func signal(s syscall.Signal) error {
	_ = syscall.Kill(os.Getpid(), s)
	return forever()
}

// grow takes memory, 8 MiB a millisecond, until somebody ends it.
func grow() error {
	for hold := [][]byte{}; ; {
		b := make([]byte, 8<<20)
		for i := 0; i < len(b); i += 4096 {
			b[i] = 1
		}
		hold = append(hold, b)
		time.Sleep(time.Millisecond)
	}
}

// flood writes 20 MB of log without a line's end, by every way there is, and
// goes on.
func flood() error {
	line := bytes.Repeat([]byte("this plugin talks too much. "), 4000) // 112 kB
	for range 60 {
		_, _ = os.Stdout.Write(line)
		_, _ = os.Stderr.Write(line)
		_, _ = syscall.Write(1, line)
	}
	fmt.Fprintln(os.Stderr, "\nthe end of the flood")
	return nil
}

// truncate takes the memory that the host shares with its plugins away from
// under it: touching it is then a SIGBUS.
func truncate() {
	files, _ := filepath.Glob(fmt.Sprintf("/proc/%d/fd/*", os.Getppid()))
	for _, f := range files {
		if to, _ := os.Readlink(f); strings.Contains(to, "/memfd:clsbench") || strings.Contains(to, "/region-") {
			fmt.Fprintln(os.Stderr, "truncates", to, os.Truncate(f, 0))
		}
	}
}

// children starts one in the process's group, one that leaves it and keeps the
// log's pipe open, and one whose parent ends at once, as a daemon's does.
func children() error {
	const child = "sh -c 'echo child $$ >&2; exec sleep 1000'"
	for _, start := range []string{"exec " + child, "exec setsid " + child, "setsid " + child + " &"} {
		c := exec.Command("/bin/sh", "-c", start)
		c.Stdout, c.Stderr = os.Stdout, os.Stderr
		if err := c.Start(); err != nil {
			return err
		}
		go func() { _ = c.Wait() }()
	}
	return nil
}

// forever does not return. An empty select would not do: in a process without
// another goroutine Go's runtime calls that a deadlock and ends it.
func forever() error {
	for {
		time.Sleep(time.Hour)
	}
}
