package conformance

import (
	"math"
	"sync"

	"github.com/clsbench/clsbench/graph"
	"github.com/clsbench/clsbench/tensor"
)

// networkSubject is a whole program, whose feeds and state are filled by what
// they are used for.
type networkSubject struct {
	build func(d Draw) (*graph.Program, error)
	// varies says that the program's consts follow from the draw.
	varies bool
	// fills override those that follow from the use, by value.
	fills map[string]fill

	once  sync.Once
	built *graph.Program
	err   error
}

func (s *networkSubject) drawn() bool { return s.varies }

func (s *networkSubject) program(d Draw) (*graph.Program, error) {
	if s.varies {
		return s.build(d)
	}
	s.once.Do(func() { s.built, s.err = s.build(d) })
	return s.built, s.err
}

func (s *networkSubject) values(d Draw, g *graph.Graph) (Values, error) {
	return fillByUse(d, g, s.fills), nil
}

// exposingRate is a learning rate so large that p′ shows the gradient: with a
// usual one errors below ulp(p)/lr hide behind the parameter.
const exposingRate = 1 << 30

// usualRate is the learning rate of trajectories.
const usualRate = 0.05

// fillByUse draws feeds and state from what the program uses each for, as the
// op table names it: labels are classes, slots of optimizers are small, images
// are bytes, parameters are as wide as their fan-in suggests (He, Zhang, Ren
// and Sun 2015).
func fillByUse(d Draw, g *graph.Graph, fills map[string]fill) Values {
	uses := usesOf(g)
	v := Values{}
	for i, list := range [][]graph.Value{g.Feeds, g.State} {
		for _, x := range list {
			f := fills[x.Name]
			if f == nil {
				f = fillOf(uses[x.Name], x, i == 1, d)
			}
			t := tensor.New(x.Type.DType, x.Type.Shape...)
			t.SetFloat64s(f(d.rng(x.Name), x.Type))
			v[x.Name] = t
		}
	}
	return v
}

// use is a place where a value is read.
type use struct {
	call  *graph.Call
	param string // the name of the input there
}

func usesOf(g *graph.Graph) map[string]use {
	uses := map[string]use{}
	for i := range g.Calls {
		c := &g.Calls[i]
		for j, name := range c.Inputs {
			if _, known := uses[name]; name != "" && (!known || slotFills[c.Op.In(j).Name] != nil) {
				uses[name] = use{c, c.Op.In(j).Name}
			}
		}
	}
	return uses
}

// slotFills are fills by the name of an op's input; nil for what its type says.
var slotFills = map[string]func(u use, d Draw) fill{
	"labels": func(u use, _ Draw) fill {
		if u.call.In[1].DType.IsFloat() { // distributions over the classes, about
			return uniform(0, 2/float64(u.call.In[1].Shape[1]))
		}
		for i, p := range u.call.Op.Inputs {
			if p.Name == "logits" {
				return integers(0, u.call.In[i].Shape[1]-1)
			}
		}
		return integers(0, 1)
	},
	"lr": func(_ use, d Draw) fill {
		if d.Set < trajectorySet {
			return constant(exposingRate)
		}
		return constant(usualRate)
	},
	"velocity": func(use, Draw) fill { return normal(0.05) },
	"m":        func(use, Draw) fill { return normal(0.05) },
	// Away from zero: a step divides by its root.
	"v": func(use, Draw) fill {
		return each(func(r *rng) float64 { x := 0.05 * (0.5 + r.float()); return x * x })
	},
	"square_avg": func(use, Draw) fill {
		return each(func(r *rng) float64 { x := 0.05 * (0.5 + r.float()); return x * x })
	},
	"momentum_buffer": func(use, Draw) fill { return normal(0.05) },
	"grad_avg":        func(use, Draw) fill { return uniform(-0.01, 0.01) }, // whose square is below that average
	"step":            func(use, Draw) fill { return integers(0, 20) },
	"skip":            func(use, Draw) fill { return constant(0) },
	// Of a loss, small enough for gradients in f16 (norms have a scale too).
	"scale": func(u use, _ Draw) fill {
		if u.call.Op.Name != "DynamicLossScale" {
			return nil
		}
		return each(func(r *rng) float64 { return math.Exp2(float64(4 + r.intn(6))) })
	},
}

func fillOf(u use, x graph.Value, state bool, d Draw) fill {
	if slot := slotFills[u.param]; slot != nil {
		if f := slot(u, d); f != nil {
			return f
		}
	}
	switch t := x.Type; {
	case t.DType == tensor.U8:
		return integers(0, 255)
	case t.DType == tensor.Bool:
		return integers(0, 1)
	case t.DType.IsInt():
		return integers(0, 20)
	case state && len(t.Shape) > 1:
		bound := 1 / math.Sqrt(float64(t.Shape[1:].Elements()))
		return uniform(-bound, bound)
	case state:
		return uniform(-0.1, 0.1)
	}
	return normal(1)
}
