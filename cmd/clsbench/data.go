package main

import (
	"bytes"
	"errors"
	"fmt"
	"strings"

	"github.com/google/renameio/v2"
	"github.com/spf13/cobra"

	"github.com/clsbench/clsbench/workloads/data"
)

func newDataCmd() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "data",
		Short: "List, make, fetch and look at data sets",
		Long: `data alone lists the sets that --data takes by name. It takes a folder of
MNIST-format IDX files too, gzipped or not (train-images-idx3-ubyte,
train-labels-idx1-ubyte, t10k-images-idx3-ubyte, t10k-labels-idx1-ubyte), and
one of CIFAR-10's or CIFAR-100's binary version (data_batch_1.bin … or
train.bin, test.bin, and the class names beside them), and an image tree:
train/CLASS/ and val/CLASS/ with JPEG, PNG or WebP files, as ImageNet's.`,
		Example: `  clsbench data
  clsbench data show digits/v1                  a contact sheet of samples
  clsbench data show shapes/v1@224              the same of a set that is drawn at any size
  clsbench data make digits/v1 ./digits         as IDX files, for other tools
  clsbench data fetch cifar-10                  download a public set`,
	}
	cmd.AddCommand(newDataListCmd(), newDataMakeCmd(), newDataShowCmd(), newDataFetchCmd())
	return listAlone(cmd)
}

func newDataListCmd() *cobra.Command {
	return &cobra.Command{
		Use:     "list",
		Short:   "List the data sets that need no files",
		Example: "  clsbench data list",
		Args:    cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			var rows [][]string
			for _, i := range data.List() {
				rows = append(rows, []string{i.Name, fmt.Sprintf("%d×%d×%d", i.H, i.W, i.C), fmt.Sprint(i.Train), fmt.Sprint(i.Test), i.Description})
			}
			return table(cmd, []string{"name", "image", "train", "test", "what"}, rows)
		},
	}
}

func newDataMakeCmd() *cobra.Command {
	var plain bool
	cmd := &cobra.Command{
		Use:   "make NAME DIR",
		Short: "Write a data set as MNIST-format IDX files",
		Long: `make writes the four files of MNIST's format into a folder, gzipped: what --data
DIR reads, and every other tool for MNIST too.`,
		Example:           "  clsbench data make digits/v1 ./digits",
		Args:              cobra.ExactArgs(2),
		ValidArgsFunction: upTo(2, completeNameThenFolder),
		RunE: func(cmd *cobra.Command, args []string) error {
			set, err := data.Open(cmd.Context(), args[0], data.Options{})
			if err != nil {
				return dataError(err)
			}
			if err := data.WriteIDX(args[1], set, !plain); err != nil {
				return dataError(err)
			}
			fmt.Fprintf(cmd.OutOrStdout(), "%s: %d training and %d test images of %s, SHA-256 %s\n",
				args[1], set.Train.Len(), set.Test.Len(), set.Name, set.Digest())
			return nil
		},
	}
	cmd.Flags().BoolVar(&plain, "plain", false, "do not gzip")
	return cmd
}

func completeNameThenFolder(cmd *cobra.Command, args []string, typed string) ([]string, cobra.ShellCompDirective) {
	if len(args) == 0 {
		return completeData(cmd, args, typed)
	}
	return folders(cmd, args, typed)
}

// The help of flags that `run` has as well.
const (
	skipBadHelp  = "leave out, and count, images of a tree that cannot be decoded"
	weightsHelp  = "file that the weights are read from: safetensors of ours, torchvision's or timm's names, a training run's checkpoint, or an ONNX model (default drawn by --seed)"
	classMapHelp = "of an image tree: a file of a line a class, its folder and its name"
)

func newDataShowCmd() *cobra.Command {
	var path string
	var test bool
	var o data.SheetOptions
	var open data.Options
	cmd := &cobra.Command{
		Use:   "show NAME|DIR",
		Short: "Draw a contact sheet of samples, a row a class",
		Example: `  clsbench data show digits/v1
  clsbench data show ./mnist --test --png sheet.png`,
		Args:              cobra.ExactArgs(1),
		ValidArgsFunction: upTo(1, completeData),
		RunE: func(cmd *cobra.Command, args []string) error {
			if path != "" {
				if err := writable(path); err != nil {
					return usagef("flag --png: %w", err)
				}
			}
			set, err := data.Open(cmd.Context(), args[0], open)
			if err != nil {
				return dataError(err)
			}
			split := set.Train
			if test {
				split = set.Test
			}
			var sheet bytes.Buffer
			if err := data.ContactSheet(&sheet, set, split, o); err != nil {
				return dataError(err)
			}
			if path == "" {
				path = strings.ReplaceAll(set.Name, "/", "-") + ".png"
			}
			if err := renameio.WriteFile(path, sheet.Bytes(), 0o644); err != nil {
				return usagef("flag --png: %w", err)
			}
			fmt.Fprintf(cmd.OutOrStdout(), "%s: %s, %d×%d×%d, %d training and %d test images, mean %.4f, deviation %.4f\n",
				path, set.Name, set.H, set.W, set.C, set.Train.Len(), set.Test.Len(), set.Mean, set.Std)
			if set.Skipped > 0 {
				fmt.Fprintf(cmd.OutOrStdout(), "images skipped, since they cannot be decoded: %d\n", set.Skipped)
			}
			return nil
		},
	}
	cmd.Flags().StringVar(&path, "png", "", "PNG file (default the set's name)")
	cmd.Flags().BoolVar(&test, "test", false, "of the test split")
	cmd.Flags().BoolVar(&open.SkipBad, "skip-bad", false, skipBadHelp)
	cmd.Flags().StringVar(&open.ClassMap, "class-map", "", classMapHelp)
	complete(cmd, map[string]cobra.CompletionFunc{"png": filesOf("png")})
	return cmd
}

// dataError gives bad input exit code 2.
func dataError(err error) error {
	var e *data.Error
	if errors.As(err, &e) {
		return usage(err)
	}
	return err
}
