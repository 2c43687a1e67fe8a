package onnx

import (
	"fmt"

	"google.golang.org/protobuf/encoding/protowire"

	"github.com/clsbench/clsbench/tensor"
)

// Field numbers of onnx.proto (IR version 10, ONNX 1.16).
const (
	modelIRVersion    protowire.Number = 1
	modelProducerName protowire.Number = 2
	modelGraph        protowire.Number = 7
	modelOpsetImport  protowire.Number = 8
	modelMetadata     protowire.Number = 14

	opsetDomain  protowire.Number = 1
	opsetVersion protowire.Number = 2

	entryKey   protowire.Number = 1
	entryValue protowire.Number = 2

	graphNode        protowire.Number = 1
	graphName        protowire.Number = 2
	graphInitializer protowire.Number = 5
	graphInput       protowire.Number = 11
	graphOutput      protowire.Number = 12
	graphValueInfo   protowire.Number = 13
	graphSparse      protowire.Number = 15

	nodeInput     protowire.Number = 1
	nodeOutput    protowire.Number = 2
	nodeNameField protowire.Number = 3
	nodeOpType    protowire.Number = 4
	nodeAttribute protowire.Number = 5
	nodeDomain    protowire.Number = 7
	nodeMetadata  protowire.Number = 9

	attrName   protowire.Number = 1
	attrF      protowire.Number = 2
	attrI      protowire.Number = 3
	attrS      protowire.Number = 4
	attrT      protowire.Number = 5
	attrFloats protowire.Number = 7
	attrInts   protowire.Number = 8
	attrType   protowire.Number = 20

	valueName protowire.Number = 1
	valueType protowire.Number = 2

	typeTensor protowire.Number = 1
	typeElem   protowire.Number = 1
	typeShape  protowire.Number = 2
	shapeDim   protowire.Number = 1
	dimValue   protowire.Number = 1
	dimParam   protowire.Number = 2

	tensorDims      protowire.Number = 1
	tensorDataType  protowire.Number = 2
	tensorSegment   protowire.Number = 3
	tensorFloatData protowire.Number = 4
	tensorInt32Data protowire.Number = 5
	tensorInt64Data protowire.Number = 7
	tensorName      protowire.Number = 8
	tensorRawData   protowire.Number = 9
	tensorF64Data   protowire.Number = 10
	tensorU64Data   protowire.Number = 11
	tensorExternal  protowire.Number = 13
	tensorLocation  protowire.Number = 14
)

// irVersion is the first whose nodes have metadata_props.
const irVersion = 10

// AttributeProto.AttributeType, as far as programs use it.
const (
	attrTypeFloat  = 1
	attrTypeInt    = 2
	attrTypeString = 3
	attrTypeTensor = 4
	attrTypeFloats = 6
	attrTypeInts   = 7
)

// attrTypes are all of them by number.
var attrTypes = []string{"UNDEFINED", "FLOAT", "INT", "STRING", "TENSOR", "GRAPH", "FLOATS", "INTS", "STRINGS", "TENSORS", "GRAPHS",
	"SPARSE_TENSOR", "SPARSE_TENSORS", "TYPE_PROTO", "TYPE_PROTOS"}

// attrValues are the fields that hold an attribute's value, with the type that
// each is of.
var attrValues = map[protowire.Number]int64{
	attrF: attrTypeFloat, attrI: attrTypeInt, attrS: attrTypeString, attrT: attrTypeTensor, attrFloats: attrTypeFloats, attrInts: attrTypeInts,
	6: 5, 9: 8, 10: 9, 11: 10, 22: 11, 23: 12, 14: 13, 15: 14,
}

// typeKinds are the fields of a TypeProto.
var typeKinds = map[protowire.Number]string{
	typeTensor: "tensor", 4: "sequence", 5: "map", 7: "opaque", 8: "sparse_tensor", 9: "optional",
}

// locationExternal is TensorProto.DataLocation's EXTERNAL.
const locationExternal = 1

// Keys of metadata_props.
const (
	keyProgram = "clsbench.program"
	keyState   = "clsbench.state"
	keyUpdates = "clsbench.updates"
	keyOrigin  = "clsbench.origin"
	keyVersion = "clsbench.version" // on nodes
)

// stdDomain is the other spelling of ONNX's default domain.
const stdDomain = "ai.onnx"

// dataTypes is TensorProto.DataType of each element type.
var dataTypes = map[tensor.DType]int64{
	tensor.F32: 1, tensor.U8: 2, tensor.S8: 3, tensor.S32: 6, tensor.S64: 7,
	tensor.Bool: 9, tensor.F16: 10, tensor.F64: 11, tensor.U32: 12, tensor.BF16: 16,
}

// dataTypeNames are ONNX's names of all element types by number; 0 is none.
var dataTypeNames = []string{"undefined", "float", "uint8", "int8", "uint16", "int16", "int32", "int64", "string", "bool", "float16", "double",
	"uint32", "uint64", "complex64", "complex128", "bfloat16", "float8e4m3fn", "float8e4m3fnuz", "float8e5m2", "float8e5m2fnuz",
	"uint4", "int4", "float4e2m1", "float8e8m0", "uint2", "int2"}

// dtypeOf is the inverse of dataTypes.
func dtypeOf(dataType int64) (tensor.DType, error) {
	for d, n := range dataTypes {
		if n == dataType {
			return d, nil
		}
	}
	if dataType < 1 || dataType >= int64(len(dataTypeNames)) {
		return tensor.Invalid, flaw(fmt.Sprintf("data type %d is none of ONNX's", dataType))
	}
	name := dataTypeNames[dataType]
	return tensor.Invalid, &lack{typ: name, what: fmt.Sprintf("element type %s (ONNX data type %d) is not one that programs have: %v", name, dataType, tensor.DTypes())}
}
