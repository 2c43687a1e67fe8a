package kernel
import "testing"
func BenchmarkMicro(b *testing.B) {
	for _, x := range []struct{n string; m *micro; mr int}{{"14x32",avx512x32,14},{"8x32",avx512x32,8},{"6x64",avx512x64,6},{"14x16",avx512x16,14},{"6x16",avx2x16,6},{"12x8",avx2x8,12},{"gen",genericMicro,4}} {
	for _, k := range []int{25, 256} {
	b.Run(x.n, func(b *testing.B) {
		A := make([]float32, 16*k+64); B := make([]float32, k*64*8); C := make([]float32, 64*64*8)
		f := x.m.byRows[x.mr]
		for b.Loop() { f(k, &A[0], 1, x.mr, &B[0], x.m.nr, &C[0], 64*8, x.m.nr, 8, k*x.m.nr, 1, nil, 0) }
		b.ReportMetric(float64(b.N)*float64(2*k*x.mr*x.m.nr*8)/float64(b.Elapsed().Nanoseconds()), "GF/s")
	})}}
}
