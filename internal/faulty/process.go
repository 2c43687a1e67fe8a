package faulty

import (
	"bytes"
	"fmt"
	"os"
	"syscall"
	"time"

	"github.com/clsbench/clsbench/backends"
	"github.com/clsbench/clsbench/backends/wire"
)

// Main is the main function of the plugin; words are its arguments.
func Main(healthy backends.Backend, words []string) {
	f, err := Parse(words)
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(2)
	}
	if f.Call == "start" {
		if err := misbehave(f.How); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(2)
		}
	}
	wire.Serve(New(healthy, f))
	os.Exit(0)
}

// misbehave does what a process can do wrong. Some faults let it go on, some
// are an error that the call answers with.
func misbehave(how string) error {
	switch how {
	case "exit":
		fmt.Fprintln(os.Stderr, "no licence found")
		os.Exit(7)
	case "kill":
		_ = syscall.Kill(os.Getpid(), syscall.SIGKILL)
		forever()
	case "panic":
		fmt.Fprintln(os.Stderr, "about to fall over")
		go func() { panic("planned panic") }() // one that no server recovers from
		forever()
	case "hang":
		fmt.Fprintln(os.Stderr, "waiting for ever")
		forever()
	case "version":
		fmt.Printf("1|2|unix|%s/socket|grpc\n", os.Getenv("PLUGIN_UNIX_SOCKET_DIR"))
		forever()
	case "garbage":
		fmt.Println("Welcome to my backend!")
		forever()
	case "grow":
		grow()
	case "flood":
		flood()
	case "error":
		return fmt.Errorf("the device fell off the bus")
	case "oom":
		return &backends.Error{Code: backends.ResourceExhausted, Message: "device memory", Wanted: 8 << 30, Free: 1 << 20}
	case "refuse":
		return &backends.Error{Code: backends.Unimplemented, Message: "no kernel for it", Node: "conv1", Op: "Conv"}
	default:
		return fmt.Errorf("no fault %q", how)
	}
	return nil
}

// grow takes memory, 8 MiB a millisecond, until somebody ends it.
func grow() {
	for hold := [][]byte{}; ; {
		b := make([]byte, 8<<20)
		for i := 0; i < len(b); i += 4096 {
			b[i] = 1
		}
		hold = append(hold, b)
		time.Sleep(time.Millisecond)
	}
}

// flood writes 13 MB of log without a line's end, and goes on.
func flood() {
	line := bytes.Repeat([]byte("this plugin talks too much. "), 4000) // 112 kB
	for range 60 {
		_, _ = os.Stdout.Write(line)
		_, _ = os.Stderr.Write(line)
	}
	fmt.Fprintln(os.Stderr, "\nthe end of the flood")
}

// forever does not return. An empty select would not do: in a process without
// another goroutine Go's runtime calls that a deadlock and ends it.
func forever() {
	for {
		time.Sleep(time.Hour)
	}
}
