package faults

import (
	"encoding/binary"
	"fmt"
	"math"
	"slices"

	"github.com/clsbench/clsbench/backends"
	"github.com/clsbench/clsbench/conformance"
	"github.com/clsbench/clsbench/graph"
	"github.com/clsbench/clsbench/reference"
	"github.com/clsbench/clsbench/tensor"
)

// proxyOps are what proxies are tried on: a few ops with different shapes of
// cases, and a network with its weights as consts and as state.
var proxyOps = []string{"MatMul", "Relu", "MaxPool", "SGD", "Conv", "lenet5"}

// unbentProxy is the legal variant: what is right passes the boundary unharmed.
const unbentProxy = "proxy-unbent"

func idleProxy() backends.Backend {
	return &Proxy{Backend: &Rig{Mode: reference.Mode{Round: true}}}
}

// proxied is a fault of a proxy before a right backend.
func proxied(name, why string, p Proxy) Fault {
	return Fault{Name: name, Kind: KindProxy, Why: why, Ops: proxyOps, Effort: conformance.Smoke, Backend: func() backends.Backend {
		c := p
		c.Backend = &Rig{Mode: reference.Mode{Round: true}}
		return &c
	}}
}

// fetched calls f for every fetch of every step of a call.
func fetched(f func(r *Passage, name string, step int64, slot []byte)) Proxy {
	return Proxy{Ran: func(r *Passage) {
		r.Steps(func(step int64) {
			for _, name := range r.Graph.Fetches {
				f(r, name, step, r.Slot(name, step))
			}
		})
	}}
}

var proxyFaults = []Fault{
	proxied("last-element-unwritten", "an output's last element never written", fetched(func(r *Passage, name string, _ int64, slot []byte) {
		size := r.Graph.Types[name].DType.Size()
		for i := len(slot) - size; i < len(slot); i++ {
			slot[i] = 0xFF
		}
	})),
	proxied("one-bit-of-one-element", "a bit of the mantissa's middle flipped now and then", fetched(func(r *Passage, name string, step int64, slot []byte) {
		if r.Graph.Types[name].DType == tensor.F32 && len(slot) >= 4 {
			at := int(uint64(step)*2654435761%uint64(len(slot)/4)) * 4
			v := binary.LittleEndian.Uint32(slot[at:])
			binary.LittleEndian.PutUint32(slot[at:], v^1<<14)
		}
	})),
	proxied("bf16-on-the-way", "outputs carried in bf16", fetched(func(r *Passage, name string, _ int64, slot []byte) {
		if r.Graph.Types[name].DType == tensor.F32 {
			for i := 0; i+4 <= len(slot); i += 4 {
				v := math.Float32frombits(binary.LittleEndian.Uint32(slot[i:]))
				binary.LittleEndian.PutUint32(slot[i:], math.Float32bits(float32(tensor.Round(float64(v), tensor.BF16))))
			}
		}
	})),
	proxied("replays-its-last-answer", "results copied out a call too late", Proxy{Ran: func(r *Passage) {
		for _, name := range r.Graph.Fetches {
			key := fmt.Sprint(r.Graph.Types[name], name)
			old, _ := r.Session.Seen[key].([]byte)
			r.Steps(func(step int64) {
				slot := r.Slot(name, step)
				now := slices.Clone(slot)
				if old != nil {
					copy(slot, old)
				}
				old = now
			})
			r.Session.Seen[key] = old
		}
	}}),
	proxied("slot-zero-always", "all results in the first slot of the ring", fetched(func(r *Passage, name string, step int64, slot []byte) {
		first := r.Slot(name, 0)
		if &first[0] != &slot[0] {
			copy(first, slot)
			clear(slot)
		}
	})),
	proxied("writes-beyond-the-end", "a full vector stored over an output's tail", fetched(func(r *Passage, name string, step int64, _ []byte) {
		if b := r.Beyond(name, step); b != nil {
			*b = 0
		}
	})),
	proxied("works-in-its-input", "an input used as scratch memory", Proxy{Ran: func(r *Passage) {
		for _, f := range r.Graph.Feeds {
			r.Steps(func(step int64) {
				if slot := r.Slot(f.Name, step); len(slot) > 0 {
					slot[len(slot)/2] ^= 0x40
				}
			})
		}
	}}),
	proxied("state-packed-once", "weights in state packed at the first run and never again", Proxy{Written: func(s *ProxySession, name string) bool {
		n, _ := s.Seen[name].(int)
		s.Seen[name] = n + 1
		return n == 0
	}}),
	proxied("program-cached-without-weights", "a compiled program cached without its weights in the key (tensorflow#56218)", Proxy{
		Compiled: func(s *ProxySession, p *graph.Program) *graph.Program {
			key := shapeKey(p)
			if old, ok := s.Seen[key].(*graph.Program); ok {
				return old
			}
			s.Seen[key] = p
			return p
		}}),
	proxied("right-ten-times-then-wrong", "an accumulating fault (llm.c#852)", Proxy{Ran: func(r *Passage) {
		n, _ := r.Session.Seen["calls"].(int)
		if n++; n > 10 {
			r.Steps(func(step int64) {
				for _, name := range r.Graph.Fetches {
					clear(r.Slot(name, step))
				}
			})
		}
		r.Session.Seen["calls"] = n
	}}),
	proxied("wrong-on-the-second-run", "what the first run left behind taken for the next one's", Proxy{Ran: func(r *Passage) {
		if r.Count == 2 {
			r.Steps(func(step int64) {
				for _, name := range r.Graph.Fetches {
					clear(r.Slot(name, step))
				}
			})
		}
	}}),
	proxied("large-batches-zero", "rows beyond a grid's limit, here 16, left zero", fetched(func(r *Passage, name string, _ int64, slot []byte) {
		s := r.Graph.Types[name].Shape
		if len(s) > 1 && s[0] > 16 {
			clear(slot[len(slot)/s[0]*16:])
		}
	})),
}

// shapeKey is a program without its constants' data.
func shapeKey(p *graph.Program) string {
	var key string
	for _, n := range p.Nodes {
		key += fmt.Sprint(n.Op, n.Inputs, n.Outputs, n.Attrs, ";")
	}
	for _, c := range p.Consts {
		key += fmt.Sprint(c.Name, c.Tensor.Type, ";")
	}
	for _, f := range p.Feeds {
		key += fmt.Sprint(f, ";")
	}
	return key
}
