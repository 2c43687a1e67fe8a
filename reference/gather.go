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

// ScatterAdd is Gather's adjoint: to X it adds
//
//	Y[o, indices[j], r] += updates[o, j, r]
//
// for all o, j, r; see Gather. An index may stand there any number of times.
func ScatterAdd(acc *Acc, x, indices, updates *Array, axis int) (*Array, error) {
	n, inner := x.Shape[axis], x.Shape[axis+1:].Elements()
	m := len(indices.Data)
	to := make([][]int, n) // the indices' places by what they name
	for j := range m {
		i, err := index(indices, j, n)
		if err != nil {
			return nil, err
		}
		to[i] = append(to[i], j)
	}
	return Formula{x.Shape, func(acc *Acc, i int) float64 {
		o, at, r := i/inner/n, i/inner%n, i%inner
		s := acc.New().Plus(x.Data[i])
		for _, j := range to[at] {
			s = s.Plus(updates.Data[(o*m+j)*inner+r])
		}
		return s.Value()
	}}.Array(acc), nil
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
