package workloads

import (
	"math"
	"strings"

	"github.com/clsbench/clsbench/graph"
	"github.com/clsbench/clsbench/tensor"
)

// LeNet-5 as the paper of 1998 has it (§II.B and appendix A): a border of two
// pixels, trainable subsampling, a table of which maps the third layer's see,
// scaled tanh, and answers by the distance to fixed codes. 60,000 parameters.

// c3Maps says which maps of S2 each map of C3 sees (table I).
var c3Maps = [][]int{
	{0, 1, 2}, {1, 2, 3}, {2, 3, 4}, {3, 4, 5}, {0, 4, 5}, {0, 1, 5},
	{0, 1, 2, 3}, {1, 2, 3, 4}, {2, 3, 4, 5}, {0, 3, 4, 5}, {0, 1, 4, 5}, {0, 1, 2, 5},
	{0, 1, 3, 4}, {1, 2, 4, 5}, {0, 2, 3, 5},
	{0, 1, 2, 3, 4, 5},
}

func buildLeNet5Of1998(n *Net, x graph.Value) graph.Value {
	x = n.squash(n.Conv2d("c1", x, Conv{Out: 6, Kernel: 5, Pad: 2, Init: initByFanIn})) // 6×28×28
	x = n.squash(n.subsample("s2", x))                                                  // 6×14×14
	x = n.squash(n.tabled("c3", x, c3Maps))                                             // 16×10×10
	x = n.squash(n.subsample("s4", x))                                                  // 16×5×5
	x = n.squash(n.Conv2d("c5", x, Conv{Out: 120, Kernel: 5, Init: initByFanIn}))       // 120×1×1
	x = n.squash(n.Linear("f6", n.Flatten(x), 84, initByFanIn))
	return n.byDistance("output", x, digitCodes())
}

// initByFanIn is uniform over ±2.4/fanIn (appendix A).
func initByFanIn(fanIn, _ int) (weight, bias tensor.Fill) {
	f := symmetric(2.4 / float64(fanIn))
	return f, f
}

// squash is 1.7159·tanh(2x/3), which maps ±1 to itself (appendix A).
func (n *Net) squash(x graph.Value) graph.Value {
	y := n.Tanh(n.Op("Mul", nil, x, n.Scalar(tensor.F32, 2.0/3)))
	return n.Op("Mul", nil, y, n.Scalar(tensor.F32, 1.7159))
}

// subsample sums windows of 2×2, then scales and shifts every map by a trained
// number: N×C×H×W to N×C×H/2×W/2.
func (n *Net) subsample(name string, x graph.Value) graph.Value {
	return n.In(name, func() graph.Value {
		if !n.wantRank(x, 4) {
			return graph.Value{}
		}
		c := x.Type.Shape[1]
		weight, bias := initByFanIn(4, c)
		sum := n.Op("Mul", nil, n.AvgPool2d(x, Pool{Kernel: 2}), n.Scalar(tensor.F32, 4))
		y := n.Op("Mul", nil, sum, n.Param("weight", weight, c, 1, 1))
		return n.Plus(y, n.Param("bias", bias, c, 1, 1))
	})
}

// tabled is a convolution of 5×5 whose i-th map sees the maps table[i] alone.
// Neighbouring maps that see as many make one grouped convolution.
func (n *Net) tabled(name string, x graph.Value, table [][]int) graph.Value {
	return n.In(name, func() graph.Value {
		var parts []graph.Value
		for from := 0; from < len(table); {
			to, seen := from, []float64{}
			for to < len(table) && len(table[to]) == len(table[from]) {
				for _, m := range table[to] {
					seen = append(seen, float64(m))
				}
				to++
			}
			maps := n.Const("maps", tensor.Of(tensor.S64, tensor.Shape{len(seen)}, seen...))
			y := n.Op("Gather", graph.Attrs{"axis": graph.I(1)}, x, maps)
			parts = append(parts, n.Conv2d(string(rune('a'+len(parts))), y, Conv{Out: to - from, Kernel: 5, Groups: to - from, Init: initByFanIn}))
			from = to
		}
		return n.Op("Concat", graph.Attrs{"axis": graph.I(1)}, parts...)
	})
}

// byDistance answers with -Σ(x - code)² for every class: the paper's radial
// basis units, negated so that the likeliest class has the largest answer. The
// cross-entropy of these is the paper's loss (eq. 9) without the constant that
// stands for rubbish.
func (n *Net) byDistance(name string, x graph.Value, codes [][]float64) graph.Value {
	return n.In(name, func() graph.Value {
		if !n.wantRank(x, 2) {
			return graph.Value{}
		}
		var all []float64
		for _, c := range codes {
			all = append(all, c...)
		}
		size := len(codes[0])
		code := n.Const("codes", tensor.Of(tensor.F32, tensor.Shape{1, len(codes), size}, all...))
		apart := n.Op("Sub", nil, n.Reshape(x, x.Type.Shape[0], 1, size), code)
		square := n.Op("Mul", nil, apart, apart)
		return n.Op("Neg", nil, n.Op("ReduceSum", graph.Attrs{"axes": graph.L(2), "keepdims": graph.I(0)}, square))
	})
}

// digitCodes are pictures of the ten digits, 7 wide and 12 high, ink as 1 and
// paper as -1, as in the paper's figure 3; these pictures are our own.
func digitCodes() [][]float64 {
	codes := make([][]float64, 0, 10)
	for picture := range strings.SplitSeq(strings.TrimSpace(digitPictures), "\n\n") {
		var code []float64
		for _, r := range strings.ReplaceAll(picture, "\n", "") {
			code = append(code, math.Copysign(1, float64(strings.IndexRune(".#", r))-0.5))
		}
		codes = append(codes, code)
	}
	return codes
}

const digitPictures = `
..###..
.#...#.
#.....#
#.....#
#.....#
#.....#
#.....#
#.....#
#.....#
#.....#
.#...#.
..###..

...#...
..##...
.#.#...
...#...
...#...
...#...
...#...
...#...
...#...
...#...
...#...
.#####.

..###..
.#...#.
#.....#
......#
......#
.....#.
....#..
...#...
..#....
.#.....
#......
#######

.#####.
#.....#
......#
......#
.....#.
..###..
.....#.
......#
......#
......#
#.....#
.#####.

.....#.
....##.
...#.#.
..#..#.
.#...#.
#....#.
#....#.
#######
.....#.
.....#.
.....#.
.....#.

#######
#......
#......
#......
#.###..
##...#.
......#
......#
......#
#.....#
.#...#.
..###..

...###.
..#....
.#.....
#......
#.###..
##...#.
#.....#
#.....#
#.....#
#.....#
.#...#.
..###..

#######
......#
......#
.....#.
.....#.
....#..
....#..
...#...
...#...
..#....
..#....
..#....

..###..
.#...#.
#.....#
#.....#
.#...#.
..###..
.#...#.
#.....#
#.....#
#.....#
.#...#.
..###..

..###..
.#...#.
#.....#
#.....#
#.....#
.#...##
..###.#
......#
......#
.....#.
....#..
.###...
`
