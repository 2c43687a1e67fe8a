package cpu

import (
	"github.com/clsbench/clsbench/backends/cpu/kernel"
	"github.com/clsbench/clsbench/backends/cpu/pool"
)

// softmaxRows are the softmax and its logarithm.
func softmaxRows() []row {
	only := func(op, kernel string, build func(*builder, *part) error) row {
		return row{op, []implementation{{kernel: kernel, algorithm: "direct", takes: ofTypes(f32Only, 0), build: build}}}
	}
	rows := func(set kernel.ISA, y, x []float32) { kernel.Softmax(set, y, x) }
	return []row{
		only("Softmax", "softmax", buildSoftmax(rows, (*kernel.ColumnSoftmax).Softmax)),
		only("LogSoftmax", "log softmax", buildSoftmax(kernel.LogSoftmax, (*kernel.ColumnSoftmax).LogSoftmax)),
	}
}

// serialExp is how many exponentials are not worth sharing, serialVectorExp
// how many of those that vectors compute.
const (
	serialExp       = 400
	serialVectorExp = 4096
)

// softmaxColumns is how many columns a softmax goes down at a time.
const softmaxColumns = 256

// buildSoftmax goes along rows where the axis is the last, down columns where
// others follow.
func buildSoftmax(along func(set kernel.ISA, y, x []float32), down func(c *kernel.ColumnSoftmax, set kernel.ISA, y, x []float32)) func(*builder, *part) error {
	return func(b *builder, p *part) error {
		c := p.head()
		axis, err := c.Axis("axis")
		if err != nil {
			return err
		}
		x, y := b.in(c, 0), b.out(c, 0)
		s := c.In[0].Shape
		n, step := s[axis], s[axis+1:].Elements()
		var task pool.Task
		if step == 1 {
			task = shareRows(s[:axis].Elements(), func(r int) { along(b.isa, y.f32()[r*n:][:n], x.f32()[r*n:][:n]) })
		} else {
			task = b.softmaxDown(x, y, n, step, down)
		}
		p.phases = []phase{{serial: x.elements() < serialVectorExp, task: task}}
		b.mayOverlap(p, c, y, []*value{x})
		return nil
	}
}

// softmaxDown shares blocks of columns of stacks of n rows of step elements.
func (b *builder) softmaxDown(x, y *value, n, step int, down func(c *kernel.ColumnSoftmax, set kernel.ISA, y, x []float32)) pool.Task {
	blocks := (step + softmaxColumns - 1) / softmaxColumns
	items := x.elements() / (n * step) * blocks
	scratch := b.scratches(4 * 3 * min(step, softmaxColumns))
	columns := make([]kernel.ColumnSoftmax, b.workers)
	return func(worker, workers int) {
		c := &columns[worker]
		c.N, c.Step, c.Scratch = n, step, scratch[worker].f32()
		for i := items * worker / workers; i < items*(worker+1)/workers; i++ {
			lo := i % blocks * softmaxColumns
			c.Width = min(step-lo, softmaxColumns)
			at := i/blocks*n*step + lo
			down(c, b.isa, y.f32()[at:], x.f32()[at:])
		}
	}
}
