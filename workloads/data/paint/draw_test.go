package paint

import (
	"testing"

	"github.com/stretchr/testify/require"
)

func TestLabelsAreBalancedInEveryTen(t *testing.T) {
	d := NewDraw(1)
	orders := map[[Classes]int]bool{}
	for block := range 200 {
		var order [Classes]int
		seen := 0
		for k := range order {
			order[k] = d.Label(Train, block*Classes+k)
			seen |= 1 << order[k]
		}
		require.Equal(t, 1<<Classes-1, seen, "block %d", block)
		orders[order] = true
	}
	require.Greater(t, len(orders), 195, "200 of 10! orders must hardly repeat")
}

// Streams of neighbouring images must not resemble each other: PCG's state is
// seeded with the bare index.
func TestStreamsAreIndependent(t *testing.T) {
	const n, bins = 60_000, 51
	for position := range 4 {
		var counts [bins]float64
		var pairs [8][8]float64
		previous := int64(0)
		for i := range uint64(n) {
			d := NewDraw(1)
			d.Image(Train, int(i))
			for range position {
				d.pcg.Uint64()
			}
			word := d
			counts[d.Between(0, bins-1)]++
			octant := word.Between(0, 7)
			pairs[previous][octant]++
			previous = octant
		}
		require.Less(t, chiSquare(counts[:], float64(n)/bins), 98.0, "draw %d: p < 1e-4 at 50 degrees of freedom", position)
		var flat []float64
		for _, row := range pairs {
			flat = append(flat, row[:]...)
		}
		require.Less(t, chiSquare(flat, n/64), 114.0, "draw %d against the image before: p < 1e-4 at 63 degrees of freedom", position)
	}
}

func chiSquare(counts []float64, want float64) (x float64) {
	for _, c := range counts {
		x += (c - want) * (c - want) / want
	}
	return x
}
