package conformance

import (
	"fmt"
	"math"

	"github.com/clsbench/clsbench/tensor"
)

// Finding is what was found out about one output.
type Finding struct {
	Output   string `json:"output"`
	Type     string `json:"type"`
	OK       bool   `json:"ok"`
	Elements int    `json:"elements"`
	Wrong    int    `json:"wrong"`
	// Worst and First are the wrong elements with the largest error and the
	// lowest position; Worst is the largest error of all where none is wrong.
	Worst *Element `json:"worst,omitempty"`
	First *Element `json:"first,omitempty"`
	// Criterion says what is broken where it is not a single element's bound.
	Criterion string   `json:"criterion,omitempty"`
	Bound     string   `json:"bound"`
	Formula   string   `json:"formula"`
	Source    string   `json:"source"`
	Pattern   []string `json:"pattern,omitempty"` // what the wrong ones have in common
	// Histogram counts errors by multiple of the bound: 0, up to 1/8, 1/4,
	// 1/2, 1, 2, 8, 64, more.
	Histogram [9]int `json:"histogram"`
	// Bias is the mean of the signed errors as multiples of the bound.
	Bias float64 `json:"bias"`

	positions []int // of wrong elements
	sum       float64
	counted   int
	typ       tensor.Type
	limits    []float64
	wants     []float64
}

// Element is one element of an output.
type Element struct {
	Index []int     `json:"index"`
	Got   Number    `json:"got"`
	Want  Number    `json:"want"`
	Hex   [2]string `json:"hex"` // got and want in the output's type
	Limit Number    `json:"limit"`
	// Multiple is the error as a multiple of the limit.
	Multiple Number `json:"multiple"`
}

// Number is a float64 that JSON can hold whatever it is: NaN and infinities
// are written as strings.
type Number float64

// MarshalJSON writes the number.
func (n Number) MarshalJSON() ([]byte, error) {
	if f := float64(n); math.IsNaN(f) || math.IsInf(f, 0) {
		return fmt.Appendf(nil, "%q", fmt.Sprint(f)), nil
	}
	return fmt.Appendf(nil, "%.17g", float64(n)), nil
}

// UnmarshalJSON reads what MarshalJSON wrote.
func (n *Number) UnmarshalJSON(b []byte) error {
	var f float64
	if _, err := fmt.Sscan(string(trimQuotes(b)), &f); err != nil {
		return fmt.Errorf("number %s: %w", b, err)
	}
	*n = Number(f)
	return nil
}

func trimQuotes(b []byte) []byte {
	if len(b) >= 2 && b[0] == '"' && b[len(b)-1] == '"' {
		return b[1 : len(b)-1]
	}
	return b
}

func newFinding(e *expectation) *Finding {
	return &Finding{
		Output: e.output.key, Type: e.output.typ.String(), OK: true, Elements: len(e.want),
		Bound: e.bound.Name, Formula: e.bound.Formula, Source: e.bound.Source,
		typ: e.output.typ, limits: e.limit, wants: e.want,
	}
}

func (f *Finding) limit(i int) float64 {
	if f.limits == nil {
		return 0
	}
	return f.limits[i]
}

// add enters one element's judgement.
func (f *Finding) add(i int, got, m float64, ok bool) {
	f.Histogram[bucket(m)]++
	if l := f.limit(i); l > 0 && !math.IsInf(l, 0) && !math.IsNaN(m) && !math.IsInf(m, 0) {
		f.sum += (got - f.wants[i]) / l
		f.counted++
	}
	if !ok {
		f.wrong(i, got, m)
		return
	}
	if f.OK && m > 0 && (f.Worst == nil || m > float64(f.Worst.Multiple)) {
		f.Worst = f.element(i, got, m)
	}
}

// wrong enters an element that is outside its bound.
func (f *Finding) wrong(i int, got, m float64) {
	worse := f.OK || math.IsNaN(m) && !math.IsNaN(float64(f.Worst.Multiple)) || m > float64(f.Worst.Multiple)
	f.OK = false
	f.Wrong++
	f.positions = append(f.positions, i)
	if f.First == nil {
		f.First = f.element(i, got, m)
	}
	if worse {
		f.Worst = f.element(i, got, m)
	}
}

func (f *Finding) done(e *expectation) *Finding {
	if f.counted > 0 {
		f.Bias = f.sum / float64(f.counted)
	}
	if !f.OK && f.Wrong > 0 {
		f.Pattern = pattern(e.output.typ.Shape, f.positions)
	}
	f.positions, f.limits, f.wants = nil, nil, nil
	return f
}

func (f *Finding) element(i int, got, m float64) *Element {
	want := f.wants[i]
	return &Element{
		Index: unravel(i, f.typ.Shape), Got: Number(got), Want: Number(want),
		Hex: [2]string{hexOf(got, f.typ.DType), hexOf(want, f.typ.DType)}, Limit: Number(f.limit(i)), Multiple: Number(m),
	}
}

func hexOf(v float64, d tensor.DType) string {
	b := tensor.Scalar(d, v).Data
	out := make([]byte, len(b)) // little-endian memory, written as a number
	for i := range b {
		out[len(b)-1-i] = b[i]
	}
	return fmt.Sprintf("%x", out)
}

var bucketEnds = [...]float64{0, 0.125, 0.25, 0.5, 1, 2, 8, 64}

func bucket(m float64) int {
	for i, end := range bucketEnds {
		if m <= end {
			return i
		}
	}
	return len(bucketEnds)
}

func unravel(i int, s tensor.Shape) []int {
	index := make([]int, len(s))
	for a := len(s) - 1; a >= 0; a-- {
		index[a] = i % s[a]
		i /= s[a]
	}
	return index
}

// WorstMultiple is the largest error of the findings as a multiple of its
// bound; NaN if one is not a number.
func WorstMultiple(fs []*Finding) float64 {
	worst := 0.0
	for _, f := range fs {
		switch {
		case f.Worst == nil && f.OK:
		case f.Worst == nil: // only a criterion over all elements is broken
			worst = max(worst, 1)
		default:
			worst = max(worst, float64(f.Worst.Multiple)) // keeps NaN
		}
	}
	return worst
}

// Summary is one line: the error, the worst element, what the wrong ones have
// in common.
func (f *Finding) Summary() string {
	if f.OK {
		return "within " + f.Formula
	}
	s := fmt.Sprintf("%s: %d of %d wrong", f.Output, f.Wrong, f.Elements)
	if f.Criterion != "" {
		s = fmt.Sprintf("%s: %s", f.Output, f.Criterion)
	}
	if f.Worst != nil && f.Wrong > 0 {
		s += fmt.Sprintf(", worst %v at %v: got %v, want %v ± %.3g", describe(float64(f.Worst.Multiple)), f.Worst.Index,
			float64(f.Worst.Got), float64(f.Worst.Want), float64(f.Worst.Limit))
	}
	for i, p := range f.Pattern {
		sep := "; "
		if i > 0 {
			sep = ", "
		}
		s += sep + p
	}
	return s
}

func describe(m float64) string {
	if math.IsInf(m, 0) || math.IsNaN(m) {
		return "not within any multiple of the bound"
	}
	return fmt.Sprintf("%.3g times the bound", m)
}
