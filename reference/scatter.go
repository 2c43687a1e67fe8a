package reference

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
