package main

import (
	"fmt"
	"runtime"
	"runtime/debug"

	"github.com/spf13/cobra"

	"github.com/clsbench/clsbench/backends/wire/backendv1"
	"github.com/clsbench/clsbench/graph"
	"github.com/clsbench/clsbench/results"
)

// versions are this build's own and those of the contracts that it speaks.
type versions struct {
	Version  string `json:"version"`
	Revision string `json:"revision"`
	Go       string `json:"go"`
	OS       string `json:"os"`
	Arch     string `json:"arch"`
	Protocol string `json:"plugin_protocol"`
	Schema   string `json:"result_schema"`
	Opset    int    `json:"onnx_opset"`
}

func ownVersions() versions {
	v := versions{
		Version: "unknown", Revision: "unknown", Go: runtime.Version(), OS: runtime.GOOS, Arch: runtime.GOARCH,
		Protocol: string(backendv1.File_clsbench_backend_v1_backend_proto.Package()), Schema: results.Schema, Opset: graph.Opset,
	}
	if info, ok := debug.ReadBuildInfo(); ok {
		v.Version = info.Main.Version
		for _, s := range info.Settings {
			if s.Key == "vcs.revision" {
				v.Revision = s.Value
			}
		}
	}
	return v
}

func newVersionCmd() *cobra.Command {
	var asJSON bool
	cmd := &cobra.Command{
		Use:     "version",
		Short:   "Print the version and those of the contracts it speaks",
		Example: "  clsbench version\n  clsbench version --json",
		Args:    cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			v := ownVersions()
			if asJSON {
				return printJSON(cmd, v)
			}
			fmt.Fprintf(cmd.OutOrStdout(), "clsbench %s (revision %s, %s %s/%s)\nplugin protocol %s\nresult schema %s\nONNX opset %d\n",
				v.Version, v.Revision, v.Go, v.OS, v.Arch, v.Protocol, v.Schema, v.Opset)
			return nil
		},
	}
	cmd.Flags().BoolVar(&asJSON, "json", false, "print JSON")
	return cmd
}
