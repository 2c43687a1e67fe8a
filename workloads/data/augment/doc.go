// Package augment changes images of bytes before they are fed: cropping,
// flipping, colours, erasing, RandAugment, and the resizing and centre crop of
// evaluation.
//
// Each transform is a pure function from an [Image] and explicit parameters to
// a new one, and computes what torchvision computes on a PIL image, bit for bit,
// which is Pillow's arithmetic on bytes. testdata/golden.py makes the cases that
// hold it to that.
//
// A [Pipeline] draws the parameters. What image i gets in an epoch depends on
// (seed, epoch, i) alone, so that neither the number of workers nor a run that
// is taken up again changes a byte:
//
//	p := augment.Pipeline{H: 224, W: 224, Steps: []augment.Step{{Kind: augment.KindResizedCrop}, {Kind: augment.KindFlip, P: 0.5}}}
//	err := p.Batch(ctx, dst, seed, epoch, batch.Indices(k), image, workers)
//
// Normalising is not here: programs are fed bytes and normalise themselves.
package augment
