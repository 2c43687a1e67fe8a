package safetensors

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/clsbench/clsbench/tensor"
)

func encode(t require.TestingT, tensors map[string]*tensor.Tensor, meta map[string]string) []byte {
	var b bytes.Buffer
	require.NoError(t, Encode(&b, tensors, meta))
	return b.Bytes()
}

// The layout is the format's own example: header length, header, data.
func TestEncodeWritesTheFormat(t *testing.T) {
	b := encode(t, map[string]*tensor.Tensor{
		"w": tensor.Of(tensor.F32, tensor.Shape{2}, 1, 2),
		"b": tensor.Of(tensor.U8, tensor.Shape{1, 1}, 7),
		"n": tensor.Of(tensor.S64, tensor.Shape{}, 3),
	}, map[string]string{"k": "v"})
	header := `{"__metadata__":{"k":"v"},"b":{"dtype":"U8","shape":[1,1],"data_offsets":[16,17]},` +
		`"n":{"dtype":"I64","shape":[],"data_offsets":[0,8]},"w":{"dtype":"F32","shape":[2],"data_offsets":[8,16]}}`
	n := (len(header) + 7) / 8 * 8
	require.EqualValues(t, n, binary.LittleEndian.Uint64(b))
	require.Equal(t, fmt.Sprintf("%-*s", n, header), string(b[8:8+n]))
	require.Equal(t, []byte{3, 0, 0, 0, 0, 0, 0, 0, 0, 0, 128, 63, 0, 0, 0, 64, 7}, b[8+n:])
}

func TestRoundTrip(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		in := map[string]*tensor.Tensor{}
		for i := range rapid.IntRange(0, 6).Draw(t, "tensors") {
			d := rapid.SampledFrom(tensor.DTypes()).Draw(t, "dtype")
			shape := rapid.SliceOfN(rapid.IntRange(0, 4), 0, 4).Draw(t, "shape")
			x := tensor.FillSeeded(tensor.New(d, shape...), tensor.Fill{Kind: tensor.Integers, Lo: 0, Hi: 100}, 1, uint32(i))
			in[rapid.StringN(1, 8, -1).Draw(t, "name")] = x
		}
		meta := rapid.MapOfN(rapid.String(), rapid.String(), 1, 3).Draw(t, "meta")
		b := encode(t, in, meta)
		out, gotMeta, err := Decode(b)
		require.NoError(t, err)
		require.Equal(t, meta, gotMeta)
		require.Len(t, out, len(in))
		for name, x := range in {
			require.True(t, x.Type.Equal(out[name].Type))
			require.Equal(t, x.Data, out[name].Data)
		}
		require.Equal(t, b, encode(t, out, gotMeta))
		if len(b) > 0 {
			_, _, err = Decode(b[:rapid.IntRange(0, len(b)-1).Draw(t, "cut")])
			require.Error(t, err, "a torn file")
		}
		_, _, err = Decode(append(b, 0))
		require.Error(t, err, "a byte too many")
	})
}

func file(header string, data string) []byte {
	return append(append(binary.LittleEndian.AppendUint64(nil, uint64(len(header))), header...), data...)
}

func TestDecodeRefuses(t *testing.T) {
	for want, b := range map[string][]byte{
		"no safetensors file": []byte("PK"),
		"cut short":           binary.LittleEndian.AppendUint64(nil, 1<<60),
		"header: ":            file("[]", ""),
		"__metadata__: ":      file(`{"__metadata__":{"a":1}}`, ""),
		"unknown field":       file(`{"a":{"dtype":"U8","shape":[1],"data_offsets":[0,1],"x":1}}`, "1"),
		`dtype "F8"`:          file(`{"a":{"dtype":"F8","shape":[1],"data_offsets":[0,1]}}`, "1"),
		"no shape":            file(`{"a":{"dtype":"U8","data_offsets":[0,1]}}`, "1"),
		"2 bytes of data":     file(`{"a":{"dtype":"U8","shape":[1],"data_offsets":[0,2]}}`, "12"),
		"begins at 0":         file(`{"a":{"dtype":"U8","shape":[1],"data_offsets":[1,2]}}`, "12"),
		"begins at 1":         file(`{"a":{"dtype":"U8","shape":[1],"data_offsets":[0,1]},"b":{"dtype":"U8","shape":[1],"data_offsets":[0,1]}}`, "1"),
		"ends within 1":       file(`{"a":{"dtype":"U8","shape":[9],"data_offsets":[0,9]}}`, "1"),
		"is negative":         file(`{"a":{"dtype":"U8","shape":[-1],"data_offsets":[0,0]}}`, ""),
		"2^40 elements":       file(`{"a":{"dtype":"U8","shape":[1099511627776,1099511627776],"data_offsets":[0,0]}}`, ""),
		"belong to no tensor": file(`{}`, "1"),
	} {
		_, _, err := Decode(b)
		require.ErrorContains(t, err, want)
	}
	require.Error(t, Encode(&bytes.Buffer{}, map[string]*tensor.Tensor{"__metadata__": tensor.New(tensor.U8)}, nil))
}

func FuzzDecode(f *testing.F) {
	f.Add(encode(f, map[string]*tensor.Tensor{"a": tensor.Of(tensor.F32, tensor.Shape{2}, 1, 2)}, map[string]string{"k": "v"}))
	f.Add(file(`{"a":{"dtype":"U8","shape":[1],"data_offsets":[0,1]}}`, "1"))
	f.Fuzz(func(t *testing.T, b []byte) {
		tensors, meta, err := Decode(b)
		if err != nil {
			return
		}
		again, meta2, err := Decode(encode(t, tensors, meta))
		require.NoError(t, err)
		require.Equal(t, len(meta), len(meta2))
		require.Len(t, again, len(tensors))
	})
}
