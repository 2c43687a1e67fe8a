package conformance

import (
	"fmt"
	"slices"
	"strings"
)

// Suite is a named set of cases. A backend claims a suite, and passes it only
// with all its required cases run.
type Suite string

// The closed vocabulary of suites.
const (
	Protocol      Suite = "protocol"       // the contract itself: regions, state, cancellation, typed errors
	InferenceCore Suite = "inference-core" // forward ops, networks in inference
	TrainingCore  Suite = "training-core"  // gradients, losses, optimizers, networks in training
	Attention     Suite = "attention"      // attention and its gradient
	Quantized     Suite = "quantized"      // 8-bit integers: ops, products, networks between quantizers
	// MixedPrecision is all that computes in 16-bit floats: ops, casts, and
	// networks with parameters in f32 that train under a scaled loss.
	MixedPrecision Suite = "mixed-precision"
)

// Suites lists them.
func Suites() []Suite {
	return []Suite{Protocol, InferenceCore, TrainingCore, Attention, Quantized, MixedPrecision}
}

// ParseSuite reads a suite's name.
func ParseSuite(s string) (Suite, error) {
	if !slices.Contains(Suites(), Suite(s)) {
		return "", fmt.Errorf("unknown suite %q: want one of %s", s, listed(Suites()))
	}
	return Suite(s), nil
}

// listed writes names as people do.
func listed[S ~string](names []S) string {
	words := make([]string, len(names))
	for i, n := range names {
		words[i] = string(n)
	}
	return strings.Join(words, ", ")
}

// Effort says how much to check; each effort contains the ones before.
type Effort uint8

// The efforts.
const (
	Smoke    Effort = iota // a case or two an op: what a benchmark run can afford
	Quick                  // under a minute: every op, every class
	Standard               // everything
)

var effortNames = [...]string{"smoke", "quick", "standard"}

func (e Effort) String() string { return effortNames[e] }

// ParseEffort reads an effort's name.
func ParseEffort(s string) (Effort, error) {
	if i := slices.Index(effortNames[:], s); i >= 0 {
		return Effort(i), nil
	}
	return 0, fmt.Errorf("unknown effort %q: want one of %s", s, listed(effortNames[:]))
}

// MarshalText writes the name.
func (e Effort) MarshalText() ([]byte, error) { return []byte(e.String()), nil }

// UnmarshalText reads the name.
func (e *Effort) UnmarshalText(b []byte) (err error) {
	*e, err = ParseEffort(string(b))
	return err
}
