package onnx

import (
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/clsbench/clsbench/graph"
	"github.com/clsbench/clsbench/tensor"
)

// generator writes random well-formed programs over the op table: it guesses
// inputs and attributes until a row takes them.
type generator struct {
	*rand.Rand
	p     graph.Program
	pool  []graph.Value
	count int
	try   attempt
}

// attempt aligns the guesses for one node, or nothing would ever fit.
type attempt struct {
	rank   int          // of tensors and lists; -1: each has its own
	extent int          // the largest
	dtype  tensor.DType // taken wherever it is allowed
	bare   bool         // no optional attributes
	lone   bool         // scales and zero points are scalars
}

// names that a careless encoding would break.
var oddNames = []string{"x", "a.b/c", "größe", "with space", `quote"d`, "a", "<&>"}

func (g *generator) name() string {
	g.count++
	return fmt.Sprintf("%s%d", oddNames[g.IntN(len(oddNames))], g.count)
}

func (g *generator) shape() tensor.Shape {
	rank := g.try.rank
	if rank < 0 {
		rank = g.IntN(5)
	}
	s := make(tensor.Shape, rank)
	for i := range s {
		s[i] = 1 + g.IntN(g.try.extent)
	}
	return s
}

// fresh makes a value for a parameter, not declared yet.
func (g *generator) fresh(types []tensor.DType) graph.Value {
	d := types[g.IntN(len(types))]
	if slices.Contains(types, g.try.dtype) {
		d = g.try.dtype
	}
	return graph.Value{Name: g.name(), Type: tensor.Type{DType: d, Shape: g.shape()}}
}

func (g *generator) attr(spec graph.AttrSpec) graph.Attr {
	switch spec.Kind {
	case graph.Int:
		return graph.I(g.IntN(3))
	case graph.Float:
		return graph.Attr{Kind: graph.Float, Float: []float32{0, 1, -0.5, 1e-8, float32(math.Inf(1))}[g.IntN(5)]}
	case graph.String:
		if spec.OneOf != nil {
			return graph.S(spec.OneOf[g.IntN(len(spec.OneOf))])
		}
		return graph.S(g.name())
	case graph.FloatList:
		return graph.Attr{Kind: graph.FloatList, Floats: []float32{1, g.Float32()}[:g.IntN(3)]}
	}
	list := g.shape()
	if g.IntN(2) == 0 && len(list) > 2 { // spatial axes alone
		list = list[2:]
	}
	if g.IntN(2) == 0 && len(list) > 0 { // axes count from 0
		for i := range list {
			list[i]--
		}
	}
	return graph.L(list...)
}

// node adds a node of one op unless all tries fail.
func (g *generator) node(op *graph.Op, tries int) bool {
	for range tries {
		g.try = attempt{
			rank:   []int{-1, -1, 0, 1, 2, 3, 3, 4}[g.IntN(8)],
			extent: 1 + g.IntN(3),
			dtype:  tensor.DTypes()[g.IntN(len(tensor.DTypes()))],
			bare:   g.IntN(2) == 0,
			lone:   g.IntN(2) == 0,
		}
		n := graph.Node{Name: g.name(), Op: op.Name, Domain: op.Domain}
		var in []tensor.Type
		var made []graph.Value
		for i := range len(op.Inputs) + g.IntN(3) {
			param := op.In(i)
			if param == nil {
				break
			}
			if param.Optional && g.IntN(2) == 0 {
				break
			}
			v := g.fresh(param.Types.DTypes())
			if g.try.lone && (strings.HasSuffix(param.Name, "_scale") || strings.HasSuffix(param.Name, "_zero_point")) {
				v.Type.Shape = tensor.Shape{}
			}
			if len(g.pool) > 0 && g.IntN(3) == 0 {
				v = g.pool[g.IntN(len(g.pool))]
			} else {
				made = append(made, v)
			}
			n.Inputs, in = append(n.Inputs, v.Name), append(in, v.Type)
		}
		for _, spec := range op.Attrs {
			if spec.Required || !g.try.bare && g.IntN(3) == 0 {
				if n.Attrs == nil {
					n.Attrs = graph.Attrs{}
				}
				n.Attrs[spec.Name] = g.attr(spec)
			}
		}
		for i := range len(op.Outputs) + g.IntN(3) {
			if out := op.Out(i); out != nil && (!out.Optional || g.IntN(2) == 0) {
				n.Outputs = append(n.Outputs, g.name())
			}
		}
		c, err := graph.Resolve(&n, in)
		if err != nil {
			continue
		}
		for _, v := range made {
			g.enter(v)
		}
		for i, out := range n.Outputs {
			g.pool = append(g.pool, graph.Value{Name: out, Type: c.Out[i]})
		}
		g.p.Nodes = append(g.p.Nodes, n)
		return true
	}
	return false
}

// enter declares a value as feed, state or constant.
func (g *generator) enter(v graph.Value) {
	g.pool = append(g.pool, v)
	switch g.IntN(3) {
	case 0:
		g.p.Feeds = append(g.p.Feeds, v)
	case 1:
		g.p.State = append(g.p.State, v)
	default:
		x := tensor.FillSeeded(tensor.New(v.Type.DType, v.Type.Shape...), tensor.Fill{Kind: tensor.Integers, Lo: 0, Hi: 1}, g.Uint64(), 0)
		g.p.Consts = append(g.p.Consts, graph.Const{Name: v.Name, Tensor: x})
	}
}

// ends picks fetches, updates and perhaps an origin.
func (g *generator) ends() *graph.Program {
	for _, v := range g.pool {
		if g.IntN(3) == 0 {
			g.p.Fetches = append(g.p.Fetches, v.Name)
		}
	}
	for _, s := range g.p.State {
		for _, v := range g.pool {
			if v.Type.Equal(s.Type) {
				g.p.Updates = append(g.p.Updates, graph.Update{State: s.Name, Value: v.Name})
				break
			}
		}
	}
	if g.IntN(2) == 0 && len(g.pool) > 0 {
		g.p.Origin = &graph.Origin{Forward: g.IntN(len(g.p.Nodes) + 1), Loss: g.pool[0].Name, Optimizer: "SGD"}
	}
	return &g.p
}

func requireRoundTrip(t require.TestingT, p *graph.Program) {
	g, err := p.Infer()
	require.NoError(t, err)
	b, err := Marshal(p)
	require.NoError(t, err)
	q, err := Unmarshal(b)
	require.NoError(t, err)
	requireSame(t, p, q)
	h, err := q.Infer()
	require.NoError(t, err)
	require.Equal(t, len(g.Types), len(h.Types))
	for name, ty := range g.Types {
		require.True(t, ty.Equal(h.Types[name]), "%s: %v became %v", name, ty, h.Types[name])
	}
	again, err := Marshal(q)
	require.NoError(t, err)
	require.Equal(t, b, again)
}

func TestEveryRowRoundTrips(t *testing.T) {
	for i, op := range graph.Ops() {
		g := &generator{Rand: rand.New(rand.NewPCG(1, uint64(i)))}
		for range 3 {
			require.True(t, g.node(op, 200_000), "no call of %s found", op.Name)
		}
		requireRoundTrip(t, g.ends())
	}
}

func TestRandomProgramsRoundTrip(t *testing.T) {
	ops := graph.Ops()
	rapid.Check(t, func(t *rapid.T) {
		g := &generator{Rand: rand.New(rand.NewPCG(2, rapid.Uint64().Draw(t, "seed")))}
		g.p.Name = oddNames[g.IntN(len(oddNames))]
		for range rapid.IntRange(0, 6).Draw(t, "nodes") {
			g.node(ops[g.IntN(len(ops))], 2000)
		}
		requireRoundTrip(t, g.ends())
	})
}

// A folded attribute of a kind that the writer does not know would be lost.
func TestFoldedAttributesAreNumbers(t *testing.T) {
	for _, op := range graph.Ops() {
		for _, name := range op.Folded {
			for _, spec := range op.Attrs {
				if spec.Name == name {
					require.NotEqual(t, graph.String, spec.Kind, "%s.%s", op.Name, name)
				}
			}
		}
		if op.Domain == graph.Std {
			require.LessOrEqual(t, equalSince(op), op.Version, op.Name)
		}
	}
	for name := range equalOpsets {
		require.NotNil(t, graph.Lookup(graph.Std, name), "equalOpsets names %s, which no row has", name)
	}
}
