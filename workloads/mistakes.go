package workloads

import (
	"cmp"
	"slices"
)

// MistakesKept is how many of the worst mistakes an evaluation remembers.
const MistakesKept = 40

// Mistake is an image that was taken for another class.
type Mistake struct {
	Image      int     // in the split
	Label      int     // its class
	Predicted  int     // the class it was taken for
	Confidence float64 // the softmax probability of that class
	Loss       float64 // cross-entropy: −ln of the label's probability
}

// mistaken keeps m if it is among the worst: those of the largest loss, first
// come first kept.
func (r *Evaluation) mistaken(m Mistake) {
	at, _ := slices.BinarySearchFunc(r.Mistakes, m, func(kept, m Mistake) int {
		if c := cmp.Compare(m.Loss, kept.Loss); c != 0 {
			return c
		}
		return cmp.Compare(kept.Image, m.Image)
	})
	if at < MistakesKept {
		r.Mistakes = slices.Insert(r.Mistakes, at, m)
		r.Mistakes = r.Mistakes[:min(len(r.Mistakes), MistakesKept)]
	}
}
