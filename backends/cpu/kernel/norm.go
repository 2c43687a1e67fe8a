package kernel

import "math"

// Float is what norms are computed of. Sums are float64; elements of a result
// are computed in float64 and rounded once where there is no vector loop, and
// in float32 where there is.
type Float interface{ float32 | float64 }

// normLoops are those of one instruction set.
type normLoops struct {
	moments             func(x *float32, n int, about float32) (sum, squares float64)
	products            func(dy, x *float32, n int, about float32) (sum, product float64)
	scaledProducts      func(dy, x, scale *float32, n int, about float32) (sum, product float64)
	addProducts         func(products, sums *float64, dy, x *float32, n int, about, factor float64)
	lanes               int // addProducts takes multiples of it
	squaredDistance     func(x, y *float32, n int) float64
	standardize         func(y, x *float32, n int, mean, scale, shift float32)
	standardizeRow      func(y, x, scale *float32, n int, mean, inv, rest float32)
	standardizeShiftRow func(y, x, scale, shift *float32, n int, mean, inv, rest float32)
	response            func(y, x, squares *float32, n int, alpha, bias float32)
	grad                func(dx, dy, x *float32, n int, mean, gain, slope, shift float32)
	gradRow             func(dx, dy, x, scale *float32, n int, mean, gain, slope, shift float32)
}

// vectorLoops are the loops for x; nil where it is not float32 or there are
// none.
func vectorLoops[T Float](i ISA, x []T) (*normLoops, []float32) {
	narrow, ok := any(x).([]float32)
	if !ok {
		return nil, nil
	}
	return normFor(i), narrow
}

// narrow is x, which is of float32, as such.
func narrow[T Float](x []T) []float32 { return any(x).([]float32) }

// split is v as a float32 and what is left of it. x - v is nearly exact in
// float32 as (x - head) - rest, as x - float32(v) is not.
func split(v float64) (head float32, rest float64) {
	head = float32(v)
	return head, v - float64(head)
}

// Moments are Σ(x[i]-about) and Σ(x[i]-about)².
func Moments[T Float](i ISA, x []T, about float64) (sum, squares float64) {
	if loops, x := vectorLoops(i, x); loops != nil {
		head, rest := split(about)
		count := float64(len(x))
		for len(x) > 0 {
			n := min(len(x), chunk)
			s, q := loops.moments(&x[0], n, head)
			sum, squares, x = sum+s, squares+q, x[n:]
		}
		if rest != 0 {
			squares += rest * (count*rest - 2*sum)
			sum -= count * rest
		}
		return sum, squares
	}
	for _, v := range x {
		d := float64(v) - about
		sum += d
		squares += d * d
	}
	return sum, squares
}

// Products are Σg[i] and Σg[i]·(x[i]-about), g = dy·scale, or dy where scale is
// nil.
func Products[T Float](i ISA, dy, x, scale []T, about float64) (sum, product float64) {
	dy = dy[:len(x)]
	if scale != nil {
		scale = scale[:len(x)]
	}
	if loops, x := vectorLoops(i, x); loops != nil {
		head, rest := split(about)
		dy, scale := narrow(dy), narrow(scale)
		for o := 0; o < len(x); o += chunk {
			var s, p float64
			if n := min(len(x)-o, chunk); scale != nil {
				s, p = loops.scaledProducts(&dy[o], &x[o], &scale[o], n, head)
			} else {
				s, p = loops.products(&dy[o], &x[o], n, head)
			}
			sum, product = sum+s, product+p
		}
		if rest != 0 {
			product -= rest * sum
		}
		return sum, product
	}
	for j, v := range x {
		g := float64(dy[j])
		if scale != nil {
			g *= float64(scale[j])
		}
		sum += g
		product += g * (float64(v) - about)
	}
	return sum, product
}

// AddProducts adds dy[i]·factor·(x[i]-about) to each of products and dy[i] to
// each of sums.
func AddProducts[T Float](i ISA, products, sums []float64, dy, x []T, about, factor float64) {
	n := len(x)
	products, sums, dy = products[:n], sums[:n], dy[:n]
	whole := 0
	if loops, x := vectorLoops(i, x); loops != nil {
		whole = n / loops.lanes * loops.lanes
		dy := narrow(dy)
		for o := 0; o < whole; o += chunk / 4 {
			loops.addProducts(&products[o], &sums[o], &dy[o], &x[o], min(whole-o, chunk/4), about, factor)
		}
	}
	for j := whole; j < n; j++ {
		g := float64(dy[j])
		products[j] += g * factor * (float64(x[j]) - about)
		sums[j] += g
	}
}

// SquaredDistance is Σ(x[i]-y[i])².
func SquaredDistance[T Float](i ISA, x, y []T) (sum float64) {
	y = y[:len(x)]
	if loops, x := vectorLoops(i, x); loops != nil {
		y := narrow(y)
		for o := 0; o < len(x); o += chunk {
			sum += loops.squaredDistance(&x[o], &y[o], min(len(x)-o, chunk))
		}
		return sum
	}
	for j, v := range x {
		d := float64(v) - float64(y[j])
		sum += d * d
	}
	return sum
}

// Standardize is y[i] = (x[i]-mean)·scale + shift; y may be x.
func Standardize[T Float](i ISA, y, x []T, mean, scale, shift float64) {
	y = y[:len(x)]
	if loops, x := vectorLoops(i, x); loops != nil {
		head, rest := split(mean)
		if rest != 0 {
			shift -= rest * scale
		}
		y := narrow(y)
		for o := 0; o < len(x); o += chunk {
			loops.standardize(&y[o], &x[o], min(len(x)-o, chunk), head, float32(scale), float32(shift))
		}
		return
	}
	for j, v := range x {
		y[j] = T((float64(v)-mean)*scale + shift)
	}
}

// StandardizeRow is y[i] = (x[i]-mean)·inv·scale[i] + shift[i], without shift
// where it is nil; y may be x.
func StandardizeRow[T Float](i ISA, y, x, scale, shift []T, mean, inv float64) {
	n := len(x)
	y, scale = y[:n], scale[:n]
	if shift != nil {
		shift = shift[:n]
	}
	if loops, x := vectorLoops(i, x); loops != nil {
		head, left := split(mean)
		var rest float32
		if left != 0 {
			rest = float32(-left * inv)
		}
		y, scale, shift := narrow(y), narrow(scale), narrow(shift)
		for o := 0; o < n; o += chunk / 2 {
			if m := min(n-o, chunk/2); shift != nil {
				loops.standardizeShiftRow(&y[o], &x[o], &scale[o], &shift[o], m, head, float32(inv), rest)
			} else {
				loops.standardizeRow(&y[o], &x[o], &scale[o], m, head, float32(inv), rest)
			}
		}
		return
	}
	for j, v := range x {
		w := (float64(v) - mean) * inv * float64(scale[j])
		if shift != nil {
			w += float64(shift[j])
		}
		y[j] = T(w)
	}
}

// NormGrad is dx[i] = gain·g[i] + slope·(x[i]-mean) + shift, g = dy·scale, or
// dy where scale is nil; dx may be dy or x.
func NormGrad[T Float](i ISA, dx, dy, x, scale []T, mean, gain, slope, shift float64) {
	n := len(x)
	dx, dy = dx[:n], dy[:n]
	if scale != nil {
		scale = scale[:n]
	}
	if loops, x := vectorLoops(i, x); loops != nil {
		head, rest := split(mean)
		if rest != 0 {
			shift -= slope * rest
		}
		dx, dy, scale := narrow(dx), narrow(dy), narrow(scale)
		for o := 0; o < n; o += chunk / 2 {
			if m := min(n-o, chunk/2); scale != nil {
				loops.gradRow(&dx[o], &dy[o], &x[o], &scale[o], m, head, float32(gain), float32(slope), float32(shift))
			} else {
				loops.grad(&dx[o], &dy[o], &x[o], m, head, float32(gain), float32(slope), float32(shift))
			}
		}
		return
	}
	for j, v := range x {
		g := float64(dy[j])
		if scale != nil {
			g *= float64(scale[j])
		}
		dx[j] = T(gain*g + slope*(float64(v)-mean) + shift)
	}
}

// Response is y[i] = x[i]·(bias + alpha·squares[i])^-¾, AlexNet's local
// response; y may be x.
func Response(i ISA, y, x, squares []float32, alpha, bias float32) {
	x, squares = x[:len(y)], squares[:len(y)]
	loops := normFor(i)
	if loops == nil {
		for j, q := range squares {
			root := math.Sqrt(float64(bias) + float64(alpha)*float64(q))
			y[j] = float32(float64(x[j]) / (root * math.Sqrt(root)))
		}
		return
	}
	for o := 0; o < len(y); o += chunk / 4 {
		loops.response(&y[o], &x[o], &squares[o], min(len(y)-o, chunk/4), alpha, bias)
	}
}
