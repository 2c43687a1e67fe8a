package wire_test

import (
	"github.com/clsbench/clsbench/backends/null"
	"github.com/clsbench/clsbench/backends/wire"
)

// The main function of a plugin in Go; null.New stands for a vendor's backend.
func ExampleServe() {
	wire.Serve(null.New())
}
