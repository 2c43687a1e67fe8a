package faults

import (
	"fmt"
	"strings"
)

// Listed is a fault that a suite like this one is asked to catch: by those who
// know how such kernels go wrong, or since a real stack has shipped it, where
// Seen tells where it was reported.
type Listed struct {
	What, Seen string
	Fault      string // planted for it: the name in the kill matrix
}

// ListedFaults are all of them, each with the planted fault that stands for it.
// Others are planted beside these; FAULTS.md is this table.
func ListedFaults() []Listed {
	return []Listed{
		{"the last k of a product dropped", "", "matmul-last-k-dropped"},
		{"flipped taps", "", "conv-kernel-flipped"},
		{"pad on the wrong side", "", "conv-pads-swapped"},
		{"pad counted in an average", "", "average-includes-padding"},
		{"one-axis dilation", "", "conv-dilation-one-axis"},
		{"group off by one", "", "conv-group-off-by-one"},
		{"split tie gradient", "", "maxpool-grad-splits-ties"},
		{"biased variance", "", "batchnorm-biased-variance"},
		{"inverted momentum", "", "batchnorm-inverted-momentum"},
		{"misplaced ε", "", "layernorm-epsilon-outside-root"},
		{"no shift by the maximum", "", "softmax-without-maximum"},
		{"mean for sum", "", "reduce-mean-for-sum"},
		{"swallowed NaN", "", "relu-nan-to-zero"},
		{"unscaled dropout", "", "dropout-not-scaled"},
		{"fresh backward mask", "", "dropout-fresh-backward-mask"},
		{"coupled AdamW decay", "", "adamw-coupled-decay"},
		{"bias correction off by one", "", "adam-step-from-zero"},
		{"stale buffer", "", "cpu-conv-stale-padding"},
		{"donated read", "", "donated-state-read"},
		{"write past the end", "", "writes-beyond-the-end"},
		{"wrong on the second run", "", "wrong-on-the-second-run"},
		{"half-away rounding", "", "quantize-half-away"},
		{"int16 saturation", "", "qmatmul-pair-saturates"},
		{"mask off by one", "", "attention-mask-off-by-one"},
		{"1/d for 1/√d", "", "attention-scale-without-root"},

		{"Conv+Add fusion with groups", "onnxruntime#12498", "added-bias-of-first-group"},
		{"batch norm folded through ReLU", "glow#5892", "norm-folded-through-relu"},
		{"residual wrong only when fused", "", "residual-lost-when-fused"},
		{"int8 sum saturated before the add", "oneDNN#1870", "int8-sum-saturated-before-add"},
		{"s8 weights halved without VNNI", "oneDNN#375", "qmatmul-weights-halved"},
		{"u8s8 wrong on AVX2 only", "onnxruntime#16105", saturates},
		{"requantization wrong at padded edges", "tvm#13364", "qconv-edges"},
		{"quantized pad 0 in place of the zero point", "tvm#4807", "qconv-pad-zero"},
		{"f16 quantize truncates", "", "quantize-f16-truncates"},
		{"f16 Winograd with groups > 1", "", "conv-winograd-f16-groups"},
		{"batch norm backward above batch 768", "MIOpen#1109", "batchnorm-grad-above-768"},
		{"rsqrt of the saved inverse deviation, hidden at var ≈ 1", "", "batchnorm-grad-rsqrt-of-inverse"},
		{"ε lost in a cast", "DeepSpeed#581", "layernorm-epsilon-lost-in-cast"},
		{"one-pass variance NaN", "", "batchnorm-one-pass-variance"},
		{"batch > 65,535 gives zeros", "tensorflow#9870", "conv-large-batch-zero"},
		{"cache key without the activation", "tensorflow#58149", "activation-from-cache"},
		{"cache key without the weights", "tensorflow#56218", "program-cached-without-weights"},
		{"dropout mask frozen under replay", "pytorch#84614", "dropout-mask-frozen-under-replay"},
		{"NaN at length % 128 = 64 with a mask", "", "attention-nan-at-64"},
		{"masked row gives mean(V)", "", "attention-empty-row-is-mean"},
		{"masked NaN leaks", "pytorch#101967", "attention-masked-nan-leaks"},
		{"ceil-mode phantom cells counted", "", "average-counts-phantom-cells"},
		{"overlapping max-pool gradient summed in f16", "", "maxpool-grad-f16-sums"},
		{"split-K partials in bf16", "", "matmul-split-k-bf16-partials"},
		{"gradient slice of a shared parameter unwritten", "", "shared-gradient-slice-unwritten"},
		{"channel-slice stride misread", "", "conv-channel-slice-stride"},
		{"consumerless output's buffer reused", "onnxruntime#21019", "consumerless-output-aliased"},
		{"Adam's ε scaled by the bias correction", "pytorch#22628", "adam-epsilon-scaled"},
		{"label smoothing counts ignored rows", "pytorch#73205", "loss-smoothing-counts-ignored-rows"},
		{"right ten times, then wrong", "llm.c#852", "right-ten-times-then-wrong"},
	}
}

// standsFor is what is listed, by planted fault.
func standsFor() map[string]string {
	by := map[string]string{}
	for _, l := range ListedFaults() {
		by[l.Fault] = l.What
	}
	return by
}

// FaultsTable is FAULTS.md: what is listed, what is planted for it, and how.
func FaultsTable() string {
	var b strings.Builder
	b.WriteString(faultsHead)
	byName := map[string]Fault{}
	for _, f := range planted() {
		byName[f.Name] = f
	}
	for _, l := range ListedFaults() {
		f := byName[l.Fault]
		fmt.Fprintf(&b, "| %s | %s | `%s` | %s | %s |\n", l.What, l.Seen, f.Name, f.Kind, f.Why)
	}
	return b.String()
}

const faultsHead = `# The planted faults

` + "`clsbench conform --self-test`" + ` turns the suite on backends that are wrong in one way
each; all must be rejected, and legal variants must pass. It prints the kill
matrix: every planted fault, what it stands for, and the kinds of cases (op/class)
that reject it. Four kinds of faults, since no one place can have them all:

- kernel: a wrong formula in the reference; two independent kinds of cases must
  see it, or the matrix says why one must do. No core op is let off.
- plan: a wrong rewrite of the program, as a fusion or a memory planner makes it.
- proxy: a right backend behind a proxy that corrupts what passes, in a process
  of its own.
- mutant: a line of ` + "`cpu`" + `'s own sources changed; two kinds of cases must see it.

Of faults that such a suite is asked to catch, and of those that real stacks have
shipped, this says which planted one stands for which (written by
` + "`go test ./conformance/faults -run FaultsTable -update`" + `). ` + "`--self-test --list`" + ` names
all that are planted.

| listed | reported as | planted | kind | what it does |
|---|---|---|---|---|
`
