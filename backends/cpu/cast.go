package cpu

import (
	"math"

	"github.com/clsbench/clsbench/backends/cpu/kernel"
	"github.com/clsbench/clsbench/graph"
	"github.com/clsbench/clsbench/tensor"
)

// buildCast converts by a kernel where there is one, for images, truth values
// and 16-bit floats; else by way of float64 or int64, both of which hold what
// they are given exactly.
func buildCast(b *builder, c *graph.Call, in []*value, out *value) ranger {
	from, to := c.In[0].DType, c.Out[0].DType
	if from == to {
		size := from.Size()
		return func(lo, hi int) { copy(out.bytes()[lo*size:hi*size], in[0].bytes()[lo*size:]) }
	}
	switch [2]tensor.DType{from, to} {
	case [2]tensor.DType{tensor.U8, tensor.F32}, [2]tensor.DType{tensor.Bool, tensor.F32}:
		return castKernel(b.isa, kernel.FromU8, in[0], out)
	case [2]tensor.DType{tensor.F16, tensor.F32}:
		return castKernel(b.isa, kernel.FromF16, in[0], out)
	case [2]tensor.DType{tensor.BF16, tensor.F32}:
		return castKernel(b.isa, kernel.FromBF16, in[0], out)
	case [2]tensor.DType{tensor.F32, tensor.F16}:
		return castKernel(b.isa, kernel.ToF16, in[0], out)
	case [2]tensor.DType{tensor.F32, tensor.BF16}:
		return castKernel(b.isa, kernel.ToBF16, in[0], out)
	}
	if from.IsFloat() {
		return castBlocks(in[0], out, writeFloats)
	}
	return castBlocks(in[0], out, writeNumbers[int64])
}

func castKernel[D, S tensor.Element](set kernel.ISA, convert func(set kernel.ISA, dst []D, src []S), in, out *value) ranger {
	return func(lo, hi int) { convert(set, view[D](out)[lo:hi], view[S](in)[lo:hi]) }
}

// blockNumbers is how many numbers are converted at a time.
const blockNumbers = 256

// between is the types by way of which elements of any type are converted.
type between interface{ float64 | int64 }

func castBlocks[N between](in, out *value, write func(*value, int, []N)) ranger {
	return func(lo, hi int) {
		var buf [blockNumbers]N
		for ; lo < hi; lo += len(buf) {
			part := buf[:min(len(buf), hi-lo)]
			readNumbers(in, lo, part)
			write(out, lo, part)
		}
	}
}

func convert[D, S number](dst []D, src []S) {
	for i, v := range src[:len(dst)] {
		dst[i] = D(v)
	}
}

// readNumbers fills buf with the elements from lo on.
func readNumbers[N between](v *value, lo int, buf []N) {
	switch v.typ.DType {
	case tensor.F32:
		convert(buf, v.f32()[lo:])
	case tensor.F64:
		convert(buf, view[float64](v)[lo:])
	case tensor.F16:
		for i := range buf {
			buf[i] = N(tensor.F16ToF32(view[uint16](v)[lo+i]))
		}
	case tensor.BF16:
		for i := range buf {
			buf[i] = N(tensor.BF16ToF32(view[uint16](v)[lo+i]))
		}
	case tensor.S8:
		convert(buf, view[int8](v)[lo:])
	case tensor.U8, tensor.Bool:
		convert(buf, v.bytes()[lo:])
	case tensor.S32:
		convert(buf, view[int32](v)[lo:])
	case tensor.U32:
		convert(buf, view[uint32](v)[lo:])
	case tensor.S64:
		convert(buf, view[int64](v)[lo:])
	}
}

// writeNumbers writes buf from element lo on: to floats it rounds once, of
// integers that are too long it drops the upper bits, to Bool it writes whether
// a number is not 0. Floats become integers by writeFloats.
func writeNumbers[N between](v *value, lo int, buf []N) {
	hi := lo + len(buf)
	switch v.typ.DType {
	case tensor.F32:
		convert(v.f32()[lo:hi], buf)
	case tensor.F64:
		convert(view[float64](v)[lo:hi], buf)
	case tensor.F16:
		for i, x := range buf {
			view[uint16](v)[lo+i] = tensor.F64ToF16(float64(x))
		}
	case tensor.BF16:
		for i, x := range buf {
			view[uint16](v)[lo+i] = tensor.F64ToBF16(float64(x))
		}
	case tensor.S8:
		convert(view[int8](v)[lo:hi], buf)
	case tensor.U8:
		convert(v.bytes()[lo:hi], buf)
	case tensor.S32:
		convert(view[int32](v)[lo:hi], buf)
	case tensor.U32:
		convert(view[uint32](v)[lo:hi], buf)
	case tensor.S64:
		convert(view[int64](v)[lo:hi], buf)
	case tensor.Bool:
		for i, x := range buf {
			v.bytes()[lo+i] = truth(x != 0)
		}
	}
}

// writeFloats is writeNumbers that truncates towards zero and saturates where
// it writes integers, NaN becoming 0.
func writeFloats(v *value, lo int, buf []float64) {
	d := v.typ.DType
	if d.IsFloat() || d == tensor.Bool {
		writeNumbers(v, lo, buf)
		return
	}
	var whole [blockNumbers]int64
	for i, x := range buf {
		whole[i] = saturate(x, d)
	}
	writeNumbers(v, lo, whole[:len(buf)])
}

func saturate(x float64, d tensor.DType) int64 {
	lo, hi := tensor.IntRange(d)
	switch x = math.Trunc(x); {
	case x != x:
		return 0
	case x <= lo:
		return int64(lo)
	case d == tensor.S64 && x >= 1<<63:
		return math.MaxInt64
	case x >= hi:
		return int64(hi)
	}
	return int64(x)
}

func truth(b bool) byte {
	if b {
		return 1
	}
	return 0
}
