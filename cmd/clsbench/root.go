package main

import (
	"fmt"
	"maps"
	"strings"

	"github.com/spf13/cobra"

	"github.com/clsbench/clsbench/backends"
	"github.com/clsbench/clsbench/backends/cpu"
	"github.com/clsbench/clsbench/backends/null"
	"github.com/clsbench/clsbench/backends/plugin"
	"github.com/clsbench/clsbench/backends/reference"
	"github.com/clsbench/clsbench/conformance/faults"
)

// embedded lists the backends that this binary holds; each runs as a process
// of its own all the same.
func embedded() plugin.Registry {
	return plugin.Registry{
		"cpu":       func() backends.Backend { return cpu.New() },
		"reference": func() backends.Backend { return reference.New() },
		"null":      func() backends.Backend { return null.New() },
	}
}

// served are all that this binary can be a plugin of: the embedded backends, and
// what the suite's self-test starts.
func served() plugin.Registry {
	r := faults.Proxies()
	maps.Copy(r, embedded())
	return r
}

// newRoot builds the command tree. started turns true when a command's own
// code begins, after flags and arguments were found good.
func newRoot() (root *cobra.Command, started *bool) {
	started = new(bool)
	root = &cobra.Command{
		Use:   "clsbench",
		Short: "Which stack runs image classification right, and how fast?",
		Long: `clsbench runs classification stacks as plugin processes, checks each against a
readable float64 reference, and measures inference and training of real
networks. No figure stands without the verdict on the code that produced it.`,
		Example: `  clsbench run                                  the whole job on the built-in cpu backend
  clsbench run --backend cpu --backend old=exec:./my-plugin
  clsbench conform --backend exec:./my-plugin   the conformance suite alone
  clsbench doctor                               what would spoil a measurement here`,
		SilenceUsage:  true,
		SilenceErrors: true,
		Args:          cobra.NoArgs,
		PersistentPreRunE: func(cmd *cobra.Command, _ []string) error {
			if err := applyConfig(cmd); err != nil {
				return err
			}
			*started = true
			return nil
		},
		RunE: func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	root.PersistentFlags().BoolP("quiet", "q", false, "no progress, only the answer")
	root.PersistentFlags().BoolP("verbose", "v", false, "say more on the way")
	root.SetFlagErrorFunc(func(c *cobra.Command, err error) error {
		return usagef("%w; see %s --help", plainly(err), c.CommandPath())
	})
	root.AddCommand(
		newRunCmd(), newConformCmd(), newOpsCmd(), newCompareCmd(), newRerunCmd(), newPlotCmd(), newResultsCmd(),
		newBackendsCmd(), newWorkloadsCmd(), newDataCmd(), newExportCmd(), newDoctorCmd(), newVersionCmd(),
	)
	root.InitDefaultCompletionCmd()
	for _, c := range root.Commands() {
		if c.Name() == "completion" {
			c.Args, c.RunE = cobra.NoArgs, func(c *cobra.Command, _ []string) error { return c.Help() }
		}
	}
	tellUsage(root)
	completeRest(root)
	return root, started
}

// tellUsage makes every command's complaint about its arguments say what it
// takes.
func tellUsage(c *cobra.Command) {
	if check := c.Args; check != nil {
		c.Args = func(c *cobra.Command, args []string) error {
			if err := check(c, args); err != nil {
				if strings.Contains(err.Error(), "arg(s)") { // a count, which the usage shows
					err = fmt.Errorf("%s given", counted(len(args), "argument"))
				}
				return usagef("%w; usage: %s; see %s --help", err, c.UseLine(), c.CommandPath())
			}
			return nil
		}
	}
	for _, sub := range c.Commands() {
		tellUsage(sub)
	}
}

// counted is "no argument", "1 argument", "2 arguments".
func counted(n int, what string) string {
	switch n {
	case 0:
		return "no " + what
	case 1:
		return "1 " + what
	}
	return fmt.Sprintf("%d %ss", n, what)
}
