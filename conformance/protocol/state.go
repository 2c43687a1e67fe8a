package protocol

import (
	"sync"

	"github.com/clsbench/clsbench/backends"
	"github.com/clsbench/clsbench/graph"
	"github.com/clsbench/clsbench/tensor"
)

// accumulate is w ← 2w + x over n elements, fetching w as it was.
func (t *trial) accumulate(n int) *graph.Program {
	return t.program(func(b *graph.Builder) {
		x, w := b.Feed("x", f32(n)), b.State("w", f32(n))
		b.Update(w, b.Op("Add", nil, b.Op("Mul", nil, w, b.Scalar(tensor.F32, 2)), x))
		b.Fetch(b.Op("Add", nil, w, b.Scalar(tensor.F32, 0)))
	})
}

// count is n ← n + 1.
func (t *trial) count() *graph.Program {
	return t.program(func(b *graph.Builder) {
		n := b.State("n", f32(1))
		next := b.Op("Add", nil, n, b.Scalar(tensor.F32, 1))
		b.Update(n, next)
		b.Fetch(next)
	})
}

func stateStartsAtZero(t *trial) {
	s := t.session()
	p := t.accumulate(3)
	e := t.bind(s, p, 1)
	t.same("a variable after Compile", t.read(s, "w", 3), 0, 0, 0)
	set(e.At("x", 0), 1, 2, 3)
	t.run(e, 0, 1)
	t.same("the fetch of the first step", e.At(p.Fetches[0], 0), 0, 0, 0)
	t.same("the variable after it", t.read(s, "w", 3), 1, 2, 3)
	again := t.bind(s, p, 1)
	t.same("the variable after a second Compile", t.read(s, "w", 3), 1, 2, 3)
	t.ok(again.Close(), "closing")
	t.ok(e.Close(), "closing")
	t.same("the variable after its executables", t.read(s, "w", 3), 1, 2, 3)
}

func stateShared(t *trial) {
	s := t.session()
	train := t.accumulate(2)
	eval := t.program(func(b *graph.Builder) {
		w := b.State("w", f32(2))
		b.Fetch(b.Op("Mul", nil, w, b.Const("c", vector(10, 100))))
	})
	writer, reader := t.bind(s, train, 1), t.bind(s, eval, 1)
	y := eval.Fetches[0]
	set(writer.At("x", 0), 1, 2)
	t.run(writer, 0, 1)
	t.run(reader, 0, 1)
	t.same("what evaluation sees of training", reader.At(y, 0), 10, 200)
	t.run(writer, 1, 1)
	t.run(reader, 1, 1)
	t.same("what it sees a step later", reader.At(y, 0), 30, 600)
	t.write(s, "w", vector(-1, -2))
	t.run(reader, 2, 1)
	t.same("what it sees of a Write", reader.At(y, 0), -10, -200)
}

func stateApart(t *trial) {
	one, two := t.session(), t.session()
	t.write(one, "w", vector(1, 2))
	x := tensor.New(tensor.F32, 2)
	t.refused(two.Read(t.ctx, []string{"w"}, []*tensor.Tensor{x}), "reading another session's variable", backends.InvalidArgument)
	t.write(two, "w", vector(3, 4))
	t.same("a variable after a write to another session's", t.read(one, "w", 2), 1, 2)
}

func stateTypes(t *trial) {
	s := t.session()
	t.write(s, "w", vector(1, 2, 3))
	read := func(x *tensor.Tensor) error { return s.Read(t.ctx, []string{"w"}, []*tensor.Tensor{x}) }
	t.refused(read(tensor.New(tensor.F32, 2)), "reading 2 of 3 elements", backends.InvalidArgument)
	t.refused(read(tensor.New(tensor.F32, 3, 1)), "reading under another rank", backends.InvalidArgument)
	t.refused(read(tensor.New(tensor.S32, 3)), "reading under another element type", backends.InvalidArgument)
	t.refused(s.Read(t.ctx, []string{"v"}, []*tensor.Tensor{vector(0)}), "reading a variable that does not exist", backends.InvalidArgument)
	t.refused(s.Write(t.ctx, []string{"w"}, []*tensor.Tensor{vector(1)}), "writing under another shape", backends.InvalidArgument)
	_, err := backends.CompileBound(t.ctx, s, t.accumulate(4), func(string) int { return 1 }, nil)
	t.refused(err, "compiling a program whose variable has another shape", backends.InvalidArgument)
	t.same("the variable after all that", t.read(s, "w", 3), 1, 2, 3)
}

func readWrite(t *trial) {
	s := t.session()
	big := tensor.New(tensor.F32, large)
	for i := range large {
		tensor.View[float32](big.Data)[i] = float32(i % 8191)
	}
	scalar := tensor.Scalar(tensor.F32, 42)
	for _, set := range [][]*tensor.Tensor{{vector(1, 2, 3), scalar}, {big, vector(4, 5, 6), scalar}} {
		names := []string{"a.weight", "b", "c"}[:len(set)]
		if len(set) == 3 {
			names = []string{"big", "a.weight", "b"}
		}
		t.ok(s.Write(t.ctx, names, set), "Write")
		back := make([]*tensor.Tensor, len(set))
		for i, x := range set {
			back[i] = tensor.New(x.DType, x.Shape...)
		}
		t.ok(s.Read(t.ctx, names, back), "Read")
		for i := range set {
			if string(set[i].Data) != string(back[i].Data) {
				t.fail("variable %s does not read back as it was written", names[i])
			}
		}
	}
	t.ok(s.Write(t.ctx, nil, nil), "Write of nothing")
	t.ok(s.Read(t.ctx, nil, nil), "Read of nothing")
	st, err := s.Stats(t.ctx)
	t.ok(err, "Stats")
	if st.StateBytes < int64(len(big.Data)) {
		t.fail("Stats says %d bytes of state, there are at least %d", st.StateBytes, len(big.Data))
	}
}

func updatesAfterReads(t *trial) {
	s := t.session()
	p := t.program(func(b *graph.Builder) {
		a, c := b.State("a", f32(2)), b.State("b", f32(2))
		b.Update(a, c) // a swap: right only if both are read first
		b.Update(c, a)
		b.Fetch(b.Op("Add", nil, b.Op("Mul", nil, a, b.Scalar(tensor.F32, 10)), c))
	})
	e := t.bind(s, p, 3)
	t.ok(s.Write(t.ctx, []string{"a", "b"}, []*tensor.Tensor{vector(1, 2), vector(3, 4)}), "Write")
	t.run(e, 0, 3)
	y := p.Fetches[0]
	t.same("10a+b in step 0", e.At(y, 0), 13, 24)
	t.same("10a+b in step 1", e.At(y, 1), 31, 42)
	t.same("10a+b in step 2", e.At(y, 2), 13, 24)
	t.same("a after three swaps", t.read(s, "a", 2), 3, 4)
	t.same("b after three swaps", t.read(s, "b", 2), 1, 2)
}

func stepsInOneCall(t *trial) {
	const k = 7
	p := t.accumulate(2)
	y := p.Fetches[0]
	together, apart := t.session(), t.session()
	one, each := t.bind(together, p, k), t.bind(apart, p, k)
	for i := range int64(k) {
		set(one.At("x", i), float32(i), float32(3-i))
		set(each.At("x", i), float32(i), float32(3-i))
	}
	t.run(one, 0, k)
	for i := range int64(k) {
		t.run(each, i, 1)
	}
	w0, w1 := float32(0), float32(0)
	for i := range int64(k) {
		t.same("a fetch of the one call", one.At(y, i), w0, w1)
		t.same("a fetch of the calls of one step", each.At(y, i), w0, w1)
		w0, w1 = 2*w0+float32(i), 2*w1+float32(3-i)
	}
	t.same("w after one call", t.read(together, "w", 2), w0, w1)
	t.same("w after a call a step", t.read(apart, "w", 2), w0, w1)
}

func twoBatches(t *trial) {
	s := t.session()
	network := func(n int) *graph.Program {
		return t.program(func(b *graph.Builder) {
			x := b.Feed("x", tensor.T(tensor.F32, n, 3))
			w, v := b.State("w", tensor.T(tensor.F32, 3, 2)), b.State("v", f32(2))
			b.Fetch(b.Op("Relu", nil, b.Op("Add", nil, b.Op("MatMul", nil, x, w), v)))
		})
	}
	w := tensor.New(tensor.F32, 3, 2)
	set(w.Data, 1, -1, 2, -2, 3, -3)
	t.ok(s.Write(t.ctx, []string{"w", "v"}, []*tensor.Tensor{w, vector(1, 5)}), "Write")
	for _, n := range []int{2, 5} {
		p := network(n)
		e := t.bind(s, p, 1)
		x, want := tensor.View[float32](e.At("x", 0)), []float32{}
		for i := range n {
			for j := range 3 {
				x[3*i+j] = float32(i - j)
			}
			dot := x[3*i] + 2*x[3*i+1] + 3*x[3*i+2]
			want = append(want, max(0, dot+1), max(0, 5-dot))
		}
		t.run(e, 0, 1)
		t.same("the network's answer", e.At(p.Fetches[0], 0), want...)
	}
}

func twoCallsQueued(t *trial) {
	s := t.session()
	e := t.bind(s, t.count(), 64)
	var calls sync.WaitGroup
	errs := make([]error, 2)
	for i := range errs {
		calls.Go(func() {
			_, errs[i] = e.Run(t.ctx, backends.RunRequest{First: int64(32 * i), Steps: 32})
		})
	}
	calls.Wait()
	for _, err := range errs {
		t.ok(err, "one of two calls queued")
	}
	t.same("the count after both", t.read(s, "n", 1), 64)
	for i := range int64(64) {
		if v := tensor.View[float32](e.At(e.Bindings[0].Value, i))[0]; v < 1 || v > 64 {
			t.fail("slot %d holds %g: a call did not write its own slots", i, v)
		}
	}
}
