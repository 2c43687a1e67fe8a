package conformance

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/clsbench/clsbench/graph"
	"github.com/clsbench/clsbench/graph/onnx"
	"github.com/clsbench/clsbench/reference"
	"github.com/clsbench/clsbench/tensor"
)

// ONNX's own backend tests, an oracle by people who never saw this project: a
// folder with model.onnx and folders test_data_set_N of input_I.pb and
// output_I.pb (onnx/docs/OnnxBackendTest.md).

//
// Its light models are single files X.onnx with their outputs X_output_I.pb:
// real networks whose weights are constants, so that they need no room
// (onnx/backend/test/data/light). Of real models Debian's package has only
// addresses, in files data.json.

// ONNXTest is one such test.
type ONNXTest struct {
	Name  string // the path below the folder that was searched
	Dir   string
	light string // of a light model, what its files' names begin with
	away  bool   // there is only its address
}

// FindONNXTests lists the tests below dir, in the order of their names.
func FindONNXTests(dir string) ([]ONNXTest, error) {
	var list []ONNXTest
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		t := ONNXTest{Dir: filepath.Dir(path)}
		name := t.Dir
		switch stem := strings.TrimSuffix(path, modelSuffix); {
		case d.Name() == modelFile:
		case d.Name() == addressFile && !exists(filepath.Join(t.Dir, modelFile)):
			t.away = true
		case stem != path && exists(stem+lightOutput+"0.pb"):
			name, t.light = stem, filepath.Base(stem)
		default:
			return nil
		}
		if name, err = filepath.Rel(dir, name); err != nil {
			return err
		}
		t.Name = filepath.ToSlash(name)
		list = append(list, t)
		return nil
	})
	return list, err
}

func exists(path string) bool {
	_, err := os.Stat(path)
	return err == nil
}

const (
	modelFile   = "model.onnx"
	modelSuffix = ".onnx"
	addressFile = "data.json"
	lightOutput = "_output_"
	// maxModel bounds the files that are read: models of tests are small.
	maxModel = 2 << 30
	// lightRoom is for the weights of a light model: VGG-19's take 575 MB.
	lightRoom = 768 << 20
	// lightInput bounds what its input, of which the file has the shape alone,
	// may hold.
	lightInput = 16 << 20
)

// onnxSet is the model with one set of inputs and the outputs due.
type onnxSet struct {
	program *graph.Program
	graph   *graph.Graph
	feeds   Values
	want    Outputs // by the fetch's name
	folded  bool    // no op is left to run
}

// unread is a test that this project can't read, and the op at fault.
type unread struct{ op, why string }

func (u unread) Error() string { return u.why }

// sets reads the model anew for each set of data: shapes follow from inputs.
func (t ONNXTest) sets() ([]*onnxSet, error) {
	switch {
	case t.away:
		return nil, unread{"", t.Dir + ": there is only the model's address here, not the model"}
	case t.light != "":
		return t.lightSet()
	}
	model, err := readLimited(filepath.Join(t.Dir, modelFile))
	if err != nil {
		return nil, err
	}
	dirs, err := filepath.Glob(filepath.Join(t.Dir, "test_data_set_*"))
	if err != nil || len(dirs) == 0 {
		return nil, fmt.Errorf("%s: no folder test_data_set_0", t.Dir)
	}
	slices.Sort(dirs)
	var list []*onnxSet
	for _, dir := range dirs {
		s, err := readSet(model, dir)
		if err != nil {
			return nil, err
		}
		list = append(list, s)
	}
	return list, nil
}

// lightSet is a light model's only set of data, with the inputs that ONNX's own
// runner makes: i/n of n elements.
func (t ONNXTest) lightSet() ([]*onnxSet, error) {
	model, err := readLimited(filepath.Join(t.Dir, t.light+modelSuffix))
	if err != nil {
		return nil, err
	}
	sig, err := onnx.ReadSignature(model)
	if err != nil {
		return nil, err
	}
	given := Values{}
	for _, name := range sig.Inputs {
		typ, ok := sig.Types[name]
		if !ok || typ.DType != tensor.F32 {
			return nil, unread{"", fmt.Sprintf("%s: input %s is no f32 of a static shape", t.Name, name)}
		}
		if typ.Shape.Elements() > lightInput {
			return nil, fmt.Errorf("%s: input %s is %v: more than the %d elements that a light model's may have", t.Name, name, typ, lightInput)
		}
		v := make([]float64, typ.Shape.Elements())
		for i := range v {
			v[i] = float64(i) / float64(len(v))
		}
		given[name] = tensor.New(typ.DType, typ.Shape...)
		given[name].SetFloat64s(v)
	}
	want, err := readTensors(t.Dir, t.light+"_output", sig.Outputs)
	if err != nil {
		return nil, err
	}
	s, err := newSet(t.Name, model, sig, given, want, onnx.WithRoom(lightRoom))
	return []*onnxSet{s}, err
}

func readSet(model []byte, dir string) (*onnxSet, error) {
	sig, err := onnx.ReadSignature(model)
	if err != nil {
		return nil, err
	}
	given, err := readTensors(dir, "input", sig.Inputs)
	if err != nil {
		return nil, err
	}
	want, err := readTensors(dir, "output", sig.Outputs)
	if err != nil {
		return nil, err
	}
	return newSet(dir, model, sig, given, want)
}

// newSet reads the model for the inputs given.
func newSet(from string, model []byte, sig onnx.Signature, given, want Values, more ...onnx.Option) (*onnxSet, error) {
	s, err := &onnxSet{feeds: Values{}}, error(nil)
	s.program, err = onnx.Unmarshal(model, append(more, onnx.WithInputs(given), onnx.WithEvaluator(evaluateCall))...)
	if err != nil {
		return nil, notRead(err, sig)
	}
	if s.graph, err = s.program.Infer(); err != nil {
		return nil, err
	}
	for _, f := range s.graph.Feeds {
		if s.feeds[f.Name] = given[f.Name]; given[f.Name] == nil {
			return nil, fmt.Errorf("%s: no file for input %s", from, f.Name)
		}
	}
	s.want, s.folded = Outputs(want), len(s.program.Nodes) == 0
	for name, t := range want {
		if got, ok := s.graph.Types[name]; !ok || !got.Equal(t.Type) {
			return nil, fmt.Errorf("%s: output %s is %v, the model gives %v", from, name, t.Type, got)
		}
	}
	return s, nil
}

// notRead tells a model that needs what the op table lacks from one that is
// broken.
func notRead(err error, sig onnx.Signature) error {
	var node *graph.NodeError
	if errors.As(err, &node) {
		return unread{node.Op, err.Error()}
	}
	return unread{strings.Join(sig.Ops, " "), err.Error()}
}

// readTensors reads KIND_0.pb, KIND_1.pb, … of a folder. A tensor that says no
// name, or one that the model lacks, has that of its place.
func readTensors(dir, kind string, names []string) (Values, error) {
	v := Values{}
	for i := range names {
		path := filepath.Join(dir, fmt.Sprintf("%s_%d.pb", kind, i))
		b, err := readLimited(path)
		if errors.Is(err, fs.ErrNotExist) {
			continue // an optional input that is left out
		}
		if err != nil {
			return nil, err
		}
		name, t, err := onnx.UnmarshalTensor(b)
		if err != nil {
			return nil, unread{"", fmt.Sprintf("%s: %v", path, err)}
		}
		if !slices.Contains(names, name) {
			name = names[i]
		}
		v[name] = t
	}
	return v, nil
}

func readLimited(path string) ([]byte, error) {
	info, err := os.Stat(path)
	if err != nil {
		return nil, err
	}
	if info.Size() > maxModel {
		return nil, fmt.Errorf("%s: %d bytes, want at most %d", path, info.Size(), int64(maxModel))
	}
	return os.ReadFile(path)
}

// evaluateCall computes what shapes follow from, by the reference.
func evaluateCall(c *graph.Call, in []*tensor.Tensor) ([]*tensor.Tensor, error) {
	env := map[string]*reference.Array{}
	for i, x := range in {
		if x != nil {
			env[c.Inputs[i]] = reference.FromTensor(x)
		}
	}
	if err := reference.EvalNode(c, env, reference.Mode{}); err != nil {
		return nil, err
	}
	out := make([]*tensor.Tensor, len(c.Outputs))
	for i, name := range c.Outputs {
		if name != "" {
			out[i] = env[name].Tensor(c.Out[i].DType)
		}
	}
	return out, nil
}
