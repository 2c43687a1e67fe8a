// Package paint is what procedural sets are drawn with: random numbers by split
// and image alone, polygons, colours and noise, all in integers, so that the
// same bytes come out on any number of workers and any architecture.
package paint

import (
	"context"
	"math/bits"
	"math/rand/v2"
	"runtime"
	"sync/atomic"

	"golang.org/x/sync/errgroup"
)

// Classes is how many classes the sets have.
const Classes = 10

// Split is one of a set's two parts. They share no random stream.
type Split uint64

// The splits.
const (
	Train Split = iota
	Test
)

// Draw is a stream of random numbers that depends on nothing but its key.
type Draw struct {
	pcg  rand.PCG
	seed uint64 // the set's
}

// NewDraw returns the streams of a set.
func NewDraw(seed uint64) Draw { return Draw{seed: seed} }

// Streams of one split: image i has stream (split, pixels, i), and each block
// of ten labels has (split, labels, block).
const (
	streamPixels = iota
	streamLabels
)

func (d *Draw) seek(s Split, purpose, index uint64) {
	d.pcg.Seed(d.seed<<8|uint64(s)<<4|purpose, index)
}

// Image goes to the stream of an image.
func (d *Draw) Image(s Split, i int) { d.seek(s, streamPixels, uint64(i)) }

// Between returns a number in [lo, hi], by Lemire's multiplication without its
// rejection step: the bias is below (hi−lo)/2⁶⁴.
func (d *Draw) Between(lo, hi int64) int64 {
	n, _ := bits.Mul64(d.pcg.Uint64(), uint64(hi-lo+1))
	return lo + int64(n)
}

// Label returns the class of image i. Every ten images in a row are the ten
// classes in an order of their own, so that any prefix is nearly balanced.
func (d *Draw) Label(s Split, i int) int {
	d.seek(s, streamLabels, uint64(i/Classes))
	order := [Classes]int{0, 1, 2, 3, 4, 5, 6, 7, 8, 9}
	for k := Classes - 1; k > 0; k-- {
		j := d.Between(0, int64(k))
		order[k], order[j] = order[j], order[k]
	}
	return order[i%Classes]
}

// Noise adds to each value the sum of four uniform bytes (Irwin–Hall: mean 510,
// deviation 147.8), near enough to a Gaussian and the same integers everywhere.
func (d *Draw) Noise(dst []byte, sigma int64) {
	var word uint64
	for i, v := range dst {
		if i%2 == 0 {
			word = d.pcg.Uint64()
		}
		sum := int64(word&0xff + word>>8&0xff + word>>16&0xff + word>>24&0xff)
		word >>= 32
		dst[i] = byte(max(0, min(int64(v)+(sum-510)*sigma/148, 255)))
	}
}

// Fill calls an image function for each of 0 … n−1, with so many workers (0:
// one a CPU), each of which has its own from begin.
func Fill(ctx context.Context, n, workers int, begin func() (image func(i int))) error {
	if workers <= 0 {
		workers = runtime.GOMAXPROCS(0)
	}
	const chunk = 64
	var next atomic.Int64
	group, ctx := errgroup.WithContext(ctx)
	for range min(workers, n/chunk+1) {
		group.Go(func() error {
			image := begin()
			for ctx.Err() == nil {
				start := int(next.Add(chunk)) - chunk
				if start >= n {
					return nil
				}
				for i := start; i < min(start+chunk, n); i++ {
					image(i)
				}
			}
			return ctx.Err()
		})
	}
	return group.Wait()
}
