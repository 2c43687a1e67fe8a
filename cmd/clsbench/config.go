package main

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
	"go.yaml.in/yaml/v4"

	"github.com/clsbench/clsbench/backends/plugin"
	"github.com/clsbench/clsbench/backends/wire"
	"github.com/clsbench/clsbench/workloads/data"
)

// configFile is read from the working directory if it is there. Its keys are
// flag names.
const configFile = "clsbench.yaml"

// maxConfig bounds the size of the configuration file, bytes.
const maxConfig = 1 << 20

// applyConfig fills the flags that the command line left alone, from the
// environment (CLSBENCH_ and the flag's name, - as _) and then from
// clsbench.yaml: flag > environment > file > default.
func applyConfig(cmd *cobra.Command) error {
	if cmd.Name() == "version" || cmd.Name() == "help" {
		return nil // a broken file must not hide what this is
	}
	tellUnknown(cmd)
	file, err := readConfig(configFile)
	if err != nil {
		return usage(err)
	}
	if err := checkKeys(cmd.Root(), file); err != nil {
		return usage(err)
	}
	var first error
	cmd.Flags().VisitAll(func(f *pflag.Flag) {
		if _, own := f.Annotations[ownNote]; own || f.Changed || first != nil || f.Name == "help" {
			return
		}
		env := variable(f.Name)
		if v, ok := os.LookupEnv(env); ok {
			if err := cmd.Flags().Set(f.Name, v); err != nil {
				first = usagef("environment variable %s: %w", env, plainly(err))
			}
			note(f, configuredNote)
			return
		}
		for _, v := range file[f.Name] {
			if err := cmd.Flags().Set(f.Name, v); err != nil {
				first = usagef("%s: %w", configFile, plainly(err))
				return
			}
			note(f, configuredNote)
		}
	})
	return first
}

// variable is a flag's in the environment.
func variable(flag string) string {
	return envPrefix + strings.ToUpper(strings.ReplaceAll(flag, "-", "_"))
}

const envPrefix = "CLSBENCH_"

// ownVariables are those of the prefix that are no flag's: they are read
// elsewhere, or set for plugins.
var ownVariables = []string{data.CacheEnv, plugin.DirsEnv, wire.Handshake.MagicCookieKey, wire.EnvLifePipe, wire.EnvRunDir}

// tellUnknown warns of variables that nothing reads, which are misspelt as a
// rule, and of plugin folders that aren't there.
func tellUnknown(cmd *cobra.Command) {
	known := slices.Clone(ownVariables)
	for _, c := range append(cmd.Root().Commands(), cmd.Root()) {
		note := func(f *pflag.Flag) { known = append(known, variable(f.Name)) }
		c.Flags().VisitAll(note)
		c.PersistentFlags().VisitAll(note)
		for _, sub := range c.Commands() {
			sub.Flags().VisitAll(note)
		}
	}
	for _, kv := range os.Environ() {
		name, value, _ := strings.Cut(kv, "=")
		if value != "" && strings.HasPrefix(name, envPrefix) && !strings.HasPrefix(name, envPrefix+"TEST_") && !slices.Contains(known, name) {
			fmt.Fprintf(cmd.ErrOrStderr(), "! environment variable %s: nothing reads it; flags' are %s and the flag's name\n", name, envPrefix)
		}
	}
	for _, dir := range filepath.SplitList(os.Getenv(plugin.DirsEnv)) {
		if st, err := os.Stat(dir); dir != "" && (err != nil || !st.IsDir()) {
			fmt.Fprintf(cmd.ErrOrStderr(), "! environment variable %s: %s is no folder\n", plugin.DirsEnv, dir)
		}
	}
}

// ownNote marks a flag that means something else than the run's of that name:
// what is configured is not meant for it.
const ownNote = "clsbench_own"

func ownFlags(cmd *cobra.Command, names ...string) {
	for _, n := range names {
		note(cmd.Flags().Lookup(n), ownNote)
	}
}

func note(f *pflag.Flag, key string) {
	if f.Annotations == nil {
		f.Annotations = map[string][]string{}
	}
	f.Annotations[key] = nil
}

// configuredNote marks a flag that was set by environment or file.
const configuredNote = "clsbench_configured"

// typed says whether a flag stood on the command line.
func typed(f *pflag.Flag) bool {
	_, from := f.Annotations[configuredNote]
	return f.Changed && !from
}

// readConfig reads scalar or list values by flag name. No file is no error.
func readConfig(path string) (map[string][]string, error) {
	info, err := os.Stat(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	if info.Size() > maxConfig {
		return nil, fmt.Errorf("%s: %d bytes, more than a configuration can have (%d)", path, info.Size(), maxConfig)
	}
	data, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	var raw map[string]any
	if err := yaml.Load(data, &raw); err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	out := make(map[string][]string, len(raw))
	for k, v := range raw {
		list, ok := v.([]any)
		if !ok {
			list = []any{v}
		}
		for _, x := range list {
			switch x.(type) {
			case map[string]any, []any:
				return nil, fmt.Errorf("%s: %s: want a value or a list of values", path, k)
			case nil:
				return nil, fmt.Errorf("%s: %s: nothing is given; the word null wants quotes", path, k)
			}
			out[k] = append(out[k], fmt.Sprint(x))
		}
	}
	return out, nil
}

// checkKeys refuses a key that is no command's flag.
func checkKeys(root *cobra.Command, file map[string][]string) error {
	for key := range file {
		known := root.PersistentFlags().Lookup(key) != nil
		for _, c := range root.Commands() {
			known = known || c.Flags().Lookup(key) != nil
		}
		if !known {
			return fmt.Errorf("%s: %s: no command has a flag of that name", configFile, key)
		}
	}
	return nil
}
