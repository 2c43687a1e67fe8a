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

// FindONNXTests lists the tests below dir, in the order of their names. A folder
// that is empty or has data alone is one as well, whose model is missing.
func FindONNXTests(dir string) ([]ONNXTest, error) {
	var list []ONNXTest
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		t := ONNXTest{Dir: filepath.Dir(path)}
		name, data := t.Dir, strings.HasPrefix(d.Name(), dataFolder)
		switch stem := strings.TrimSuffix(path, modelSuffix); {
		case d.IsDir() && path != dir && !data && empty(path):
			name, t.Dir = path, path
		case d.IsDir():
			orphans := data && !exists(filepath.Join(t.Dir, modelFile)) && !exists(filepath.Join(t.Dir, addressFile))
			if !orphans || len(list) > 0 && list[len(list)-1].Dir == t.Dir {
				return nil
			}
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

func empty(dir string) bool {
	entries, err := os.ReadDir(dir)
	return err == nil && len(entries) == 0
}

const (
	modelFile   = "model.onnx"
	dataFolder  = "test_data_set_"
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
	// superseded says that ONNX has corrected what the test wants.
	superseded bool
}

// noModel stands in place of an op for tests whose model is not here.
const noModel = "(no model)"

// unread is a test that asks for what programs don't have: the op at fault and,
// if it is that, the element type or kind of value.
type unread struct{ op, typ, why string }

func (u unread) Error() string { return u.why }

// sets reads the model anew for each set of data: shapes follow from inputs.
func (t ONNXTest) sets() ([]*onnxSet, error) {
	switch {
	case t.away:
		return nil, unread{noModel, "", t.Dir + ": there is only the model's address here, not the model"}
	case t.light != "":
		return t.lightSet()
	}
	m, err := readONNX(filepath.Join(t.Dir, modelFile))
	if err != nil {
		return nil, err
	}
	dirs, err := filepath.Glob(filepath.Join(t.Dir, dataFolder+"*"))
	if err != nil || len(dirs) == 0 {
		return nil, fmt.Errorf("%s: no folder %s0 beside the model", t.Dir, dataFolder)
	}
	var list []*onnxSet
	for i := range dirs { // 0, 1, … without a gap
		s, err := m.set(filepath.Join(t.Dir, fmt.Sprint(dataFolder, i)))
		if err != nil {
			return nil, err
		}
		list = append(list, s)
	}
	return list, nil
}

// onnxModel is a model as it lies in its file.
type onnxModel struct {
	path string
	data []byte
	sig  onnx.Signature
}

func readONNX(path string) (*onnxModel, error) {
	m := &onnxModel{path: path}
	var err error
	if m.data, err = readLimited(path); err != nil {
		return nil, err
	}
	if m.sig, err = onnx.ReadSignature(m.data); err != nil {
		return nil, m.refused(err)
	}
	return m, nil
}

// refused tells a model that needs what programs don't have, which is listed,
// from one that is broken, which fails its test.
func (m *onnxModel) refused(err error) error {
	var lack *onnx.UnsupportedError
	var broken *onnx.InvalidError
	switch {
	case errors.As(err, &lack):
		return unread{lack.Op, lack.Type, lack.Error()}
	case errors.As(err, &broken):
		err = broken
	}
	return fmt.Errorf("invalid model: %s: %w", m.path, err)
}

// lightSet is a light model's only set of data, with the inputs that ONNX's own
// runner makes: i/n of n elements.
func (t ONNXTest) lightSet() ([]*onnxSet, error) {
	m, err := readONNX(filepath.Join(t.Dir, t.light+modelSuffix))
	if err != nil {
		return nil, err
	}
	given := Values{}
	for _, name := range m.sig.Inputs {
		typ, ok := m.sig.Types[name]
		if !ok || typ.DType != tensor.F32 {
			return nil, unread{m.sig.OpOf(name), "", fmt.Sprintf("%s: input %s is no f32 of a static shape", t.Name, name)}
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
	want, err := m.tensors(t.Dir, t.light+"_output", m.sig.Outputs)
	if err != nil {
		return nil, err
	}
	s, err := m.read(t.Dir, given, want, onnx.WithRoom(lightRoom))
	return []*onnxSet{s}, err
}

// set is the model with the data of one folder.
func (m *onnxModel) set(dir string) (*onnxSet, error) {
	given, err := m.tensors(dir, "input", m.sig.Inputs)
	if err != nil {
		return nil, err
	}
	want, err := m.tensors(dir, "output", m.sig.Outputs)
	if err != nil {
		return nil, err
	}
	return m.read(dir, given, want)
}

// read reads the model for the inputs given.
func (m *onnxModel) read(from string, given, want Values, more ...onnx.Option) (*onnxSet, error) {
	s, err := &onnxSet{feeds: Values{}}, error(nil)
	s.program, err = onnx.Unmarshal(m.data, append(more, onnx.WithInputs(given), onnx.WithEvaluator(evaluateCall))...)
	if err != nil {
		return nil, m.refused(err)
	}
	if s.graph, err = s.program.Infer(); err != nil {
		return nil, err
	}
	for _, f := range s.graph.Feeds {
		s.feeds[f.Name] = given[f.Name]
	}
	s.want, s.folded = Outputs(want), len(s.program.Nodes) == 0
	for name, t := range want {
		if got, ok := s.graph.Types[name]; !ok || !got.Equal(t.Type) {
			return nil, fmt.Errorf("%s: output %s is %v, the model gives %v", from, name, t.Type, got)
		}
	}
	return s, nil
}

// tensors reads KIND_0.pb, KIND_1.pb, … of a folder, one a name and no more. A
// tensor that says no name, or one that the model lacks, has that of its place.
func (m *onnxModel) tensors(dir, kind string, names []string) (Values, error) {
	v, read := Values{}, map[string]bool{}
	file := func(i int) string { return filepath.Join(dir, fmt.Sprintf("%s_%d.pb", kind, i)) }
	for i := range names {
		b, err := readLimited(file(i))
		read[file(i)] = true
		if errors.Is(err, fs.ErrNotExist) {
			return nil, fmt.Errorf("%s: no such file: the model has %q", file(i), names[i])
		}
		if err != nil {
			return nil, err
		}
		name, t, err := onnx.UnmarshalTensor(b)
		if err != nil {
			return nil, m.refusedTensor(file(i), names[i], err)
		}
		if !slices.Contains(names, name) {
			name = names[i]
		}
		if v[name] != nil {
			return nil, fmt.Errorf("%s: a file before it holds %q already", file(i), name)
		}
		v[name] = t
	}
	files, err := filepath.Glob(filepath.Join(dir, kind+"_*.pb"))
	for _, path := range files {
		if !read[path] {
			return nil, fmt.Errorf("%s: one file too many: the model has only %q", path, names)
		}
	}
	return v, err
}

// refusedTensor is refused for a file of data. The model has been found to have
// but types that programs have; ONNX up to 1.12 kept bfloat16 as uint16, cut
// where Cast rounds.
func (m *onnxModel) refusedTensor(path, name string, err error) error {
	var lack *onnx.UnsupportedError
	bits := m.sig.Types[name].DType == tensor.BF16
	if errors.As(err, &lack) && (lack.Type == "" || lack.Type == "uint16" && bits) {
		return unread{m.sig.OpOf(name), lack.Type, fmt.Sprintf("%s: %v", path, lack)}
	}
	return fmt.Errorf("invalid data: %s: %w", path, err)
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
