package cpu

import (
	"errors"
	"math"

	"github.com/clsbench/clsbench/backends/cpu/kernel"
	"github.com/clsbench/clsbench/graph"
	"github.com/clsbench/clsbench/tensor"
)

var errBroadcastScale = errors.New("a scale or bias that broadcasts: there is a kernel for those of an element a parameter")

// buildNormGrad computes dX group by group, then dscale and dB, each worker
// some of the parameters. A channel of a batch norm is a group and a parameter:
// its sums are made once.
func buildNormGrad[T float32 | float64](b *builder, p *part, n graph.Normal) {
	c := p.head()
	g := &normGrad[T]{isa: b.isa, n: n, dy: b.in(c, 0), x: b.in(c, 1), scale: b.in(c, 2), dx: b.out(c, 0), dscale: b.out(c, 1),
		groups: n.Groups(), centred: c.Op.Name != "RMSNormalizationGrad"}
	if g.centred {
		g.db = b.out(c, 2)
	}
	g.stats = b.scratch(16 * g.groups)
	if len(c.Op.Inputs) > 3 {
		g.mean, g.inv = b.in(c, 3), b.in(c, 4)
	} else {
		g.epsilon = c.Float("epsilon")
	}
	serial := g.x.elements() < serialElements
	p.phases = []phase{{task: g.groupwise, serial: serial || g.groups == 1}}
	if !n.Batch && (g.dscale != nil || g.db != nil) {
		g.sums = b.scratch(16 * n.Params)
		p.phases = append(p.phases, phase{task: g.parameterwise, serial: serial || n.Params == 1})
	}
}

// normGrad is the work on one gradient; outputs may be nil.
type normGrad[T float32 | float64] struct {
	isa            kernel.ISA
	n              graph.Normal
	dy, x, scale   *value
	dx, dscale, db *value
	mean, inv      *value // nil: computed anew
	epsilon        float64
	groups         int
	centred        bool
	stats, sums    *memory // mean and inverse deviation of the groups; the two sums of the parameters
}

// groupwise notes each group's statistics and computes its dX.
func (k *normGrad[T]) groupwise(worker, workers int) {
	x, stats := view[T](k.x), tensor.View[float64](k.stats.data)
	for g := k.groups * worker / workers; g < k.groups*(worker+1)/workers; g++ {
		r := runsOf(k.n, g)
		var mean, inv float64
		if k.mean != nil {
			mean, inv = float64(view[T](k.mean)[g]), float64(view[T](k.inv)[g])
		} else {
			m, v := moments(k.isa, x, r, k.centred)
			mean, inv = m, 1/math.Sqrt(v+k.epsilon)
		}
		stats[2*g], stats[2*g+1] = mean, inv
		switch {
		case k.n.Batch:
			k.channel(g, r, mean, inv)
		case k.dx != nil:
			k.group(r, mean, inv)
		}
	}
}

// channel is all three gradients of a batch norm's group.
func (k *normGrad[T]) channel(g int, r runs, mean, inv float64) {
	dy, x := view[T](k.dy), view[T](k.x)
	var sum, product float64
	for t := range r.times {
		at := r.first + t*r.stride
		s, q := kernel.Products(k.isa, dy[at:][:r.length], x[at:][:r.length], nil, mean)
		sum, product = sum+s, product+q
	}
	if k.dscale != nil {
		view[T](k.dscale)[g] = T(product * inv)
	}
	if k.db != nil {
		view[T](k.db)[g] = T(sum)
	}
	if k.dx == nil {
		return
	}
	dx, scale := view[T](k.dx), float64(view[T](k.scale)[g])
	slope, shift := k.coefficients(r, inv, scale*sum, scale*product)
	for t := range r.times {
		at := r.first + t*r.stride
		kernel.NormGrad(k.isa, dx[at:][:r.length], dy[at:][:r.length], x[at:][:r.length], nil, mean, inv*scale, slope, shift)
	}
}

// group is dX = inv·(g - ⟨g⟩ - x̂·⟨g·x̂⟩), g = dY·scale, of one group.
func (k *normGrad[T]) group(r runs, mean, inv float64) {
	dy, x, dx, scale := view[T](k.dy), view[T](k.x), view[T](k.dx), view[T](k.scale)
	if k.n.Inner == 1 && r.length == k.n.Params { // an element a parameter, in their order
		dy, x, dx = dy[r.first:][:r.length], x[r.first:][:r.length], dx[r.first:][:r.length]
		sum, product := kernel.Products(k.isa, dy, x, scale, mean)
		slope, shift := k.coefficients(r, inv, sum, product)
		kernel.NormGrad(k.isa, dx, dy, x, scale, mean, inv, slope, shift)
		return
	}
	var sum, product float64
	k.each(r, func(at, param, length int) {
		s, q := kernel.Products(k.isa, dy[at:][:length], x[at:][:length], nil, mean)
		sum += s * float64(scale[param])
		product += q * float64(scale[param])
	})
	slope, shift := k.coefficients(r, inv, sum, product)
	k.each(r, func(at, param, length int) {
		kernel.NormGrad(k.isa, dx[at:][:length], dy[at:][:length], x[at:][:length], nil, mean, inv*float64(scale[param]), slope, shift)
	})
}

// coefficients makes Σg and Σg·(x - μ) the factor of x - μ in dX and what is
// the same in all of it.
func (k *normGrad[T]) coefficients(r runs, inv, sum, product float64) (slope, shift float64) {
	count := float64(r.length * r.times)
	if !k.centred {
		sum = 0
	}
	return -inv * inv * inv * product / count, -inv * sum / count
}

// each cuts a group's elements into pieces of one parameter.
func (k *normGrad[T]) each(r runs, f func(at, param, length int)) {
	for t := range r.times {
		for done := 0; done < r.length; done += k.n.Inner {
			at := r.first + t*r.stride + done
			f(at, at/k.n.Inner%k.n.Params, k.n.Inner)
		}
	}
}

// parameterwise sums dY·x̂ and dY over all elements of each parameter, row by
// row of the memory.
func (k *normGrad[T]) parameterwise(worker, workers int) {
	lo, hi := k.n.Params*worker/workers, k.n.Params*(worker+1)/workers
	dy, x, stats := view[T](k.dy), view[T](k.x), tensor.View[float64](k.stats.data)
	all := tensor.View[float64](k.sums.data)
	products, sums := all[lo:hi], all[k.n.Params+lo:k.n.Params+hi]
	clear(products)
	clear(sums)
	for o := range k.n.Outer {
		for p := lo; p < hi; {
			g, at, run := k.n.Group(o, p), (o*k.n.Params+p)*k.n.Inner, 1
			if k.n.Inner == 1 && !k.n.Batch { // a group's parameters follow each other
				run = min(hi, (p/k.n.PerGroup+1)*k.n.PerGroup) - p
			}
			mean, inv := stats[2*g], stats[2*g+1]
			dys, xs := dy[at:][:run*k.n.Inner], x[at:][:run*k.n.Inner]
			if k.n.Inner == 1 {
				kernel.AddProducts(k.isa, products[p-lo:][:run], sums[p-lo:][:run], dys, xs, mean, inv)
			} else {
				sum, product := kernel.Products(k.isa, dys, xs, nil, mean)
				products[p-lo] += product * inv
				sums[p-lo] += sum
			}
			p += run
		}
	}
	for i, out := range []*value{k.dscale, k.db} {
		if out != nil {
			from := [][]float64{products, sums}[i]
			for p, v := range from {
				view[T](out)[lo+p] = T(v)
			}
		}
	}
}
