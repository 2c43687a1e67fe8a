package harness

import (
	"context"

	"github.com/clsbench/clsbench/workloads"
	"github.com/clsbench/clsbench/workloads/data"
)

// datasets opens each data set once a size, when it is first needed.
type datasets map[setKey]*data.Set

type setKey struct {
	spec  string
	input workloads.Input
}

// open gives the set at the workload's input size. Bad input is a *UsageError.
func (d datasets) open(ctx context.Context, spec string, w *workloads.Workload) (*data.Set, error) {
	key := setKey{spec, w.Input}
	if s := d[key]; s != nil {
		return s, nil
	}
	s, err := data.Open(ctx, spec, data.Options{Height: w.Input.Height, Width: w.Input.Width, Classes: w.Classes})
	if err != nil {
		return nil, &UsageError{"data", err}
	}
	if s.C != w.Input.Channels {
		return nil, badFlag("data", "%s has %d channels, %s takes %d", s.Name, s.C, w.Name, w.Input.Channels)
	}
	d[key] = s
	return s, nil
}

func standardOf(s *data.Set) workloads.Standard {
	return workloads.Standard{Mean: s.Mean, Std: s.Std}
}
