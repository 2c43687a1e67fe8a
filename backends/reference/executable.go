package reference

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/clsbench/clsbench/backends"
	"github.com/clsbench/clsbench/graph"
	ref "github.com/clsbench/clsbench/reference"
	"github.com/clsbench/clsbench/tensor"
)

// executable is a program that is evaluated node by node.
type executable struct {
	session  *session
	graph    *graph.Graph
	rings    map[string]*backends.Ring
	bindings []backends.Binding
	consts   map[string]*ref.Array
	plan     backends.Plan
	closed   bool
}

// compile checks a program and its memory, binds it and widens its constants.
// The session is locked.
func compile(s *session, p *graph.Program, bindings []backends.Binding) (*executable, error) {
	begin := time.Now()
	own := p.Clone()
	g, err := own.Infer()
	if err != nil {
		return nil, backends.Malformed(err)
	}
	for i := range g.Calls {
		if v := verdict(&g.Calls[i]); !v.Supported {
			return nil, &backends.Error{Code: backends.Unimplemented, Node: v.Node, Op: g.Calls[i].Op.Name, Message: v.Why}
		}
	}
	for _, v := range g.State {
		if err := s.agrees(v.Name, v.Type); err != nil {
			return nil, err
		}
	}
	arena := arenaBytes(g)
	if free := availableMemory(); free > 0 && arena > free {
		return nil, &backends.Error{Code: backends.ResourceExhausted, Message: "the program's values in float64", Wanted: arena, Free: free}
	}
	e := &executable{session: s, graph: g, bindings: slices.Clone(bindings), consts: map[string]*ref.Array{}}
	if e.rings, err = s.regions.Bind(g, bindings); err != nil {
		return nil, err
	}
	for _, v := range g.State {
		s.create(v.Name, v.Type)
	}
	for _, c := range g.Consts {
		e.consts[c.Name] = ref.FromTensor(c.Tensor)
	}
	e.plan = planOf(g, s, arena)
	e.plan.CompileTime = time.Since(begin)
	s.arenas += arena
	return e, nil
}

// arenaBytes is what all values of a step take in float64. It is capped where
// a sum of hostile sizes would overflow.
func arenaBytes(g *graph.Graph) int64 {
	const most = int64(1) << 60
	sum := int64(0)
	for _, t := range g.Types {
		if sum += 8 * int64(t.Shape.Elements()); sum > most {
			return most
		}
	}
	return sum
}

// planOf is a partition a node. Its digest covers the ops, their attributes
// and types, and the mode: all that a result depends on beside the data.
func planOf(g *graph.Graph, s *session, arena int64) backends.Plan {
	plan := backends.Plan{ArenaBytes: arena}
	hash := sha256.New()
	fmt.Fprintf(hash, "round %v, order %d, math %s\n", s.mode.Round, s.mode.Order, s.math)
	for i := range g.Calls {
		c := &g.Calls[i]
		part := backends.Partition{Nodes: []string{c.Name}, Kernel: "reference." + c.Op.Name, Algorithm: "formula", Math: graph.Strict}
		if c.Relaxed(s.math) {
			part.Math = s.math
			if s.math == graph.Winograd {
				part.Algorithm = s.math
			}
		}
		plan.Partitions = append(plan.Partitions, part)
		fmt.Fprintf(hash, "%q %q %q %q %v %v %v\n", c.Name, c.Op.Name, c.Inputs, c.Outputs, c.Attrs, c.In, c.Out)
	}
	plan.Digest = fmt.Sprintf("%x", hash.Sum(nil))
	return plan
}

func (e *executable) Plan() backends.Plan { return e.plan }

func (e *executable) Run(ctx context.Context, r backends.RunRequest) (backends.Samples, error) {
	if err := e.session.enter(); err != nil {
		return backends.Samples{}, err
	}
	defer e.session.mu.Unlock()
	if e.closed {
		return backends.Samples{}, backends.Errorf(backends.FailedPrecondition, "the executable is closed")
	}
	var samples backends.Samples
	if r.Profile {
		samples.Partitions = make([]backends.PartitionSample, len(e.graph.Calls))
		for i := range samples.Partitions {
			samples.Partitions[i].Partition = i
		}
	}
	var err error
	samples.Steps, err = backends.Loop(ctx, r, nil, func(n int64, split *backends.Split) error {
		err := e.step(ctx, n, split, samples.Partitions)
		if code := backends.CodeOf(err); err != nil && code != backends.Canceled && code != backends.DeadlineExceeded {
			e.session.failed = err
		}
		return err
	})
	return samples, err
}

// step runs step n: read the slots and the state, evaluate, write the slots,
// then the state. A cancelled step has changed no state.
func (e *executable) step(ctx context.Context, n int64, split *backends.Split, profile []backends.PartitionSample) error {
	begin := backends.Now()
	env := maps.Clone(e.consts)
	for _, f := range e.graph.Feeds {
		t, err := tensor.Wrap(f.Type, e.rings[f.Name].At(n))
		if err != nil {
			return err
		}
		env[f.Name] = ref.FromTensor(t)
	}
	for _, v := range e.graph.State {
		env[v.Name] = ref.FromTensor(e.session.state[v.Name])
	}
	split.HostToDevice = backends.Now() - begin

	if err := e.evaluate(ctx, env, profile); err != nil {
		return err
	}

	begin = backends.Now()
	for _, f := range e.graph.Fetches {
		ring := e.rings[f]
		t, err := tensor.Wrap(ring.Type, ring.At(n))
		if err != nil {
			return err
		}
		t.SetFloat64s(env[f].Data)
	}
	split.DeviceToHost = backends.Now() - begin
	for _, u := range e.graph.Updates {
		e.session.state[u.State].SetFloat64s(env[u.Value].Data)
	}
	return nil
}

func (e *executable) evaluate(ctx context.Context, env map[string]*ref.Array, profile []backends.PartitionSample) error {
	for i := range e.graph.Calls {
		if cause := ctx.Err(); cause != nil {
			code := backends.Canceled
			if errors.Is(cause, context.DeadlineExceeded) {
				code = backends.DeadlineExceeded
			}
			return backends.Errorf(code, "run stopped within a step, whose updates are not made")
		}
		begin := backends.Now()
		if err := ref.EvalNode(&e.graph.Calls[i], env, e.session.mode); err != nil {
			return typed(err)
		}
		if profile != nil {
			profile[i].Nanos += backends.Now() - begin
		}
	}
	return nil
}

// typed is an error of the reference at the boundary: it fails only on data
// that the op forbids, a label outside of the classes say.
func typed(err error) error {
	out := &backends.Error{Code: backends.InvalidArgument, Message: err.Error()}
	if n := (*graph.NodeError)(nil); errors.As(err, &n) {
		out.Node, out.Op, out.Message = n.Node, n.Op, n.Err.Error()
	}
	return out
}

// Close gives the regions back. It may be called again, and after the
// session's.
func (e *executable) Close() error {
	e.session.mu.Lock()
	defer e.session.mu.Unlock()
	if e.closed {
		return nil
	}
	e.closed = true
	e.session.regions.Release(e.bindings)
	if !e.session.closed {
		e.session.arenas -= e.plan.ArenaBytes
	}
	return nil
}
