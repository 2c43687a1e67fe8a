// Package digits draws two sets of 70,000 images of the digits 0 to 9 that need
// no download: [Grey], digits/v1, in the shape of MNIST (LeCun, Bottou, Bengio,
// Haffner 1998), and [Color], digits-color/v1, in the shape of CIFAR.
//
// A grey image is a digit of a typeface under a random affine map (rotation,
// scale, shear, shift), its strokes thickened or thinned, in a random grey,
// under noise. The training split takes 51 faces of Go's, Liberation, Latin
// Modern and STIX, the test split 12 faces of DejaVu, a family that training
// never sees: a network is asked for the shape of a digit, not for a font.
// Wide enough ranges keep a linear classifier far below a convolutional one:
// logistic regression reaches 67 %, LeNet-5 99.0 % after two epochs and 99.5 %
// after five (PyTorch 1.13, batch 64, SGD 0.05, momentum 0.9, cosine).
//
// A colour image is a digit under smaller maps, lighter than the ground that it
// lies on: four by four random colours blended into each other, and on them
// triangles and small dark digits, whole and cut, of the split's own faces. A
// single channel does not tell the digit from the ground: a red patch is as red
// as a white digit.
//
// Image i of a split is a function of (split, i) alone, in integer arithmetic
// from the outline to the pixel: any prefix, on any number of workers and any
// architecture, has the same bytes.
package digits
