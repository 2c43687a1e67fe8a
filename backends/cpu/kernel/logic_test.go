package kernel

import (
	"fmt"
	"math"
	"testing"

	"github.com/stretchr/testify/require"
)

// sides are the operands of n elements: both so long, or one of them one
// number.
func sides(a, b []float32) [][2][]float32 {
	one := []float32{0}
	return [][2][]float32{{a, b}, {a, one}, {one, b}, {one, []float32{float32(math.NaN())}}}
}

func TestCompare(t *testing.T) {
	onEveryISA(t, func(t *testing.T, i ISA) {
		for _, n := range lengths {
			a, b := operand(1, n), operand(2, n)
			for j := 0; j < n; j += 3 {
				b[j] = a[j]
			}
			for _, c := range []Comparison{Less, LessOrEqual, Equal} {
				for _, s := range sides(a, b)[:3] { // two numbers compare as one element
					got, want := make([]uint8, n+1), make([]uint8, n+1)
					got[n], want[n] = 7, 7
					for j := range n {
						want[j] = uint8(bit(c.of(at(s[0], j), at(s[1], j))))
					}
					c.Compare(i, got[:n], s[0], s[1])
					require.Equal(t, want, got, "relation %d", c)
				}
			}
		}
	})
}

func TestWhere(t *testing.T) {
	onEveryISA(t, func(t *testing.T, i ISA) {
		for _, n := range lengths {
			cond := make([]uint8, n)
			for j := range cond {
				cond[j] = uint8(j * 5 % 3)
			}
			for _, s := range sides(operand(1, n), operand(2, n)) {
				want, got := make([]float32, n), newGuarded(n)
				for j := range want {
					if want[j] = at(s[1], j); cond[j] != 0 {
						want[j] = at(s[0], j)
					}
				}
				Where(i, got.data, cond, s[0], s[1])
				got.intact(t)
				require.Equal(t, bits(want), bits(got.data))
			}
		}
	})
}

func BenchmarkLogic(b *testing.B) {
	const n = 1 << 13
	x, y, z := operand(1, n), operand(2, n), make([]float32, n)
	cond := make([]uint8, n)
	for _, i := range []ISA{AVX512, AVX2, Generic} {
		if i.Available() {
			perElement(b, fmt.Sprintf("less/%v", i), n, func() { Less.Compare(i, cond, x, y) })
			perElement(b, fmt.Sprintf("where/%v", i), n, func() { Where(i, z, cond, x, y) })
		}
	}
}
