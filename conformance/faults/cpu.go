package faults

// Planted faults of the third kind: lines of cpu's own sources changed. What
// sits in tails of vectors, in one instruction set's kernel, in a thread's share
// or in the planner's memory no variant of the reference can express. See
// cpubuild.go for how they are made to run.

// line is a change of a source file: text that is there once, and what stands
// in its place. PLANTED in it is true where the fault is armed, and
// bent(PLANTED, right, wrong) chooses.
type line struct{ was, is string }

// cpuFault is a fault in one file of backends/cpu.
type cpuFault struct {
	name, why string
	file      string // below backends/cpu
	lines     []line
	more      string   // declarations that the lines use
	ops       []string // whose cases meet it
	isa       string   // that it is met on; "" is cpu's choice
}

// cpuFaults are what SelfTest plants. Two kinds of cases must see each.
var cpuFaults = []cpuFault{
	{
		name: "cpu-gemm-packed-tail", why: "the last column of a panel that is not full left unpacked", file: "kernel/gemm.go",
		lines: []line{{"b, k0, depth, p*nr, min(nr, g.N-p*nr))", "b, k0, depth, p*nr, bent(PLANTED, min(nr, g.N-p*nr), max(1, min(nr, g.N-p*nr-1))))"}},
		ops:   []string{"MatMul", "Gemm"},
	},
	{
		name: "cpu-conv-line-misplaced", why: "a line of the padded image in the wrong place", file: "padding.go",
		lines: []line{{"at += (l%f.extents[axis] + f.before[axis]) * step", "at += (l%f.extents[axis] + bent(PLANTED, f.before[axis], 0)) * step"}},
		ops:   []string{"Conv", "ConvWeightGrad"},
	},
	{
		name: "cpu-conv-first-group", why: "every group reads the first one's image", file: "conv.go",
		lines: []line{{"n*g.imageStep+k*g.imageSize:]", "n*g.imageStep+bent(PLANTED, k, 0)*g.imageSize:]"}},
		ops:   []string{"Conv", "ConvInputGrad", "ConvWeightGrad"},
	},
	{
		name: "cpu-conv-stale-padding", why: "a worker's padded image kept from the step before", file: "padding.go",
		lines: []line{{"func (p *padding) begin() { p.valid = false }", "func (p *padding) begin() { p.valid = p.valid && PLANTED }"}},
		ops:   []string{"Conv", "ConvWeightGrad"},
	},
	{
		name: "cpu-conv-columns-dilation", why: "the first axis's dilation along both", file: "kernel/columns.go",
		lines: []line{{"o = o*extent + at[i]*steps[i]", "o = o*extent + at[i]*bent(PLANTED, steps[i], steps[0])"}},
		ops:   []string{"Conv", "ConvWeightGrad"},
	},
	{
		name: "cpu-depthwise-border", why: "the last row of a padded plane left as the plane before had it", file: "kernel/depthwise.go",
		lines: []line{{"rows, src, o := min(n, d.rows-y),", "rows, src, o := bent(PLANTED, min(n, d.rows-y), max(1, min(n, d.rows-y-1))),"}},
		ops:   []string{"Conv", "ConvWeightGrad", "Fused"},
	},
	{
		name: "cpu-pool-dilation", why: "the first axis's dilation along both", file: "pool.go",
		lines: []line{{"p := w.Start(i, at[i]) + tap[i]*w.Dilations[i]", "p := w.Start(i, at[i]) + tap[i]*bent(PLANTED, w.Dilations[i], w.Dilations[0])"}},
		ops:   []string{"MaxPool", "AveragePool"},
	},
	{
		name: "cpu-pool-padding-uncounted", why: "padding behind the end not counted in a mean", file: "pool.go",
		lines: []line{{"p < extent+w.PadEnd[i] //", "p < bent(PLANTED, extent+w.PadEnd[i], extent) //"}},
		ops:   []string{"AveragePool", "AveragePoolGrad"},
	},
	{
		name: "cpu-pool-grad-last-rows", why: "the rows behind the last whole block of a large plane left unwritten", file: "pool.go",
		lines: []line{{"kernel.AveragePool2Grad(b.isa, part, dy.f32()[lo*cols:], n, cols, 0.25)",
			"kernel.AveragePool2Grad(b.isa, part, dy.f32()[lo*cols:], bent(PLANTED && lo > 0 && n < block, n, 0), cols, 0.25)"}},
		ops: []string{"AveragePoolGrad", "AveragePool"},
	},
	{
		name: "cpu-softmax-tail", why: "what is left behind the last whole vector not divided by the sum", file: "kernel/softmax.go",
		lines: []line{{"Mul.Scalar(i, y, y, float32(1/s))", "Mul.Scalar(i, bent(PLANTED, y, y[:len(y)&^7]), y, float32(1/s))"}},
		ops:   []string{"Softmax"},
	},
	{
		name: "cpu-norm-tail", why: "moments of whole vectors only", file: "kernel/norm.go",
		lines: []line{{"s, q := loops.moments(&x[0], n, head)", "s, q := loops.moments(&x[0], bent(PLANTED, n, max(1, n&^7)), head)"}},
		ops:   []string{"BatchNormalizationTraining", "LayerNormalization", "GroupNormalization", "InstanceNormalization"},
	},
	{
		name: "cpu-last-thread-chunk", why: "what n/threads leaves over done by nobody", file: "elementwise.go",
		lines: []line{{"lines*(worker+1)/workers*line)", "bent(PLANTED, lines*(worker+1)/workers, (lines/workers)*(worker+1))*line)"}},
		ops:   []string{"Add", "Mul", "Relu"},
	},
	{
		name: "cpu-integer-stale-pack", why: "an operand's panels kept from the step before (tensorflow#56218)", file: "qproducts.go",
		lines: []line{
			{"	task := func(worker, workers int) {\n		for u := units", "	packed := make([]bool, units)\n	task := func(worker, workers int) {\n		for u := units"},
			{"			fill(m, u)\n", "			if !packed[u] || !PLANTED {\n				fill(m, u)\n			}\n			packed[u] = true\n"},
		},
		ops: []string{"MatMulInteger", "QLinearMatMul", "ConvInteger", "QLinearConv"},
	},
	{
		name: saturates, why: "u8·s8 products added in pairs of 16 bits, which saturate (onnxruntime#16105, oneDNN#375)", file: "qproducts.go", isa: "avx2",
		lines: []line{
			{"	left, right *memory\n	sums        []*memory\n", "	left, right *memory\n	sums        []*memory\n	saturates   bool\n"},
			{"	x.panels = kernel.IntegerPanels(x.n)\n", "	x.panels = kernel.IntegerPanels(x.n)\n	x.saturates = PLANTED && b.isa == kernel.AVX2 && o.A.Type.DType == tensor.U8 && o.B.Type.DType == tensor.S8\n"},
			{"			first := panel * kernel.IntegerTile\n			for j := first; j < min(", `			if x.saturates {
				addInPairs(sums, int16s(x.left)[left*rows:][:rows], tensor.View[int64](x.right.data)[(right*x.panels+panel)*cols:][:cols], x.k)
			}
			first := panel * kernel.IntegerTile
			for j := first; j < min(`},
		},
		more: pairSums,
		ops:  []string{"MatMulInteger", "QLinearMatMul"},
	},
	{
		name: "cpu-arena-overlap", why: "memory given away while the step that reads it last still runs", file: "arena.go",
		lines: []line{{"if o.last < m.first || o.first > m.last {", "if o.last < m.first || o.first > m.last || (PLANTED && o.last == m.first) {"}},
		ops:   []string{"Fused", "Attention", "LayerNormalization", "SoftmaxCrossEntropy"},
	},
}

const saturates = "cpu-u8s8-saturates-on-avx2"

// pairSums computes what kernel.MultiplyIntegers does as VPMADDUBSW would: each
// two neighbouring products are added in 16 bits, and kept within them.
const pairSums = `
func addInPairs(sums []int32, a []int16, b []int64, depth int) {
	const tile = kernel.IntegerTile
	for panel := range len(a) / (tile * depth) {
		for at := range tile * tile {
			row, col, total := at/tile, at%tile, int32(0)
			for k := 0; k < depth; k += 2 {
				pair := int32(0)
				for j := k; j < min(k+2, depth); j++ {
					both := b[j*tile/2+col/2]
					low := int32(both)
					if col%2 == 1 {
						low = int32((both - int64(low)) >> 32)
					}
					pair += int32(a[(panel*depth+j)*tile+row]) * low
				}
				total += min(max(pair, math.MinInt16), math.MaxInt16)
			}
			sums[panel*tile*tile+at] = total
		}
	}
}
`
