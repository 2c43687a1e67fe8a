package conformance

import (
	"bytes"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/clsbench/clsbench/graph"
	"github.com/clsbench/clsbench/tensor"
	"github.com/clsbench/clsbench/workloads"
)

// The layers of the networks of package workloads as cases: what `clsbench ops
// --net` times. They are no part of a suite, whose time they would take.

// Layer is one shape of a network.
type Layer struct {
	Name  string // of the first that has it
	Times int    // how many there are
	call  *graph.Call
}

// NetworkNames are the networks whose layers are known.
func NetworkNames() (names []string) {
	for _, w := range workloads.All() {
		names = append(names, w.Name)
	}
	return names
}

// MaxLayerBatch bounds the images in a layer's case.
const MaxLayerBatch = 1024

// layerSamples is how many outputs of a convolution or a product are judged.
const layerSamples = 4096

// maxAttention bounds an attention that is a case, FLOPs: it is judged by two
// dozen runs of the reference, whole. ViT-B/16's of one image takes half as many,
// and half a minute of a core.
const maxAttention = 256e6

// Layers lists a network's layers in its order, for a batch of n images, equal
// shapes once. Ops that only move data, and those that join branches, are none.
func Layers(network string, n int) ([]Layer, error) {
	if !slices.Contains(NetworkNames(), network) {
		return nil, fmt.Errorf("unknown network %q: want one of %s", network, strings.Join(NetworkNames(), ", "))
	}
	if n < 1 || n > MaxLayerBatch {
		return nil, fmt.Errorf("batch %d: want 1 to %d", n, MaxLayerBatch)
	}
	w, err := workloads.Lookup(network)
	if err != nil {
		return nil, err
	}
	g, err := w.Forward(n)
	if err != nil {
		return nil, err
	}
	var list []Layer
	seen := map[string]int{} // place in list by name of the case without the layer's
	for i := range g.Calls {
		c := &g.Calls[i]
		kase := layerCase(c)
		if kase == nil {
			continue
		}
		key := kase.Name()
		if at, ok := seen[key]; ok {
			list[at].Times++
			continue
		}
		seen[key] = len(list)
		list = append(list, Layer{Name: strings.TrimSuffix(c.Name, "."+c.Op.Name), Times: 1, call: c})
	}
	return list, nil
}

// LayerCases are the layers of a network, for a batch of n images, in f32, in
// the network's order.
func LayerCases(network string, n int) ([]*Case, error) {
	layers, err := Layers(network, n)
	if err != nil {
		return nil, err
	}
	all := make([]*Case, len(layers))
	for i, l := range layers {
		all[i] = layerCase(l.call)
		shape := strings.TrimPrefix(all[i].Params, fmt.Sprintf("n=%d,", n)) // which convolutions begin with
		all[i].Params = fmt.Sprintf("net=%s,layer=%s,n=%d,%s", network, l.Name, n, shape)
	}
	return all, nil
}

// layerCase is a node as a case of its own, nil if it is no layer. Parameters
// are consts, as inference has them.
func layerCase(c *graph.Call) *Case {
	const d = tensor.F32
	x := c.In[0].Shape
	switch c.Op.Name {
	case "Conv":
		return convLayer(c)
	case "Gemm":
		p := product{m: x[0], k: x[1], n: c.In[1].Shape[0], transB: 1, bias: "n", role: frozen}
		k := p.make("Gemm", d, "real", Standard, dotBound, uniform(-1, 1), uniform(-1, 1), uniform(-1, 1))
		k.sampled = layerSamples
		return k
	case "BatchNormalization":
		r := normalisation{op: c.Op.Name, x: x, attrs: c.Attrs, tag: fmt.Sprintf("eps=%v", c.Attr("epsilon").Float)}
		return r.make(r.op, d, "real", InferenceCore, Standard, r.inference(d, 1, variances, frozen))
	case "LayerNormalization":
		r := normalisation{op: c.Op.Name, x: x, attrs: c.Attrs, tag: fmt.Sprintf("axis=%d,eps=%v", c.Int("axis"), c.Attr("epsilon").Float)}
		return r.make(r.op, d, "real", InferenceCore, Standard, r.forward(d, spread(r, 1, 0.5)))
	case "Attention":
		a, err := c.Attention()
		if err != nil || c.FLOPs() > maxAttention {
			return nil
		}
		return scene{batch: a.Batch, heads: a.Heads, kv: a.KVHeads, queries: a.Queries, keys: a.Keys, size: a.Size, packed: a.Packed}.forward(d, Standard)
	}
	if f, ok := layerFills[c.Op.Name]; ok {
		return &Case{Op: c.Op.Name, DType: d, Params: params("x="+x.String(), attrText(c)), Class: "real", Suite: InferenceCore, Effort: Standard,
			bound: f.bound, subject: &opSubject{apply: single(c.Op.Name, c.Attrs, 1), inputs: []input{{name: "X", typ: c.In[0], fill: f.x}}}}
	}
	return nil
}

// layerFills are the layers of one input: what they are given, and their bound.
var layerFills = map[string]struct {
	x     fill
	bound func(output int) *Bound
}{
	"MaxPool":             {normal(1), own("MaxPool")},
	"AveragePool":         {uniform(-1, 1), every(dotBound)},
	"GlobalAveragePool":   {uniform(-1, 1), every(dotBound)},
	"AdaptiveAveragePool": {uniform(-1, 1), every(dotBound)},
	"LRN":                 {normal(8), own("LRN")},
	"Relu":                {normal(1), own("Relu")},
	"HardSwish":           {normal(3), own("HardSwish")},
	"HardSigmoid":         {normal(3), own("HardSigmoid")},
	"Gelu":                {normal(2), own("Gelu")},
}

// attrText is the attributes that a call states, in order of their names.
func attrText(c *graph.Call) string {
	var list []string
	for _, name := range slices.Sorted(maps.Keys(c.Attrs)) {
		a := c.Attrs[name]
		switch a.Kind {
		case graph.Int:
			list = append(list, fmt.Sprintf("%s=%d", name, a.Int))
		case graph.Float:
			list = append(list, fmt.Sprintf("%s=%v", name, a.Float))
		case graph.IntList:
			list = append(list, name+"="+strings.Trim(strings.ReplaceAll(fmt.Sprint(a.Ints), " ", "x"), "[]"))
		}
	}
	return strings.Join(list, ",")
}

func convLayer(c *graph.Call) *Case {
	const d = tensor.F32
	x, w := c.In[0].Shape, c.In[1].Shape
	r := convolution{n: x[0], c: x[1], m: w[0], in: x[2:], kernel: w[2:], strides: c.Ints("strides"), pads: c.Ints("pads"),
		group: c.Int("group"), bias: c.Has(2), role: frozen}
	in := []input{
		{name: "X", typ: tensor.Type{DType: d, Shape: r.x()}, fill: uniform(-1, 1)},
		{name: "W", typ: tensor.Type{DType: d, Shape: r.w()}, fill: uniform(-1, 1), role: frozen}}
	detail := "b=0,w=const"
	if r.bias {
		in = append(in, input{name: "B", typ: tensor.T(d, r.m), fill: uniform(-1, 1), role: frozen})
		detail = "b=1,w=const"
	}
	k := r.make("Conv", d, convClass{name: "real", effort: Standard, bound: dotBound}, InferenceCore, in, r.attrs(), detail)
	k.sampled = layerSamples
	return k
}

// layerName is what the parameters of a layer's case begin with.
var layerName = regexp.MustCompile(`^[A-Za-z]+/f32/net=([a-z0-9_.-]+),layer=[^,]+,n=([0-9]+),`)

// CasesNamed finds cases of the suites and layers of networks by their full
// names. An error names the first that there is not.
func CasesNamed(names []string) ([]*Case, error) {
	known := map[string]*Case{}
	for _, c := range Cases() {
		known[c.Name()] = c
	}
	asked := map[string]bool{} // batches of networks that are known
	list := make([]*Case, 0, len(names))
	for _, name := range names {
		if m := layerName.FindStringSubmatch(name); m != nil && !asked[m[1]+"/"+m[2]] {
			n, err := strconv.Atoi(m[2])
			if err != nil {
				return nil, fmt.Errorf("case %q: batch %s is no number", name, m[2])
			}
			layers, err := LayerCases(m[1], n)
			if err != nil {
				return nil, fmt.Errorf("case %q: %w", name, err)
			}
			for _, c := range layers {
				known[c.Name()] = c
			}
			asked[m[1]+"/"+m[2]] = true
		}
		c := known[name]
		if c == nil {
			return nil, fmt.Errorf("no case is named %q", name)
		}
		list = append(list, c)
	}
	return list, nil
}

// ReadNames reads case names, a line each; blank lines and lines that begin
// with # are left out.
func ReadNames(text []byte) (names []string) {
	for line := range bytes.Lines(text) {
		s := strings.TrimSpace(string(line))
		if s != "" && s[0] != '#' && !slices.Contains(names, s) {
			names = append(names, s)
		}
	}
	return names
}
