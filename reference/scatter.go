package reference

// ScatterElements writes one update for each index along an axis:
//
//	Y = X, then Y[o, indices[o, j, r], r] = updates[o, j, r] for all o, j, r
//
// or, with a reduction, the sum, product, maximum or minimum of all that meet
// there, X's own included. Without one no place may be named twice. See
// GatherElements.
func ScatterElements(acc *Acc, x, indices, updates *Array, axis int, reduction string) (*Array, error) {
	places, err := elementPlaces(x, indices, axis)
	if err != nil {
		return nil, err
	}
	return scatter(acc, x, places, 1, updates, reduction), nil
}

// ScatterND writes at tuples of indices:
//
//	Y = X, then Y[indices[j, :], r] = updates[j, r] for all j, r
//
// j over the indices' axes but the last, r over the axes of X behind those that
// a tuple names; with a reduction as in ScatterElements.
func ScatterND(acc *Acc, x, indices, updates *Array, reduction string) (*Array, error) {
	places, size, err := tuplePlaces(x, indices, 0)
	if err != nil {
		return nil, err
	}
	return scatter(acc, x, places, size, updates, reduction), nil
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

// scatter combines with the size elements of X from each place on those of
// updates.
func scatter(acc *Acc, x *Array, places []int, size int, updates *Array, reduction string) *Array {
	meeting := make([][]int, len(x.Data)) // updates by the element they meet
	for j, at := range places {
		for r := range size {
			meeting[at+r] = append(meeting[at+r], j*size+r)
		}
	}
	return Formula{x.Shape, func(acc *Acc, i int) float64 {
		s, v := acc.New().Plus(x.Data[i]), x.Data[i]
		for _, j := range meeting[i] {
			u := updates.Data[j]
			switch reduction {
			case "none":
				v = u
			case "add":
				s = s.Plus(u)
			case "mul":
				v *= u
			case "max":
				v = max(v, u) // the builtins keep NaN
			case "min":
				v = min(v, u)
			}
		}
		if total := s.Value(); reduction == "add" {
			return total
		}
		return v
	}}.Array(acc)
}
