package reference

import (
	"sync"
	"sync/atomic"

	"github.com/clsbench/clsbench/tensor"
)

// Formula is a result given element by element: At computes the element at
// flat position i by itself. Results too large to compute whole are judged at
// sampled positions.
type Formula struct {
	Shape tensor.Shape
	At    func(acc *Acc, i int) float64
}

// Array computes all elements, on as many goroutines as acc may use. The
// order of each element's sum does not depend on their number.
func (f Formula) Array(acc *Acc) *Array {
	y := New(f.Shape...)
	acc.Parallel(len(y.Data), func(from, to int) {
		own := &Acc{order: acc.order}
		for i := from; i < to; i++ {
			y.Data[i] = f.At(own, i)
		}
	})
	return y
}

// Parallel covers [0, n) with calls of f, on as many goroutines as a may use.
func (a *Acc) Parallel(n int, f func(from, to int)) { parallel(a.threads, n, f) }

// parallel covers [0, n) with calls of f, on up to that many goroutines.
func parallel(threads, n int, f func(from, to int)) {
	const chunksEach = 8 // against uneven work, not against uneven machines
	threads = min(threads, n)
	if threads <= 1 {
		f(0, n)
		return
	}
	size := max(1, n/(threads*chunksEach))
	var next atomic.Int64
	var group sync.WaitGroup
	for range threads {
		group.Go(func() {
			for {
				to := int(next.Add(int64(size)))
				from := to - size
				if from >= n {
					return
				}
				f(from, min(to, n))
			}
		})
	}
	group.Wait()
}
