package reference_test

import (
	"encoding/json"
	"fmt"
	"maps"
	"math"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/clsbench/clsbench/graph"
	"github.com/clsbench/clsbench/reference"
	"github.com/clsbench/clsbench/tensor"
)

// testdata/pytorch holds PyTorch's results, a file a family, see generate.py there.
type golden struct {
	Cases []struct {
		Op              string
		Attrs           map[string]json.RawMessage
		DTypes          []string
		Inputs, Outputs []*goldenArray
	}
	Trajectories []struct {
		Op    string
		Attrs map[string]json.RawMessage
		Param *goldenArray
		Slots []*goldenArray // null: the slot starts at 0 and is not compared
		Steps []struct {
			Attrs       map[string]json.RawMessage // that differ in this step
			LR          float64
			Grad, Param *goldenArray
			Slots       []*goldenArray
		}
	}
	Gradients []struct {
		Op            string
		Attrs         map[string]json.RawMessage
		Inputs, Grads []*goldenArray
		DY            *goldenArray
	}
}

type goldenArray struct {
	Shape tensor.Shape
	Data  []float64
}

func (g *goldenArray) array() *reference.Array {
	return &reference.Array{Shape: g.Shape, Data: append([]float64(nil), g.Data...)}
}

func readGolden(t *testing.T) (g golden) {
	files, err := filepath.Glob("testdata/pytorch/*.json")
	require.NoError(t, err)
	require.NotEmpty(t, files)
	for _, f := range files {
		b, err := os.ReadFile(f)
		require.NoError(t, err)
		var one golden
		require.NoError(t, json.Unmarshal(b, &one), f)
		g.Cases = append(g.Cases, one.Cases...)
		g.Trajectories = append(g.Trajectories, one.Trajectories...)
		g.Gradients = append(g.Gradients, one.Gradients...)
	}
	return g
}

// attrs reads attributes as the op's signature says.
func attrs(t *testing.T, op *graph.Op, raw map[string]json.RawMessage) graph.Attrs {
	a := graph.Attrs{}
	for _, spec := range op.Attrs {
		v, ok := raw[spec.Name]
		if !ok {
			continue
		}
		x := graph.Attr{Kind: spec.Kind}
		var into any
		switch spec.Kind {
		case graph.Int:
			into = &x.Int
		case graph.Float:
			into = &x.Float
		case graph.String:
			into = &x.String
		case graph.IntList:
			into = &x.Ints
		default:
			t.Fatalf("%s: attribute %s of kind %v", op.Name, spec.Name, spec.Kind)
		}
		require.NoError(t, json.Unmarshal(v, into))
		a[spec.Name] = x
	}
	require.Len(t, a, len(raw), "%s: attributes %v are not all the op's", op.Name, raw)
	return a
}

func row(name string) *graph.Op {
	if op := graph.Lookup(graph.Own, name); op != nil {
		return op
	}
	return graph.Lookup(graph.Std, name)
}

// call evaluates one op in float64 on arrays; nil leaves an input out.
func call(t *testing.T, m reference.Mode, name string, a graph.Attrs, dtypes []tensor.DType, in ...*reference.Array) []*reference.Array {
	g, env := single(t, name, a, dtypes, in...)
	_, err := reference.Eval(g, env, m)
	require.NoError(t, err)
	var out []*reference.Array
	for _, f := range g.Fetches {
		out = append(out, env[f])
	}
	return out
}

// single is a program of one node that fetches all of its outputs.
func single(t *testing.T, name string, a graph.Attrs, dtypes []tensor.DType, in ...*reference.Array) (*graph.Graph, map[string]*reference.Array) {
	b := graph.NewBuilder(name)
	env := map[string]*reference.Array{}
	vs := make([]graph.Value, len(in))
	for i, x := range in {
		if x != nil {
			vs[i] = b.Feed(fmt.Sprintf("in%d", i), tensor.Type{DType: dtypes[i], Shape: x.Shape})
			env[vs[i].Name] = x
		}
	}
	b.Fetch(b.OpN(name, a, len(row(name).Outputs), vs...)...)
	p, err := b.Program()
	require.NoError(t, err)
	g, err := p.Infer()
	require.NoError(t, err)
	return g, env
}

// agree wants every element within tolerance of the largest.
func agree(t *testing.T, want *goldenArray, got *reference.Array, tolerance float64, msg ...any) {
	require.True(t, want.Shape.Equal(got.Shape), "shape %v, want %v: %v", got.Shape, want.Shape, msg)
	scale := 0.0
	for _, w := range want.Data {
		scale = max(scale, math.Abs(w))
	}
	for i, w := range want.Data {
		if v := got.Data[i]; w != v && !(math.Abs(v-w) <= tolerance*scale) {
			require.Failf(t, "disagrees with PyTorch", "%v: element %d is %v, PyTorch gives %v", msg, i, v, w)
		}
	}
}

func TestAgreesWithPyTorch(t *testing.T) {
	for i, c := range readGolden(t).Cases {
		t.Run(fmt.Sprintf("%s/%d", c.Op, i), func(t *testing.T) {
			var in []*reference.Array
			var dtypes []tensor.DType
			for j, x := range c.Inputs {
				d, err := tensor.ParseDType(c.DTypes[j])
				require.NoError(t, err)
				dtypes = append(dtypes, d)
				if x == nil {
					in = append(in, nil)
				} else {
					in = append(in, x.array())
				}
			}
			out := call(t, reference.Mode{}, c.Op, attrs(t, row(c.Op), c.Attrs), dtypes, in...)
			for j, want := range c.Outputs {
				if want == nil {
					continue // not compared
				}
				agree(t, want, out[j], 1e-13, c.Op, string(must(json.Marshal(c.Attrs))), "output", j)
			}
		})
	}
}

func must(b []byte, err error) []byte {
	if err != nil {
		panic(err)
	}
	return b
}

// The index of what the reference is held to is that of the files.
func TestGoldensAreIndexed(t *testing.T) {
	indexed, held := 0, readGolden(t)
	seen := map[string]bool{}
	for _, c := range held.Cases {
		seen[c.Op] = true
	}
	for _, c := range held.Trajectories {
		seen[c.Op] = true
	}
	for _, c := range held.Gradients {
		seen[c.Op] = true
	}
	for op := range seen {
		require.NotEmpty(t, reference.Goldens(op), op)
		for _, g := range reference.Goldens(op) {
			require.Equal(t, op, g.Op)
			indexed += g.Cases
		}
	}
	require.Equal(t, len(held.Cases)+len(held.Trajectories)+len(held.Gradients), indexed)
	require.Empty(t, reference.Goldens("NoSuchOp"))
}

// Several steps in a row, each from the reference's own last one.
func TestOptimizersAgreeWithPyTorch(t *testing.T) {
	dampened := 0
	for i, c := range readGolden(t).Trajectories {
		p := c.Param.array()
		var slots []*reference.Array
		for _, s := range c.Slots {
			if s == nil {
				slots = append(slots, reference.New(p.Shape...))
			} else {
				slots = append(slots, s.array())
			}
		}
		for step, s := range c.Steps {
			in := append([]*reference.Array{p, s.Grad.array()}, slots...)
			dtypes := slices.Repeat([]tensor.DType{tensor.F64}, len(in))
			if c.Op == "Adam" || c.Op == "AdamW" {
				in = append(in, scalar(float64(step)))
				dtypes = append(dtypes, tensor.S64)
			}
			in, dtypes = append(in, scalar(s.LR)), append(dtypes, tensor.F64)
			own := maps.Clone(c.Attrs)
			maps.Copy(own, s.Attrs)
			a := attrs(t, row(c.Op), own)
			if step > 0 && len(c.Steps[0].Attrs) > 0 && a["dampening"].Float != 0 {
				dampened++
			}
			out := call(t, reference.Mode{}, c.Op, a, dtypes, in...)
			p, slots = out[0], out[1:]
			agree(t, s.Param, p, 1e-12, c.Op, i, "step", step, "param")
			for j, want := range s.Slots {
				if want != nil {
					agree(t, want, slots[j], 1e-12, c.Op, i, "step", step, "slot", j)
				}
			}
		}
	}
	require.NotZero(t, dampened, "no golden steps of SGD with dampening from PyTorch's first on")
}

func scalar(v float64) *reference.Array {
	return &reference.Array{Shape: tensor.Shape{}, Data: []float64{v}}
}
