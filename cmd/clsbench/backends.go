package main

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/clsbench/clsbench/backends"
	"github.com/clsbench/clsbench/backends/plugin"
	"github.com/clsbench/clsbench/graph"
)

func newBackendsCmd() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "backends",
		Short: "List and describe the backends that can be measured",
		Long: `backends alone lists what --backend takes: the ones in this binary, and those installed
by a manifest in ~/.config/clsbench/plugins or a folder of CLSBENCH_PLUGINS. A
manifest is a YAML file:

  name: mine                      what --backend takes
  command: [/opt/mine/plugin]     started as you, without a shell
  files: [/opt/mine/lib.so]       hashed into the plugin's hash, beside the command
  environment: {MINE_CACHE: off}

exec:COMMAND runs any other program, marked unregistered.`,
		Example: `  clsbench backends
  clsbench backends describe cpu                its devices, math modes and options
  clsbench backends describe 'exec:./my-plugin'`,
	}
	cmd.AddCommand(newBackendsListCmd(), newBackendsDescribeCmd())
	return listAlone(cmd)
}

func newBackendsListCmd() *cobra.Command {
	var asJSON bool
	cmd := &cobra.Command{
		Use:     "list",
		Short:   "List backends by name",
		Example: "  clsbench backends list\n  clsbench backends list --json",
		Args:    cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			entries, errs := plugin.List(plugin.Options{Registry: embedded()})
			for _, err := range errs {
				fmt.Fprintf(cmd.ErrOrStderr(), "clsbench: %v\n", err)
			}
			if asJSON {
				return printJSON(cmd, entries)
			}
			rows := make([][]string, len(entries))
			for i, e := range entries {
				rows[i] = []string{e.Name, string(e.Kind), e.Manifest}
			}
			return table(cmd, []string{"name", "kind", "manifest"}, rows)
		},
	}
	cmd.Flags().BoolVar(&asJSON, "json", false, "print JSON")
	return cmd
}

func newBackendsDescribeCmd() *cobra.Command {
	var asJSON bool
	cmd := &cobra.Command{
		Use:               "describe BACKEND",
		Short:             "Start a backend and print what it says of itself",
		Example:           "  clsbench backends describe cpu\n  clsbench backends describe 'exec:./my-plugin'",
		Args:              cobra.ExactArgs(1),
		ValidArgsFunction: upTo(1, completeBackends),
		RunE: func(cmd *cobra.Command, args []string) error {
			spec, err := plugin.ParseSpec(args[0])
			if err != nil {
				return usage(err)
			}
			ctx, cancel := context.WithTimeout(cmd.Context(), time.Minute)
			defer cancel()
			p, err := openPlugin(ctx, spec)
			if err != nil {
				return err
			}
			defer p.Close()
			d, err := p.Describe(ctx)
			if err != nil {
				return err
			}
			if asJSON {
				return printJSON(cmd, d)
			}
			printDescription(cmd, p, d)
			return nil
		},
	}
	cmd.Flags().BoolVar(&asJSON, "json", false, "print JSON")
	return cmd
}

// openPlugin starts a backend outside of a run. A spec that names nothing is
// bad input.
func openPlugin(ctx context.Context, spec plugin.Spec) (*plugin.Plugin, error) {
	o := plugin.Options{Registry: embedded()}
	if err := plugin.Check(spec, o); err != nil {
		return nil, usage(err)
	}
	return plugin.Open(ctx, spec, o)
}

func printDescription(cmd *cobra.Command, p *plugin.Plugin, d backends.Description) {
	out := cmd.OutOrStdout()
	fmt.Fprintf(out, "%s %s (%s, hash %.12s)\n", d.Name, d.Version, p.Kind(), p.Hash())
	for i, v := range d.Devices {
		fmt.Fprintf(out, "device %d   %s (%s", i, v.Name, v.Kind)
		if v.Memory > 0 {
			fmt.Fprintf(out, ", %d MiB", v.Memory>>20)
		}
		if v.Driver != "" {
			fmt.Fprintf(out, ", driver %s", v.Driver)
		}
		fmt.Fprintln(out, ")")
	}
	for _, l := range []struct {
		name string
		list []string
	}{{"math", append([]string{graph.Strict}, d.Math...)}, {"features", d.Features}, {"suites", d.Suites}} {
		fmt.Fprintf(out, "%-10s %s\n", l.name, strings.Join(l.list, ", "))
	}
	for _, o := range d.Options {
		values := strings.Join(o.Values, "|")
		if values == "" {
			values = "TEXT"
		}
		fmt.Fprintf(out, "%-10s %s=%s  %s\n", "option", o.Name, values, o.Help)
	}
}

func printJSON(cmd *cobra.Command, v any) error {
	enc := json.NewEncoder(cmd.OutOrStdout())
	enc.SetIndent("", "  ")
	return enc.Encode(v)
}
