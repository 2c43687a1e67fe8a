package cpu

import (
	"math"

	"github.com/clsbench/clsbench/backends/cpu/kernel"
	"github.com/clsbench/clsbench/graph"
	"github.com/clsbench/clsbench/tensor"
)

// normRows are the norms. A group's mean, variance and result are one worker's
// work, the sums in float64; the variance takes a second pass over the group.
func normRows() []row {
	of := func(op, kernel string, f32, f64 func(*builder, *part, graph.Normal), takes func(c *graph.Call) error) row {
		return row{op, []implementation{{kernel: kernel, algorithm: "two passes", takes: takes, build: func(b *builder, p *part) error {
			n, err := p.head().Normal()
			if err != nil {
				return err
			}
			if p.head().In[0].DType == tensor.F64 {
				f64(b, p, n)
			} else {
				f32(b, p, n)
			}
			return nil
		}}}}
	}
	any := ofTypes(wideFloat, 0)
	forward := func(op string) row {
		return of(op, "normalisation", buildNorm[float32], buildNorm[float64], fullScale)
	}
	backward := func(op string) row {
		return of(op, "normalisation gradient", buildNormGrad[float32], buildNormGrad[float64], any)
	}
	return []row{
		of("BatchNormalization", "batch normalisation", buildBatchNorm[float32], buildBatchNorm[float64], any),
		forward("BatchNormalizationTraining"), backward("BatchNormalizationGrad"),
		forward("LayerNormalization"), backward("LayerNormalizationGrad"),
		forward("RMSNormalization"), backward("RMSNormalizationGrad"),
		forward("GroupNormalization"), backward("GroupNormalizationGrad"),
		forward("InstanceNormalization"),
	}
}

// fullScale takes scale and bias of an element a parameter each.
func fullScale(c *graph.Call) error {
	if err := ofTypes(wideFloat, 0)(c); err != nil {
		return err
	}
	n, err := c.Normal()
	for i := 1; i <= 2 && err == nil; i++ {
		if c.Has(i) && c.Op.Inputs[i].Name != "skip" && c.In[i].Shape.Elements() != n.Params {
			return errBroadcastScale
		}
	}
	return err
}

// runs are the elements of a group: so many runs of a length, a stride apart.
type runs struct{ first, stride, length, times int }

func runsOf(n graph.Normal, group int) runs {
	if n.Batch {
		return runs{group * n.Inner, n.Params * n.Inner, n.Inner, n.Outer}
	}
	return runs{group * n.Count(), 0, n.Count(), 1}
}

// moments are a group's, about 0 if it is not centred.
func moments[T float32 | float64](set kernel.ISA, x []T, r runs, centred bool) (mean, variance float64) {
	count := float64(r.length * r.times)
	sums := func(about float64) (sum, squares float64) {
		for t := range r.times {
			s, q := kernel.Moments(set, x[r.first+t*r.stride:][:r.length], about)
			sum, squares = sum+s, squares+q
		}
		return sum, squares
	}
	if centred {
		mean, _ = sums(0)
		mean /= count
	}
	_, variance = sums(mean)
	return mean, variance / count
}

// affine maps elements by (x - mean)·inv·scale + bias with the parameters of
// each; bias may be nil.
func affine[T float32 | float64](set kernel.ISA, y, x []T, scale, bias []T, n graph.Normal, r runs, mean, inv float64) {
	for t := range r.times {
		at := r.first + t*r.stride
		for done := 0; done < r.length; done += n.Inner {
			p := (at + done) / n.Inner % n.Params
			o := 0.0
			if bias != nil {
				o = float64(bias[p])
			}
			kernel.Standardize(set, y[at+done:][:n.Inner], x[at+done:][:n.Inner], mean, inv*float64(scale[p]), o)
		}
	}
}

// viewOf is a view that is nil for a value that there is not.
func viewOf[T tensor.Element](v *value) []T {
	if v == nil {
		return nil
	}
	return view[T](v)
}

func buildNorm[T float32 | float64](b *builder, p *part, n graph.Normal) {
	c := p.head()
	x, scale, bias, y := b.in(c, 0), b.in(c, 1), b.in(c, 2), b.out(c, 0)
	epsilon, centred := c.Float("epsilon"), c.Op.Name != "RMSNormalization"
	var mean, inv *value
	move := func(int, float64, float64) {}
	switch c.Op.Name {
	case "BatchNormalizationTraining":
		mean, inv = b.out(c, 3), b.out(c, 4)
		move = runningStatistics[T](b, p, n.Count(), c.Str("convention") == "onnx", b.in(c, 5))
	case "BatchNormalization":
		move = runningStatistics[T](b, p, n.Count(), true, nil)
	case "LayerNormalization":
		mean, inv = b.out(c, 1), b.out(c, 2)
	}
	groups := n.Groups()
	p.phases = []phase{{serial: x.elements() < serialElements || groups == 1, task: func(worker, workers int) {
		xs, ss, bs := view[T](x), view[T](scale), viewOf[T](bias)
		ys, ms, is := viewOf[T](y), viewOf[T](mean), viewOf[T](inv)
		for g := groups * worker / workers; g < groups*(worker+1)/workers; g++ {
			r := runsOf(n, g)
			m, v := moments(b.isa, xs, r, centred)
			i := 1 / math.Sqrt(v+epsilon)
			move(g, m, v)
			if ms != nil {
				ms[g] = T(m)
			}
			if is != nil {
				is[g] = T(i)
			}
			switch {
			case ys == nil:
			case !n.Batch && n.PerGroup == n.Params && n.Inner == 1:
				kernel.StandardizeRow(b.isa, ys[r.first:][:r.length], xs[r.first:][:r.length], ss, bs, m, i)
			default:
				affine(b.isa, ys, xs, ss, bs, n, r, m, i)
			}
		}
	}}}
	if y != nil {
		b.mayOverlap(p, c, y, []*value{x})
	}
}

// runningStatistics moves those of a channel, in place if it may.
func runningStatistics[T float32 | float64](b *builder, p *part, count int, onnx bool, skip *value) func(g int, mean, variance float64) {
	c := p.head()
	keep, take, unbias := 1-c.Float("momentum"), c.Float("momentum"), float64(count)/max(float64(count)-1, 1)
	if onnx {
		keep, take, unbias = take, keep, 1
	}
	next := func(out, in *value) func(g int, batch float64) {
		if out == nil {
			return func(int, float64) {}
		}
		b.mayOverlap(p, c, out, []*value{in})
		return func(g int, batch float64) {
			old := view[T](in)[g]
			if skip == nil || skip.bytes()[0] == 0 {
				old = T(keep*float64(old) + take*batch)
			}
			view[T](out)[g] = old
		}
	}
	nextMean, nextVar := next(b.out(c, 1), b.in(c, 3)), next(b.out(c, 2), b.in(c, 4))
	return func(g int, mean, variance float64) {
		nextMean(g, mean)
		nextVar(g, variance*unbias)
	}
}

// buildBatchNorm is inference, plane by plane; ONNX's training mode is
// buildNorm's.
func buildBatchNorm[T float32 | float64](b *builder, p *part, n graph.Normal) {
	c := p.head()
	if c.Int("training_mode") != 0 {
		buildNorm[T](b, p, n)
		return
	}
	x, scale, bias, mean, variance := b.in(c, 0), b.in(c, 1), b.in(c, 2), b.in(c, 3), b.in(c, 4)
	y, epsilon := b.out(c, 0), c.Float("epsilon")
	if y != nil {
		planes := n.Outer * n.Params
		p.phases = append(p.phases, phase{serial: x.elements() < serialElements, task: func(worker, workers int) {
			xs, ys := view[T](x), view[T](y)
			for i := planes * worker / workers; i < planes*(worker+1)/workers; i++ {
				ch := i % n.Params
				m, inv := float64(view[T](mean)[ch]), 1/math.Sqrt(float64(view[T](variance)[ch])+epsilon)
				affine(b.isa, ys, xs, view[T](scale), view[T](bias), n, runs{i * n.Inner, 0, n.Inner, 1}, m, inv)
			}
		}})
		b.mayOverlap(p, c, y, []*value{x})
	}
	p.phases = append(p.phases, phase{serial: true, task: func(int, int) {
		for i, from := range []*value{mean, variance} {
			if out := b.out(c, 1+i); out != nil {
				copy(out.bytes(), from.bytes())
			}
		}
	}})
}
