package workloads

import (
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/google/renameio/v2"

	"github.com/clsbench/clsbench/backends"
	"github.com/clsbench/clsbench/graph"
	"github.com/clsbench/clsbench/tensor"
	"github.com/clsbench/clsbench/workloads/safetensors"
)

// Snapshot reads state variables out of a session.
func Snapshot(ctx context.Context, s backends.Session, state []graph.Value) (Weights, error) {
	names, tensors, w := make([]string, len(state)), make([]*tensor.Tensor, len(state)), Weights{}
	for i, v := range state {
		names[i], tensors[i] = v.Name, tensor.New(v.Type.DType, v.Type.Shape...)
		w[v.Name] = tensors[i]
	}
	if err := s.Read(ctx, names, tensors); err != nil {
		return nil, fmt.Errorf("reading the state: %w", err)
	}
	return w, nil
}

// Restore writes state variables into a session; w must have all of them.
func Restore(ctx context.Context, s backends.Session, state []graph.Value, w Weights) error {
	names, tensors := make([]string, len(state)), make([]*tensor.Tensor, len(state))
	for i, v := range state {
		t := w[v.Name]
		if t == nil || !t.Type.Equal(v.Type) {
			return fmt.Errorf("weights: no %s of type %v", v.Name, v.Type)
		}
		names[i], tensors[i] = v.Name, t
	}
	if err := s.Write(ctx, names, tensors); err != nil {
		return fmt.Errorf("writing the state: %w", err)
	}
	return nil
}

// A checkpoint is a safetensors file of the state variables whose metadata
// holds the manifest, as JSON, and the hash of all the tensors' bytes.
const (
	manifestKey      = "clsbench.checkpoint"
	digestKey        = "clsbench.sha256"
	checkpointFormat = 2
)

// manifest says what run a checkpoint belongs to and how far it was.
type manifest struct {
	Format   int      `json:"format"`
	Workload string   `json:"workload"`
	Mixed    string   `json:"precision,omitempty"` // "" for f32
	Data     string   `json:"data"`                // the set's digest
	Recipe   string   `json:"recipe"`              // what steers its steps
	Seed     uint64   `json:"seed"`
	Progress progress `json:"progress"`
}

func (t *trainer) manifest() manifest {
	m := manifest{Format: checkpointFormat, Workload: t.Workload.String(), Data: t.digest, Recipe: recipeText(*t.Recipe), Seed: t.Seed, Progress: t.progress}
	if p := t.Workload.Precision(); p != precisions[0].name {
		m.Mixed = p
	}
	return m
}

// save writes the checkpoint whole or not at all.
func (t *trainer) save(state Weights) error {
	text, err := json.Marshal(t.manifest())
	if err != nil {
		return err
	}
	err = writeWhole(t.Checkpoint, state, map[string]string{manifestKey: string(text), digestKey: digest(state)})
	if err != nil {
		return fmt.Errorf("checkpoint %s: %w", t.Checkpoint, err)
	}
	return nil
}

func writeWhole(path string, state Weights, metadata map[string]string) error {
	f, err := renameio.NewPendingFile(path, renameio.WithPermissions(0o644))
	if err != nil {
		return err
	}
	defer f.Cleanup() //nolint:errcheck // after the replacement it has nothing to do
	if err := safetensors.Encode(f, state, metadata); err != nil {
		return err
	}
	if err := f.CloseAtomicallyReplace(); err != nil {
		return err
	}
	dir, err := os.Open(filepath.Dir(path)) // the rename itself must last too
	if err != nil {
		return err
	}
	defer dir.Close()
	return dir.Sync()
}

func digest(state Weights) string {
	h := sha256.New()
	for _, name := range safetensors.Order(state) {
		h.Write(state[name].Data)
	}
	return hex.EncodeToString(h.Sum(nil))
}

// load reads the checkpoint of this very run; nil if there is none.
func (t *trainer) load() (Weights, error) {
	state, err := t.read()
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("checkpoint %s: %w; remove it to start anew", t.Checkpoint, err)
	}
	return state, nil
}

func (t *trainer) read() (Weights, error) {
	room := int64(8 + safetensors.MaxHeader)
	for _, v := range t.state {
		room += int64(v.Type.Bytes())
	}
	info, err := os.Stat(t.Checkpoint)
	if err != nil {
		return nil, err
	}
	if !info.Mode().IsRegular() || info.Size() > room {
		return nil, fmt.Errorf("%d bytes are more than the run's state takes", info.Size())
	}
	b, err := os.ReadFile(t.Checkpoint)
	if err != nil {
		return nil, err
	}
	tensors, metadata, err := safetensors.Decode(b)
	if err != nil {
		return nil, err
	}
	var m manifest
	if err := json.Unmarshal([]byte(metadata[manifestKey]), &m); err != nil {
		return nil, fmt.Errorf("not a checkpoint of clsbench: %s: %w", manifestKey, err)
	}
	if metadata[digestKey] != digest(tensors) {
		return nil, errors.New("its tensors do not have the hash that it states")
	}
	if err := t.matches(m); err != nil {
		return nil, err
	}
	for _, v := range t.state {
		if x := tensors[v.Name]; x == nil || !x.Type.Equal(v.Type) {
			return nil, fmt.Errorf("no state %s of type %v in it", v.Name, v.Type)
		}
	}
	t.progress = m.Progress
	return tensors, nil
}

// matches names the first thing in which the checkpoint's run is another.
func (t *trainer) matches(m manifest) error {
	own := t.manifest()
	for _, f := range []struct {
		what      string
		have, ask any
	}{
		{"format", m.Format, own.Format},
		{"workload", m.Workload, own.Workload},
		{"precision", cmp.Or(m.Mixed, precisions[0].name), t.Workload.Precision()},
		{"data set", m.Data, own.Data},
		{"seed", m.Seed, own.Seed},
		{"recipe", m.Recipe, own.Recipe},
	} {
		if f.have != f.ask {
			return fmt.Errorf("it is of another run: %s %v, not %v", f.what, f.have, f.ask)
		}
	}
	if p := m.Progress; p.Epoch < 1 || p.Epoch > t.Recipe.Epochs || len(p.Curve) != p.Epoch {
		return fmt.Errorf("epoch %d with a curve of %d points", p.Epoch, len(p.Curve))
	}
	return nil
}

// recipeText is a comparable form of what steers the steps of a recipe: its
// fields by name, in order.
func recipeText(r Recipe) string {
	r.Target, r.Floor = 0, 0
	text, err := json.Marshal(r.Fields())
	if err != nil {
		return err.Error() // a number that is none, which Validate refuses
	}
	return string(text)
}
