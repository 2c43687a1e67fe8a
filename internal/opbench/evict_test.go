package opbench

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/clsbench/clsbench/internal/machine"
)

func TestEvictBytes(t *testing.T) {
	l3 := machine.Cache{Level: 3, Kind: "unified", Bytes: 96 << 20, SharedBy: 8}
	for name, c := range map[string]struct {
		cpu  machine.CPU
		want int
	}{
		"nothing known":            {machine.CPU{}, minEvict},
		"small caches":             {machine.CPU{Allowed: []int{0}, Caches: []machine.Cache{{Level: 1, Kind: "data", Bytes: 48 << 10, SharedBy: 1}}}, minEvict},
		"one shared cache":         {machine.CPU{Allowed: []int{0, 1}, Caches: []machine.Cache{l3}}, 2 * 96 << 20},
		"two instances":            {machine.CPU{Allowed: make([]int, 9), Caches: []machine.Cache{l3}}, 4 * 96 << 20},
		"not for instructions":     {machine.CPU{Allowed: []int{0}, Caches: []machine.Cache{{Kind: "instruction", Bytes: 1 << 30, SharedBy: 1}}}, minEvict},
		"no more than is bearable": {machine.CPU{Allowed: make([]int, 64), Caches: []machine.Cache{l3}}, maxEvict},
	} {
		require.Equal(t, c.want, evictBytes(c.cpu), name)
	}
}

// Every line of every part is written, each time.
func TestEvictTouchesEveryLine(t *testing.T) {
	e := newEvictorOf([]int{0, 0, 1}, 3*(1<<16))
	require.Equal(t, 3*(1<<16), e.bytes())
	e.evict()
	e.evict()
	for _, part := range e.parts {
		require.Len(t, part, 1<<16)
		for i, b := range part {
			want := byte(0)
			if i%cacheLine == 0 {
				want = 2
			}
			require.Equal(t, want, b, i)
		}
	}
}
