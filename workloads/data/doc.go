// Package data holds the sets of labelled images that workloads train on and
// are judged by.
//
// [Open] is the one way in. It takes a registered name ([List] has them), a
// folder of MNIST-format IDX files, plain or gzipped, of the binary version of
// CIFAR-10 or CIFAR-100, or of an image tree (train/CLASS/ and val/CLASS/ with
// JPEG, PNG or WebP files):
//
//	set, err := data.Open(ctx, "digits/v1", data.Options{})
//	set, err := data.Open(ctx, "/data/mnist", data.Options{Height: 28, Width: 28})
//	set, err := data.Open(ctx, "/data/cifar-100-binary", data.Options{})
//
// The images of a [Set] are bytes in NHWC order, which is what a program is fed:
// cast, transpose and normalisation belong to the program, with the Mean and
// Std that the set carries. They are in memory, or, of an image tree, decoded as
// they are read: [Split.Read] and [Batches.Fill] take both kinds. [Batches] walks
// a split in seeded order.
//
// # digits/v1, digits-color/v1
//
// The default set and its sister in colour are drawn by package digits and need
// no network. Each is kept under $CLSBENCH_CACHE, or clsbench in the user's
// cache folder, as the four IDX files that [WriteIDX] makes, and taken from
// there only if their SHA-256 is the one that the code pins; anything else there
// is replaced.
//
// # shapes/v1
//
// Ten kinds of textured figures in colour, drawn by package shapes at any size
// from 16 to 224: shapes/v1 is 64 × 64, or of the height and width that are asked
// for, shapes/v1@SIZE of that size. At 32 and 64 it is kept as the digits are;
// above 96, images are drawn as they are read.
//
// # Errors
//
// What the user can mend (a wrong name, a broken file, a label out of range,
// an unwritable folder) comes as an [*Error], one line that names the file,
// the field and the mend. Sizes that a file claims are held against the file's
// own size before memory is taken for them.
package data
