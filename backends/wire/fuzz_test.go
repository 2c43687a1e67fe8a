package wire

import (
	"context"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"google.golang.org/protobuf/proto"

	"github.com/clsbench/clsbench/backends/null"
	v1 "github.com/clsbench/clsbench/backends/wire/backendv1"
	"github.com/clsbench/clsbench/graph/onnx"
	"github.com/clsbench/clsbench/tensor"
)

// FuzzLocation: external data comes from a mapped region or not at all.
func FuzzLocation(f *testing.F) {
	for _, s := range []string{"region/1", "region/", "region/-1", "region/99999999999", "/etc/passwd", "region/1/2"} {
		f.Add(s, int64(0), int64(4))
	}
	f.Add("region/7", int64(60), int64(8))
	f.Add("region/7", int64(-1), int64(-1))
	f.Add("region/7", int64(1)<<62, int64(1)<<62)
	f.Fuzz(func(t *testing.T, location string, offset, length int64) {
		var m memories
		require.NoError(t, m.add(7, &memory{data: make([]byte, 64), free: func() error { return nil }}))
		b, err := m.resolve(location, offset, length)
		if err == nil {
			require.Equal(t, "7", strings.TrimLeft(strings.TrimPrefix(location, regionLocation), "0"))
			require.Len(t, b, int(length))
		}
	})
}

// FuzzServer sends any message to a session that has a region, state and an
// executable: the answer may be an error, never a panic.
func FuzzServer(f *testing.F) {
	model, err := onnx.Marshal(program(f, 4))
	require.NoError(f, err)
	binding := []*v1.Binding{{Value: "x", Region: 1, Slots: 1, Stride: 64}, {Value: "Add.C", Region: 1, Offset: 64, Slots: 1, Stride: 64}}
	ref := []*v1.TensorRef{{Name: "w", Dtype: "f32", Dims: []int64{4}}}
	for kind, m := range []proto.Message{
		&v1.MapRequest{Session: 1, Region: 3, Bytes: 100},
		&v1.UnmapRequest{Session: 1, Region: 1},
		&v1.CheckRequest{Session: 1, Program: model},
		&v1.CompileRequest{Session: 1, Program: model, Bindings: binding},
		&v1.RunRequest{Executable: 2, First: 5, Steps: 3, Arrival: []int64{0, 0, 0}},
		&v1.ReadRequest{Session: 1, Tensors: ref},
		&v1.WriteRequest{Session: 1, Tensors: ref, Data: [][]byte{make([]byte, 16)}},
		&v1.CloseExecutableRequest{Executable: 2},
	} {
		b, err := proto.Marshal(m)
		require.NoError(f, err)
		f.Add(uint8(kind), b)
	}
	f.Fuzz(func(t *testing.T, kind uint8, b []byte) {
		ctx := context.Background()
		s := NewServer(null.New())
		open, err := s.Open(ctx, &v1.OpenRequest{})
		require.NoError(t, err)
		_, err = s.Map(ctx, &v1.MapRequest{Session: open.GetSession(), Region: 1, Bytes: 256})
		require.NoError(t, err)
		_, err = s.Map(ctx, &v1.MapRequest{Session: open.GetSession(), Region: 2, Bytes: 256, Transfer: true})
		require.NoError(t, err)
		_, err = s.Compile(ctx, &v1.CompileRequest{Session: open.GetSession(), Program: model, Bindings: binding})
		require.NoError(t, err)
		switch kind % 8 {
		case 0:
			// Large private regions are legal, but not for every input of a fuzzer.
			if q := decode(b, &v1.MapRequest{}); q.GetBytes() < 1<<20 {
				_, err = s.Map(ctx, q)
			}
		case 1:
			_, err = s.Unmap(ctx, decode(b, &v1.UnmapRequest{}))
		case 2:
			_, err = s.Check(ctx, decode(b, &v1.CheckRequest{}))
		case 3:
			_, err = s.Compile(ctx, decode(b, &v1.CompileRequest{}))
		case 4:
			q := decode(b, &v1.RunRequest{})
			q.Arrival, q.Steps = nil, min(q.GetSteps(), 1000) // it would wait
			_, err = s.Run(ctx, q)
		case 5:
			_, err = s.Read(ctx, decode(b, &v1.ReadRequest{}))
		case 6:
			_, err = s.Write(ctx, decode(b, &v1.WriteRequest{}))
		case 7:
			_, err = s.CloseExecutable(ctx, decode(b, &v1.CloseExecutableRequest{}))
		}
		if err != nil {
			require.NotEmpty(t, fromStatus(toStatus(err)).Message)
		}
		s.Close()
	})
}

func decode[M proto.Message](b []byte, m M) M {
	_ = proto.Unmarshal(b, m) // what can be read of it
	return m
}

// FuzzAnswers gives the client's readers any answer of a plugin.
func FuzzAnswers(f *testing.F) {
	g, err := program(f, 4).Infer()
	require.NoError(f, err)
	for kind, m := range []proto.Message{
		&v1.DescribeResponse{Name: "x", Devices: []*v1.Device{{}}},
		&v1.Plan{Digest: "0123456789abcdef", Partitions: []*v1.Partition{{Nodes: []string{"Mul", "Add"}}}},
		&v1.RunResponse{Start: []int64{1, 2}, End: []int64{2, 3}, Queue: []int64{0, 1}},
		&v1.TensorRef{Dtype: "bf16", Dims: []int64{2, 3}},
	} {
		b, err := proto.Marshal(m)
		require.NoError(f, err)
		f.Add(uint8(kind), b)
	}
	f.Fuzz(func(t *testing.T, kind uint8, b []byte) {
		switch kind % 4 {
		case 0:
			if d, err := description(decode(b, &v1.DescribeResponse{})); err == nil {
				require.Regexp(t, namePattern, d.Name)
				back, err := description(describeResponse(d))
				require.NoError(t, err)
				require.Equal(t, d, back)
			}
		case 1:
			if p, err := plan(decode(b, &v1.Plan{}), g); err == nil {
				nodes := 0
				for _, x := range p.Partitions {
					nodes += len(x.Nodes)
				}
				require.LessOrEqual(t, nodes, len(g.Nodes))
			}
		case 2:
			if s, err := samples(decode(b, &v1.RunResponse{}), 2, 1); err == nil {
				require.LessOrEqual(t, len(s.Steps), 2)
				var m v1.RunResponse
				samplesMessage(&m, s)
				m.Cancelled = true
				back, err := samples(&m, 2, 1)
				require.NoError(t, err)
				require.Equal(t, s, back)
			}
		case 3:
			if ty, err := typeOf(decode(b, &v1.TensorRef{})); err == nil {
				require.NoError(t, ty.Validate())
				if ty.Shape.Elements() < 1000 {
					back, err := typeOf(refOf("x", tensor.New(ty.DType, ty.Shape...)))
					require.NoError(t, err)
					require.True(t, ty.Equal(back))
				}
			}
		}
	})
}
