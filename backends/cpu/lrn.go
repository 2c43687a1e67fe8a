package cpu

import (
	"fmt"
	"math"

	"github.com/clsbench/clsbench/backends/cpu/kernel"
	"github.com/clsbench/clsbench/graph"
	"github.com/clsbench/clsbench/tensor"
)

// lrnRows are local response normalisation and its gradient, a row of one
// channel at a time, in float64 inside where there are no vectors.
func lrnRows() []row {
	of := func(op, kernel string, f32, f64 func(*builder, *part)) row {
		return row{op, []implementation{{kernel: kernel, algorithm: "direct", takes: ofTypes(wideFloat, 0), build: func(b *builder, p *part) error {
			if p.head().In[0].DType == tensor.F64 {
				f64(b, p)
			} else {
				f32(b, p)
			}
			return nil
		}}}}
	}
	return []row{
		of("LRN", "local response normalisation", buildLRNF32, buildLRN[float64]),
		of("LRNGrad", "local response normalisation gradient", buildLRNGradF32, buildLRNGrad[float64]),
	}
}

// response is what an LRN divides by. Rows are those of images and channels.
type response struct {
	alpha, beta, bias   float64 // alpha over size
	before, after       int
	rows, channels, row int
}

func responseOf(c *graph.Call) response {
	size, s := c.Int("size"), c.In[0].Shape
	return response{
		alpha: c.Float("alpha") / float64(size), beta: c.Float("beta"), bias: c.Float("bias"),
		before: (size - 1) / 2, after: size / 2,
		rows: s[0] * s[1], channels: s[1], row: s[2:].Elements(),
	}
}

// share calls f for each of a worker's rows with those from so many channels
// before it to so many after it, the last excluded.
func (l response) share(worker, workers, before, after int, f func(row, first, end int)) {
	for r := l.rows * worker / workers; r < l.rows*(worker+1)/workers; r++ {
		image := r / l.channels * l.channels
		f(r, max(r-before, image), min(r+after+1, image+l.channels))
	}
}

// power is s^-beta; AlexNet's 0.75 without a logarithm.
func (l response) power(s float64) float64 {
	if l.beta == 0.75 {
		root := math.Sqrt(s)
		return 1 / (root * math.Sqrt(root))
	}
	return math.Pow(s, -l.beta)
}

// at is S of element i of a row whose sum runs over the rows first to end.
func at[T float32 | float64](l response, x []T, i, first, end int) float64 {
	s := 0.0
	for k := first; k < end; k++ {
		v := float64(x[k*l.row+i])
		s += v * v
	}
	return l.bias + l.alpha*s
}

// buildLRNF32 has vectors for AlexNet's β: each worker sums the squares of a
// row's neighbours in memory of its own.
func buildLRNF32(b *builder, p *part) {
	c := p.head()
	l, x, y := responseOf(c), b.in(c, 0), b.out(c, 0)
	if l.beta != 0.75 {
		buildLRN[float32](b, p)
		return
	}
	p.kernel = fmt.Sprintf("%s %v", p.kernel, b.isa)
	squares := b.scratch(4 * l.row * b.workers)
	p.phases = []phase{{serial: x.elements()*(l.before+l.after+8) < serialElements, task: func(worker, workers int) {
		xs, ys, sum := x.f32(), y.f32(), lineOf(tensor.View[float32](squares.data), worker, l.row)
		l.share(worker, workers, l.before, l.after, func(row, first, end int) {
			clear(sum)
			for k := first; k < end; k++ {
				kernel.FoldSumSquares.Rows(b.isa, sum, lineOf(xs, k, l.row))
			}
			kernel.Response(b.isa, lineOf(ys, row, l.row), lineOf(xs, row, l.row), sum, float32(l.alpha), float32(l.bias))
		})
	}}}
}

func buildLRN[T float32 | float64](b *builder, p *part) {
	c := p.head()
	l, x, y := responseOf(c), b.in(c, 0), b.out(c, 0)
	p.phases = []phase{{serial: x.elements()*(l.before+l.after+8) < serialElements, task: func(worker, workers int) {
		xs, ys := view[T](x), view[T](y)
		l.share(worker, workers, l.before, l.after, func(row, first, end int) {
			for i := range l.row {
				ys[row*l.row+i] = T(float64(xs[row*l.row+i]) * l.power(at(l, xs, i, first, end)))
			}
		})
	}}}
}

// buildLRNGradF32 is buildLRNGrad with vectors for AlexNet's β, a row at a
// time, in float32: dX first holds dY·S^-β.
func buildLRNGradF32(b *builder, p *part) {
	c := p.head()
	l, dy, x, dx := responseOf(c), b.in(c, 0), b.in(c, 1), b.out(c, 0)
	if l.beta != 0.75 {
		buildLRNGrad[float32](b, p)
		return
	}
	p.kernel = fmt.Sprintf("%s %v", p.kernel, b.isa)
	terms, sums := b.scratch(4*x.elements()), b.scratch(4*l.row*b.workers)
	sumOf := func(worker int) []float32 {
		sum := lineOf(sums.f32(), worker, l.row)
		clear(sum)
		return sum
	}
	serial := x.elements()*(l.before+l.after+16) < serialElements
	p.phases = []phase{{serial: serial, task: func(worker, workers int) {
		xs, ds := x.f32(), dy.f32()
		l.share(worker, workers, l.before, l.after, func(row, first, end int) {
			sum := sumOf(worker)
			for k := first; k < end; k++ {
				kernel.FoldSumSquares.Rows(b.isa, sum, lineOf(xs, k, l.row))
			}
			to, term := lineOf(dx.f32(), row, l.row), lineOf(terms.f32(), row, l.row)
			kernel.Response(b.isa, to, lineOf(ds, row, l.row), sum, float32(l.alpha), float32(l.bias))
			kernel.Mul.Vectors(b.isa, term, to, lineOf(xs, row, l.row))
			kernel.Mul.Scalar(b.isa, sum, sum, float32(l.alpha))
			kernel.Add.Scalar(b.isa, sum, sum, float32(l.bias))
			kernel.Div.Vectors(b.isa, term, term, sum)
		})
	}}, {serial: serial, task: func(worker, workers int) {
		l.share(worker, workers, l.after, l.before, func(row, first, end int) {
			sum, to := sumOf(worker), lineOf(dx.f32(), row, l.row)
			for k := first; k < end; k++ {
				kernel.FoldSum.Rows(b.isa, sum, lineOf(terms.f32(), k, l.row))
			}
			kernel.Mul.Vectors(b.isa, sum, sum, lineOf(x.f32(), row, l.row))
			kernel.Mul.Scalar(b.isa, sum, sum, float32(2*l.alpha*l.beta))
			kernel.Sub.Vectors(b.isa, to, to, sum)
		})
	}}}
}

// buildLRNGrad first computes dY·S^-β and the terms dY·X·S^(-β-1) of the sum.
func buildLRNGrad[T float32 | float64](b *builder, p *part) {
	c := p.head()
	l, dy, x, dx := responseOf(c), b.in(c, 0), b.in(c, 1), b.out(c, 0)
	direct, terms := b.scratch(8*x.elements()), b.scratch(8*x.elements())
	serial := x.elements()*(l.before+l.after+16) < serialElements
	p.phases = []phase{{serial: serial, task: func(worker, workers int) {
		ds, xs := view[T](dy), view[T](x)
		to, ts := tensor.View[float64](direct.data), tensor.View[float64](terms.data)
		l.share(worker, workers, l.before, l.after, func(row, first, end int) {
			for i := range l.row {
				e := row*l.row + i
				s := at(l, xs, i, first, end)
				to[e] = float64(ds[e]) * l.power(s)
				ts[e] = to[e] * float64(xs[e]) / s
			}
		})
	}}, {serial: serial, task: func(worker, workers int) {
		xs, out := view[T](x), view[T](dx)
		from, ts := tensor.View[float64](direct.data), tensor.View[float64](terms.data)
		l.share(worker, workers, l.after, l.before, func(row, first, end int) {
			for i := range l.row {
				sum := 0.0
				for k := first; k < end; k++ {
					sum += ts[k*l.row+i]
				}
				e := row*l.row + i
				out[e] = T(from[e] - 2*l.alpha*l.beta*float64(xs[e])*sum)
			}
		})
	}}}
}
