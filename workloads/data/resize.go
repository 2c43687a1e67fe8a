package data

import (
	"context"
	"fmt"

	"golang.org/x/sync/errgroup"
)

// resize brings both splits to h × w.
func (s *Set) resize(ctx context.Context, h, w, workers int) error {
	if h == s.H && w == s.W {
		return nil
	}
	if s.Train.Source != nil {
		s.Train.Source, s.Test.Source = atSize{s.Train.Source, h, w}, atSize{s.Test.Source, h, w}
		s.H, s.W = h, w
		return nil
	}
	for _, p := range []*Split{&s.Train, &s.Test} {
		if size := uint64(p.Len()) * uint64(h) * uint64(w) * uint64(s.C); size > maxBytes {
			return &Error{Kind: Oversized, Field: "Height and Width",
				What: fmt.Sprintf("%d images of %d×%d would take %d bytes, more than %d", p.Len(), h, w, size, uint64(maxBytes)),
				Mend: "limit the number of images"}
		}
	}
	for _, p := range []*Split{&s.Train, &s.Test} {
		out, err := resizeAll(ctx, p.Images, p.Len(), s.C, newScaler(s.H, h), newScaler(s.W, w), workers)
		if err != nil {
			return err
		}
		p.Images = out
	}
	s.H, s.W = h, w
	return nil
}

// scaler holds, for each output position along one axis, the input positions
// it is made of and their weights: the triangle filter at half-pixel centres.
//
// Output i lies at (i+½)·in/out − ½ of the input. The triangle is one input
// pixel wide on each side when enlarging, which is bilinear interpolation
// (PyTorch's interpolate with align_corners=False), and one output pixel wide
// when shrinking, which averages what would alias (PyTorch's antialias=True,
// Pillow's BILINEAR, golang.org/x/image/draw's BiLinear). At the border the
// weights left are normalised. Times 2·out·max(1, in/out) all of them are
// integers, so the result is exact, rounded once, half up.
type scaler struct {
	in, out int
	taps    []taps
}

type taps struct {
	first   int
	weights []int64
	sum     int64
}

func newScaler(in, out int) scaler {
	s := scaler{in: in, out: out, taps: make([]taps, out)}
	for i := range out {
		t := &s.taps[i]
		for j := range in {
			weight := 2*int64(max(in, out)) - abs(int64(2*j+1)*int64(out)-int64(2*i+1)*int64(in))
			if weight <= 0 {
				continue
			}
			if t.weights == nil {
				t.first = j
			}
			t.weights = append(t.weights, weight)
			t.sum += weight
		}
	}
	return s
}

func abs(x int64) int64 { return max(x, -x) }

// resizeAll scales n images of [rows.in, columns.in, channels] to [rows.out,
// columns.out, channels].
func resizeAll(ctx context.Context, images []byte, n, channels int, rows, columns scaler, workers int) ([]byte, error) {
	from, to := rows.in*columns.in*channels, rows.out*columns.out*channels
	out := make([]byte, n*to)
	group, ctx := errgroup.WithContext(ctx)
	for k := range workers {
		group.Go(func() error {
			between := make([]int64, rows.in*columns.out*channels)
			for i := n * k / workers; i < n*(k+1)/workers; i++ {
				if err := ctx.Err(); err != nil {
					return err
				}
				resizeOne(out[i*to:][:to], images[i*from:][:from], between, channels, rows, columns)
			}
			return nil
		})
	}
	return out, group.Wait()
}

// resizeOne scales along the rows into between, unnormalised, then down the
// columns into dst.
func resizeOne(dst, src []byte, between []int64, channels int, rows, columns scaler) {
	for y := range rows.in {
		line := src[y*columns.in*channels:][:columns.in*channels]
		for x, t := range columns.taps {
			for c := range channels {
				var sum int64
				for j, weight := range t.weights {
					sum += weight * int64(line[(t.first+j)*channels+c])
				}
				between[(y*columns.out+x)*channels+c] = sum
			}
		}
	}
	width := columns.out * channels
	for y, t := range rows.taps {
		for x := range width {
			var sum int64
			for j, weight := range t.weights {
				sum += weight * between[(t.first+j)*width+x]
			}
			total := t.sum * columns.taps[x/channels].sum
			dst[y*width+x] = byte((2*sum + total) / (2 * total))
		}
	}
}
