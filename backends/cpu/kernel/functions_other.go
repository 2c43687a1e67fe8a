//go:build !amd64 || purego

package kernel

func functionFor(ISA, functionLoop) vectorLoop { return nil }

func expDiffLoop(_ ISA, dst, x []float32, m float32) float64 { return expDiffGo(dst, x, m) }

func expSumLoop(_ ISA, x []float32, m float32) float64 { return expSumGo(x, m) }

func softmaxGradLoop(_ ISA, s, dp []float32, lse, inner, scale float32) {
	softmaxGradGo(s, dp, lse, inner, scale)
}
