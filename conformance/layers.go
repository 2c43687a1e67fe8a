package conformance

import (
	"bytes"
	_ "embed"
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"

	"go.yaml.in/yaml/v4"

	"github.com/clsbench/clsbench/tensor"
)

// The layers of real networks as cases: what `clsbench ops --net` times. They
// are no part of a suite, whose time they would take.

//go:embed shapes/networks.yaml
var networksYAML []byte

// Network is a network's layers, equal shapes once.
type Network struct {
	Name       string `yaml:"name"`
	Source     string `yaml:"source"`
	Parameters int64  `yaml:"parameters"`
	MACs       int64  `yaml:"macs"` // multiplications with an addition, an image
	// What belongs to no layer listed.
	OtherParameters int64   `yaml:"other_parameters"`
	OtherMACs       int64   `yaml:"other_macs"`
	Layers          []Layer `yaml:"layers"`
}

// Layer is one shape of a network. Extents that an op has no use for are 0.
type Layer struct {
	Name  string `yaml:"layer"`
	Op    string `yaml:"op"`
	Times int    `yaml:"times"` // layers of this shape
	C     int    `yaml:"c"`     // channels of the input
	M     int    `yaml:"m"`     // of the output
	In    int    `yaml:"in"`    // height and width of the input
	K     int    `yaml:"k"`     // height and width of the kernel; a product's length
	S     int    `yaml:"s"`
	P     int    `yaml:"p"`
	G     int    `yaml:"g"`
	Rows  int    `yaml:"rows"` // tokens of an image
	N     int    `yaml:"n"`    // features of a token; a product's columns
	Bias  bool   `yaml:"bias"`
}

// Networks lists the networks whose layers are known.
var Networks = sync.OnceValue(func() []Network {
	var list []Network
	if err := yaml.Load(networksYAML, &list, yaml.WithKnownFields()); err != nil {
		panic("conformance: shapes/networks.yaml: " + err.Error())
	}
	for i := range list {
		for j := range list[i].Layers {
			l := &list[i].Layers[j]
			l.Times, l.S, l.G, l.Rows = max(1, l.Times), max(1, l.S), max(1, l.G), max(1, l.Rows)
		}
	}
	return list
})

// NetworkNames are the names of Networks.
func NetworkNames() (names []string) {
	for _, n := range Networks() {
		names = append(names, n.Name)
	}
	return names
}

// MaxLayerBatch bounds the images in a layer's case.
const MaxLayerBatch = 1024

// layerSamples is how many outputs of a layer are judged.
const layerSamples = 4096

// LayerCases are the layers of a network, for a batch of n images, in f32, in
// the network's order.
func LayerCases(network string, n int) ([]*Case, error) {
	list := Networks()
	i := slices.IndexFunc(list, func(x Network) bool { return x.Name == network })
	if i < 0 {
		return nil, fmt.Errorf("unknown network %q: want one of %s", network, strings.Join(NetworkNames(), ", "))
	}
	if n < 1 || n > MaxLayerBatch {
		return nil, fmt.Errorf("batch %d: want 1 to %d", n, MaxLayerBatch)
	}
	var all []*Case
	for _, l := range list[i].Layers {
		c, err := l.kase(n)
		if err != nil {
			return nil, fmt.Errorf("%s: %s: %w", network, l.Name, err)
		}
		c.Params = fmt.Sprintf("net=%s,layer=%s,%s", network, l.Name, c.Params)
		all = append(all, c)
	}
	return all, nil
}

// kase is the layer as a case. Its parameters are consts, as inference has
// them.
func (l Layer) kase(n int) (*Case, error) {
	const d = tensor.F32
	switch l.Op {
	case "Conv":
		return l.conv(n, d), nil
	case "Gemm":
		p := product{m: n * l.Rows, k: l.K, n: l.N, transB: 1, bias: "n", role: frozen}
		c := p.make("Gemm", d, "real", Standard, dotBound, uniform(-1, 1), uniform(-1, 1), uniform(-1, 1))
		c.Params, c.sampled = fmt.Sprintf("n=%d,%s", n, c.Params), layerSamples
		return c, nil
	}
	return nil, fmt.Errorf("op %s is no layer's", l.Op)
}

func (l Layer) conv(n int, d tensor.DType) *Case {
	r := convolution{n: n, c: l.C, m: l.M, in: []int{l.In, l.In}, kernel: []int{l.K, l.K}, strides: []int{l.S, l.S},
		pads: []int{l.P, l.P, l.P, l.P}, group: l.G, bias: l.Bias, role: frozen}
	in := []input{
		{name: "X", typ: tensor.Type{DType: d, Shape: r.x()}, fill: uniform(-1, 1)},
		{name: "W", typ: tensor.Type{DType: d, Shape: r.w()}, fill: uniform(-1, 1), role: frozen}}
	detail := "b=0,w=const"
	if l.Bias {
		in = append(in, input{name: "B", typ: tensor.T(d, r.m), fill: uniform(-1, 1), role: frozen})
		detail = "b=1,w=const"
	}
	c := r.make("Conv", d, convClass{name: "real", effort: Standard, bound: dotBound}, InferenceCore, in, r.attrs(), detail)
	c.sampled = layerSamples
	return c
}

// layerName is what the parameters of a layer's case begin with.
var layerName = regexp.MustCompile(`^[A-Za-z]+/f32/net=([a-z0-9_]+),layer=[^,]+,n=([0-9]+),`)

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
