package onnx

import (
	"errors"
	"fmt"
	"math"
	"testing"

	"github.com/stretchr/testify/require"
	"google.golang.org/protobuf/encoding/protowire"

	"github.com/clsbench/clsbench/graph"
	"github.com/clsbench/clsbench/tensor"
)

// part appends some fields of a message: models of other writers are composed
// of parts.
type part func(b []byte) []byte

func parts(ps ...part) part {
	return func(b []byte) []byte {
		for _, p := range ps {
			b = p(b)
		}
		return b
	}
}

func sub(num protowire.Number, ps ...part) part {
	return func(b []byte) []byte { return message(b, num, parts(ps...)) }
}

func text(num protowire.Number, s string) part {
	return func(b []byte) []byte {
		return protowire.AppendString(protowire.AppendTag(b, num, protowire.BytesType), s)
	}
}

func ints(num protowire.Number, vs ...int64) part {
	return func(b []byte) []byte {
		for _, v := range vs {
			b = appendInt(b, num, v)
		}
		return b
	}
}

func packed(num protowire.Number, vs ...int64) part {
	var data []byte
	for _, v := range vs {
		data = protowire.AppendVarint(data, uint64(v))
	}
	return text(num, string(data))
}

// model imports one opset of the standard domain under its long name.
func model(opset int64, graphParts ...part) []byte {
	return parts(
		ints(modelIRVersion, 3),
		sub(modelGraph, graphParts...),
		sub(modelOpsetImport, text(opsetDomain, "ai.onnx"), ints(opsetVersion, opset)),
	)(nil)
}

func tensorType(elem int64, dims ...part) part {
	return sub(valueType, sub(typeTensor, ints(typeElem, elem), sub(typeShape, dims...)))
}

func dim(v int64) part { return sub(shapeDim, ints(dimValue, v)) }

func f32Value(num protowire.Number, name string, dims ...int64) part {
	var ds []part
	for _, d := range dims {
		ds = append(ds, dim(d))
	}
	return sub(num, text(valueName, name), tensorType(1, ds...))
}

func input(name string, dims ...int64) part { return f32Value(graphInput, name, dims...) }

// node takes its inputs apart by letters: "xw" has inputs x and w.
func node(op, in, out string, attrs ...part) part {
	ps := []part{text(nodeOpType, op)}
	for _, r := range in {
		ps = append(ps, text(nodeInput, string(r)))
	}
	ps = append(ps, text(nodeOutput, out))
	return sub(graphNode, append(ps, attrs...)...)
}

func intsAttr(name string, vs ...int64) part {
	return sub(nodeAttribute, text(attrName, name), packed(attrInts, vs...), ints(attrType, attrTypeInts))
}

func intAttr(name string, v int64) part {
	return sub(nodeAttribute, text(attrName, name), ints(attrI, v)) // no type, as in IR version 1
}

func textAttr(name, v string) part {
	return sub(nodeAttribute, text(attrName, name), text(attrS, v), ints(attrType, attrTypeString))
}

func initializer(name string, dataType int64, dims []int64, data part) part {
	return sub(graphInitializer, ints(tensorDims, dims...), ints(tensorDataType, dataType), text(tensorName, name), data)
}

func floats32(num protowire.Number, vs ...float32) part {
	var data []byte
	for _, v := range vs {
		data = protowire.AppendFixed32(data, math.Float32bits(v))
	}
	return text(num, string(data))
}

func output(name string) part { return sub(graphOutput, text(valueName, name)) }

func TestReadsInitializersThatAreInputs(t *testing.T) {
	p, err := Unmarshal(model(13,
		input("x", 2), input("w", 2),
		initializer("w", 1, []int64{2}, floats32(tensorFloatData, 3, 4)),
		node("Add", "xw", "y"), node("Add", "yw", "z"), output("z")))
	require.NoError(t, err)
	require.Equal(t, []graph.Value{{Name: "x", Type: tensor.T(tensor.F32, 2)}}, p.Feeds)
	require.Equal(t, []float64{3, 4}, p.Consts[0].Tensor.Float64s())
	require.Equal(t, []string{"Add_0", "Add_1"}, []string{p.Nodes[0].Name, p.Nodes[1].Name})
	require.Equal(t, []string{"z"}, p.Fetches)
}

func TestReadsTypedData(t *testing.T) {
	f64 := text(tensorF64Data, string(protowire.AppendFixed64(nil, math.Float64bits(0.1))))
	unpacked := func(b []byte) []byte { return appendFloat(appendFloat(b, tensorFloatData, 1), tensorFloatData, 2) }
	for _, c := range []struct {
		dtype tensor.DType
		dims  []int64
		data  part
		want  []float64
	}{
		{tensor.F32, []int64{2}, unpacked, []float64{1, 2}},
		{tensor.F64, nil, f64, []float64{0.1}},
		{tensor.F16, []int64{2}, packed(tensorInt32Data, 0x3c00, 0xc000), []float64{1, -2}},
		{tensor.BF16, []int64{1}, packed(tensorInt32Data, 0x3f80), []float64{1}},
		{tensor.S8, []int64{2}, packed(tensorInt32Data, -128, 127), []float64{-128, 127}},
		{tensor.U8, []int64{1}, ints(tensorInt32Data, 255), []float64{255}},
		{tensor.S32, []int64{1}, packed(tensorInt32Data, -7), []float64{-7}},
		{tensor.U32, []int64{1}, packed(tensorU64Data, math.MaxUint32), []float64{math.MaxUint32}},
		{tensor.S64, []int64{1, 1}, packed(tensorInt64Data, -1), []float64{-1}},
		{tensor.Bool, []int64{2}, packed(tensorInt32Data, 1, 0), []float64{1, 0}},
		{tensor.S64, []int64{0}, packed(tensorInt64Data), []float64{}},
	} {
		p, err := Unmarshal(model(13, initializer("c", dataTypes[c.dtype], c.dims, c.data), output("c")))
		require.NoError(t, err, c.dtype)
		require.Equal(t, c.dtype, p.Consts[0].Tensor.DType)
		require.Equal(t, c.want, p.Consts[0].Tensor.Float64s())
	}
}

func TestReadsConstantNodes(t *testing.T) {
	value := sub(nodeAttribute, text(attrName, "value"),
		sub(attrT, ints(tensorDims, 2), ints(tensorDataType, 7), packed(tensorInt64Data, 2, 1)), ints(attrType, attrTypeTensor))
	p, err := Unmarshal(model(13, input("x", 2),
		node("Constant", "", "a", sub(nodeAttribute, text(attrName, "value_float"),
			func(b []byte) []byte { return appendFloat(b, attrF, 5) }, ints(attrType, attrTypeFloat))),
		node("Constant", "", "b", sub(nodeAttribute, text(attrName, "value_floats"), floats32(attrFloats, 1, 2), ints(attrType, attrTypeFloats))),
		node("Constant", "", "i", sub(nodeAttribute, text(attrName, "value_int"), ints(attrI, 6), ints(attrType, attrTypeInt))),
		node("Constant", "", "l", intsAttr("value_ints", 7, 8)),
		node("Constant", "", "s", value),
		node("Reshape", "xs", "y"),
		node("Add", "xa", "z"), node("Mul", "zb", "w"), output("w"), output("y"), output("i"), output("l")))
	require.NoError(t, err)
	require.Equal(t, []float64{5}, p.Consts[0].Tensor.Float64s())
	require.Empty(t, p.Consts[0].Tensor.Shape)
	require.Equal(t, []float64{1, 2}, p.Consts[1].Tensor.Float64s())
	require.Equal(t, []float64{6}, p.Consts[2].Tensor.Float64s())
	require.Equal(t, []float64{7, 8}, p.Consts[3].Tensor.Float64s())
	require.Len(t, p.Consts, 4, "the shape became an attribute and nothing else reads it")
	require.Equal(t, graph.L(2, 1), p.Nodes[0].Attrs["shape"])
	require.Equal(t, []string{"x"}, p.Nodes[0].Inputs)
}

func TestFoldedInputsThatOthersReadStay(t *testing.T) {
	axes := initializer("a", 7, []int64{1}, packed(tensorInt64Data, 1))
	p, err := Unmarshal(model(18, input("x", 2, 3), axes, node("ReduceMean", "xa", "y", intAttr("noop_with_empty_axes", 0)), output("y"), output("a")))
	require.NoError(t, err)
	require.Len(t, p.Consts, 1)
	require.Equal(t, graph.Attrs{"axes": graph.L(1)}, p.Nodes[0].Attrs)
	// Before opset 18 the axes were an attribute.
	p, err = Unmarshal(model(13, input("x", 2, 3), node("ReduceMean", "x", "y", intsAttr("axes", 1)), output("y")))
	require.NoError(t, err)
	require.Equal(t, graph.Attrs{"axes": graph.L(1)}, p.Nodes[0].Attrs)
}

func TestAutoPadBecomesPads(t *testing.T) {
	for _, c := range []struct {
		op, mode string
		attrs    []part
		pads     []int64
		out      tensor.Shape
	}{
		{"MaxPool", "SAME_UPPER", []part{intsAttr("kernel_shape", 2, 3), intsAttr("strides", 2, 2)}, []int64{0, 0, 1, 1}, tensor.Shape{1, 1, 3, 3}},
		{"MaxPool", "SAME_LOWER", []part{intsAttr("kernel_shape", 2, 3), intsAttr("strides", 2, 2)}, []int64{1, 1, 0, 0}, tensor.Shape{1, 1, 3, 3}},
		{"AveragePool", "VALID", []part{intsAttr("kernel_shape", 2, 3), intsAttr("strides", 2, 2)}, []int64{0, 0, 0, 0}, tensor.Shape{1, 1, 2, 2}},
		{"AveragePool", "NOTSET", []part{intsAttr("kernel_shape", 2, 3), intsAttr("strides", 2, 2)}, nil, tensor.Shape{1, 1, 2, 2}},
		{"Conv", "SAME_UPPER", nil, []int64{1, 1, 1, 1}, tensor.Shape{1, 1, 5, 6}},
		{"Conv", "SAME_LOWER", []part{intsAttr("dilations", 2, 1), intsAttr("strides", 1, 4)}, []int64{2, 1, 2, 0}, tensor.Shape{1, 1, 5, 2}},
	} {
		in := "x"
		if c.op == "Conv" {
			in = "xw"
		}
		p, err := Unmarshal(model(22, input("x", 1, 1, 5, 6), input("w", 1, 1, 3, 3),
			node(c.op, in, "y", append(c.attrs, textAttr("auto_pad", c.mode))...), output("y")))
		require.NoError(t, err, "%s %s", c.op, c.mode)
		require.NotContains(t, p.Nodes[0].Attrs, "auto_pad")
		require.Equal(t, c.pads, p.Nodes[0].Attrs["pads"].Ints, "%s %s", c.op, c.mode)
		g, err := p.Infer()
		require.NoError(t, err)
		require.Equal(t, c.out, g.Types["y"].Shape, "%s %s", c.op, c.mode)
	}
}

func TestCeilModeBeforeOpset22(t *testing.T) {
	pool := func(opset int64, op string, kernel, stride, size int64, attrs ...part) error {
		_, err := Unmarshal(model(opset, input("x", 1, 1, size),
			node(op, "x", "y", append(attrs, intsAttr("kernel_shape", kernel), intsAttr("strides", stride), intAttr("ceil_mode", 1))...), output("y")))
		return err
	}
	require.NoError(t, pool(13, "MaxPool", 3, 2, 6), "the last window hangs over, in both meanings")
	require.NoError(t, pool(22, "MaxPool", 1, 3, 5))
	require.ErrorContains(t, pool(13, "MaxPool", 1, 3, 5), "opset 22", "a window would start behind the end")
	require.ErrorContains(t, pool(19, "AveragePool", 3, 2, 6, intAttr("count_include_pad", 1)), "opset 22")
}

func TestReadsCastByNumber(t *testing.T) {
	p, err := Unmarshal(model(19, input("x", 1), node("Cast", "x", "y", intAttr("to", 16), intAttr("saturate", 1)), output("y")))
	require.NoError(t, err)
	require.Equal(t, graph.Attrs{"to": graph.S("bf16")}, p.Nodes[0].Attrs)
}

// ONNX writes 0 for an element type that is left open.
func TestReadsQuantizersByNumber(t *testing.T) {
	for number, want := range map[int64]graph.Attrs{0: nil, 3: {"output_dtype": graph.S("s8")}} {
		p, err := Unmarshal(model(23, input("x", 4), f32Value(graphInput, "s"),
			node("QuantizeLinear", "xs", "y", intAttr("output_dtype", number), intAttr("precision", 0)), output1("y")))
		require.NoError(t, err)
		require.Equal(t, want, p.Nodes[0].Attrs)
	}
}

func TestRefusesWithTheMend(t *testing.T) {
	x := input("x", 2, 3)
	add := parts(x, node("Add", "xx", "y"), output("y"))
	symbol := sub(shapeDim, text(dimParam, "batch"))
	valid := model(13, add)
	for want, b := range map[string][]byte{
		"no graph":              parts(ints(modelIRVersion, 8))(nil),
		"cut short":             valid[:len(valid)-3],
		"opset 0, want 1":       model(0, add),
		"opset 28, want":        model(28, add),
		`dynamic ("batch")`:     model(13, sub(graphInput, text(valueName, "x"), tensorType(1, symbol))),
		"no shape":              model(13, sub(graphInput, text(valueName, "x"), sub(valueType, sub(typeTensor, ints(typeElem, 1))))),
		"no type":               model(13, sub(graphInput, text(valueName, "x"))),
		"data type 14":          model(13, sub(graphInput, text(valueName, "x"), tensorType(14))),
		"stands twice":          model(13, x, x),
		"sparse":                model(13, sub(graphSparse)),
		"0 outputs":             model(13, initializer("s", 7, []int64{1}, packed(tensorInt64Data, 2)), sub(graphNode, text(nodeInput, "s"), text(nodeOpType, "ConstantOfShape"))),
		"0 inputs":              model(13, sub(graphNode, text(nodeOutput, "y"), text(nodeOpType, "Dropout"))),
		"op Frobnicate":         model(13, x, node("Frobnicate", "x", "y")),
		"is computed":           model(13, x, node("Add", "xx", "s"), node("Reshape", "xs", "y")),
		"want a list of s64":    model(13, x, initializer("s", 1, []int64{1}, floats32(tensorFloatData, 6)), node("Reshape", "xs", "y")),
		"both an attribute":     model(13, x, initializer("s", 7, []int64{1}, packed(tensorInt64Data, 6)), node("Reshape", "xs", "y", intsAttr("shape", 6))),
		"no value \"q\"":        model(13, x, node("Add", "xq", "y")),
		"auto_pad: \"SAME\"":    model(13, input("x", 1, 1, 4), node("MaxPool", "x", "y", textAttr("auto_pad", "SAME"))),
		"auto_pad and pads":     model(13, input("x", 1, 1, 4), node("MaxPool", "x", "y", textAttr("auto_pad", "VALID"), intsAttr("pads", 1, 1))),
		"kernel_shape: []":      model(13, input("x", 1, 1, 4), node("MaxPool", "x", "y", textAttr("auto_pad", "SAME_UPPER"))),
		"no spatial axes":       model(13, x, node("MaxPool", "x", "y", textAttr("auto_pad", "VALID"))),
		"declared with dim":     model(13, add, f32Value(graphValueInfo, "y", 3, 2)),
		"declared with ONNX":    model(13, add, sub(graphValueInfo, text(valueName, "y"), tensorType(7, dim(2), dim(3)))),
		"1 elements of data":    model(13, initializer("c", 1, []int64{2}, floats32(tensorFloatData, 1))),
		"4 bytes of data":       model(13, initializer("c", 1, []int64{2}, text(tensorRawData, "1234"))),
		"2^40 elements":         model(13, initializer("c", 1, []int64{1 << 30, 1 << 30}, text(tensorRawData, ""))),
		"is negative":           model(13, initializer("c", 1, []int64{-1}, text(tensorRawData, ""))),
		"out of the range":      model(13, initializer("c", 2, []int64{1}, packed(tensorInt32Data, 256))),
		"is no bool":            model(13, initializer("c", 9, []int64{1}, text(tensorRawData, "\x02"))),
		"segmented":             model(13, initializer("c", 1, nil, sub(tensorSegment))),
		"nothing here can open": model(13, initializer("c", 1, nil, ints(tensorLocation, 1))),
		"attribute type 5":      model(13, x, node("Relu", "x", "y", sub(nodeAttribute, text(attrName, "then"), ints(attrType, 5)))),
		"value_string":          model(13, node("Constant", "", "y", textAttr("value_string", "a"))),
		"wire type":             model(13, sub(graphNode, ints(nodeOpType, 1))),
		"not UTF-8":             model(13, node("Add\xff", "xx", "y")),
		"is no input":           parts(sub(modelMetadata, text(entryKey, keyState), text(entryValue, `["w"]`)))(valid),
		"clsbench.updates":      parts(sub(modelMetadata, text(entryKey, keyUpdates), text(entryValue, `[`)))(valid),
		"more than one value":   parts(sub(modelMetadata, text(entryKey, keyUpdates), text(entryValue, `[][]`)))(valid),
		"unknown field":         parts(sub(modelMetadata, text(entryKey, keyOrigin), text(entryValue, `{"back":1}`)))(valid),
		"does not name":         sub(modelGraph, add)(nil),
		"domain clsbench":       parts(sub(modelOpsetImport, text(opsetDomain, "clsbench"), ints(opsetVersion, 2)))(valid),
	} {
		_, err := Unmarshal(b)
		require.ErrorContains(t, err, want)
		require.ErrorContains(t, err, "onnx: ", want)
	}
}

// ranges are n nodes that make 65,536 numbers each.
func ranges(n int) (list []part) {
	for i, name := range []string{"a", "b", "c"} {
		list = append(list, initializer(name, 7, nil, packed(tensorInt64Data, []int64{0, maxKnown, 1}[i])))
	}
	for i := range n {
		list = append(list, node("Range", "abc", fmt.Sprint("r", i)))
	}
	return list
}

// A few bytes must not ask for much memory: neither what fills a shape, nor what
// is computed from it.
func TestSmallModelsTakeLittleMemory(t *testing.T) {
	huge := initializer("s", 7, []int64{2}, packed(tensorInt64Data, 1<<15, 1<<14))
	evaluate := WithEvaluator(func(c *graph.Call, _ []*tensor.Tensor) ([]*tensor.Tensor, error) {
		t.Fatalf("asked for %v", c.Out)
		return nil, nil
	})
	for name, b := range map[string][]byte{
		"filled":   model(13, huge, node("ConstantOfShape", "s", "y"), output("y")),
		"twice":    model(13, initializer("s", 7, []int64{2}, packed(tensorInt64Data, 1<<14, 3<<12)), node("ConstantOfShape", "s", "y"), node("ConstantOfShape", "s", "z"), output("y")),
		"diagonal": model(13, input("x", 1<<15, 1<<14), node("EyeLike", "x", "y"), output("y")),
		"mask":     model(13, input("x", 1<<15, 1<<15), node("Dropout", "x", "y", text(nodeOutput, "m")), output("y"), output("m")),
		"expanded": model(13, huge, initializer("v", 7, []int64{1}, packed(tensorInt64Data, 1)), node("Expand", "vs", "e"), input("x", 2), node("Reshape", "xe", "y"), output("y")),
		"ranges":   model(13, append(ranges(300), input("x", 1), node("Identity", "x", "y"), output("y"))...),
	} {
		_, err := Unmarshal(b, evaluate)
		require.ErrorContains(t, err, "bytes", name)
	}
	filled := model(13, initializer("s", 7, []int64{1}, packed(tensorInt64Data, 17<<20)), node("ConstantOfShape", "s", "y"), output("y"))
	_, err := Unmarshal(filled)
	require.ErrorContains(t, err, "want at most 67108864")
	_, err = Unmarshal(filled, WithRoom(80<<20))
	require.NoError(t, err)
}

func TestUnknownVersionsAreUnknownOps(t *testing.T) {
	own := func(version string) error {
		_, err := Unmarshal(model(13, input("x", 2), sub(graphNode,
			text(nodeInput, "x"), text(nodeInput, "x"), text(nodeOutput, "y"), text(nodeNameField, "n"),
			text(nodeOpType, "ReluGrad"), text(nodeDomain, "clsbench"),
			sub(nodeMetadata, text(entryKey, keyVersion), text(entryValue, version)))))
		return err
	}
	require.NoError(t, own("1"))
	require.ErrorContains(t, own("one"), "no number")
	err := own("2")
	var unknown *graph.UnknownOpError
	var at *graph.NodeError
	require.True(t, errors.As(err, &unknown) && errors.As(err, &at))
	require.Equal(t, "n", at.Node)
	require.ErrorContains(t, err, "clsbench::ReluGrad version 2 is not known: version 1 is")
}

func FuzzUnmarshal(f *testing.F) {
	b, err := Marshal(trainer(f))
	require.NoError(f, err)
	f.Add(b)
	f.Add(model(13, input("x", 1, 1, 5), initializer("s", 7, []int64{2}, packed(tensorInt64Data, 1, -1)),
		node("MaxPool", "x", "y", textAttr("auto_pad", "SAME_LOWER"), intsAttr("kernel_shape", 2)),
		node("Reshape", "ys", "z"), output("z")))
	f.Add(model(18, input("x", 2), initializer("a", 1, []int64{2}, floats32(tensorFloatData, 1, 2)),
		node("Constant", "", "c", intsAttr("value_ints", 0)), node("Add", "xa", "y"), node("ReduceSum", "yc", "z"), output("z")))
	f.Add(model(13, initializer("s", 7, []int64{2}, packed(tensorInt64Data, 2, 3)), node("ConstantOfShape", "s", "c"),
		input("x", 2, 3), node("Add", "xc", "y"), node("EyeLike", "x", "e"), node("Mul", "ye", "z"), output("z")))
	f.Fuzz(func(t *testing.T, b []byte) {
		p, err := Unmarshal(b)
		if err != nil {
			return
		}
		small(t, p, b)
		// What was accepted is a program, and stays the same one.
		once, err := Marshal(p)
		require.NoError(t, err)
		q, err := Unmarshal(once)
		require.NoError(t, err)
		twice, err := Marshal(q)
		require.NoError(t, err)
		require.Equal(t, once, twice)
	})
}

// small asserts that a program's constants take no more than the model does
// and what may be made from shapes.
func small(t *testing.T, p *graph.Program, b []byte) {
	total := 0
	for _, c := range p.Consts {
		total += c.Tensor.Bytes()
	}
	require.LessOrEqual(t, total, maxMade+64*len(b))
}

// FuzzUnmarshalFolding has an input whose value is known and an evaluator, so
// that shapes are computed.
func FuzzUnmarshalFolding(f *testing.F) {
	f.Add(model(13, input("x", 2, 3), node("Shape", "x", "s"), input("i", 1), node("Slice", "sii", "e"), node("ConstantOfShape", "e", "c"), node("Add", "xc", "y"), output("y")))
	f.Add(model(17, append(ranges(2), input("x", 1), node("Cast", "i", "j", intAttr("to", 7)), input("i", 1), node("Expand", "xj", "y"), output("y"))...))
	f.Add(model(13, input("x", 4), node("EyeLike", "x", "e"), node("Dropout", "x", "d", text(nodeOutput, "m")), node("Sum", "xd", "y"), output("y")))
	zeros := WithEvaluator(func(c *graph.Call, in []*tensor.Tensor) ([]*tensor.Tensor, error) {
		out := make([]*tensor.Tensor, len(c.Out))
		for i, t := range c.Out {
			out[i] = tensor.New(t.DType, t.Shape...)
			if len(in) > 0 && in[0] != nil { // so that not all extents are 0
				copy(out[i].Data, in[0].Data)
			}
		}
		return out, nil
	})
	given := WithInputs(map[string]*tensor.Tensor{"i": of(tensor.Shape{1}, []int64{1})})
	f.Fuzz(func(t *testing.T, b []byte) {
		if p, err := Unmarshal(b, zeros, given); err == nil {
			small(t, p, b)
		}
	})
}
