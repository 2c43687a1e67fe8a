package conformance

import (
	"fmt"
	"hash/fnv"
	"strings"

	"github.com/clsbench/clsbench/graph"
	"github.com/clsbench/clsbench/tensor"
)

// Case is one thing to ask of a backend: a program, data for it, and the bound
// that the answer is held against. Its name holds all parameters.
type Case struct {
	Op     string       // the op under test, or the name of a family of programs
	DType  tensor.DType // what it computes in
	Params string       // shapes and attributes, in a form of their own for each family
	Class  string       // what the data unmask: structure, mantissa, real, …
	Suite  Suite
	Effort Effort // from which effort on it runs
	// Required says that a backend which refuses it does not pass the suite.
	// Cases that are not required count when they run and are listed when not.
	Required bool

	subject
	form  form
	steps int // for programs with updates: how many steps a trajectory has
	// sampled, if not 0, is how many of the outputs are judged: the reference
	// would take minutes for all of them.
	sampled int
	bound   func(output int) *Bound
	// natural says that program and data are those of a network: a Reshape in
	// it may well be an echo, so that liars are not tried.
	natural bool
}

// subject is what a case computes.
type subject interface {
	// program builds the program; consts that are data follow from d.
	program(d Draw) (*graph.Program, error)
	// values fills the feeds and the state.
	values(d Draw, g *graph.Graph) (Values, error)
	// drawn says whether the program itself depends on the draw.
	drawn() bool
}

// Values are feeds and state by name.
type Values map[string]*tensor.Tensor

// Name is the case's full parameters: Op/type/params/class. It is unique.
func (c *Case) Name() string {
	return strings.Join([]string{c.Op, c.DType.String(), c.Params, c.Class}, "/")
}

// dataName is what the case's data follow from: its name, but for the form in
// which the program is handed over, so that all forms can be judged by the
// same runs of the reference.
func (c *Case) dataName() string {
	return strings.TrimSuffix(c.Name(), formNames[c.form])
}

// form is how a program is handed to the backend.
type form uint8

const (
	whole      form = iota // as one program; refused ops are decomposed
	decomposed             // every op that has a decomposition is decomposed
	opByOp                 // a program a node, values carried by the host
)

// Role is how an input reaches the program.
type role uint8

const (
	fed    role = iota // a feed
	frozen             // a const: what inference packs at compile time
	held               // state: packed lazily, keyed by its version
)

// formNames are the suffixes that forms give to a case's class.
var formNames = map[form]string{whole: "", decomposed: "-decomposed", opByOp: "-op-by-op"}

func (r role) String() string { return [...]string{"feed", "const", "state"}[r] }

// input is an input of a single op's case.
type input struct {
	name string
	typ  tensor.Type
	fill fill
	role role
}

// opSubject is the program of one op, with as little around it as honesty
// needs.
type opSubject struct {
	inputs []input
	// apply writes the op and gives the values to fetch.
	apply func(b *graph.Builder, in []graph.Value) []graph.Value
	// tie, if not nil, sets inputs that depend on others, once all are filled.
	tie func(v Values)
	// update, if not nil, tells which input (of role held) output i becomes at
	// the end of the step; others are fetched. It makes the case a trajectory.
	update map[int]int
}

func (s *opSubject) drawn() bool {
	for _, in := range s.inputs {
		if in.role == frozen {
			return true
		}
	}
	return false
}

// data fills all inputs.
func (s *opSubject) data(d Draw) Values { return s.dataOf(d, func(role) bool { return true }) }

// dataOf fills the inputs of some roles: the weights of a large layer take a
// second. Where inputs depend on each other it fills all.
func (s *opSubject) dataOf(d Draw, wanted func(role) bool) Values {
	v := Values{}
	for _, in := range s.inputs {
		if s.tie == nil && !wanted(in.role) {
			continue
		}
		t := tensor.New(in.typ.DType, in.typ.Shape...)
		t.SetFloat64s(in.fill(d.rng(in.name), in.typ))
		if d.Math == graph.TF32 && d.Set == 0 {
			shortened(t)
		}
		v[in.name] = t
	}
	if s.tie != nil {
		s.tie(v)
	}
	return v
}

func (s *opSubject) values(d Draw, _ *graph.Graph) (Values, error) {
	v := Values{}
	for name, t := range s.dataOf(d, func(r role) bool { return r != frozen }) {
		switch s.roleOf(name) {
		case fed:
			v[name] = t
		case held:
			v[d.stateName(name)] = t
		}
	}
	return v, nil
}

func (s *opSubject) roleOf(name string) role {
	for _, in := range s.inputs {
		if in.name == name {
			return in.role
		}
	}
	panic("conformance: no input " + name)
}

// stateName is the name of a state variable of a case: state is shared by all
// executables of a session, so that cases must not share names.
func (d Draw) stateName(input string) string {
	h := fnv.New32a()
	h.Write([]byte(d.Case))
	return fmt.Sprintf("case%08x.%s", h.Sum32(), input)
}

func (s *opSubject) program(d Draw) (*graph.Program, error) {
	b := graph.NewBuilder("case")
	var data Values
	in := make([]graph.Value, len(s.inputs))
	for i, x := range s.inputs {
		switch x.role {
		case frozen:
			if data == nil {
				data = s.dataOf(d, func(r role) bool { return r == frozen })
			}
			in[i] = b.Const(x.name, data[x.name])
		case held:
			in[i] = b.State(d.stateName(x.name), x.typ)
		default:
			in[i] = b.Feed(x.name, x.typ)
		}
	}
	for i, v := range s.apply(b, in) {
		if to, ok := s.update[i]; ok {
			b.Update(in[to], v)
		} else {
			b.Fetch(v)
		}
	}
	return b.Program()
}

// single applies one op to all inputs and fetches its first n outputs.
func single(op string, attrs graph.Attrs, n int) func(*graph.Builder, []graph.Value) []graph.Value {
	return func(b *graph.Builder, in []graph.Value) []graph.Value { return b.OpN(op, attrs, n, in...) }
}

// family is a file's worth of cases.
type family func() []*Case

// families in the order of the op table, programs last. A new file of cases
// gets a line here.
var families = []family{
	elementwiseCases, pointwiseCases, logicCases, activationCases, castCases, movementCases, sliceCases, gatherCases, scatterCases, selectCases, rearrangeCases, reduceCases, foldCases, matmulCases, convCases, convGridCases, poolCases, planePoolCases, twoWayCases,
	typeCases,
	softmaxCases,
	randomNumberCases, attentionCases,
	lossCases, normalizationCases, optimizerCases, scalingCases, quantizationCases, qmatmulCases, qconvCases,
	fusedCases, qdqCases, networkCases, randomCases, integerCases, castChainCases, mixedCases,
}

// Cases lists every case of the suites that are made of programs, gradient
// checks included, in a fixed order.
func Cases() []*Case {
	var all []*Case
	for _, f := range families {
		for _, c := range f() {
			if c.narrow() {
				c.Suite, c.Required = MixedPrecision, c.Effort <= Quick
			}
			all = append(all, c)
			if g := c.Gradient(); g != nil {
				all = append(all, g)
			}
		}
	}
	return all
}

// narrow says that a case computes in 16-bit floats. Autocast programs need all
// that a quick run has of those, and no other program needs any.
func (c *Case) narrow() bool { return isNarrow(c.DType) }

func isNarrow(d tensor.DType) bool { return d == tensor.F16 || d == tensor.BF16 }

// every is the bound function of cases with one bound for all outputs.
func every(b *Bound) func(int) *Bound { return func(int) *Bound { return b } }

// params joins the parts of a case's parameters.
func params(parts ...string) string {
	var given []string
	for _, p := range parts {
		if p != "" {
			given = append(given, p)
		}
	}
	return strings.Join(given, ",")
}

// list writes extents: 9x7, or 1,0,2,0 with another separator.
func list(v []int, sep string) string {
	return strings.Trim(strings.ReplaceAll(fmt.Sprint(v), " ", sep), "[]")
}
