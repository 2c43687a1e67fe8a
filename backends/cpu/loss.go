package cpu

import (
	"fmt"
	"math"

	"github.com/clsbench/clsbench/backends/cpu/kernel"
	"github.com/clsbench/clsbench/backends/cpu/pool"
	"github.com/clsbench/clsbench/graph"
	"github.com/clsbench/clsbench/tensor"
)

// lossRows are the losses, computed in float64 inside.
func lossRows() []row {
	only := func(op, kernel string, build32, build64 func(*builder, *part) error, input int) row {
		return row{op, []implementation{
			{kernel: kernel, algorithm: "direct", takes: ofTypes(f32Only, input), build: build32},
			{kernel: kernel, algorithm: "direct", takes: ofTypes(wideFloat, input), build: build64}}}
	}
	return []row{
		only("SoftmaxCrossEntropy", "softmax cross-entropy", buildCrossEntropy[float32], buildCrossEntropy[float64], 0),
		only("SoftmaxCrossEntropyLoss", "softmax cross-entropy", buildCrossEntropy[float32], buildCrossEntropy[float64], 0),
		only("NegativeLogLikelihoodLoss", "negative log-likelihood", buildCrossEntropy[float32], buildCrossEntropy[float64], 0),
		only("SoftmaxCrossEntropyGrad", "softmax cross-entropy gradient", buildCrossEntropyGrad[float32], buildCrossEntropyGrad[float64], 1),
		only("MSELoss", "mean squared error", buildMSE[float32], buildMSE[float64], 0),
	}
}

type float interface{ ~float32 | ~float64 }

// classLoss is what the losses over classes have in common: scores whose
// classes lie step elements apart, and the targets of each row.
type classLoss[T float] struct {
	b                   *builder
	c                   *graph.Call
	rows, classes, step int
	x, soft, weights    *value
	label               func(row int) int // nil: labels are distributions
	ignore              int
	ignores             bool
	spread              float64 // label smoothing
	reduction           string
}

func newClassLoss[T float](b *builder, c *graph.Call, x, labels, weights int) *classLoss[T] {
	s := c.In[x].Shape
	l := &classLoss[T]{b: b, c: c, classes: s[1], step: s[2:].Elements(), x: b.in(c, x), weights: b.in(c, weights), reduction: c.Str("reduction")}
	l.rows = s[0] * l.step
	switch y := b.in(c, labels); y.typ.DType {
	case tensor.S32:
		l.label = func(r int) int { return int(view[int32](y)[r]) }
	case tensor.S64:
		l.label = func(r int) int { return int(view[int64](y)[r]) }
	default:
		l.soft = y
	}
	l.ignore, l.ignores = c.IgnoreIndex()
	if c.Op.Domain == graph.Own {
		l.spread = c.Float("label_smoothing")
	}
	return l
}

// at is where row r begins.
func (l *classLoss[T]) at(r int) int { return r/l.step*l.classes*l.step + r%l.step }

func (l *classLoss[T]) weight(class int) float64 {
	if l.weights == nil {
		return 1
	}
	return float64(view[T](l.weights)[class])
}

// target is the row's label, -1 for a distribution; ok is false for rows that
// do not count.
func (l *classLoss[T]) target(r int) (label int, ok bool) {
	if l.label == nil {
		return -1, true
	}
	label = l.label(r)
	if l.ignores && label == l.ignore {
		return label, false
	}
	if label < 0 || label >= l.classes {
		l.b.fail(l.c, "input labels: label %d in row %d, want 0 to %d", label, r, l.classes-1)
		return label, false
	}
	return label, true
}

// share is t of the class whose score lies at i, in a row of that label.
func (l *classLoss[T]) share(i, class, label int) float64 {
	t := 0.0
	switch {
	case l.label == nil:
		t = float64(view[T](l.soft)[i])
	case class == label:
		t = 1
	}
	return l.weight(class) * ((1-l.spread)*t + l.spread/float64(l.classes))
}

// divisor is what a mean divides by.
func (l *classLoss[T]) divisor() float64 {
	if l.label == nil || (l.weights == nil && !l.ignores) {
		return float64(l.rows)
	}
	sum := 0.0
	for r := range l.rows {
		if label, ok := l.target(r); ok {
			sum += l.weight(label)
		}
	}
	return sum
}

// loss is Σ t·(lse - x) of a row. Without smoothing a label names the only
// class that has a share.
func (l *classLoss[T]) loss(r int, lse float64) float64 {
	label, ok := l.target(r)
	if !ok {
		return 0
	}
	x, at := view[T](l.x), l.at(r)
	if l.label != nil && l.spread == 0 {
		if w := l.weight(label); w != 0 {
			return w * (lse - float64(x[at+label*l.step]))
		}
		return 0
	}
	sum := 0.0
	for class := range l.classes {
		i := at + class*l.step
		if t := l.share(i, class, label); t != 0 {
			sum += t * (lse - float64(x[i]))
		}
	}
	return sum
}

// logSumExp of n scores a step apart.
func logSumExp[T float32 | float64](set kernel.ISA, x []T, n, step int) float64 {
	if row, ok := any(x).([]float32); ok && step == 1 {
		m := kernel.FoldMax.Row(set, row[:n])
		return float64(m) + math.Log(kernel.ExpSum(set, row[:n], m))
	}
	m := T(math.Inf(-1))
	for i := range n {
		m = max(m, x[i*step])
	}
	sum := 0.0
	for i := range n {
		sum += math.Exp(float64(x[i*step]) - float64(m))
	}
	return float64(m) + math.Log(sum)
}

// shareRows gives each worker its rows.
func shareRows(rows int, f func(r int)) pool.Task {
	return func(worker, workers int) {
		for r := rows * worker / workers; r < rows*(worker+1)/workers; r++ {
			f(r)
		}
	}
}

// buildCrossEntropy makes three ops, which differ in where the log-sum-exp
// comes from and what is kept of it: of log-probabilities it is 0.
func buildCrossEntropy[T float32 | float64](b *builder, p *part) error {
	c := p.head()
	l := newClassLoss[T](b, c, 0, 1, 2)
	loss := b.out(c, 0)
	var lse, logProb *value
	switch c.Op.Name {
	case "SoftmaxCrossEntropy":
		lse = b.out(c, 1)
	case "SoftmaxCrossEntropyLoss":
		logProb = b.out(c, 1)
	}
	losses := b.scratch(8 * l.rows)
	p.phases = []phase{{serial: l.rows*l.classes < serialExp, task: shareRows(l.rows, func(r int) {
		s, at := 0.0, l.at(r)
		if c.Op.Name != "NegativeLogLikelihoodLoss" {
			s = logSumExp(b.isa, view[T](l.x)[at:], l.classes, l.step)
		}
		if lse != nil {
			view[T](lse)[r] = T(s)
		}
		if logProb != nil {
			for i := range l.classes {
				view[T](logProb)[at+i*l.step] = T(float64(view[T](l.x)[at+i*l.step]) - s)
			}
		}
		tensor.View[float64](losses.data)[r] = l.loss(r, s)
	})}}
	if loss == nil {
		return nil
	}
	p.phases = append(p.phases, phase{serial: true, task: func(int, int) {
		each, y, sum := tensor.View[float64](losses.data), view[T](loss), 0.0
		for r, v := range each {
			if l.reduction == "none" {
				y[r] = T(v)
			}
			sum += v
		}
		switch l.reduction {
		case "mean":
			y[0] = T(sum / l.divisor())
		case "sum":
			y[0] = T(sum)
		}
	}})
	return nil
}

func buildCrossEntropyGrad[T float](b *builder, p *part) error {
	c := p.head()
	l := newClassLoss[T](b, c, 1, 2, 4)
	dloss, lse, dx := b.in(c, 0), b.in(c, 3), b.out(c, 0)
	divisor := b.scratch(8)
	gradient := l.gradient
	if l.vectors() {
		gradient = l.gradientRow
		p.kernel = fmt.Sprintf("%s %v", p.kernel, b.isa)
	}
	p.phases = []phase{
		{serial: true, task: func(int, int) { tensor.View[float64](divisor.data)[0] = l.divisor() }},
		{serial: l.rows*l.classes < serialExp, task: shareRows(l.rows, func(r int) {
			scale := float64(view[T](dloss)[r%len(view[T](dloss))])
			if l.reduction == "mean" {
				scale /= tensor.View[float64](divisor.data)[0]
			}
			gradient(view[T](dx), r, float64(view[T](lse)[r]), scale)
		})},
	}
	return nil
}

// gradient is (exp(x - lse)·Σt - t)·scale of a row.
func (l *classLoss[T]) gradient(dx []T, r int, lse, scale float64) {
	x, at := view[T](l.x), l.at(r)
	label, ok := l.target(r)
	if !ok {
		for class := range l.classes {
			dx[at+class*l.step] = 0
		}
		return
	}
	total := 0.0
	for class := range l.classes {
		total += l.share(at+class*l.step, class, label)
	}
	for class := range l.classes {
		i := at + class*l.step
		p := math.Exp(float64(x[i]) - lse)
		dx[i] = T((p*total - l.share(i, class, label)) * scale)
	}
}

// vectors tells whether gradientRow computes the gradient: rows of f32 that lie
// in one piece, of which all classes but the label have the same share.
func (l *classLoss[T]) vectors() bool {
	return l.x.typ.DType == tensor.F32 && l.step == 1 && l.label != nil && (l.weights == nil || l.spread == 0)
}

// gradientRow is gradient with vectors; the label's, where the difference may
// be small, in float64.
func (l *classLoss[T]) gradientRow(dx []T, r int, lse, scale float64) {
	at := l.at(r)
	x, row := narrow(view[T](l.x)[at:][:l.classes]), narrow(dx[at:][:l.classes])
	label, ok := l.target(r)
	if !ok {
		clear(row)
		return
	}
	weight, rest := l.weight(label), l.spread/float64(l.classes)
	kernel.ExpDiff(l.b.isa, row, x, float32(lse))
	if rest != 0 {
		kernel.Sub.Scalar(l.b.isa, row, row, float32(rest))
	}
	kernel.Mul.Scalar(l.b.isa, row, row, float32(weight*scale))
	p := math.Exp(float64(x[label]) - lse)
	row[label] = float32((p - (1 - l.spread) - rest) * weight * scale)
}

// narrow is x, which is of f32, as such.
func narrow[T float](x []T) []float32 { return any(x).([]float32) }

// buildMSE: without a reduction element by element, else a sum a worker, and
// then their sum.
func buildMSE[T float32 | float64](b *builder, p *part) error {
	c := p.head()
	x, y, loss := b.in(c, 0), b.in(c, 1), b.out(c, 0)
	n, reduction := x.elements(), c.Str("reduction")
	squared := func(i int) float64 {
		d := float64(view[T](x)[i]) - float64(view[T](y)[i])
		return d * d
	}
	if reduction == "none" {
		p.phases = []phase{{serial: n < serialElements, task: shareChain([]ranger{func(lo, hi int) {
			for i := lo; i < hi; i++ {
				view[T](loss)[i] = T(squared(i))
			}
		}}, n)}}
		b.mayOverlap(p, c, loss, []*value{x, y})
		return nil
	}
	p.phases = b.sumPhases(n, func(lo, hi int) float64 {
		return kernel.SquaredDistance(b.isa, view[T](x)[lo:hi], view[T](y)[lo:hi])
	}, func(s float64) {
		if reduction == "mean" {
			s /= float64(n)
		}
		view[T](loss)[0] = T(s)
	})
	return nil
}

// sumPhases are a sum over n elements: a part a worker, then the total.
func (b *builder) sumPhases(n int, sum func(lo, hi int) float64, end func(total float64)) []phase {
	parts := b.scratch(8 * b.workers)
	return []phase{
		{serial: n < serialElements, task: func(worker, workers int) {
			s := tensor.View[float64](parts.data)
			if workers == 1 {
				clear(s)
			}
			lo, hi := shareOf(n, worker, workers)
			s[worker] = sum(lo, hi)
		}},
		{serial: true, task: func(int, int) {
			total := 0.0
			for _, s := range tensor.View[float64](parts.data) {
				total += s
			}
			end(total)
		}},
	}
}
