package data

import (
	"math"
	"sync"
)

// statistics returns each channel's mean and population deviation of v/255
// over NHWC bytes. Sums are integers, so that they are exact and do not
// depend on the number of workers.
func statistics(images []byte, channels, workers int) (mean, std []float64) {
	pixels := len(images) / channels
	type sums struct{ v, v2 []uint64 }
	parts := make([]sums, workers)
	var group sync.WaitGroup
	for w := range parts {
		from, to := pixels*w/workers*channels, pixels*(w+1)/workers*channels
		group.Go(func() {
			s := sums{make([]uint64, channels), make([]uint64, channels)}
			for c := range channels {
				var sum, squares uint64
				for i := from + c; i < to; i += channels {
					v := uint64(images[i])
					sum += v
					squares += v * v
				}
				s.v[c], s.v2[c] = sum, squares
			}
			parts[w] = s
		})
	}
	group.Wait()
	mean, std = make([]float64, channels), make([]float64, channels)
	for c := range channels {
		var sum, squares uint64
		for _, p := range parts {
			sum += p.v[c]
			squares += p.v2[c]
		}
		n := float64(pixels)
		m := float64(sum) / n
		variance := float64(squares)/n - float64(m*m)
		mean[c], std[c] = m/255, math.Sqrt(max(variance, 0))/255
		if std[c] == 0 {
			std[c] = 1
		}
	}
	return mean, std
}
