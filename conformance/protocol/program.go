package protocol

import (
	"errors"

	"github.com/clsbench/clsbench/backends"
	"github.com/clsbench/clsbench/graph"
	"github.com/clsbench/clsbench/tensor"
)

// raw is a program of one node as nobody would build it.
func raw(spoil func(p *graph.Program)) *graph.Program {
	p := &graph.Program{
		Name:    "raw",
		Feeds:   []graph.Value{{Name: "x", Type: f32(4)}},
		Nodes:   []graph.Node{{Name: "n", Op: "Relu", Inputs: []string{"x"}, Outputs: []string{"y"}}},
		Fetches: []string{"y"},
	}
	spoil(p)
	return p
}

// refuseBoth asks Check and Compile.
func (t *trial) refuseBoth(s backends.Session, p *graph.Program, what string, code backends.Code) {
	_, err := s.Compile(t.ctx, p, nil)
	t.refused(err, "compiling "+what, code)
	verdicts, err := s.Check(t.ctx, p)
	if code == backends.Unimplemented && err == nil {
		for _, v := range verdicts {
			if !v.Supported {
				return
			}
		}
		t.fail("Check supports every node of %s", what)
	}
	t.refused(err, "checking "+what, code)
}

func unknownOp(t *trial) {
	s := t.session()
	for _, domain := range []string{graph.Std, graph.Own, "vendor.example"} {
		p := raw(func(p *graph.Program) { p.Nodes[0].Op, p.Nodes[0].Domain = "Frobnicate", domain })
		t.refuseBoth(s, p, "an op that no table has", backends.Unimplemented)
		_, err := s.Compile(t.ctx, p, nil)
		var e *backends.Error
		if !errors.As(err, &e) || e.Node != "n" || e.Op != "Frobnicate" {
			t.fail("the error of an unknown op does not name the node: %w", err)
		}
	}
}

func malformedProgram(t *trial) {
	s := t.session()
	for what, spoil := range map[string]func(p *graph.Program){
		"a node whose input does not exist": func(p *graph.Program) { p.Nodes[0].Inputs[0] = "z" },
		"a fetch that does not exist":       func(p *graph.Program) { p.Fetches = []string{"z"} },
		"a value that is assigned twice":    func(p *graph.Program) { p.Nodes[0].Outputs[0] = "x" },
		"two nodes of one name":             func(p *graph.Program) { p.Nodes = append(p.Nodes, p.Nodes[0]) },
		"an update of no state":             func(p *graph.Program) { p.Updates = []graph.Update{{State: "w", Value: "y"}} },
		"a node with an attribute not its op's": func(p *graph.Program) {
			p.Nodes[0].Attrs = graph.Attrs{"axis": graph.I(1)}
		},
		"a node with too many inputs": func(p *graph.Program) { p.Nodes[0].Inputs = []string{"x", "x"} },
		"a feed of negative extent":   func(p *graph.Program) { p.Feeds[0].Type.Shape[0] = -4 },
		"a feed of 2^50 elements":     func(p *graph.Program) { p.Feeds[0].Type.Shape = tensor.Shape{1 << 25, 1 << 25} },
		"an update under another type": func(p *graph.Program) {
			p.State = []graph.Value{{Name: "w", Type: f32(5)}}
			p.Updates = []graph.Update{{State: "w", Value: "y"}}
		},
	} {
		t.refuseBoth(s, raw(spoil), what, backends.InvalidArgument)
	}
	p, y := t.double(4)
	e := t.bind(s, p, 1)
	set(e.At("x", 0), 1, 2, 3, 4)
	t.run(e, 0, 1)
	t.same("a good program's fetch after all that", e.At(y, 0), 2, 4, 6, 8)
}

// checkAgrees asks programs of many ops and types, most of which a small
// backend may refuse, but then both times and by name.
func checkAgrees(t *trial) {
	s := t.session()
	for _, d := range tensor.DTypes() {
		for _, op := range []string{"Add", "Relu", "MatMul", "Exp", "Softmax", "ReluGrad", "Conv", "MaxPool"} {
			b := graph.NewBuilder("probe")
			x := b.Feed("x", tensor.T(d, 1, 2, 4, 4))
			args := []graph.Value{x, x}
			var attrs graph.Attrs
			switch op {
			case "Relu", "Exp", "Softmax":
				args = args[:1]
			case "MaxPool":
				args, attrs = args[:1], graph.Attrs{"kernel_shape": graph.L(2, 2)}
			case "Conv":
				args[1] = b.Feed("w", tensor.T(d, 3, 2, 3, 3))
			}
			b.Fetch(b.Op(op, attrs, args...))
			if p, err := b.Program(); err == nil { // else the op has no such type
				t.agree(s, p)
			}
		}
	}
}

func (t *trial) agree(s backends.Session, p *graph.Program) {
	what := p.Nodes[0].Op + " of " + p.Feeds[0].Type.String()
	verdicts, err := s.Check(t.ctx, p)
	t.ok(err, "checking "+what)
	refused := map[string]bool{}
	for _, v := range verdicts {
		if !v.Supported {
			refused[v.Node] = true
			if v.Why == "" {
				t.fail("Check refuses %s without saying why", what)
			}
		}
	}
	e, err := backends.CompileBound(t.ctx, s, p, func(string) int { return 1 }, nil)
	if len(refused) == 0 {
		t.ok(err, "compiling "+what+", which Check supports")
		t.ok(e.Close(), "closing")
		return
	}
	t.refused(err, "compiling "+what+", which Check refuses", backends.Unimplemented)
	var typed *backends.Error
	if !errors.As(err, &typed) || !refused[typed.Node] {
		t.fail("the error of compiling %s does not name a node that Check refuses: %w", what, err)
	}
}

func closedExecutable(t *trial) {
	s := t.session()
	e := t.bind(s, t.count(), 1)
	other := t.bind(s, t.count(), 1)
	t.ok(e.Executable.Close(), "closing the executable")
	_, err := e.Run(t.ctx, backends.RunRequest{Steps: 1})
	t.refused(err, "running a closed executable", backends.FailedPrecondition)
	t.run(other, 0, 1)
	t.same("the count by another executable", t.read(s, "n", 1), 1)
}

func closedSession(t *trial) {
	s, other := t.session(), t.session()
	e := t.bind(s, t.count(), 1)
	r := t.region(backends.NewRegion, 64)
	t.ok(s.Close(), "closing the session with an executable and a region")
	x := vector(1)
	_, checkErr := s.Check(t.ctx, t.count())
	_, compileErr := s.Compile(t.ctx, t.count(), nil)
	_, statsErr := s.Stats(t.ctx)
	_, runErr := e.Run(t.ctx, backends.RunRequest{Steps: 1})
	for what, err := range map[string]error{
		"Map": s.Map(t.ctx, r), "Check": checkErr, "Compile": compileErr, "Stats": statsErr, "Run": runErr,
		"Read":  s.Read(t.ctx, []string{"n"}, []*tensor.Tensor{x}),
		"Write": s.Write(t.ctx, []string{"n"}, []*tensor.Tensor{x}),
	} {
		t.refused(err, what+" of a closed session", backends.FailedPrecondition)
	}
	t.write(other, "n", vector(3))
	t.run(t.bind(other, t.count(), 1), 0, 1)
	t.same("the count of another session", t.read(other, "n", 1), 4)
}
