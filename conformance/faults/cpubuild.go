package faults

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/clsbench/clsbench/backends"
	"github.com/clsbench/clsbench/conformance"
	"github.com/clsbench/clsbench/conformance/faults/mutate"
	"github.com/clsbench/clsbench/internal/machine/isa"
)

const (
	module     = "github.com/clsbench/clsbench/"
	cpuPackage = module + "backends/cpu"
	// mutantProgram serves the reference or cpu, with mutants built in.
	mutantProgram = module + "conformance/faults/testdata/mutant"
	// plantedVariable chooses the fault by its name.
	plantedVariable = "CLSBENCH_PLANTED"
	// cpuThreads has shares go to workers on any machine.
	cpuThreads = 2
)

// buildCPU builds cpu with all of cpuFaults in it, out of this module's
// sources, as a plugin in a folder.
func buildCPU(dir string) (binary string, err error) {
	overlay, err := plantAll(cpuFaults)
	if err != nil {
		return "", err
	}
	return mutate.Build(dir, mutantProgram, overlay)
}

// plantAll is the text of the files that the faults change, by path.
func plantAll(faults []cpuFault) (overlay map[string][]byte, err error) {
	overlay = map[string][]byte{}
	for _, path := range []string{cpuPackage, cpuPackage + "/kernel"} {
		dir, err := mutate.Dir(".", path)
		if err != nil {
			return nil, err
		}
		for _, f := range faults {
			if filepath.Dir(filepath.Join(cpuPackage, f.file)) != path {
				continue
			}
			name := filepath.Join(dir, filepath.Base(f.file))
			text := overlay[name]
			if text == nil {
				if text, err = os.ReadFile(name); err != nil {
					return nil, err
				}
			}
			if overlay[name], err = f.plant(text); err != nil {
				return nil, err
			}
		}
		overlay[filepath.Join(dir, "zz_planted.go")] = fmt.Appendf(nil, plantedHelpers, filepath.Base(path), plantedVariable)
	}
	return overlay, nil
}

// plant is the text with the fault in it.
func (f *cpuFault) plant(text []byte) ([]byte, error) {
	s := string(text)
	for _, l := range f.lines {
		if n := strings.Count(s, l.was); n != 1 {
			return nil, fmt.Errorf("fault %s: %q is in backends/cpu/%s %d times, want once: the source has changed, plant the fault where its work is now done", f.name, l.was, f.file, n)
		}
		s = strings.Replace(s, l.was, strings.ReplaceAll(l.is, "PLANTED", fmt.Sprintf("(planted == %q)", f.name)), 1)
	}
	return []byte(s + f.more), nil
}

// plantedHelpers is what a package's faults use.
const plantedHelpers = `package %s

import "os"

var planted = os.Getenv(%q)

func bent[T any](planted bool, right, wrong T) T {
	if planted {
		return wrong
	}
	return right
}

var _ = bent[int]
`

// kernelFaults are the faults of cpu.
func kernelFaults() []Fault {
	var all []Fault
	for _, f := range cpuFaults {
		all = append(all, Fault{Name: f.name, Kind: KindMutant, Why: f.why, Ops: f.ops, Effort: conformance.Quick, Core: true, cpu: &cpuSubject{fault: f.name, isa: f.isa}})
	}
	return all
}

// kernelVariants are the same build where it must be right: with no fault
// armed, and with that of one instruction set on the others.
func kernelVariants() []Variant {
	var ops []string
	for _, f := range cpuFaults {
		ops = append(ops, f.ops...)
	}
	all := []Variant{{Name: "cpu-unbent", Why: "the build of cpu's wrong kernels with none of them armed", Ops: ops, cpu: &cpuSubject{}}}
	for _, f := range cpuFaults {
		for _, other := range isa.Available() {
			if f.isa != "" && f.isa != other.String() {
				all = append(all, Variant{Name: f.name + "-not-on-" + other.String(), Why: "another instruction set's kernel", Ops: f.ops, cpu: &cpuSubject{fault: f.name, isa: other.String()}})
			}
		}
	}
	return all
}

func available(name string) bool {
	return slices.ContainsFunc(isa.Available(), func(i isa.ISA) bool { return i.String() == name })
}

// cpuSubject says how the build of cpu is to run.
type cpuSubject struct{ fault, isa string }

func (c *cpuSubject) config() backends.SessionConfig {
	cfg := backends.SessionConfig{Threads: cpuThreads}
	if c.isa != "" {
		cfg.Options = map[string]string{"isa": c.isa}
	}
	return cfg
}

// errUnbuilt says what to do where cpu's faults can't be built.
func errUnbuilt(err error) error {
	return errors.Join(errors.New("cpu's wrong kernels are built from clsbench's sources: run this in a checkout, with Go on the path"), err)
}
