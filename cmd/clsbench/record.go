package main

import (
	"errors"
	"fmt"
	"os"
	"regexp"
	"slices"
	"strconv"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/clsbench/clsbench/internal/harness"
	"github.com/clsbench/clsbench/results"
)

// What a run records of its command line, and how a later command takes it up.

// presentation are the flags that say where a run goes and how it is shown, not
// what is measured. They aren't recorded, and stand beside --resume.
var presentation = []string{"out", "format", "json", "no-plots", "resume", "dry-run", "quiet", "verbose", "help"}

// command is the effective command line, whatever of it came from flags, from
// the environment or from the configuration file.
func (f *runFlags) command(cmd *cobra.Command) []string {
	line := []string{"clsbench", "run"}
	cmd.Flags().Visit(func(fl *pflag.Flag) {
		if slices.Contains(presentation, fl.Name) {
			return
		}
		values := []string{fl.Value.String()}
		if list, ok := fl.Value.(pflag.SliceValue); ok {
			values = list.GetSlice()
		}
		for _, v := range values {
			line = append(line, "--"+fl.Name+"="+v)
		}
	})
	return line
}

// recorded are the flags of the run that made a document, with its seed, to be
// shown as f is.
func (f *runFlags) recorded(doc *results.Document) (*runFlags, *cobra.Command, error) {
	c := doc.Run.Command
	if len(c) < 2 || c[1] != "run" {
		return nil, nil, fmt.Errorf("run %s records no clsbench run command", doc.Run.ID)
	}
	if err := sameDirectory(doc); err != nil {
		return nil, nil, err
	}
	again := &runFlags{}
	cmd := &cobra.Command{Use: "run"}
	again.register(cmd)
	if err := cmd.ParseFlags(append(slices.Clone(c[2:]), "--seed="+strconv.FormatUint(doc.Run.Seed, 10))); err != nil {
		return nil, nil, fmt.Errorf("the command line that run %s records: %w", doc.Run.ID, err)
	}
	again.formatFlags, again.out, again.noPlots, again.dryRun = f.formatFlags, f.out, f.noPlots, f.dryRun
	return again, cmd, nil
}

// sameDirectory refuses to repeat a command elsewhere than where the files that
// it names were looked up.
func sameDirectory(doc *results.Document) error {
	dir := doc.Run.Directory
	if dir == "" {
		return nil
	}
	there, err := os.Stat(dir)
	if err != nil {
		return fmt.Errorf("run %s names files relative to %s, where it was started, and that is not there: %w", doc.Run.ID, dir, err)
	}
	if here, err := os.Stat("."); err != nil || !os.SameFile(here, there) {
		return fmt.Errorf("run %s names files relative to %s, where it was started: cd there first", doc.Run.ID, dir)
	}
	return nil
}

// only narrows a recorded run to one of its cells.
func (f *runFlags) only(flags *cobra.Command, doc *results.Document, cell string) error {
	for i := range doc.Results {
		if doc.Results[i].Cell == cell {
			return flags.Flags().Set("filter", "^"+regexp.QuoteMeta(cell)+"$")
		}
	}
	return fmt.Errorf("flag --cell: run %s has no cell %q", doc.Run.ID, cell)
}

// takeUp opens the journal of the run to resume and puts that run's flags in
// the place of f's.
func (f *runFlags) takeUp(cmd *cobra.Command) (again *runFlags, flags *cobra.Command, _ *harness.Interrupted, err error) {
	cmd.Flags().Visit(func(fl *pflag.Flag) {
		if err == nil && typed(fl) && !slices.Contains(presentation, fl.Name) {
			err = usagef("flag --%s: --resume takes it from the interrupted run: leave it out", fl.Name)
		}
	})
	if err != nil {
		return nil, nil, nil, err
	}
	journal, doc, err := results.Store{Dir: f.out}.Resume(f.resume)
	if err != nil {
		return nil, nil, nil, usagef("flag --resume: %w", err)
	}
	if again, flags, err = f.recorded(doc); err != nil {
		return nil, nil, nil, usagef("flag --resume: %w", errors.Join(err, journal.Close()))
	}
	return again, flags, &harness.Interrupted{Journal: journal, Document: doc}, nil
}
