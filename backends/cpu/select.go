package cpu

import (
	"cmp"
	"slices"

	"github.com/clsbench/clsbench/backends/cpu/pool"
	"github.com/clsbench/clsbench/graph"
	"github.com/clsbench/clsbench/tensor"
)

// selectRows find where elements stand along an axis.
func selectRows() []row {
	only := func(op, kernel string, build func(*builder, *part) error) row {
		return row{op, []implementation{{kernel: kernel, algorithm: "direct", takes: ofTypes(wide, 0), build: build}}}
	}
	return []row{
		only("ArgMax", "argmax", buildArgument),
		only("ArgMin", "argmax", buildArgument),
		only("TopK", "top-k", buildTopK),
	}
}

// line is the elements along an axis: n of them, step apart, rows times.
type line struct{ n, step, rows int }

func newLine(c *graph.Call) (line, error) {
	axis, err := c.Axis("axis")
	if err != nil {
		return line{}, err
	}
	s := c.In[0].Shape
	step := s[axis+1:].Elements()
	return line{s[axis], step, s[:axis].Elements() * step}, nil
}

// start is where row r of lines of n elements begins.
func (l line) start(r, n int) int { return r/l.step*n*l.step + r%l.step }

func buildArgument(b *builder, p *part) error {
	c := p.head()
	l, err := newLine(c)
	if err != nil {
		return err
	}
	in, out := b.in(c, 0), b.out(c, 0)
	smallest, last := c.Op.Name == "ArgMin", c.Int("select_last_index") != 0
	p.phases = []phase{{
		serial: in.elements() < serialElements/4,
		task:   loopsOf[c.In[0].DType].argument(l, in, out, smallest, last),
	}}
	return nil
}

func (of[T]) argument(l line, in, out *value, smallest, last bool) pool.Task {
	return func(worker, workers int) {
		x, y := view[T](in), view[int64](out)
		for r := l.rows * worker / workers; r < l.rows*(worker+1)/workers; r++ {
			at, best := l.start(r, l.n), 0
			m := x[at]
			for j := 1; j < l.n; j++ {
				v := x[at+j*l.step]
				switch {
				case m != m: // nothing beats a NaN but a later one
					if !last || v == v {
						continue
					}
				case v == m:
					if !last {
						continue
					}
				case v != v:
				case smallest != (v < m):
					continue
				}
				m, best = v, j
			}
			y[r] = int64(best)
		}
	}
}

func buildTopK(b *builder, p *part) error {
	c := p.head()
	l, err := newLine(c)
	if err != nil {
		return err
	}
	order := b.scratches(8 * l.n)
	task := loopsOf[c.In[0].DType].top(b, c, l, order)
	p.phases = []phase{{serial: c.In[0].Shape.Elements() < serialElements/16, task: task}}
	return nil
}

// top sorts the indices of each row whole.
func (of[T]) top(b *builder, c *graph.Call, l line, order []*memory) pool.Task {
	in, values, indices := b.in(c, 0), b.out(c, 0), b.out(c, 1)
	k, sign := c.Int("k"), 1
	if c.Int("largest") != 0 {
		sign = -1
	}
	return func(worker, workers int) {
		x, own := view[T](in), tensor.View[int64](order[worker].data)[:l.n]
		for r := l.rows * worker / workers; r < l.rows*(worker+1)/workers; r++ {
			from, to := l.start(r, l.n), l.start(r, k)
			for j := range own {
				own[j] = int64(j)
			}
			slices.SortFunc(own, func(i, j int64) int {
				if d := nanLast(x[from+int(i)*l.step], x[from+int(j)*l.step]); d != 0 {
					return sign * d
				}
				return cmp.Compare(i, j)
			})
			for j := range k {
				if values != nil {
					view[T](values)[to+j*l.step] = x[from+int(own[j])*l.step]
				}
				if indices != nil {
					view[int64](indices)[to+j*l.step] = own[j]
				}
			}
		}
	}
}

// nanLast orders numbers, NaN behind all others.
func nanLast[T number](a, b T) int {
	switch {
	case a < b, b != b && a == a:
		return -1
	case a > b, a != a && b == b:
		return 1
	}
	return 0
}
