package reference

import "fmt"

// Gather reads X at indices along an axis:
//
//	Y[o, j, r] = X[o, indices[j], r]
//
// o over the axes before it, r over those behind it, j over all axes of the
// indices, which stand in Y in its place. An index below 0 counts from the end
// of the axis; one outside of it is an error.
func Gather(x, indices *Array, axis int) (*Array, error) {
	n, inner := x.Shape[axis], x.Shape[axis+1:].Elements()
	shape := append(append(x.Shape[:axis:axis].Clone(), indices.Shape...), x.Shape[axis+1:]...)
	y := New(shape...)
	m := len(indices.Data)
	for o := range x.Shape[:axis].Elements() {
		for j := range m {
			from, err := index(indices, j, n)
			if err != nil {
				return nil, err
			}
			copy(y.Data[(o*m+j)*inner:][:inner], x.Data[(o*n+from)*inner:])
		}
	}
	return y, nil
}

// GatherElements reads one element for each index along an axis:
//
//	Y[o, j, r] = X[o, indices[o, j, r], r]
//
// Y has the shape of the indices, which may be shorter than X in the other
// axes. Indices are as in Gather.
func GatherElements(x, indices *Array, axis int) (*Array, error) {
	y := New(indices.Shape...)
	places, err := elementPlaces(x, indices, axis)
	for j, at := range places {
		y.Data[j] = x.Data[at]
	}
	return y, err
}

// GatherND reads at tuples of indices:
//
//	Y[b, j, r] = X[b, indices[b, j, :], r]
//
// b over the first batch axes of both.
func GatherND(x, indices *Array, batch int, shape []int) (*Array, error) {
	places, size, err := tuplePlaces(x, indices, batch)
	if err != nil {
		return nil, err
	}
	y := New(shape...)
	for j, at := range places {
		copy(y.Data[j*size:][:size], x.Data[at:])
	}
	return y, nil
}

// tuplePlaces is where in X what each tuple names begins, and its size.
func tuplePlaces(x, indices *Array, batch int) (places []int, size int, err error) {
	n := indices.Shape[len(indices.Shape)-1]
	strides := x.Shape.Strides()
	size = x.Shape[batch+n:].Elements()
	each := indices.Shape[batch : len(indices.Shape)-1].Elements() // tuples a batch
	whole := x.Shape[batch:].Elements()
	for j := range len(indices.Data) / n {
		at := 0
		for k := range n {
			i, err := index(indices, j*n+k, x.Shape[batch+k])
			if err != nil {
				return nil, 0, err
			}
			at += i * strides[batch+k]
		}
		places = append(places, j/each*whole+at)
	}
	return places, size, nil
}

// elementPlaces is where in X the element of each index lies: at the index's
// own coordinates, but along the axis at its value.
func elementPlaces(x, indices *Array, axis int) ([]int, error) {
	strides := x.Shape.Strides()
	along := strides[axis]
	strides[axis] = 0
	places := offsets(indices.Shape, strides)
	for j := range places {
		i, err := index(indices, j, x.Shape[axis])
		if err != nil {
			return nil, err
		}
		places[j] += i * along
	}
	return places, nil
}

// index is element j of the indices into an axis of n elements.
func index(indices *Array, j, n int) (int, error) {
	i := int(indices.Data[j])
	if i < -n || i >= n {
		return 0, fmt.Errorf("input indices: element %d is %d, want %d to %d", j, i, -n, n-1)
	}
	if i < 0 {
		i += n
	}
	return i, nil
}
