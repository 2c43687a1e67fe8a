// Package safetensors reads and writes tensors by name in the safetensors
// format: an 8-byte little-endian header length, a JSON header that names each
// tensor's type, shape and byte range, then the bytes, which the ranges tile
// without a hole (github.com/huggingface/safetensors, "Format").
package safetensors

import (
	"bytes"
	"cmp"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"

	"github.com/clsbench/clsbench/tensor"
)

// MaxHeader bounds the header of a file that is read, in bytes.
const MaxHeader = 16 << 20

// metadataKey is the one header entry that is no tensor.
const metadataKey = "__metadata__"

var dtypeNames = map[tensor.DType]string{
	tensor.F32: "F32", tensor.F64: "F64", tensor.F16: "F16", tensor.BF16: "BF16",
	tensor.S8: "I8", tensor.U8: "U8", tensor.S32: "I32", tensor.U32: "U32", tensor.S64: "I64", tensor.Bool: "BOOL",
}

func parseDType(name string) (tensor.DType, error) {
	for d, n := range dtypeNames {
		if n == name {
			return d, nil
		}
	}
	return tensor.Invalid, fmt.Errorf("dtype %q is not known", name)
}

// entry is a tensor in the header.
type entry struct {
	DType   string   `json:"dtype"`
	Shape   []int    `json:"shape"`
	Offsets [2]int64 `json:"data_offsets"`
}

// Order is the order in which tensors lie in a file: by descending element
// size, so that each is aligned, then by name.
func Order(tensors map[string]*tensor.Tensor) []string {
	return slices.SortedFunc(maps.Keys(tensors), func(a, b string) int {
		if c := cmp.Compare(tensors[b].DType.Size(), tensors[a].DType.Size()); c != 0 {
			return c
		}
		return cmp.Compare(a, b)
	})
}

// Encode writes tensors and metadata. Equal arguments give equal bytes.
func Encode(w io.Writer, tensors map[string]*tensor.Tensor, metadata map[string]string) error {
	header := map[string]any{}
	if len(metadata) > 0 {
		header[metadataKey] = metadata
	}
	at := int64(0)
	for _, name := range Order(tensors) {
		t := tensors[name]
		if name == metadataKey || !t.DType.Valid() {
			return fmt.Errorf("safetensors: tensor %q: %v can't be written", name, t.Type)
		}
		end := at + int64(t.Bytes())
		header[name] = entry{dtypeNames[t.DType], append([]int{}, t.Shape...), [2]int64{at, end}}
		at = end
	}
	text, err := json.Marshal(header)
	if err != nil {
		return fmt.Errorf("safetensors: %w", err)
	}
	for len(text)%8 != 0 {
		text = append(text, ' ')
	}
	if _, err := w.Write(binary.LittleEndian.AppendUint64(nil, uint64(len(text)))); err != nil {
		return err
	}
	if _, err := w.Write(text); err != nil {
		return err
	}
	for _, name := range Order(tensors) {
		if _, err := w.Write(tensors[name].Data); err != nil {
			return err
		}
	}
	return nil
}

// Decode reads a whole file. Whatever is not in the format, a byte too many
// included, is an error that says what is wrong. The tensors share no memory
// with b.
func Decode(b []byte) (map[string]*tensor.Tensor, map[string]string, error) {
	tensors, metadata, err := decode(b)
	if err != nil {
		return nil, nil, fmt.Errorf("safetensors: %w", err)
	}
	return tensors, metadata, nil
}

func decode(b []byte) (map[string]*tensor.Tensor, map[string]string, error) {
	if len(b) < 8 {
		return nil, nil, fmt.Errorf("%d bytes are no safetensors file", len(b))
	}
	n := binary.LittleEndian.Uint64(b)
	if n > MaxHeader || n > uint64(len(b)-8) {
		return nil, nil, fmt.Errorf("header of %d bytes in a file of %d: not a safetensors file, or cut short", n, len(b))
	}
	var header map[string]json.RawMessage
	if err := json.Unmarshal(b[8:8+n], &header); err != nil {
		return nil, nil, fmt.Errorf("header: %w", err)
	}
	var metadata map[string]string
	if raw, ok := header[metadataKey]; ok {
		if err := json.Unmarshal(raw, &metadata); err != nil {
			return nil, nil, fmt.Errorf("%s: %w", metadataKey, err)
		}
		delete(header, metadataKey)
	}
	tensors, err := load(header, b[8+n:])
	return tensors, metadata, err
}

func load(header map[string]json.RawMessage, data []byte) (map[string]*tensor.Tensor, error) {
	entries := map[string]entry{}
	for name, raw := range header {
		var e entry
		dec := json.NewDecoder(bytes.NewReader(raw))
		dec.DisallowUnknownFields()
		if err := dec.Decode(&e); err != nil {
			return nil, fmt.Errorf("tensor %q: %w", name, err)
		}
		entries[name] = e
	}
	byOffset := slices.SortedFunc(maps.Keys(entries), func(a, b string) int {
		x, y := entries[a].Offsets, entries[b].Offsets
		return cmp.Or(cmp.Compare(x[0], y[0]), cmp.Compare(x[1], y[1]), cmp.Compare(a, b))
	})
	out := make(map[string]*tensor.Tensor, len(entries))
	at := int64(0)
	for _, name := range byOffset {
		e := entries[name]
		if e.Offsets[0] != at || e.Offsets[1] < at || e.Offsets[1] > int64(len(data)) {
			return nil, fmt.Errorf("tensor %q: bytes %d to %d, want a range that begins at %d and ends within %d", name, e.Offsets[0], e.Offsets[1], at, len(data))
		}
		t, err := e.tensor(data[at:e.Offsets[1]])
		if err != nil {
			return nil, fmt.Errorf("tensor %q: %w", name, err)
		}
		out[name] = t
		at = e.Offsets[1]
	}
	if at != int64(len(data)) {
		return nil, fmt.Errorf("%d bytes of data belong to no tensor", int64(len(data))-at)
	}
	return out, nil
}

func (e entry) tensor(data []byte) (*tensor.Tensor, error) {
	d, err := parseDType(e.DType)
	if err != nil {
		return nil, err
	}
	ty := tensor.Type{DType: d, Shape: e.Shape}
	if e.Shape == nil {
		return nil, errors.New("no shape")
	}
	if err := ty.Validate(); err != nil {
		return nil, err
	}
	if ty.Bytes() != len(data) {
		return nil, fmt.Errorf("%d bytes of data, %v takes %d", len(data), ty, ty.Bytes())
	}
	t := tensor.New(d, e.Shape...)
	copy(t.Data, data)
	return t, nil
}
