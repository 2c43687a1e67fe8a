package data

import (
	"fmt"
	"math/bits"
	"math/rand/v2"
)

// Batches walks a split in batches of one size, epoch after epoch, into
// buffers of the caller:
//
//	train := data.Training(set.Train, 64, seed)
//	for epoch := range epochs {
//		train.Shuffle(epoch)
//		for i := range train.Len() {
//			_, err := train.Fill(i, images, labels)
//		}
//	}
//
// Any batch can be had in any order, so that a run can be taken up where it
// stopped. Fill may be called from several goroutines at once, Shuffle not
// beside it. Neither allocates where the images are in memory.
type Batches struct {
	split    Split
	size     int
	n        int // batches an epoch
	shuffled bool
	seed     uint64
	order    []int32
}

// Training returns batches for training: shuffled anew for each epoch, the
// last, partial batch dropped. A batch larger than the split is an *Error.
// The order is epoch 0's until Shuffle is called.
func Training(split Split, size int, seed uint64) (*Batches, error) {
	b, err := newBatches(split, size)
	if err != nil {
		return nil, err
	}
	if size > split.Len() {
		return nil, &Error{Kind: BadOption, Field: "batch", What: fmt.Sprintf("is %d, the split has %d images", size, split.Len()),
			Mend: "give a smaller batch or more images"}
	}
	b.n, b.shuffled, b.seed = split.Len()/size, true, seed
	b.Shuffle(0)
	return b, nil
}

// Evaluation returns batches for evaluation: in the split's own order, the
// last one padded.
func Evaluation(split Split, size int) (*Batches, error) {
	b, err := newBatches(split, size)
	if err != nil {
		return nil, err
	}
	b.n = (split.Len() + size - 1) / size
	return b, nil
}

func newBatches(split Split, size int) (*Batches, error) {
	if size < 1 {
		return nil, &Error{Kind: BadOption, Field: "batch", What: fmt.Sprintf("is %d", size), Mend: "give 1 or more"}
	}
	if split.Len() == 0 {
		return nil, &Error{Kind: BadOption, Field: "split", What: "has no images", Mend: "give a split with images"}
	}
	b := &Batches{split: split, size: size, order: make([]int32, split.Len())}
	for i := range b.order {
		b.order[i] = int32(i)
	}
	return b, nil
}

// Len returns the number of batches in an epoch.
func (b *Batches) Len() int { return b.n }

// Shuffle puts the split into the order of an epoch, which depends on the seed
// and the epoch alone: Fisher and Yates's shuffle (Knuth, TAOCP 2, 3.4.2 P) on
// the PCG stream of (seed, epoch). On evaluation batches it does nothing.
func (b *Batches) Shuffle(epoch int) {
	if !b.shuffled {
		return
	}
	for i := range b.order {
		b.order[i] = int32(i)
	}
	var stream rand.PCG
	stream.Seed(b.seed, uint64(epoch))
	for i := uint64(len(b.order)) - 1; i > 0; i-- {
		j, _ := bits.Mul64(stream.Uint64(), i+1) // in 0 … i, its bias below 2⁻³²
		b.order[i], b.order[j] = b.order[j], b.order[i]
	}
}

// Fill copies batch i of the epoch into images, NHWC bytes [size, H, W, C], and
// labels [size], and returns how many of its images are valid: all, but in the
// last batch of an evaluation, where the rest are black images of class 0. It
// panics on buffers of another size, as copying out of range does. Only images
// that must be decoded can fail.
func (b *Batches) Fill(i int, images []byte, labels []int64) (valid int, err error) {
	pixels := b.split.Size()
	if i < 0 || i >= b.n || len(images) != b.size*pixels || len(labels) != b.size {
		panic(fmt.Sprintf("data: batch %d of %d into %d bytes and %d labels: want %d and %d", i, b.n, len(images), len(labels), b.size*pixels, b.size))
	}
	indices := b.Indices(i)
	valid = len(indices)
	if err := b.split.Read(images[:valid*pixels], indices); err != nil {
		return 0, err
	}
	for k, index := range indices {
		labels[k] = b.split.Labels[index]
	}
	clear(images[valid*pixels:])
	clear(labels[valid:])
	return valid, nil
}

// Indices returns where in the split batch i's images lie, valid ones only,
// sharing memory that the next Shuffle overwrites.
func (b *Batches) Indices(i int) []int32 {
	start := i * b.size
	return b.order[start:min(start+b.size, len(b.order))]
}
