// The plugin that mutants are built into: `mutant reference` or `mutant cpu`.
package main

import (
	"fmt"
	"os"

	"github.com/clsbench/clsbench/backends"
	"github.com/clsbench/clsbench/backends/cpu"
	"github.com/clsbench/clsbench/backends/reference"
	"github.com/clsbench/clsbench/backends/wire"
)

func main() {
	make, ok := map[string]func() backends.Backend{"reference": reference.New, "cpu": cpu.New}[os.Args[len(os.Args)-1]]
	if !ok {
		fmt.Fprintln(os.Stderr, "usage: mutant reference|cpu")
		os.Exit(2)
	}
	wire.WatchHost()
	wire.Serve(make())
}
