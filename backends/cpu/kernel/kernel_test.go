package kernel

import (
	"math"
	"math/rand/v2"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/clsbench/clsbench/internal/machine/isa"
)

// onEveryISA runs the test on every instruction set that this machine has.
func onEveryISA(t *testing.T, f func(t *testing.T, i ISA)) {
	for _, i := range isa.Available() {
		t.Run(i.String(), func(t *testing.T) { f(t, i) })
	}
}

// guarded is n floats with guards on both sides, in the middle of which the
// vectors of a kernel end anywhere.
type guarded struct {
	data []float32
	all  []float32
}

const guard = 40

var poison = math.Float32frombits(0x7fc0dead)

func newGuarded(n int) *guarded {
	all := make([]float32, n+2*guard)
	for i := range all {
		all[i] = poison
	}
	return &guarded{data: all[guard : guard+n : guard+n], all: all}
}

func (g *guarded) intact(t require.TestingT) {
	for i := range guard {
		if math.Float32bits(g.all[i]) != math.Float32bits(poison) || math.Float32bits(g.all[len(g.all)-1-i]) != math.Float32bits(poison) {
			require.Fail(t, "a guard was overwritten")
		}
	}
}

// integers fills x with whole numbers, small enough that sums of products are
// exact in any order.
func integers(r *rand.Rand, x []float32) {
	for i := range x {
		x[i] = float32(r.IntN(9) - 4)
	}
}

func uniform(r *rand.Rand, x []float32) {
	for i := range x {
		x[i] = r.Float32()*2 - 1
	}
}

func newRand(seed uint64) *rand.Rand { return rand.New(rand.NewPCG(seed, 7)) }

// lengths meet every tail of every vector, and the unrolled loops.
var lengths = []int{0, 1, 2, 3, 7, 8, 9, 15, 16, 17, 31, 33, 63, 64, 65, 127, 130, chunk + 5}

func bits(x []float32) []uint32 {
	b := make([]uint32, len(x))
	for i, v := range x {
		b[i] = math.Float32bits(v)
		if v != v {
			b[i] = 0x7fc00000 // NaNs are all alike
		}
	}
	return b
}
