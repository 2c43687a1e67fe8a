package conformance

import (
	"slices"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/clsbench/clsbench/graph"
)

// What random programs are there for occurs in those of a quick run.
func TestRandomProgramsHaveWhatPlansGetWrong(t *testing.T) {
	seen := map[string]int{}
	for i := range quickGraphs {
		p, err := randomProgram(i, false)
		require.NoError(t, err)
		for _, what := range shapesOf(p) {
			seen[what]++
		}
	}
	for _, what := range []string{"diamond", "x + x", "shared weight", "unread output", "dead end", "fetched and read", "unread feed"} {
		require.Positive(t, seen[what], "%s: %v", what, seen)
	}
}

// shapesOf names the shapes of a program's graph.
func shapesOf(p *graph.Program) (list []string) {
	readers := map[string][]int{}
	for i, n := range p.Nodes {
		for _, in := range n.Inputs {
			readers[in] = append(readers[in], i)
		}
	}
	for _, f := range p.Feeds {
		if len(readers[f.Name]) == 0 {
			list = append(list, "unread feed")
		}
	}
	for _, c := range p.Consts {
		if c.Tensor.Shape.Elements() > 1 && len(readers[c.Name]) > 1 {
			list = append(list, "shared weight")
		}
	}
	for _, n := range p.Nodes {
		if n.Op == "Add" && n.Inputs[0] == n.Inputs[1] {
			list = append(list, "x + x")
		}
		for k, out := range n.Outputs {
			fetched, read := slices.Contains(p.Fetches, out), readers[out]
			switch {
			case len(read) > 0 && fetched:
				list = append(list, "fetched and read")
			case len(read) == 0 && !fetched && k > 0:
				list = append(list, "unread output")
			case len(read) == 0 && !fetched:
				list = append(list, "dead end")
			}
			if meets(p, read, readers) {
				list = append(list, "diamond")
			}
		}
	}
	return list
}

// meets tells whether what two different nodes make of a value meets in one
// node.
func meets(p *graph.Program, read []int, readers map[string][]int) bool {
	next := map[int]int{} // node: the reader whose result it reads
	for _, i := range read {
		for _, out := range p.Nodes[i].Outputs {
			for _, j := range readers[out] {
				if from, ok := next[j]; ok && from != i {
					return true
				}
				next[j] = i
			}
		}
	}
	return false
}
