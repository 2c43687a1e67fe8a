package main

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
	"go.yaml.in/yaml/v4"
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
		env := "CLSBENCH_" + strings.ToUpper(strings.ReplaceAll(f.Name, "-", "_"))
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
