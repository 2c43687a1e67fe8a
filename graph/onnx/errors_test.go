package onnx

import (
	"errors"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/clsbench/clsbench/graph"
	"github.com/clsbench/clsbench/tensor"
)

// typed gives a value of another element type, or of a kind that is no tensor.
func typed(name string, elem int64, dims ...part) part {
	return sub(graphInput, text(valueName, name), tensorType(elem, dims...))
}

func floatAttr(name string, v float32) part {
	return sub(nodeAttribute, text(attrName, name), func(b []byte) []byte { return appendFloat(b, attrF, v) }, ints(attrType, attrTypeFloat))
}

// What ONNX allows and programs can't say is no fault of the model's.
func TestWhatProgramsLackIsUnsupported(t *testing.T) {
	x, image := input("x", 2, 3), input("x", 1, 1, 4, 4)
	for name, c := range map[string]struct {
		model    []byte
		op, kind string
		opset    int64
	}{
		"an op":                        {model(13, x, node("Einsum", "x", "y")), "Einsum", "", 13},
		"an op of another domain":      {model(13, x, node("Scaler", "x", "y", text(nodeDomain, "ai.onnx.ml"))), "Scaler", "", 0},
		"a version of an op":           {model(5, x, node("Relu", "x", "y")), "Relu", "", 5},
		"an opset to come":             {model(28, x, node("Relu", "x", "y")), "Relu", "", 28},
		"an element type of an input":  {model(13, typed("x", 4, dim(2)), node("Max", "xx", "y")), "Max", "uint16", 13},
		"one that another node reads":  {model(13, x, typed("q", 13, dim(2)), node("Relu", "x", "y"), node("BitShift", "qq", "z")), "BitShift", "uint64", 13},
		"an element type of a weight":  {model(13, x, initializer("w", 8, []int64{1}, text(tensorRawData, "")), node("Relu", "x", "y"), node("Add", "xw", "z")), "Add", "string", 13},
		"an element type of Cast":      {model(13, x, node("Cast", "x", "y", intAttr("to", 17))), "Cast", "float8e4m3fn", 13},
		"a type that the row lacks":    {model(13, typed("x", 7, dim(2)), node("Conv", "xx", "y")), "Conv", "", 13},
		"a sequence":                   {model(13, sub(graphInput, text(valueName, "x"), sub(valueType, sub(4))), node("SequenceLength", "x", "y")), "SequenceLength", "sequence", 13},
		"an optional":                  {model(16, sub(graphInput, text(valueName, "x"), sub(valueType, sub(9))), node("Identity", "x", "y")), "Identity", "optional", 16},
		"a map":                        {model(16, sub(graphInput, text(valueName, "x"), sub(valueType, sub(5))), node("Identity", "x", "y")), "Identity", "map", 16},
		"a shape that is not static":   {model(13, sub(graphInput, text(valueName, "x"), tensorType(1, sub(shapeDim, text(dimParam, "N")))), node("Relu", "x", "y")), "Relu", "", 13},
		"a computed shape":             {model(13, x, node("Add", "xx", "s"), node("Reshape", "xs", "y")), "Reshape", "", 13},
		"a value of an attribute":      {model(13, image, initializer("s", 1, []int64{4}, floats32(tensorFloatData, 1, 1, 2, 2)), sub(graphNode, text(nodeOpType, "Resize"), text(nodeInput, "x"), text(nodeInput, ""), text(nodeInput, "s"), text(nodeOutput, "y"), textAttr("mode", "cubic"))), "Resize", "", 13},
		"an attribute":                 {model(25, x, node("Attention", "xxx", "y", intAttr("left_window_size", 2))), "Attention", "", 25},
		"a graph":                      {model(13, x, node("Relu", "x", "y", sub(nodeAttribute, text(attrName, "body"), sub(6), ints(attrType, 5)))), "Relu", "", 13},
		"floats of several types":      {model(15, typed("x", 10, dim(1), dim(2), dim(2)), input("s", 2), node("BatchNormalization", "xssss", "y")), "BatchNormalization", "", 15},
		"a batch norm without samples": {model(15, input("x", 3), input("s", 1), node("BatchNormalization", "xssss", "y")), "BatchNormalization", "", 15},
		"statistics of another type":   {model(17, x, input("s", 3), node("LayerNormalization", "xs", "y", intAttr("stash_type", 16))), "LayerNormalization", "", 17},
		"a window wholly in padding":   {model(13, image, node("MaxPool", "x", "y", intsAttr("kernel_shape", 2, 2), intsAttr("pads", 2, 2, 2, 2))), "MaxPool", "", 13},
		"random numbers":               {model(13, x, initializer("t", 9, nil, text(tensorRawData, "\x01")), initializer("r", 1, nil, floats32(tensorFloatData, 0.5)), node("Dropout", "xrt", "y")), "Dropout", "", 13},
		"a constant of strings":        {model(13, node("Constant", "", "y", textAttr("value_string", "a"))), "Constant", "", 13},
		"sparse weights":               {model(13, sub(graphSparse)), "", "", 0},
	} {
		_, err := Unmarshal(c.model)
		var u *UnsupportedError
		require.True(t, errors.As(err, &u), "%s: %v", name, err)
		require.Equal(t, c.op, u.Op, name)
		require.Equal(t, c.kind, u.Type, name)
		require.Equal(t, c.opset, u.Opset, name)
		if c.op != "" {
			require.NotEmpty(t, u.Node, name)
		}
	}
}

// What ONNX forbids names the node and the field.
func TestBrokenModelsAreInvalid(t *testing.T) {
	x, image, cube := input("x", 2, 3), input("x", 1, 1, 4, 4), input("x", 1, 2, 3, 4)
	weight := func(data part) []byte {
		return model(13, x, initializer("w", 1, []int64{2, 3}, data), node("Add", "xw", "y"))
	}
	for name, c := range map[string]struct {
		model           []byte
		node, field, in string // in the text
	}{
		"a value that nobody makes":        {model(13, x, node("Add", "xq", "y")), "Add_0", "input 1", `no value "q"`},
		"a value that is made later":       {model(13, x, node("Add", "xq", "y"), node("Relu", "x", "q")), "Add_0", "input 1", "node Relu_1 makes it"},
		"a cycle":                          {model(13, x, node("Add", "xb", "a"), node("Relu", "a", "b")), "Add_0", "input 1", "without cycles"},
		"a node that reads itself":         {model(13, x, node("Add", "xy", "y")), "Add_0", "input 1", "without cycles"},
		"one name for two outputs":         {model(13, x, node("Relu", "x", "y"), node("Neg", "x", "y")), "Neg_1", "output 0", "exists already"},
		"one name for output and input":    {model(13, x, node("Relu", "x", "x")), "Relu_0", "output 0", "exists already"},
		"one name for two inputs":          {model(13, x, x), "", `input "x"`, "stands twice"},
		"one name for two weights":         {model(13, initializer("w", 1, nil, floats32(tensorFloatData, 1)), initializer("w", 1, nil, floats32(tensorFloatData, 1))), "", `initializer "w"`, "stands twice"},
		"an output that nobody makes":      {model(13, x, node("Relu", "x", "y"), output("z")), "", `output "z"`, "no node makes it"},
		"a mistake behind an unknown op":   {model(13, x, node("Einsum", "x", "y"), node("Add", "xq", "z")), "Add_1", "input 1", `no value "q"`},
		"a weight without data":            {weight(text(tensorName, "w")), "", `initializer "w": data`, "0 elements of data"},
		"a weight cut short":               {weight(text(tensorRawData, "12345")), "", `initializer "w": data`, "5 bytes of data, f32[2x3] takes 24"},
		"a weight of negative extent":      {model(13, initializer("w", 1, []int64{-2}, text(tensorRawData, ""))), "", `initializer "w": dims`, "negative"},
		"a weight of no type":              {model(13, initializer("w", 0, []int64{1}, text(tensorRawData, ""))), "", `initializer "w"`, "data type 0 is none of ONNX's"},
		"an element type out of range":     {model(13, typed("x", 99, dim(2)), node("Relu", "x", "y")), "", `input "x"`, "data type 99 is none"},
		"a negative dimension":             {model(13, input("x", 2, -3), node("Relu", "x", "y")), "", `input "x"`, "dimension 1 is -3"},
		"an input without a type":          {model(13, sub(graphInput, text(valueName, "x"))), "", `input "x"`, "no type"},
		"an axis that is not there":        {model(13, cube, node("Softmax", "x", "y", intAttr("axis", -9))), "Softmax_0", "", "attribute axis: axis -9 of a tensor of rank 4"},
		"a stride of 0":                    {model(13, image, node("MaxPool", "x", "y", intsAttr("kernel_shape", 2, 2), intsAttr("strides", 0, 1))), "MaxPool_0", "", "attribute strides: [0 1]: 0 is outside"},
		"a shape of another size":          {model(13, x, initializer("s", 7, []int64{1}, packed(tensorInt64Data, 5)), node("Reshape", "xs", "y")), "Reshape_0", "", "attribute shape"},
		"shapes that do not broadcast":     {model(13, x, input("b", 4), node("Add", "xb", "y")), "Add_0", "", "do not broadcast"},
		"a missing input":                  {model(13, x, node("Add", "x", "y")), "Add_0", "", "input B is missing"},
		"an input too many":                {model(13, x, node("Relu", "xx", "y")), "Relu_0", "", "2 inputs"},
		"an attribute of nobody's":         {model(13, x, node("Relu", "x", "y", intAttr("colour", 3))), "Relu_0", "", "attribute colour is not one"},
		"a value of nobody's":              {model(13, image, initializer("s", 1, []int64{4}, floats32(tensorFloatData, 1, 1, 2, 2)), sub(graphNode, text(nodeOpType, "Resize"), text(nodeInput, "x"), text(nodeInput, ""), text(nodeInput, "s"), text(nodeOutput, "y"), textAttr("mode", "cubist"))), "Resize_0", "", `attribute mode is "cubist"`},
		"an attribute of an unknown type":  {model(13, x, node("Relu", "x", "y", sub(nodeAttribute, text(attrName, "a"), ints(attrType, 99)))), "", "attribute a", "attribute type 99 is none of ONNX's"},
		"an attribute of the wrong type":   {model(13, x, node("LeakyRelu", "x", "y", intAttr("alpha", 1))), "LeakyRelu_0", "", "attribute alpha is of kind int"},
		"an attribute that belies itself":  {model(13, x, node("LeakyRelu", "x", "y", sub(nodeAttribute, text(attrName, "alpha"), ints(attrI, 1), ints(attrType, attrTypeFloat)))), "", "attribute alpha", "says FLOAT and holds INT"},
		"an attribute of two values":       {model(13, x, node("LeakyRelu", "x", "y", sub(nodeAttribute, text(attrName, "alpha"), ints(attrI, 1), floats32(attrFloats, 1)))), "", "attribute alpha", "more than one type"},
		"an attribute twice":               {model(13, x, node("LeakyRelu", "x", "y", floatAttr("alpha", 1), floatAttr("alpha", 2))), "", "attribute alpha", "stands twice"},
		"a node without an op":             {model(13, x, sub(graphNode, text(nodeInput, "x"), text(nodeOutput, "y"), text(nodeNameField, "n"))), "n", "op_type", "missing"},
		"an output declared otherwise":     {model(13, x, node("Relu", "x", "y"), f32Value(graphOutput, "y", 3, 2)), "", `value "y"`, "declared with dimensions"},
		"an opset before the first":        {model(0, x, node("Relu", "x", "y")), "", "opset_import", "opset 0"},
		"a step of 0":                      {model(13, initializer("a", 7, nil, packed(tensorInt64Data, 0)), node("Range", "aaa", "y")), "Range_0", "input 2", "step of 0"},
		"a slope that does not stretch":    {model(13, x, input("s", 4), node("PRelu", "xs", "y")), "PRelu_0", "", "does not stretch"},
		"element types that differ":        {model(13, x, typed("b", 11, dim(3)), node("Add", "xb", "y")), "Add_0", "", "the others are f32"},
		"a model cut short":                {model(13, x)[:20], "", "", "cut short"},
		"a list of axes that is no list":   {model(13, x, initializer("a", 1, []int64{1}, floats32(tensorFloatData, 1)), node("ReduceSum", "xa", "y")), "ReduceSum_0", "", "want a list of s64"},
		"vectors of different length":      {model(13, input("a", 3), input("b", 4), node("MatMul", "ab", "y")), "MatMul_0", "", "inner extents 3 and 4 differ"},
		"bounds of the wrong type (Clip)":  {model(6, x, node("Clip", "x", "y", intAttr("min", 1))), "Clip_0", "attribute min", "want FLOAT"},
		"a given value of another type":    {model(13, input("g", 2, 2), node("Relu", "g", "y")), "", `input "g"`, "the value given is f32[1]"},
		"a given value where a map is due": {model(13, sub(graphInput, text(valueName, "g"))), "", `input "g"`, "no type"},
	} {
		_, err := Unmarshal(c.model, WithInputs(map[string]*tensor.Tensor{"g": tensor.New(tensor.F32, 1)}))
		var broken *InvalidError
		require.True(t, errors.As(err, &broken), "%s: %v", name, err)
		require.ErrorContains(t, err, c.in, name)
		require.Equal(t, c.node, broken.Node, name)
		require.Contains(t, broken.Field, c.field, name)
		if c.node != "" {
			var node *graph.NodeError
			require.True(t, errors.As(err, &node), name)
		}
	}
}

func TestTensorFilesAreRefusedInTwoWays(t *testing.T) {
	file := func(ps ...part) error {
		_, _, err := UnmarshalTensor(parts(ps...)(nil))
		return err
	}
	var u *UnsupportedError
	require.True(t, errors.As(file(ints(tensorDims, 1), ints(tensorDataType, 5), text(tensorRawData, "ab")), &u))
	require.Equal(t, "int16", u.Type)
	var broken *InvalidError
	require.True(t, errors.As(file(ints(tensorDims, 1), ints(tensorDataType, 1), text(tensorName, "x"), text(tensorRawData, "ab")), &broken))
	require.Equal(t, `tensor "x": data`, broken.Field)
	require.True(t, errors.As(file(text(tensorDims, "\xff")), &broken))
}

func TestSignatureNamesTheOp(t *testing.T) {
	s, err := ReadSignature(model(13, input("x", 2), input("w", 2), node("Relu", "x", "y"), node("Add", "yw", "z"), output("z")))
	require.NoError(t, err)
	require.Equal(t, []string{"Relu", "Add", "Add", "Relu"}, []string{s.OpOf("x"), s.OpOf("w"), s.OpOf("z"), s.OpOf("nobody's")})
	_, err = ReadSignature(model(13, input("x", 2), node("Relu", "x", "y"), sub(graphOutput, text(valueName, "y"), tensorType(5, dim(2)))))
	var u *UnsupportedError
	require.True(t, errors.As(err, &u))
	require.Equal(t, []string{"Relu", "int16"}, []string{u.Op, u.Type})
}

// Every place that refuses a model says of which kind its error is.
func TestReaderChoosesTheKindOfItsErrors(t *testing.T) {
	files, err := filepath.Glob("*.go")
	require.NoError(t, err)
	unmarked := regexp.MustCompile(`errors\.New|fmt\.Errorf\("[^"]*"`)
	for _, f := range files {
		if strings.HasSuffix(f, "_test.go") || f == "write.go" {
			continue
		}
		b, err := os.ReadFile(f)
		require.NoError(t, err)
		for _, m := range unmarked.FindAllString(string(b), -1) {
			require.Contains(t, m, "onnx: %w", "%s: use invalid, flaw or unsupported", f)
		}
	}
}
