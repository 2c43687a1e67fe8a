package workloads

import (
	"fmt"
	"strconv"
	"strings"

	"github.com/clsbench/clsbench/graph"
)

// MobileNetV3 (Howard et al., "Searching for MobileNetV3", 2019, tables 1 and
// 2), with torchvision's names and its rounding of channels.

// mobile is what networks of the family differ in.
type mobile struct {
	blocks  []inverted
	last    int // features before the classifier
	width   float64
	stem    int // stride of the first convolution
	classes int
}

// inverted is a row of the paper's tables: an inverted residual block, which
// expands, filters each channel by itself, and projects back (Sandler et al.,
// "MobileNetV2", 2018, §3.3).
type inverted struct {
	kernel, expanded, out int
	excite                bool // squeeze-and-excite
	swish                 bool // hard swish in place of ReLU
	stride                int
}

// The first block's input, before widths.
const mobileStem = 16

// mobileEpsilon is that of every batch norm.
const mobileEpsilon = 1e-3

var mobileLarge = []inverted{
	{3, 16, 16, false, false, 1},
	{3, 64, 24, false, false, 2},
	{3, 72, 24, false, false, 1},
	{5, 72, 40, true, false, 2},
	{5, 120, 40, true, false, 1},
	{5, 120, 40, true, false, 1},
	{3, 240, 80, false, true, 2},
	{3, 200, 80, false, true, 1},
	{3, 184, 80, false, true, 1},
	{3, 184, 80, false, true, 1},
	{3, 480, 112, true, true, 1},
	{3, 672, 112, true, true, 1},
	{5, 672, 160, true, true, 2},
	{5, 960, 160, true, true, 1},
	{5, 960, 160, true, true, 1},
}

var mobileSmall = []inverted{
	{3, 16, 16, true, false, 2},
	{3, 72, 24, false, false, 2},
	{3, 88, 24, false, false, 1},
	{5, 96, 40, true, true, 2},
	{5, 240, 40, true, true, 1},
	{5, 240, 40, true, true, 1},
	{5, 120, 48, true, true, 1},
	{5, 144, 48, true, true, 1},
	{5, 288, 96, true, true, 2},
	{5, 576, 96, true, true, 1},
	{5, 576, 96, true, true, 1},
}

var mobileNets = []*Workload{
	mobileNet("Small", mobile{blocks: mobileSmall, last: 1024}),
	mobileNet("Large", mobile{blocks: mobileLarge, last: 1280}),
	smallMobileNet("0.5"),
	smallMobileNet("0.35"),
}

func mobileNet(kind string, m mobile) *Workload {
	m.stem, m.classes = 2, imageNetClasses
	return &Workload{
		Name:        "mobilenetv3-" + strings.ToLower(kind),
		Description: fmt.Sprintf("MobileNetV3-%s (Howard et al. 2019), torchvision's", kind),
		Input:       imageNetInput, Classes: m.classes,
		Options: []Option{{Name: "width", Help: "what the numbers of channels are multiplied by", Values: []string{"1", "0.75", "0.5", "0.35"}}},
		timm:    m.timm(),
		network: func(n *Net, x graph.Value, option map[string]string) graph.Value {
			return m.scaled(n, option["width"]).build(n, x)
		},
	}
}

// smallMobileNet is for images of 32×32, of which the first convolution halves
// nothing. As INT8 its tensors take less than half a megabyte.
func smallMobileNet(width string) *Workload {
	m := mobile{blocks: mobileSmall, last: 1024, stem: 1, classes: 10}
	return &Workload{
		Name:        "mobilenetv3-small-" + width,
		Description: fmt.Sprintf("MobileNetV3-Small at width %s for small images", width),
		Input:       Input{32, 32, 3}, Classes: m.classes,
		timm: m.timm(),
		network: func(n *Net, x graph.Value, _ map[string]string) graph.Value {
			return m.scaled(n, width).build(n, x)
		},
	}
}

func (m mobile) scaled(n *Net, width string) mobile {
	w, err := strconv.ParseFloat(width, 64)
	n.Fail(err)
	m.width = w
	return m
}

func (m mobile) build(n *Net, x graph.Value) graph.Value {
	x = m.conv(n, "features.0", x, Conv{Out: m.channels(mobileStem), Kernel: 3, Stride: m.stem}, n.HardSwish)
	for i, b := range m.blocks {
		x = n.In(fmt.Sprintf("features.%d", i+1), func() graph.Value { return m.block(n, x, b) })
	}
	out := 6 * m.channels(m.blocks[len(m.blocks)-1].out)
	x = m.conv(n, fmt.Sprintf("features.%d", len(m.blocks)+1), x, Conv{Out: out, Kernel: 1}, n.HardSwish)
	x = n.Flatten(n.GlobalAvgPool2d(x))
	x = n.HardSwish(n.Linear("classifier.0", x, m.channels(m.last), initNarrow(0)))
	x = n.Dropout("classifier.2", x, 0.2)
	return n.Linear("classifier.3", x, m.classes, initNarrow(0))
}

// block is torchvision's InvertedResidual, whose parts are counted through.
func (m mobile) block(n *Net, x graph.Value, b inverted) graph.Value {
	if n.Err() != nil {
		return graph.Value{}
	}
	in, expanded, out := x.Type.Shape[1], m.channels(b.expanded), m.channels(b.out)
	act := n.ReLU
	if b.swish {
		act = n.HardSwish
	}
	part := 0
	next := func() string { part++; return fmt.Sprintf("block.%d", part-1) }
	y := x
	if expanded != in {
		y = m.conv(n, next(), y, Conv{Out: expanded, Kernel: 1}, act)
	}
	y = m.conv(n, next(), y, Conv{Out: expanded, Kernel: b.kernel, Stride: b.stride, Groups: expanded}, act)
	if b.excite {
		y = n.SqueezeExcite(next(), y, divisible(float64(expanded/4)), initHeFanOut)
	}
	y = m.conv(n, next(), y, Conv{Out: out, Kernel: 1}, nil)
	if b.stride == 1 && in == out {
		y = n.Plus(x, y)
	}
	return y
}

// conv is a convolution that keeps the plane but for its stride, normalised and
// activated.
func (m mobile) conv(n *Net, name string, x graph.Value, c Conv, act func(graph.Value) graph.Value) graph.Value {
	c.Pad, c.NoBias, c.Init = c.Kernel/2, true, initHeFanOut
	return n.In(name, func() graph.Value {
		y := n.BatchNorm2d("1", n.Conv2d("0", x, c), BatchNorm{Epsilon: mobileEpsilon, Momentum: 0.01})
		if act != nil {
			y = act(y)
		}
		return y
	})
}

// channels is a number of channels at the network's width.
func (m mobile) channels(full int) int { return divisible(float64(full) * m.width) }

// divisible rounds to a multiple of 8, at least 8 and not more than a tenth
// below v: torchvision's _make_divisible.
func divisible(v float64) int {
	n := max(8, int(v+4)/8*8)
	if float64(n) < 0.9*v {
		n += 8
	}
	return n
}
