package main

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/google/renameio/v2"
	"github.com/spf13/cobra"

	"github.com/clsbench/clsbench/backends"
	"github.com/clsbench/clsbench/backends/cpu"
	"github.com/clsbench/clsbench/graph"
	"github.com/clsbench/clsbench/graph/onnx"
	"github.com/clsbench/clsbench/workloads"
	"github.com/clsbench/clsbench/workloads/data"
)

// What a network can be written as, and what its model then takes.
var (
	exportFormats = []string{"onnx", "safetensors"}
	exportInputs  = []string{"nchw-f32", "u8-nhwc"}
)

// exportFlags are the flags of `export`, as typed.
type exportFlags struct {
	format  string
	opset   int
	seed    uint64
	batch   int
	input   string
	data    string
	quant   string
	weights string
	out     string
}

func newExportCmd() *cobra.Command {
	var f exportFlags
	cmd := &cobra.Command{
		Use:   "export WORKLOAD",
		Short: "Write a network as an ONNX model, or its weights as safetensors",
		Long: fmt.Sprintf(`export writes a network for other tools. An ONNX model has the weights inside and
ops of ONNX's own domain alone, none younger than --opset (%d to %d); its answer
is called %s. It takes images that are standardised, f32 N×C×H×W, or, with
--input u8-nhwc, pixels as they are, which it casts, transposes and standardises
by the statistics of the data set. A safetensors file holds the weights under
the names of torchvision. The weights are those of the file --weights, a training
run's checkpoint perhaps, or those that --seed draws. With --quant the model is in
8 bits, between QuantizeLinear and DequantizeLinear: static and aware are calibrated
with images for training of the data set, on the cpu backend.`, onnx.OldestWritten, graph.Opset, workloads.ExportedLogits),
		Example: `  clsbench export resnet18 -o resnet18.onnx
  clsbench export vit-b16 --opset 17 --batch 8 -o vit.onnx
  clsbench export 'lenet5;pool=max' --input u8-nhwc -o lenet5.onnx
  clsbench export resnet20 --weights trained.safetensors --quant static:entropy -o resnet20.onnx
  clsbench export resnet18 --format safetensors -o resnet18.safetensors`,
		Args:              cobra.ExactArgs(1),
		ValidArgsFunction: upTo(1, completeWorkloads),
		RunE: func(cmd *cobra.Command, args []string) error {
			w, err := workloads.Lookup(args[0])
			if err != nil {
				return usage(err)
			}
			return f.run(cmd, w)
		},
	}
	fl := cmd.Flags()
	fl.StringVar(&f.format, "format", "onnx", "onnx or safetensors, which is the weights alone")
	fl.IntVar(&f.opset, "opset", graph.Opset, "of an ONNX model")
	fl.Uint64Var(&f.seed, "seed", 0, "seed of the weights, as training begins with")
	fl.IntVar(&f.batch, "batch", 1, "images that an ONNX model takes at once")
	fl.StringVar(&f.input, "input", "nchw-f32", "of an ONNX model: nchw-f32, standardised, or u8-nhwc, pixels")
	fl.StringVar(&f.weights, "weights", "", weightsHelp)
	fl.StringVar(&f.quant, "quant", "", "an ONNX model in 8 bits, made as by run --quant")
	fl.StringVar(&f.data, "data", "", "with --input u8-nhwc or --quant: the data set that standardises and calibrates (default the recipe's)")
	fl.StringVarP(&f.out, "out", "o", "", "the file to write")
	complete(cmd, map[string]cobra.CompletionFunc{
		"format": fixed(exportFormats...), "input": fixed(exportInputs...), "data": completeData,
		"opset": nothing, "seed": nothing, "batch": nothing, "weights": filesOf("safetensors", "onnx"), "quant": fixed(quantRecipes()...), "out": filesOf("onnx"),
	})
	return cmd
}

func (f *exportFlags) run(cmd *cobra.Command, w *workloads.Workload) error {
	if err := f.check(cmd); err != nil {
		return err
	}
	weights := w.Init(f.seed)
	if f.weights != "" {
		read, err := w.ReadWeights(f.weights, false)
		if err != nil {
			return usagef("flag --weights: %w", err)
		}
		weights = read.Weights
	}
	write, kind := func(to io.Writer) error { return workloads.WriteWeights(to, weights) }, "weights"
	if f.format == "onnx" {
		model, err := f.model(cmd.Context(), w, weights)
		if err != nil {
			return err
		}
		write, kind = func(to io.Writer) error { _, err := to.Write(model); return err }, f.kind()
	}
	if err := writeFile(f.out, write); err != nil {
		return usagef("flag --out: %w", err)
	}
	fmt.Fprintf(cmd.OutOrStdout(), "%s: %s, %s, %d parameters\n", f.out, w, kind, w.Parameters())
	return nil
}

// kind says what sort of model is written.
func (f *exportFlags) kind() string {
	s := fmt.Sprintf("ONNX opset %d, batch %d, %s", f.opset, f.batch, f.input)
	if f.quant != "" {
		s += ", int8 " + f.quant
	}
	return s
}

// maxExportBatch keeps shapes far from what a machine's word holds.
const maxExportBatch = 1 << 16

// check refuses values, and flags that the format does not have.
func (f *exportFlags) check(cmd *cobra.Command) error {
	if f.format == "safetensors" {
		for _, name := range []string{"opset", "batch", "input", "data", "quant"} {
			if cmd.Flags().Changed(name) {
				return usagef("flag --%s: it is of --format onnx: a safetensors file holds the weights alone", name)
			}
		}
	}
	switch {
	case !slices.Contains(exportFormats, f.format):
		return usagef("flag --format: %q is not known: want %s", f.format, strings.Join(exportFormats, " or "))
	case !slices.Contains(exportInputs, f.input):
		return usagef("flag --input: %q is not known: want %s", f.input, strings.Join(exportInputs, " or "))
	case f.opset < onnx.OldestWritten || f.opset > graph.Opset:
		return usagef("flag --opset: %d: want %d to %d", f.opset, onnx.OldestWritten, graph.Opset)
	case f.batch < 1 || f.batch > maxExportBatch:
		return usagef("flag --batch: %d: want 1 to %d", f.batch, maxExportBatch)
	case f.data != "" && f.input != "u8-nhwc" && f.quant == "":
		return usagef("flag --data: it is of --input u8-nhwc and of --quant: a model of nchw-f32 takes images that are standardised already")
	case f.weights != "" && cmd.Flags().Changed("seed"):
		return usagef("flag --seed: it draws weights, which --weights reads: leave one of them out")
	case f.out == "":
		return usagef("flag --out: want the file to write, as in -o model.onnx")
	}
	if err := writable(f.out); err != nil {
		return usagef("flag --out: %w", err)
	}
	return nil
}

// model is the network as ONNX.
func (f *exportFlags) model(ctx context.Context, w *workloads.Workload, weights workloads.Weights) ([]byte, error) {
	p, err := f.program(ctx, w, weights)
	if err != nil {
		return nil, err
	}
	b, err := workloads.MarshalONNX(p, f.opset)
	if err != nil {
		return nil, fmt.Errorf("%s at opset %d: %w", w, f.opset, err)
	}
	return b, nil
}

func (f *exportFlags) program(ctx context.Context, w *workloads.Workload, weights workloads.Weights) (*graph.Program, error) {
	if f.input == "nchw-f32" && f.quant == "" {
		return w.Bare(f.batch, weights)
	}
	spec := f.data
	if spec == "" {
		spec = w.Recipes[workloads.DefaultRecipe].Data
	}
	set, err := data.Open(ctx, spec, data.Options{Height: w.Input.Height, Width: w.Input.Width, Classes: w.Classes})
	if err != nil {
		return nil, usagef("flag --data: %w", err)
	}
	if err := w.Fits(set); err != nil {
		return nil, usagef("flag --data: %w", err)
	}
	if f.quant == "" {
		return w.Inference(f.batch, workloads.StandardOf(set), weights)
	}
	p, err := f.quantized(ctx, w, weights, set)
	if err != nil || f.input == "u8-nhwc" {
		return p, err
	}
	return workloads.Unfronted(p)
}

// quantized is the network in 8 bits, calibrated on the cpu backend in this process.
func (f *exportFlags) quantized(ctx context.Context, w *workloads.Workload, weights workloads.Weights, set *data.Set) (*graph.Program, error) {
	q, err := workloads.ParseQuantization(f.quant)
	if err != nil {
		return nil, usagef("flag --quant: %w", err)
	}
	s, err := cpu.New().Open(ctx, backends.SessionConfig{})
	if err != nil {
		return nil, err
	}
	defer s.Close()
	found, err := w.Calibrate(ctx, s, set, weights, q, f.seed)
	if err != nil {
		return nil, err
	}
	return w.Quantized(f.batch, workloads.StandardOf(set), weights, q, found)
}

// writeFile writes a file whole or not at all.
func writeFile(path string, write func(io.Writer) error) error {
	var b bytes.Buffer
	if err := write(&b); err != nil {
		return err
	}
	return renameio.WriteFile(path, b.Bytes(), 0o644)
}
