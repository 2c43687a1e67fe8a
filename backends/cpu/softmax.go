package cpu

import (
	"math"

	"github.com/clsbench/clsbench/tensor"
)

// softmaxRows are the softmax and the loss made of it. They compute in float64
// inside.
func softmaxRows() []row {
	only := func(op, kernel string, build func(*builder, *part) error, inputs ...int) row {
		return row{op, []implementation{{kernel: kernel, algorithm: "direct", takes: ofTypes(f32Only, inputs...), build: build}}}
	}
	return []row{
		only("Softmax", "softmax", buildSoftmax, 0),
		only("SoftmaxCrossEntropy", "softmax cross-entropy", buildCrossEntropy, 0),
		only("SoftmaxCrossEntropyGrad", "softmax cross-entropy gradient", buildCrossEntropyGrad, 1),
	}
}

// serialExp is how many exponentials are not worth sharing.
const serialExp = 400

func buildSoftmax(b *builder, p *part) error {
	c := p.head()
	axis, err := c.Axis("axis")
	if err != nil {
		return err
	}
	x, y := b.in(c, 0), b.out(c, 0)
	s := c.In[0].Shape
	n, step := s[axis], s[axis+1:].Elements()
	rows := x.elements() / n
	p.phases = []phase{{serial: x.elements() < serialExp, task: func(worker, workers int) {
		for r := rows * worker / workers; r < rows*(worker+1)/workers; r++ {
			at := r/step*n*step + r%step
			softmaxRow(y.f32()[at:], x.f32()[at:], n, step)
		}
	}}}
	b.mayOverlap(p, c, y, []*value{x})
	return nil
}

// softmaxRow is exp(x - m)/Σ, m = max x, of n elements a step apart.
func softmaxRow(y, x []float32, n, step int) {
	m := float32(math.Inf(-1))
	for i := range n {
		m = max(m, x[i*step])
	}
	sum := 0.0
	for i := range n {
		e := math.Exp(float64(x[i*step] - m))
		y[i*step] = float32(e)
		sum += e
	}
	for i := range n {
		y[i*step] = float32(float64(y[i*step]) / sum)
	}
}

// labelsOf reads labels of either type.
func labelsOf(v *value) func(i int) int {
	if v.typ.DType == tensor.S32 {
		return func(i int) int { return int(view[int32](v)[i]) }
	}
	return func(i int) int { return int(view[int64](v)[i]) }
}

func buildCrossEntropy(b *builder, p *part) error {
	c := p.head()
	x, labels := b.in(c, 0), labelsOf(b.in(c, 1))
	loss, lse := b.out(c, 0), b.out(c, 1)
	rows, classes := c.In[0].Shape[0], c.In[0].Shape[1]
	losses := b.scratch(8 * rows)
	p.phases = []phase{{serial: rows*classes < serialExp, task: func(worker, workers int) {
		each := tensor.View[float64](losses.data)
		for r := rows * worker / workers; r < rows*(worker+1)/workers; r++ {
			row := x.f32()[r*classes:][:classes]
			s := logSumExp(row)
			if lse != nil {
				lse.f32()[r] = float32(s)
			}
			if l := labels(r); l < 0 || l >= classes {
				b.fail(c, "input labels: label %d in row %d, want 0 to %d", l, r, classes-1)
			} else {
				each[r] = s - float64(row[l])
			}
		}
	}}}
	if loss == nil {
		return nil
	}
	reduction := c.Str("reduction")
	p.phases = append(p.phases, phase{serial: true, task: func(int, int) {
		each, sum := tensor.View[float64](losses.data), 0.0
		for r, l := range each {
			if reduction == "none" {
				loss.f32()[r] = float32(l)
			}
			sum += l
		}
		switch reduction {
		case "mean":
			loss.f32()[0] = float32(sum / float64(rows))
		case "sum":
			loss.f32()[0] = float32(sum)
		}
	}})
	return nil
}

func logSumExp(row []float32) float64 {
	m := float32(math.Inf(-1))
	for _, v := range row {
		m = max(m, v)
	}
	sum := 0.0
	for _, v := range row {
		sum += math.Exp(float64(v) - float64(m))
	}
	return float64(m) + math.Log(sum)
}

func buildCrossEntropyGrad(b *builder, p *part) error {
	c := p.head()
	dloss, x, labels, lse, dx := b.in(c, 0), b.in(c, 1), labelsOf(b.in(c, 2)), b.in(c, 3), b.out(c, 0)
	rows, classes := c.In[1].Shape[0], c.In[1].Shape[1]
	reduction := c.Str("reduction")
	p.phases = []phase{{serial: rows*classes < serialExp, task: func(worker, workers int) {
		for r := rows * worker / workers; r < rows*(worker+1)/workers; r++ {
			scale := 0.0
			switch reduction {
			case "none":
				scale = float64(dloss.f32()[r])
			case "sum":
				scale = float64(dloss.f32()[0])
			default:
				scale = float64(dloss.f32()[0]) / float64(rows)
			}
			l := labels(r)
			if l < 0 || l >= classes {
				b.fail(c, "input labels: label %d in row %d, want 0 to %d", l, r, classes-1)
			}
			in, out, s := x.f32()[r*classes:][:classes], dx.f32()[r*classes:][:classes], float64(lse.f32()[r])
			for k, v := range in {
				d := math.Exp(float64(v) - s)
				if k == l {
					d--
				}
				out[k] = float32(d * scale)
			}
		}
	}}}
	return nil
}
