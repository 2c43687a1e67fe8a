package reference

import (
	"embed"
	"encoding/json"
	"path"
	"slices"
	"sync"
)

// goldenFiles are PyTorch's results in float64, written by the generator beside
// them, which the tests hold the reference to.
//
//go:embed testdata/pytorch/*.json
var goldenFiles embed.FS

// Golden is a file of PyTorch's results that has some of an op.
type Golden struct {
	Op    string `json:"op"`
	File  string `json:"file"`  // in the repository
	Cases int    `json:"cases"` // of that op; an optimizer's trajectory counts as one
}

// Goldens lists the files that have an op.
func Goldens(op string) []Golden { return goldens()[op] }

var goldens = sync.OnceValue(func() map[string][]Golden {
	const dir = "testdata/pytorch"
	byOp := map[string][]Golden{}
	files, err := goldenFiles.ReadDir(dir)
	if err != nil {
		panic("reference: " + err.Error())
	}
	for _, f := range files {
		var has struct{ Cases, Trajectories, Gradients []struct{ Op string } }
		data, err := goldenFiles.ReadFile(path.Join(dir, f.Name()))
		if err == nil {
			err = json.Unmarshal(data, &has)
		}
		if err != nil {
			panic("reference: " + f.Name() + ": " + err.Error()) // a fault of the build, which the tests would have found
		}
		count := map[string]int{}
		for _, c := range slices.Concat(has.Cases, has.Trajectories, has.Gradients) {
			count[c.Op]++
		}
		for op, n := range count {
			byOp[op] = append(byOp[op], Golden{op, path.Join("reference", dir, f.Name()), n})
		}
	}
	return byOp
})
