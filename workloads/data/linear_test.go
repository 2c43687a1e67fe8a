package data

import (
	"context"
	"math"
	"testing"

	"github.com/stretchr/testify/require"
)

// softmaxRegression trains multinomial logistic regression by stochastic
// gradient descent and returns its accuracy on the test split.
func softmaxRegression(t *testing.T, set *Set, epochs int, rate float32) float64 {
	const size = 32
	pixels, classes := set.H*set.W*set.C, len(set.Classes)
	weights := make([]float32, classes*(pixels+1))
	row := func(c int) []float32 { return weights[c*(pixels+1):][:pixels+1] }
	x := make([]float32, pixels+1)
	p := make([]float32, classes)
	forward := func(image []byte) (best int) {
		for i, v := range image {
			x[i] = (float32(v)/255 - float32(set.Mean[i%set.C])) / float32(set.Std[i%set.C])
		}
		x[pixels] = 1
		sum := float32(0)
		for c := range p {
			p[c] = 0
			for i, w := range row(c) {
				p[c] += w * x[i]
			}
			if p[c] > p[best] {
				best = c
			}
		}
		top := p[best]
		for c := range p {
			p[c] = float32(math.Exp(float64(p[c] - top)))
			sum += p[c]
		}
		for c := range p {
			p[c] /= sum
		}
		return best
	}

	train, err := Training(set.Train, size, 1)
	require.NoError(t, err)
	images, labels := make([]byte, size*pixels), make([]int64, size)
	for epoch := range epochs {
		train.Shuffle(epoch)
		for i := range train.Len() {
			train.Fill(i, images, labels)
			for k, label := range labels {
				forward(images[k*pixels:][:pixels])
				p[label]--
				for c, g := range p {
					w, step := row(c), rate*g
					for j, v := range x {
						w[j] -= step * v
					}
				}
			}
		}
	}
	test, err := Evaluation(set.Test, size)
	require.NoError(t, err)
	right := 0
	for i := range test.Len() {
		valid, err := test.Fill(i, images, labels)
		require.NoError(t, err)
		for k := range valid {
			if forward(images[k*pixels:][:pixels]) == int(labels[k]) {
				right++
			}
		}
	}
	return float64(right) / float64(set.Test.Len())
}

// A set must be learnable, and must ask for more than a linear map: a network
// that reaches no more than this has learnt nothing of shape.
func TestLinearClassifierIsNotEnough(t *testing.T) {
	for name, want := range map[string][2]float64{
		"digits/v1":       {0.50, 0.90},
		"digits-color/v1": {0.20, 0.60},
		"shapes/v1@32":    {0.11, 0.70},
	} {
		t.Run(name, func(t *testing.T) {
			set, err := Open(context.Background(), name, Options{TrainLimit: 8000, TestLimit: 2000})
			require.NoError(t, err)
			accuracy := softmaxRegression(t, set, 3, 0.0005)
			t.Logf("logistic regression on 8,000 images: %.1f %%", 100*accuracy)
			require.Greater(t, accuracy, want[0])
			require.Less(t, accuracy, want[1])
		})
	}
}
