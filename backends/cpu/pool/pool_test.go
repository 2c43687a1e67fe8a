package pool

import (
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"
)

func TestEveryShareOnce(t *testing.T) {
	defer goleak.VerifyNone(t)
	for threads := range 5 {
		p := New(threads)
		require.Equal(t, max(1, threads), p.Threads())
		p.Enter()
		var shares [8]atomic.Int32
		count := func(worker, workers int) {
			if workers == p.Threads() {
				shares[worker].Add(1)
			}
		}
		for n := range 300 {
			if n%100 == 50 {
				time.Sleep(spinFor + spinFor/2) // long enough for some to park
			}
			p.Run(count)
		}
		p.Leave()
		for w := range shares {
			want := int32(0)
			if w < p.Threads() {
				want = 300
			}
			require.Equal(t, want, shares[w].Load(), "worker %d of %d", w, threads)
		}
		p.Close()
		p.Close()
	}
}

// What shares wrote is there after Run, and what was written before is seen.
func TestRunOrdersMemory(t *testing.T) {
	p := New(3)
	defer p.Close()
	var in, out [3]int
	task := func(worker, workers int) { out[worker] = in[(worker+1)%workers] + 1 }
	for n := range 1000 {
		for i := range in {
			in[i] = n + i
		}
		p.Run(task)
		require.Equal(t, [3]int{n + 2, n + 3, n + 1}, out)
	}
}

// Where a member does not come, the caller does its share.
func TestCallerDoesWhatIsLeft(t *testing.T) {
	p := New(2)
	defer p.Close()
	var shares atomic.Int32
	task := func(int, int) { shares.Add(1) }
	m := p.members[0]
	require.Eventually(t, m.parked.Load, 10*time.Second, time.Millisecond)
	m.parked.Store(false) // so that nobody wakes it
	p.Run(task)
	require.EqualValues(t, 2, shares.Load())
	m.wake <- struct{}{}
	for range 100 {
		p.Run(task)
	}
	require.EqualValues(t, 202, shares.Load())
}

func TestIdleThreadsPark(t *testing.T) {
	p := New(3)
	defer p.Close()
	p.Run(func(int, int) {})
	require.Eventually(t, func() bool { return p.members[0].parked.Load() && p.members[1].parked.Load() }, 10*time.Second, time.Millisecond)
}

func TestPanicsComeBack(t *testing.T) {
	p := New(2)
	defer p.Close()
	for bad := range 2 {
		require.PanicsWithValue(t, "x", func() {
			defer func() {
				v, _ := recover().(string)
				require.Contains(t, v, "TestPanicsComeBack") // the stack of the share
				panic(v[:1])
			}()
			p.Run(func(worker, _ int) {
				if worker == bad {
					panic("x")
				}
			})
		})
		p.Run(func(int, int) {})
	}
}

func TestRunDoesNotAllocate(t *testing.T) {
	p := New(2)
	defer p.Close()
	task := func(int, int) {}
	require.Zero(t, testing.AllocsPerRun(100, func() { p.Run(task) }))
}

func BenchmarkRun(b *testing.B) {
	p := New(2)
	defer p.Close()
	p.Enter()
	defer p.Leave()
	task := func(int, int) {}
	for b.Loop() {
		p.Run(task)
	}
}
