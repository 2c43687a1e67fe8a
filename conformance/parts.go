package conformance

import (
	"fmt"
	"sync"

	"github.com/clsbench/clsbench/graph"
	"github.com/clsbench/clsbench/graph/onnx"
	"github.com/clsbench/clsbench/tensor"
)

// Parts remembers what was found of each partition of a session's programs, by
// what it computes and how, so that equal ones are judged once: networks repeat
// their blocks, and twelve layers of a transformer are one kernel on one shape. A
// nil Parts remembers nothing.
type Parts struct {
	mu    sync.Mutex
	found map[string]*Result
}

// wholeConst is the number of elements up to which a constant is told apart by
// its values, as of scales and bounds; of weights by its shape.
const wholeConst = 256

// key is what a partition computes and the backend's way to do it.
func (c PlanCase) key() string {
	p := c.subject.(*partitionSubject).cut.Clone()
	p.Name = ""
	names := map[string]string{"": ""}
	plain := func(name *string) {
		if _, ok := names[*name]; !ok {
			names[*name] = fmt.Sprint("v", len(names))
		}
		*name = names[*name]
	}
	for _, list := range [][]graph.Value{p.Feeds, p.State} {
		for i := range list {
			plain(&list[i].Name)
		}
	}
	for i, k := range p.Consts {
		if k.Tensor.Shape.Elements() > wholeConst {
			p.Consts[i].Tensor = tensor.New(k.Tensor.DType, k.Tensor.Shape...)
		}
		plain(&p.Consts[i].Name)
	}
	for i := range p.Nodes {
		n := &p.Nodes[i]
		n.Name = fmt.Sprint("n", i)
		for _, list := range [][]string{n.Inputs, n.Outputs} {
			for j := range list {
				plain(&list[j])
			}
		}
	}
	for i := range p.Fetches {
		plain(&p.Fetches[i])
	}
	for i := range p.Updates {
		plain(&p.Updates[i].State)
		plain(&p.Updates[i].Value)
	}
	part := c.Partition
	return fmt.Sprintf("%s %q", onnx.Digest(&p), []string{part.Kernel, part.Algorithm, part.Math})
}

// result is what is known of a partition equal to c, or what judge finds.
func (p *Parts) result(c PlanCase, judge func() *Result) *Result {
	if p == nil {
		return judge()
	}
	key := c.key()
	p.mu.Lock()
	known := p.found[key]
	p.mu.Unlock()
	if known != nil {
		r := *known
		r.Case, r.Program = c.Name(), c.Program
		part := Part(c.Partition)
		r.Partition = &part
		return &r
	}
	r := judge()
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.found == nil {
		p.found = map[string]*Result{}
	}
	if r.Status == StatusPass || r.Status == StatusFail {
		r.failed = nil // the evidence, which is large
		p.found[key] = r
	}
	return r
}

// largePlan is the work of a program, FLOPs, whose partitions are judged as those
// of a large network are: of the values that lead up to them one set is evaluated,
// the other has the same numbers at other places, and three rounded runs must do.
const largePlan = manyRounds

// manyInPart is the work of a partition above which single outputs are judged,
// where a single op gives them, or three rounded runs must do.
const manyInPart = int64(5e7)

// turned is x with its elements moved round by a number of places.
func turned(x *tensor.Tensor, by int) *tensor.Tensor {
	y := tensor.New(x.DType, x.Shape...)
	n := len(x.Data)
	by = by * x.DType.Size() % max(1, n)
	copy(y.Data, x.Data[by:])
	copy(y.Data[n-by:], x.Data[:by])
	return y
}

// sampledOps give single outputs, and have bounds that take them.
var sampledOps = map[string]bool{"Conv": true, "ConvInputGrad": true, "ConvWeightGrad": true, "MatMul": true, "Gemm": true}

// sample has a lone product of much work judged at some of its outputs.
func (c *Case) sample(cut *graph.Program) {
	if len(cut.Nodes) != 1 || len(cut.Updates) > 0 || !sampledOps[cut.Nodes[0].Op] {
		return
	}
	if g, err := cut.Infer(); err == nil && g.FLOPs() > manyInPart {
		c.sampled = layerSamples
	}
}
