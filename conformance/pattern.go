package conformance

import (
	"fmt"

	"github.com/clsbench/clsbench/tensor"
)

// pattern says what the wrong elements of an output have in common, in the
// words of those who write kernels: tails, tiles, borders, channels, batches.
func pattern(s tensor.Shape, wrong []int) []string {
	n := s.Elements()
	if len(wrong) == n {
		return []string{"every element"}
	}
	var found []string
	for axis := range s {
		if p := axisPattern(s, axis, wrong); p != "" {
			found = append(found, p)
		}
	}
	if p := borderPattern(s, wrong); p != "" {
		found = append(found, p)
	}
	if p := residuePattern(n, wrong); p != "" {
		found = append(found, p)
	}
	return found
}

var axisNames = []string{"batch", "channel"}

func axisName(s tensor.Shape, axis int) string {
	if len(s) >= 3 && axis < len(axisNames) {
		return axisNames[axis]
	}
	return fmt.Sprintf("axis %d", axis)
}

// tiles are the vector and tile widths whose tails kernels treat apart.
var tiles = []int{32, 16, 14, 8, 6, 4}

// axisPattern finds wrong elements confined to one index, to a range, or to
// the tail of tiles along one axis.
func axisPattern(s tensor.Shape, axis int, wrong []int) string {
	extent, stride := s[axis], s.Strides()[axis]
	seen := make([]bool, extent)
	lo, hi, count := extent, -1, 0
	for _, w := range wrong {
		i := w / stride % extent
		if !seen[i] {
			seen[i] = true
			count++
		}
		lo, hi = min(lo, i), max(hi, i)
	}
	name := axisName(s, axis)
	switch {
	case extent == 1 || count == extent:
		return ""
	case count == 1:
		return fmt.Sprintf("only %s %d of %d", name, lo, extent)
	}
	for _, t := range tiles {
		if tail := extent - extent%t; extent > t && extent%t != 0 && lo >= tail {
			return fmt.Sprintf("only the tail of %s beyond %d, a multiple of %d", name, tail, t)
		}
	}
	if hi-lo+1 == count {
		return fmt.Sprintf("only %s %d to %d of %d", name, lo, hi, extent)
	}
	period := 0 // the largest that all indices agree in
	for i := range seen {
		if seen[i] {
			period = gcd(i-lo, period)
		}
	}
	if count > 2 && period > 1 {
		return fmt.Sprintf("only %s ≡ %d mod %d", name, lo%period, period)
	}
	return ""
}

func gcd(a, b int) int {
	for b != 0 {
		a, b = b, a%b
	}
	return a
}

// borderPattern finds wrong elements that all lie on the edge of the spatial
// axes.
func borderPattern(s tensor.Shape, wrong []int) string {
	if len(s) < 3 {
		return ""
	}
	all := 1
	inner := 1
	for _, d := range s[2:] {
		all *= d
		inner *= max(0, d-2)
	}
	if inner == 0 {
		return ""
	}
	strides := s.Strides()
	for _, w := range wrong {
		edge := false
		for a := 2; a < len(s); a++ {
			i := w / strides[a] % s[a]
			edge = edge || i == 0 || i == s[a]-1
		}
		if !edge {
			return ""
		}
	}
	return "only the spatial border"
}

// residuePattern finds wrong elements at the end of the flat order, or at one
// lane of a vector.
func residuePattern(n int, wrong []int) string {
	for _, t := range tiles {
		if tail := n - n%t; n > t && n%t != 0 && wrong[0] >= tail {
			return fmt.Sprintf("only the last %d elements, the tail after vectors of %d", n%t, t)
		}
	}
	if len(wrong) < 2 {
		return ""
	}
	for _, t := range tiles {
		lane := wrong[0] % t
		same := true
		for _, w := range wrong {
			same = same && w%t == lane
		}
		if same {
			return fmt.Sprintf("only lane %d of %d", lane, t)
		}
	}
	return ""
}
