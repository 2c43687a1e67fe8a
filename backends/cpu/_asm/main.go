// Command _asm writes the assembly of packages kernel, pool and peak, with the
// Go declarations of its functions. It lives in a module of its own,
// so that nobody who builds clsbench needs avo. Run it by
//
//	go generate ./backends/cpu/kernel ./internal/machine/peak
//
// With -check it writes nothing and fails if a file differs from what it
// would write.
package main

import (
	"bytes"
	"flag"
	"fmt"
	"os"
	"path/filepath"

	"github.com/mmcloughlin/avo/build"
	"github.com/mmcloughlin/avo/buildtags"
	"github.com/mmcloughlin/avo/pass"
	"github.com/mmcloughlin/avo/printer"
)

// source is one generated assembly file, NAME_amd64.s, and its declarations,
// NAME_stubs_amd64.go.
type source struct {
	dir, pkg, name string
	emit           func(a *asm)
}

const (
	kernelDir = "backends/cpu/kernel"
	poolDir   = "backends/cpu/pool"
	peakDir   = "internal/machine/peak"
)

var sources = []source{
	{kernelDir, "kernel", "gemm", emitGemm},
	{kernelDir, "kernel", "elementwise", emitElementwise},
	{kernelDir, "kernel", "functions", emitFunctions},
	{kernelDir, "kernel", "convert", emitConversions},
	{kernelDir, "kernel", "fold", emitFold},
	{kernelDir, "kernel", "logic", emitLogic},
	{kernelDir, "kernel", "layout", emitLayout},
	{kernelDir, "kernel", "depthwise", emitDepthwise},
	{kernelDir, "kernel", "norm", emitNorm},
	{kernelDir, "kernel", "optimizer", emitOptimizer},
	{kernelDir, "kernel", "pool", emitPool},
	{kernelDir, "kernel", "windows", emitWindows},
	{poolDir, "pool", "pause", emitPause},
	{peakDir, "peak", "peak", emitPeak},
}

func main() {
	check := flag.Bool("check", false, "compare instead of writing")
	root := flag.String("root", "../../..", "root of the repository")
	flag.Parse()
	stale := 0
	for _, s := range sources {
		files, err := s.generate()
		if err != nil {
			fail(err)
		}
		for path, text := range files {
			path = filepath.Join(*root, path)
			if *check {
				if old, err := os.ReadFile(path); err != nil || !bytes.Equal(old, text) {
					fmt.Fprintf(os.Stderr, "%s is not what the generator writes\n", path)
					stale++
				}
				continue
			}
			if err := os.WriteFile(path, text, 0o644); err != nil {
				fail(err)
			}
		}
	}
	if stale > 0 {
		fail(fmt.Errorf("%d stale files: run go generate", stale))
	}
}

func fail(err error) {
	fmt.Fprintln(os.Stderr, err)
	os.Exit(1)
}

// generate gives the two files by their paths from the repository's root.
func (s source) generate() (map[string][]byte, error) {
	c := build.NewContext()
	c.Constraint(buildtags.Not("purego"))
	a := &asm{Context: c}
	s.emit(a)
	a.writeConstants()
	f, err := c.Result()
	if err != nil {
		return nil, fmt.Errorf("%s: %w", s.name, err)
	}
	if err := interleave(f); err != nil {
		return nil, err
	}
	if err := pass.Compile.Execute(f); err != nil {
		return nil, fmt.Errorf("%s: %w", s.name, err)
	}
	cfg := printer.Config{Name: "go generate ./" + s.dir, Pkg: s.pkg}
	out := map[string][]byte{}
	for suffix, p := range map[string]printer.Printer{
		"_amd64.s":        printer.NewGoAsm(cfg),
		"_stubs_amd64.go": printer.NewStubs(cfg),
	} {
		text, err := p.Print(f)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", s.name, err)
		}
		out[filepath.Join(s.dir, s.name+suffix)] = text
	}
	return out, nil
}
