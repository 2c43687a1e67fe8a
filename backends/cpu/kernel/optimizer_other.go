//go:build !amd64 || purego

package kernel

func (s *SGD) loop(_ ISA, p2, v2, p, g, v []float32) { s.stepGo(p2, v2, p, g, v) }

func (a *Adam) loop(_ ISA, p2, m2, v2, p, g, m, v []float32) { a.stepGo(p2, m2, v2, p, g, m, v) }
