package harness

import (
	"fmt"
	"os"
	"path/filepath"

	"github.com/clsbench/clsbench/workloads/data"
)

// place is the working directory if anything that was asked for is looked up
// in it; "" if the same command means the same anywhere.
func (o *Options) place() (string, error) {
	here := relativeData(o.Data) || o.ClassMap != "" && !filepath.IsAbs(o.ClassMap) || relativeWeights(o)
	for _, s := range o.Backends {
		here = here || len(s.Relative()) > 0
	}
	if !here {
		return "", nil
	}
	dir, err := os.Getwd()
	if err != nil {
		return "", fmt.Errorf("the working directory, which the command depends on: %w", err)
	}
	return dir, nil
}

// relativeData says whether a data set is a folder looked up in the working
// directory.
func relativeData(spec string) bool {
	return spec != "" && !data.Registered(spec) && !filepath.IsAbs(spec)
}

// relativeWeights says whether the weights are a file looked up there.
func relativeWeights(o *Options) bool { return o.Weights != "" && !filepath.IsAbs(o.Weights) }

// there is what a shell has to do before the cell's command.
func (p *Plan) there(c *Cell) string {
	classMap := p.opts.ClassMap != "" && !filepath.IsAbs(p.opts.ClassMap)
	if p.Directory == "" || !relativeData(c.Data) && !classMap && !relativeWeights(p.opts) && len(c.Spec.Relative()) == 0 {
		return ""
	}
	return "cd " + ShellQuote(p.Directory) + " && "
}
