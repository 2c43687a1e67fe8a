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
		return castBlocks(in[0], out, readFloats, writeFloats)
	}
	return castBlocks(in[0], out, readIntegers, writeIntegers)
}

func castKernel[D, S tensor.Element](set kernel.ISA, convert func(set kernel.ISA, dst []D, src []S), in, out *value) ranger {
	return func(lo, hi int) { convert(set, view[D](out)[lo:hi], view[S](in)[lo:hi]) }
}

// castBlocks converts through a buffer of numbers N.
func castBlocks[N float64 | int64](in, out *value, read, write func(*value, int, []N)) ranger {
	return func(lo, hi int) {
		var buf [256]N
		for ; lo < hi; lo += len(buf) {
			part := buf[:min(len(buf), hi-lo)]
			read(in, lo, part)
			write(out, lo, part)
		}
	}
}

func convert[D, S number](dst []D, src []S) {
	for i, v := range src[:len(dst)] {
		dst[i] = D(v)
	}
}

func readFloats(v *value, lo int, buf []float64) {
	switch v.typ.DType {
	case tensor.F32:
		convert(buf, v.f32()[lo:])
	case tensor.F64:
		copy(buf, view[float64](v)[lo:])
	case tensor.F16:
		for i := range buf {
			buf[i] = float64(tensor.F16ToF32(view[uint16](v)[lo+i]))
		}
	case tensor.BF16:
		for i := range buf {
			buf[i] = float64(tensor.BF16ToF32(view[uint16](v)[lo+i]))
		}
	}
}

// writeFloats rounds once; to integers it truncates towards zero and
// saturates, NaN becoming 0; to Bool it writes whether a number is not 0.
func writeFloats(v *value, lo int, buf []float64) {
	switch d := v.typ.DType; d {
	case tensor.F32:
		convert(v.f32()[lo:lo+len(buf)], buf)
	case tensor.F64:
		copy(view[float64](v)[lo:], buf)
	case tensor.F16:
		for i, x := range buf {
			view[uint16](v)[lo+i] = tensor.F64ToF16(x)
		}
	case tensor.BF16:
		for i, x := range buf {
			view[uint16](v)[lo+i] = tensor.F64ToBF16(x)
		}
	case tensor.Bool:
		for i, x := range buf {
			v.bytes()[lo+i] = truth(x != 0)
		}
	default:
		var whole [256]int64
		for i, x := range buf {
			whole[i] = saturate(x, d)
		}
		writeIntegers(v, lo, whole[:len(buf)])
	}
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

func readIntegers(v *value, lo int, buf []int64) {
	switch v.typ.DType {
	case tensor.S8:
		convert(buf, view[int8](v)[lo:])
	case tensor.U8, tensor.Bool:
		convert(buf, v.bytes()[lo:])
	case tensor.S32:
		convert(buf, view[int32](v)[lo:])
	case tensor.U32:
		convert(buf, view[uint32](v)[lo:])
	case tensor.S64:
		copy(buf, view[int64](v)[lo:])
	}
}

// writeIntegers drops upper bits where the type is shorter.
func writeIntegers(v *value, lo int, buf []int64) {
	switch v.typ.DType {
	case tensor.F32:
		convert(v.f32()[lo:lo+len(buf)], buf)
	case tensor.F64:
		convert(view[float64](v)[lo:lo+len(buf)], buf)
	case tensor.F16:
		for i, x := range buf {
			view[uint16](v)[lo+i] = tensor.F64ToF16(float64(x))
		}
	case tensor.BF16:
		for i, x := range buf {
			view[uint16](v)[lo+i] = tensor.F64ToBF16(float64(x))
		}
	case tensor.S8:
		convert(view[int8](v)[lo:lo+len(buf)], buf)
	case tensor.U8:
		convert(v.bytes()[lo:lo+len(buf)], buf)
	case tensor.S32:
		convert(view[int32](v)[lo:lo+len(buf)], buf)
	case tensor.U32:
		convert(view[uint32](v)[lo:lo+len(buf)], buf)
	case tensor.S64:
		copy(view[int64](v)[lo:], buf)
	case tensor.Bool:
		for i, x := range buf {
			v.bytes()[lo+i] = truth(x != 0)
		}
	}
}

func truth(b bool) byte {
	if b {
		return 1
	}
	return 0
}
