package backends

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"github.com/clsbench/clsbench/graph"
	"github.com/clsbench/clsbench/tensor"
)

func double(t *testing.T) *graph.Graph {
	b := graph.NewBuilder("double")
	x := b.Feed("x", tensor.T(tensor.F32, 16))
	y := b.Op("Add", nil, x, x)
	b.Fetch(y)
	p, err := b.Program()
	require.NoError(t, err)
	g, err := p.Infer()
	require.NoError(t, err)
	return g
}

func TestBindRefuses(t *testing.T) {
	g := double(t)
	y := g.Fetches[0]
	var rs Regions
	require.NoError(t, rs.Map(&Region{ID: 1, Data: make([]byte, 512)}))
	good := []Binding{{"x", 1, 0, 64, 4}, {y, 1, 256, 64, 4}}
	for want, spoil := range map[string]func(b []Binding) []Binding{
		"missing":       func(b []Binding) []Binding { return b[:1] },
		"bound twice":   func(b []Binding) []Binding { return append(b, b[0]) },
		"neither":       func(b []Binding) []Binding { b[0].Value = "q"; return b },
		"not mapped":    func(b []Binding) []Binding { b[0].Region = 9; return b },
		"do not fit":    func(b []Binding) []Binding { b[1].Slots = 5; return b },
		"multiples":     func(b []Binding) []Binding { b[1].Offset = 4; return b },
		"stride 0":      func(b []Binding) []Binding { b[0].Stride = 0; return b },
		"0 slots":       func(b []Binding) []Binding { b[0].Slots = 0; return b },
		"overlaps":      func(b []Binding) []Binding { b[1].Offset = 192; return b },
		"offset -64":    func(b []Binding) []Binding { b[1].Offset = -64; return b },
		"do not fit re": func(b []Binding) []Binding { b[1].Stride = 1 << 62; return b },
	} {
		_, err := rs.Bind(g, spoil(append([]Binding(nil), good...)))
		require.Error(t, err, want)
		require.Equal(t, InvalidArgument, CodeOf(err))
		if want != "do not fit re" {
			require.ErrorContains(t, err, want)
		}
	}
	rings, err := rs.Bind(g, good)
	require.NoError(t, err)
	require.Equal(t, &rings["x"].Slots[1][0], &rings["x"].At(5)[0])
	require.Equal(t, FailedPrecondition, CodeOf(rs.Unmap(1)))
	rs.Release(good)
	require.NoError(t, rs.Unmap(1))
	require.Error(t, rs.Unmap(1))
	// Slots of two rings may interleave.
	require.NoError(t, rs.Map(&Region{ID: 1, Data: make([]byte, 512)}))
	_, err = rs.Bind(g, []Binding{{"x", 1, 0, 128, 4}, {y, 1, 64, 128, 4}})
	require.NoError(t, err)
}

func TestLoopMeasuresAndCancels(t *testing.T) {
	ctx, cancel := context.WithCancel(context.Background())
	var ran []int64
	s, err := Loop(ctx, RunRequest{First: 7, Steps: 5}, nil, func(n int64, sp *Split) error {
		ran = append(ran, n)
		if n == 9 {
			cancel()
		}
		return nil
	})
	require.Equal(t, Canceled, CodeOf(err))
	require.Equal(t, []int64{7, 8, 9}, ran)
	require.Len(t, s, 3)

	s, err = Loop(context.Background(), RunRequest{Steps: 3, Arrival: []int64{0, 1e6, 3e6}}, s, func(int64, *Split) error { return nil })
	require.NoError(t, err)
	require.GreaterOrEqual(t, s[2].Start-s[0].Start, int64(2.9e6))
	for i := range s {
		require.GreaterOrEqual(t, s[i].End, s[i].Start)
	}
	_, err = Loop(context.Background(), RunRequest{Steps: 2, Arrival: []int64{0}}, nil, nil)
	require.Equal(t, InvalidArgument, CodeOf(err))
}

func TestNowIsTheMonotonicClock(t *testing.T) {
	var ts unix.Timespec
	require.NoError(t, unix.ClockGettime(unix.CLOCK_MONOTONIC, &ts))
	require.InDelta(t, float64(ts.Nano()), float64(Now()), float64(time.Second))
}

func TestErrorsKeepTheirCode(t *testing.T) {
	e := &Error{Code: ResourceExhausted, Message: "arena", Node: "conv1", Op: "Conv", Wanted: 10, Free: 5}
	require.Equal(t, ResourceExhausted, CodeOf(fmt.Errorf("compile: %w", e)))
	require.Equal(t, "node conv1 (Conv): arena (wanted 10 bytes, free 5)", e.Error())
	require.Equal(t, Internal, CodeOf(errors.New("x")))
	require.Equal(t, Code(""), CodeOf(nil))
	require.Equal(t, Unimplemented, Malformed(&graph.NodeError{Node: "n", Op: "Foo", Err: &graph.UnknownOpError{Op: "Foo"}}).Code)
}

func TestNewRegionIsSharedMemory(t *testing.T) {
	r, err := NewRegion(1 << 16)
	require.NoError(t, err)
	require.Len(t, r.Data, 1<<16)
	again, err := unix.Mmap(int(r.File.Fd()), 0, 1<<16, unix.PROT_READ, unix.MAP_SHARED)
	require.NoError(t, err)
	r.Data[99] = 7
	require.Equal(t, byte(7), again[99])
	require.NoError(t, unix.Munmap(again))
	require.NoError(t, r.Close())
	_, err = NewRegion(0)
	require.Equal(t, InvalidArgument, CodeOf(err))
}

func TestBuffersGiveEveryValueItsRing(t *testing.T) {
	g := double(t)
	b, err := NewBuffers(g, func(v string) int { return len(v) }, nil)
	require.NoError(t, err)
	defer b.Region.Close()
	y := g.Fetches[0]
	require.Equal(t, 1, b.Slots("x"))
	require.Equal(t, len(y), b.Slots(y))
	require.Len(t, b.At(y, 0), 64)
	require.Equal(t, &b.At(y, 1)[0], &b.At(y, int64(len(y))+1)[0])
	b.At(y, 0)[63] = 1
	require.Zero(t, b.At(y, 1)[0])
	require.Zero(t, b.At("x", 0)[0])
}
