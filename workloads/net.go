package workloads

import (
	"fmt"
	"hash/fnv"
	"strings"

	"github.com/clsbench/clsbench/graph"
	"github.com/clsbench/clsbench/tensor"
)

// Net writes a network's layers into a program. It notes every tensor that a
// layer asks for; whether that becomes state or a constant is the program's
// choice. Layers take and give N×C×H×W, N×features or N×tokens×features. Their
// names are relative to the scope that they stand in.
type Net struct {
	*graph.Builder
	// training makes layers whose meaning differs in training have that:
	// norms by the batch's statistics, dropout.
	training bool
	// momentum is that of all batch norms; 0 leaves each its own.
	momentum float64

	params  []Param
	next    map[string]graph.Value // of a state that is updated, its next value
	updates []update               // in the order in which they were asked for
	enter   func(Param) graph.Value
	scope   []string
	step    graph.Value // see Step; zero until it is asked for
	skip    graph.Value // whether the step is to change nothing, bool scalar; zero where none is skipped
}

// Param is a tensor of a network, under PyTorch's dotted name.
type Param struct {
	Name string
	Type tensor.Type
	Init tensor.Fill
	// Buffer says that it is not learned: the running statistics of a norm.
	Buffer bool
	Kind   Kind
}

// Kind is what a learned tensor does, for recipes that treat kinds apart.
type Kind string

// The kinds of parameters beside weights, which have none.
const (
	KindNorm      Kind = "norm" // scale and shift of a norm
	KindBias      Kind = "bias"
	KindEmbedding Kind = "embedding" // class token and positions
)

var kindsOfParam = []Kind{KindNorm, KindBias, KindEmbedding}

// newNet starts a network in b whose parameters are made by enter.
func newNet(b *graph.Builder, enter func(Param) graph.Value) *Net {
	return &Net{Builder: b, enter: enter, next: map[string]graph.Value{}}
}

// Param declares a learned tensor: a bias if its name ends so, else a weight.
func (n *Net) Param(name string, init tensor.Fill, shape ...int) graph.Value {
	kind := Kind("")
	if strings.HasSuffix(name, "bias") {
		kind = KindBias
	}
	return n.special(kind, name, init, shape...)
}

// special declares a learned tensor of a kind.
func (n *Net) special(kind Kind, name string, init tensor.Fill, shape ...int) graph.Value {
	return n.declare(Param{Name: n.path(name), Type: tensor.T(tensor.F32, shape...), Init: init, Kind: kind})
}

// Buffer declares a tensor that is not learned but belongs to the weights.
func (n *Net) Buffer(name string, init tensor.Fill, shape ...int) graph.Value {
	return n.declare(Param{Name: n.path(name), Type: tensor.T(tensor.F32, shape...), Init: init, Buffer: true})
}

func (n *Net) declare(p Param) graph.Value {
	n.params = append(n.params, p)
	return n.enter(p)
}

// update is a state and its next value.
type update struct{ state, value graph.Value }

// Update sets a state's next value, which write makes the program's.
func (n *Net) Update(state, value graph.Value) {
	n.next[state.Name] = value
	n.updates = append(n.updates, update{state, value})
}

// write makes all updates the program's.
func (n *Net) write() {
	for _, u := range n.updates {
		n.Builder.Update(u.state, u.value)
	}
}

// In writes part of the network under a name, which stands before those of its
// layers, parameters and nodes.
func (n *Net) In(name string, part func() graph.Value) (y graph.Value) {
	n.scope = append(n.scope, name)
	n.Scoped(name, func() { y = part() })
	n.scope = n.scope[:len(n.scope)-1]
	return y
}

func (n *Net) path(name string) string {
	return strings.Join(append(n.scope[:len(n.scope):len(n.scope)], name), ".")
}

// local is what the present scope leaves of a full name.
func (n *Net) local(name string) string {
	return strings.TrimPrefix(name, strings.Join(n.scope, ".")+".")
}

// stream is the one of random numbers that belongs to the present scope.
func (n *Net) stream() uint32 { return streamOf(strings.Join(n.scope, ".")) }

func streamOf(name string) uint32 {
	h := fnv.New32a()
	h.Write([]byte(name))
	return h.Sum32()
}

// Step counts the updates before this one, s64 scalar: Adam and the layers that
// draw random numbers share it.
func (n *Net) Step() graph.Value {
	if n.step.Name == "" {
		n.step = n.State(StateStep, tensor.T(tensor.S64))
	}
	return n.step
}

// count lets the step, if there is one, go on by one.
func (n *Net) count() {
	if n.step.Name != "" {
		n.Update(n.step, n.unlessSkipped(n.step, n.Op("Add", nil, n.step, n.Scalar(tensor.S64, 1))))
	}
}

// wantRank tells whether x exists, as after an earlier error it does not, and
// fails the building if it has none of these ranks.
func (n *Net) wantRank(x graph.Value, ranks ...int) bool {
	if n.Err() != nil {
		return false
	}
	for _, r := range ranks {
		if len(x.Type.Shape) == r {
			return true
		}
	}
	n.Fail(fmt.Errorf("the input is %v, want rank %v", x.Type, ranks))
	return false
}
