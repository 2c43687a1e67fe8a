package main

import (
	"context"
	"fmt"
	"image"

	"github.com/clsbench/clsbench/plots"
	"github.com/clsbench/clsbench/results"
	"github.com/clsbench/clsbench/workloads"
	"github.com/clsbench/clsbench/workloads/data"
)

// plotOptions draw with the pictures of the data sets, where they are at hand;
// note hears of the others.
func plotOptions(ctx context.Context, note func(string)) plots.Options {
	sets := map[string]*data.Set{}
	return plots.Options{
		Pictures: func(r *results.Result, images []int) ([]image.Image, error) {
			key := r.Workload + "\x00" + r.Data
			if sets[key] == nil {
				set, err := openAgain(ctx, r)
				if err != nil {
					return nil, fmt.Errorf("no sheet of mistakes of %s: %w", r.Cell, err)
				}
				sets[key] = set
			}
			var out []image.Image
			for _, i := range images {
				m, err := sets[key].Picture(sets[key].Test, i)
				if err != nil {
					return nil, err
				}
				out = append(out, m)
			}
			return out, nil
		},
		Skipped: func(err error) { note(err.Error()) },
	}
}

// openAgain opens the data set that a result was measured on.
func openAgain(ctx context.Context, r *results.Result) (*data.Set, error) {
	w, err := workloads.Lookup(r.Workload)
	if err != nil {
		return nil, err
	}
	set, err := data.Open(ctx, r.Data, data.Options{Height: w.Input.Height, Width: w.Input.Width, Classes: w.Classes})
	if err != nil {
		return nil, err
	}
	if have, want := set.Test.Len(), r.Accuracy.Test.Images; have != want {
		return nil, fmt.Errorf("data set %s has %d test images now, the result is of %d", r.Data, have, want)
	}
	return set, nil
}
