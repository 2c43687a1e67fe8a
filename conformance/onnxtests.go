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

// ONNXTest is one such folder.
type ONNXTest struct {
	Name string // the path below the folder that was searched
	Dir  string
}

// FindONNXTests lists the tests below dir, in the order of their names.
func FindONNXTests(dir string) ([]ONNXTest, error) {
	var list []ONNXTest
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if d.Name() == modelFile && !d.IsDir() {
			name, err := filepath.Rel(dir, filepath.Dir(path))
			if err != nil {
				return err
			}
			list = append(list, ONNXTest{Name: filepath.ToSlash(name), Dir: filepath.Dir(path)})
		}
		return nil
	})
	return list, err
}

const (
	modelFile = "model.onnx"
	// maxModel bounds the files that are read: models of tests are small.
	maxModel = 2 << 30
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

func readSet(model []byte, dir string) (*onnxSet, error) {
	sig, err := onnx.ReadSignature(model)
	if err != nil {
		return nil, err
	}
	given, err := readTensors(dir, "input", sig.Inputs)
	if err != nil {
		return nil, err
	}
	s := &onnxSet{feeds: Values{}}
	s.program, err = onnx.Unmarshal(model, onnx.WithInputs(given), onnx.WithEvaluator(evaluateCall))
	if err != nil {
		return nil, notRead(err, sig)
	}
	if s.graph, err = s.program.Infer(); err != nil {
		return nil, err
	}
	for _, f := range s.graph.Feeds {
		if s.feeds[f.Name] = given[f.Name]; given[f.Name] == nil {
			return nil, fmt.Errorf("%s: no file for input %s", dir, f.Name)
		}
	}
	want, err := readTensors(dir, "output", sig.Outputs)
	if err != nil {
		return nil, err
	}
	s.want, s.folded = Outputs(want), len(s.program.Nodes) == 0
	for name, t := range want {
		if got, ok := s.graph.Types[name]; !ok || !got.Equal(t.Type) {
			return nil, fmt.Errorf("%s: output %s is %v, the model gives %v", dir, name, t.Type, got)
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
