package cpu

import "math"

// softmaxRows are the softmax, computed in float64 inside.
func softmaxRows() []row {
	only := func(op, kernel string, build func(*builder, *part) error, inputs ...int) row {
		return row{op, []implementation{{kernel: kernel, algorithm: "direct", takes: ofTypes(f32Only, inputs...), build: build}}}
	}
	return []row{
		only("Softmax", "softmax", buildSoftmax(softmaxRow), 0),
		only("LogSoftmax", "log softmax", buildSoftmax(logSoftmaxRow), 0),
	}
}

// serialExp is how many exponentials are not worth sharing.
const serialExp = 400

// buildSoftmax shares rows of n elements a step apart.
func buildSoftmax(row func(y, x []float32, n, step int)) func(*builder, *part) error {
	return func(b *builder, p *part) error {
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
				row(y.f32()[at:], x.f32()[at:], n, step)
			}
		}}}
		b.mayOverlap(p, c, y, []*value{x})
		return nil
	}
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

// logSoftmaxRow is x - m - log Σ exp(x - m).
func logSoftmaxRow(y, x []float32, n, step int) {
	m := float32(math.Inf(-1))
	for i := range n {
		m = max(m, x[i*step])
	}
	sum := 0.0
	for i := range n {
		sum += math.Exp(float64(x[i*step]) - float64(m))
	}
	log := math.Log(sum)
	for i := range n {
		y[i*step] = float32(float64(x[i*step]) - float64(m) - log)
	}
}
