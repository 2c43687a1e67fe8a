//go:build !amd64 || purego

package kernel

func (s *SGD) loop(_ ISA, p2, v2, p, g, v []float32) { s.stepGo(p2, v2, p, g, v) }

func (f *adamFactors) loop(ISA, []float32, []float32, []float32, []float32, []float32, []float32, []float32) int {
	return 0
}

func optimizersFor(ISA) *optimizerLoops { return nil }
