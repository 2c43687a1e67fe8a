package results

import (
	"cmp"
	"slices"
)

// modeOrder is the order in which a reader meets the modes: what a model is used for before what it is made by.
var modeOrder = []string{"infer", "train"}

// Arrange puts the rows in the order in which they are read, whatever the order in which they were measured: by
// workload, mode, precision and batch. Workloads and precisions keep the order of their first rows, and backends that
// were asked the same keep theirs. Comparisons follow the rows.
func (d *Document) Arrange() {
	var workloads, precisions []string
	for i := range d.Results {
		workloads, precisions = addNew(workloads, d.Results[i].Workload), addNew(precisions, d.Results[i].Precision)
	}
	slices.SortStableFunc(d.Results, func(a, b Result) int {
		return cmp.Or(
			cmp.Compare(slices.Index(workloads, a.Workload), slices.Index(workloads, b.Workload)),
			cmp.Compare(slices.Index(modeOrder, a.Mode), slices.Index(modeOrder, b.Mode)),
			cmp.Compare(slices.Index(precisions, a.Precision), slices.Index(precisions, b.Precision)),
			cmp.Compare(a.Batch, b.Batch))
	})
	row := map[string]int{}
	for i := range d.Results {
		row[d.Results[i].Cell] = i
	}
	slices.SortStableFunc(d.Comparisons, func(a, b Comparison) int { return cmp.Compare(row[a.A], row[b.A]) })
}
