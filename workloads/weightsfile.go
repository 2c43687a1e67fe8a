package workloads

import (
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"os"
	"slices"
	"strings"

	"github.com/clsbench/clsbench/graph/onnx"
	"github.com/clsbench/clsbench/tensor"
	"github.com/clsbench/clsbench/workloads/safetensors"
)

// WeightsFile is what a file of weights holds for a network.
type WeightsFile struct {
	Path   string
	SHA256 string // of the file, in hex
	// Weights lack the classifier where the file has one of other classes and
	// NewHead was asked for.
	Weights Weights
	NewHead bool
}

// ReadWeights reads a network's weights from a safetensors file under our names,
// torchvision's or timm's, from a checkpoint of a training run, of which it takes
// what was evaluated, or from the initialisers of an ONNX model. Every tensor of the
// network has to be there in its shape, and no other may be. newHead lets the
// classifier be one of another number of classes, and leaves it out.
func (w *Workload) ReadWeights(path string, newHead bool) (*WeightsFile, error) {
	f, err := w.readWeights(path, newHead)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return f, nil
}

// First are the weights to begin with: the file's, and what it lacks as seed
// draws it.
func (f *WeightsFile) First(w *Workload, seed uint64) Weights {
	first := w.Init(seed)
	maps.Copy(first, f.Weights)
	return first
}

func (w *Workload) readWeights(path string, newHead bool) (*WeightsFile, error) {
	b, err := w.weightBytes(path)
	if err != nil {
		return nil, err
	}
	sum := sha256.Sum256(b)
	f := &WeightsFile{Path: path, SHA256: hex.EncodeToString(sum[:])}
	if isSafetensors(b) {
		f.Weights, err = w.fromSafetensors(b, newHead)
	} else {
		f.Weights, err = w.fromONNX(b, newHead)
	}
	f.NewHead = err == nil && len(f.Weights) < len(w.tensors())
	return f, err
}

// weightRoom is how many times the bytes of a network's weights a file may have:
// a checkpoint holds an optimizer's slots and averages beside them.
const weightRoom = 8

func (w *Workload) weightBytes(path string) ([]byte, error) {
	room := int64(2 * safetensors.MaxHeader)
	for _, p := range w.tensors() {
		room += weightRoom * int64(p.Type.Bytes())
	}
	info, err := os.Stat(path)
	switch {
	case err != nil:
		return nil, errors.Unwrap(err) // its path is told already
	case !info.Mode().IsRegular():
		return nil, errors.New("not a file: want safetensors or an ONNX model")
	case info.Size() > room:
		return nil, fmt.Errorf("its %d bytes are more than weights of %s can take: it is of another network", info.Size(), w)
	}
	return os.ReadFile(path)
}

// isSafetensors tells the formats apart: JSON behind a length of 8 bytes, the upper
// of which are 0. An ONNX model has fields there, none of which is numbered 0.
func isSafetensors(b []byte) bool {
	return len(b) > 8 && b[8] == '{' && binary.LittleEndian.Uint64(b) < 1<<32
}

func (w *Workload) fromSafetensors(b []byte, newHead bool) (Weights, error) {
	tensors, metadata, err := safetensors.Decode(b)
	if err != nil {
		return nil, err
	}
	if text, ok := metadata[manifestKey]; ok {
		if tensors, err = w.ofCheckpoint(text, metadata[digestKey], tensors); err != nil {
			return nil, err
		}
	}
	return w.named(tensors, newHead)
}

// ofCheckpoint picks what a training run was evaluated with out of its state: the
// averages, where it kept them.
func (w *Workload) ofCheckpoint(text, sum string, state map[string]*tensor.Tensor) (map[string]*tensor.Tensor, error) {
	var m manifest
	if err := json.Unmarshal([]byte(text), &m); err != nil {
		return nil, fmt.Errorf("%s: %w", manifestKey, err)
	}
	if m.Workload != w.String() {
		return nil, fmt.Errorf("it is a checkpoint of %s, not of %s", m.Workload, w)
	}
	if sum != digest(state) {
		return nil, errors.New("its tensors do not have the hash that it states: it is damaged")
	}
	out := map[string]*tensor.Tensor{}
	for _, p := range w.tensors() {
		for _, name := range []string{p.Name, p.Name + averageSuffix} {
			if t := state[name]; t != nil {
				out[p.Name] = t
			}
		}
	}
	return out, nil
}

// fromONNX takes a model's initialisers. Names are the parameters' in models of ours
// in floats and in those of torch.onnx.export that fold nothing.
func (w *Workload) fromONNX(b []byte, newHead bool) (Weights, error) {
	tensors, err := onnx.ReadInitializers(b)
	if err != nil {
		return nil, fmt.Errorf("neither safetensors nor an ONNX model that can be read: %w", err)
	}
	ops, err := onnx.ReadSignature(b)
	if err != nil {
		return nil, err
	}
	has := func(op string) bool { return slices.Contains(ops.Ops, op) }
	normed := slices.ContainsFunc(w.tensors(), func(p Param) bool { return strings.HasSuffix(p.Name, "running_var") })
	switch {
	case has("QuantizeLinear") || has("DequantizeLinear"):
		return nil, errors.New("it is a model in 8 bits: its weights are rounded: give the one in floats that it was made of")
	case normed && !has("BatchNormalization"):
		return nil, errors.New("its batch norms are folded into the convolutions: give a model that keeps them " +
			"(torch.onnx.export with training=TrainingMode.PRESERVE and do_constant_folding=False), or the weights as safetensors")
	}
	own := map[string]bool{}
	for _, n := range w.namings() {
		for _, p := range w.tensors() {
			own[n.theirs(p.Name)] = true
		}
	}
	// Shapes, scalars and the like of the graph stand among the weights.
	maps.DeleteFunc(tensors, func(name string, t *tensor.Tensor) bool {
		weight := strings.HasSuffix(name, ".weight") || strings.HasSuffix(name, ".bias") || strings.HasPrefix(name, "onnx::")
		return !own[name] && (!t.DType.IsFloat() || !weight)
	})
	out, err := w.named(tensors, newHead)
	if err != nil && slices.ContainsFunc(slices.Collect(maps.Keys(tensors)), func(name string) bool { return strings.HasPrefix(name, "onnx::") }) {
		err = fmt.Errorf("%w; torch.onnx.export has renamed weights that it folded: do_constant_folding=False leaves them", err)
	}
	return out, err
}

// named maps tensors by others' names to the network's.
func (w *Workload) named(tensors map[string]*tensor.Tensor, newHead bool) (Weights, error) {
	n, err := w.namingOf(tensors)
	if err != nil {
		return nil, err
	}
	out, known, head := Weights{}, map[string]bool{}, w.head()
	for _, p := range w.tensors() {
		name := n.theirs(p.Name)
		known[name] = true
		t := tensors[name]
		switch {
		case t == nil:
			return nil, fmt.Errorf("no tensor %s %v, which %s has: it is of another network, or not whole", name, p.Type.Shape, w)
		case !t.DType.IsFloat():
			return nil, fmt.Errorf("tensor %s is of %v: want floats", name, t.DType)
		case !fits(t.Shape, p.Type.Shape) && slices.Contains(head, p.Name) && otherClasses(t.Shape, p.Type.Shape):
			if !newHead {
				return nil, fmt.Errorf("tensor %s is of %d classes, %s has %d: --new-head begins with a fresh classifier", name, t.Shape[0], w, w.Classes)
			}
		case !fits(t.Shape, p.Type.Shape):
			return nil, fmt.Errorf("tensor %s is %v, %s has %v: it is of another network or variant", name, t.Shape, w, p.Type.Shape)
		default:
			out[p.Name] = asFloats(t, p.Type.Shape)
		}
	}
	for _, name := range slices.Sorted(maps.Keys(tensors)) {
		if !known[name] && !strings.HasSuffix(name, ".num_batches_tracked") { // see BatchNorm2d
			return nil, fmt.Errorf("tensor %s is none of %s's (by %s names): it is of another network or variant", name, w, n.whose)
		}
	}
	n.rescale(out)
	return out, nil
}

// head are the classifier's tensors; none in a network without a linear one.
func (w *Workload) head() (names []string) {
	list := w.Params()
	layer := func(p Param) string { return p.Name[:strings.LastIndexByte(p.Name, '.')+1] }
	last := list[len(list)-1]
	if last.Type.Shape[0] != w.Classes {
		return nil
	}
	for _, p := range list {
		if layer(p) == layer(last) {
			names = append(names, p.Name)
		}
	}
	return names
}

// otherClasses says whether shapes differ in their first extent alone.
func otherClasses(theirs, ours tensor.Shape) bool {
	other := ours.Clone()
	if len(theirs) == 0 {
		return false
	}
	other[0] = theirs[0]
	return fits(theirs, other)
}

// asFloats is t as f32 in a shape of as many elements.
func asFloats(t *tensor.Tensor, s tensor.Shape) *tensor.Tensor {
	if t.DType != tensor.F32 {
		return tensor.Of(tensor.F32, s, t.Float64s()...)
	}
	return &tensor.Tensor{Type: tensor.T(tensor.F32, s...), Data: t.Data}
}
