package workloads

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/clsbench/clsbench/graph"
	"github.com/clsbench/clsbench/tensor"
)

// Workload is a network with its recipes: what a cell's name begins with.
type Workload struct {
	Name        string
	Description string
	Input       Input
	Classes     int
	Options     []Option           // how the network can vary
	Recipes     map[string]*Recipe // by name; DefaultRecipe is always there

	timm      *naming           // timm's names of its tensors, where they are not torchvision's
	chosen    map[string]string // a value for every option
	precision precision         // see In
	network   func(n *Net, x graph.Value, option map[string]string) graph.Value
}

// Input is the size of one image.
type Input struct{ Height, Width, Channels int }

func (i Input) bytes() int { return i.Height * i.Width * i.Channels }

func (i Input) String() string { return fmt.Sprintf("%d×%d×%d", i.Height, i.Width, i.Channels) }

// Option is a choice within a network; the first value is the default.
type Option struct {
	Name   string   `json:"name"`
	Help   string   `json:"help"`
	Values []string `json:"values"`
	Only   string   `json:"only,omitempty"` // the choice that it belongs to, as "form=modern"; "" for every one
}

// What networks for ImageNet's images and classes share.
var imageNetInput = Input{224, 224, 3}

const imageNetClasses = 1000

// All lists every workload with its default options, family by family.
func All() []*Workload {
	return group(AllNetworks)
}

// with is w with some options chosen and the others at their defaults.
func (w *Workload) with(chosen map[string]string) *Workload {
	c := *w
	c.chosen = map[string]string{}
	for _, o := range w.Options {
		c.chosen[o.Name] = o.Values[0]
	}
	maps.Copy(c.chosen, chosen)
	c.Recipes = recipesOf(w.Name)
	return &c
}

// Lookup finds a workload by name, options behind it as in
// "lenet5;activation=tanh;pool=max" ("," separates as well).
func Lookup(spec string) (*Workload, error) {
	parts := strings.FieldsFunc(spec, func(r rune) bool { return r == ';' || r == ',' })
	if len(parts) == 0 {
		return nil, fmt.Errorf("workload: no name; known are %s", strings.Join(names(), ", "))
	}
	for _, w := range All() {
		if w.Name != parts[0] {
			continue
		}
		chosen, err := w.parse(parts[1:])
		if err != nil {
			return nil, fmt.Errorf("workload %q: %w", spec, err)
		}
		return w.with(chosen), nil
	}
	return nil, fmt.Errorf("workload %q is not known; known are %s", parts[0], strings.Join(names(), ", "))
}

func names() (list []string) {
	for _, w := range All() {
		list = append(list, w.Name)
	}
	return list
}

func (w *Workload) parse(settings []string) (map[string]string, error) {
	chosen := map[string]string{}
	for _, s := range settings {
		key, value, ok := strings.Cut(s, "=")
		if !ok {
			return nil, fmt.Errorf("%q is not option=value", s)
		}
		i := slices.IndexFunc(w.Options, func(o Option) bool { return o.Name == key })
		if i < 0 {
			var known []string
			for _, o := range w.Options {
				known = append(known, o.Name)
			}
			return nil, fmt.Errorf("no option %q; it has %s", key, strings.Join(known, ", "))
		}
		if !slices.Contains(w.Options[i].Values, value) {
			return nil, fmt.Errorf("%s=%q: want one of %s", key, value, strings.Join(w.Options[i].Values, ", "))
		}
		if _, twice := chosen[key]; twice {
			return nil, fmt.Errorf("option %s stands twice", key)
		}
		chosen[key] = value
	}
	return chosen, w.fit(chosen)
}

// fit refuses an option of a form that was not chosen.
func (w *Workload) fit(chosen map[string]string) error {
	all := w.with(chosen).chosen
	for _, o := range w.Options {
		key, value, _ := strings.Cut(o.Only, "=")
		if _, asked := chosen[o.Name]; asked && o.Only != "" && all[key] != value {
			return fmt.Errorf("option %s is one of %s alone, not of %s=%s", o.Name, o.Only, key, all[key])
		}
	}
	return nil
}

// Variant is what differs from the defaults, as "activation=tanh,pool=max";
// empty for the network as it is.
func (w *Workload) Variant() string {
	var list []string
	for _, o := range w.Options {
		if v := w.chosen[o.Name]; v != o.Values[0] {
			list = append(list, o.Name+"="+v)
		}
	}
	return strings.Join(list, ",")
}

// String is the spec that Lookup reads back.
func (w *Workload) String() string {
	if v := w.Variant(); v != "" {
		return w.Name + ";" + strings.ReplaceAll(v, ",", ";")
	}
	return w.Name
}

// Params lists what the network learns in the order of its layers.
func (w *Workload) Params() []Param {
	return slices.DeleteFunc(w.tensors(), func(p Param) bool { return p.Buffer })
}

// tensors lists all that the network's weights consist of, buffers included.
func (w *Workload) tensors() []Param {
	params, _ := w.bare()
	return params
}

// Parameters counts the elements of Params.
func (w *Workload) Parameters() int64 {
	var sum int64
	for _, p := range w.Params() {
		sum += int64(p.Type.Shape.Elements())
	}
	return sum
}

// FLOPs is the work of the network for one image: direct algorithms, an
// addition and a multiplication counted as two, the standardising left out.
func (w *Workload) FLOPs() int64 {
	_, g := w.bare()
	return g.FLOPs()
}

// Forward is the network alone for batch images, from f32 N×C×H×W to its
// logits, with its parameters as state.
func (w *Workload) Forward(batch int) (*graph.Graph, error) {
	_, g, err := w.alone(batch)
	return g, err
}

// bare is the network alone for one image, and its tensors. It panics on an
// error, which would be one of the network's own code.
func (w *Workload) bare() ([]Param, *graph.Graph) {
	params, g, err := w.alone(1)
	if err != nil {
		panic("workloads: " + err.Error())
	}
	return params, g
}

func (w *Workload) alone(batch int) ([]Param, *graph.Graph, error) {
	b := graph.NewBuilder(w.String())
	x := b.Feed(FeedImage, tensor.T(tensor.F32, batch, w.Input.Channels, w.Input.Height, w.Input.Width))
	n := newNet(b, func(p Param) graph.Value { return b.State(p.Name, p.Type) })
	b.Fetch(w.network(n, x, w.chosen))
	p, err := b.Program()
	if err != nil {
		return nil, nil, err
	}
	g, err := p.Infer()
	return n.params, g, err
}
