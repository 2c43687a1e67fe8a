package cpu

import (
	"cmp"
	"slices"
)

// alignment of everything in the arena: a cache line, so that threads that
// write neighbours do not disturb each other.
const alignment = 64

func aligned(n int) int { return (n + alignment - 1) &^ (alignment - 1) }

// placeArena gives every piece an offset such that no two that are needed at
// the same time overlap, and returns the arena's size. The largest first, each
// into the smallest gap that it fits (Pisarchyk and Lee, Efficient Memory
// Management for Deep Neural Net Inference, 2020, "greedy by size").
func placeArena(pieces []*memory) int {
	order := slices.Clone(pieces)
	slices.SortStableFunc(order, func(a, b *memory) int { return cmp.Compare(b.size, a.size) })
	size := 0
	var placed []*memory // by offset
	for _, m := range order {
		m.offset = gap(placed, m)
		at, _ := slices.BinarySearchFunc(placed, m.offset, func(o *memory, offset int) int { return cmp.Compare(o.offset, offset) })
		placed = slices.Insert(placed, at, m)
		size = max(size, m.offset+aligned(m.size))
	}
	return size
}

// gap is the offset of the smallest room between those pieces that are needed
// when m is, or behind them all.
func gap(placed []*memory, m *memory) int {
	best, bestRoom := -1, 0
	end := 0 // of what is needed so far
	for _, o := range placed {
		if o.last < m.first || o.first > m.last {
			continue
		}
		if room := o.offset - end; room >= aligned(m.size) && (best < 0 || room < bestRoom) {
			best, bestRoom = end, room
		}
		end = max(end, o.offset+aligned(o.size))
	}
	if best >= 0 {
		return best
	}
	return end
}

// placeApart gives every piece memory of its own.
func placeApart(pieces []*memory) int {
	size := 0
	for _, m := range pieces {
		m.offset = size
		size += aligned(m.size)
	}
	return size
}
