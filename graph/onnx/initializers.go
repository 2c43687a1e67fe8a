package onnx

import (
	"fmt"

	"github.com/clsbench/clsbench/tensor"
)

// ReadInitializers reads a model's initialisers alone, by name. Its nodes may be
// any, and its shapes open. Errors are of Unmarshal's two kinds.
func ReadInitializers(b []byte) (map[string]*tensor.Tensor, error) {
	m, err := readModel(b)
	if err != nil {
		return nil, err
	}
	out := make(map[string]*tensor.Tensor, len(m.graph.initializers))
	for i := range m.graph.initializers {
		t := &m.graph.initializers[i]
		x, err := t.load(&options{})
		if err != nil {
			return nil, fmt.Errorf("onnx: %w", m.refuse(where(quoted("initializer", t.name), err)))
		}
		out[t.name] = x
	}
	return out, nil
}
