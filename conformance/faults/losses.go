package faults

import (
	"math"

	"github.com/clsbench/clsbench/graph"
	"github.com/clsbench/clsbench/reference"
)

// Wrong losses.

var lossFaults = []Fault{
	kernel("loss-mean-over-classes", "SoftmaxCrossEntropy", "the mean divides by N·C", after(func(y float64, _ int, k *Launch) float64 {
		if k.Call.Str("reduction") != "mean" {
			return y
		}
		return y / float64(k.Call.In[0].Shape[1])
	})).also("lenet5"),
	kernel("loss-lse-without-maximum", "SoftmaxCrossEntropy", "the log-sum-exp saved without its maximum", func(k *Launch) ([]*reference.Array, error) {
		out, err := k.Plain()
		if err == nil {
			m := reference.ReduceMax(k.In[0], []int{1}, out[1].Shape).Array(k.Acc)
			out[1] = reference.Sub(out[1], m)
		}
		return out, err
	}),
	kernel("loss-grad-not-averaged", "SoftmaxCrossEntropyGrad", "the mean's gradient without 1/N", after(func(y float64, _ int, k *Launch) float64 {
		if k.Call.Str("reduction") != "mean" {
			return y
		}
		return y * float64(k.Call.In[1].Shape[0])
	})).also("SoftmaxCrossEntropy"),
	kernel("loss-grad-label-off-by-one", "SoftmaxCrossEntropyGrad", "labels counted from one", on(2, func(l *reference.Array, k *Launch) *reference.Array {
		classes := float64(k.Call.In[1].Shape[1])
		return mapped(l, func(v float64) float64 { return math.Mod(v+1, classes) })
	})).also("SoftmaxCrossEntropy"),
	kernel("loss-without-maximum", "SoftmaxCrossEntropy", "exponentials overflow", func(k *Launch) ([]*reference.Array, error) {
		out, err := k.Plain()
		if err == nil {
			e := mapped(k.In[0], func(x float64) float64 { return float64(float32(math.Exp(x))) })
			sum := reference.ReduceSum(e, []int{1}, out[1].Shape).Array(k.Acc)
			out[1] = mapped(sum, math.Log)
		}
		return out, err
	}).once("only logits beyond exp's range show it: one class has them"),
	kernel("loss-mean-over-all-rows", "SoftmaxCrossEntropy", "the mean counts ignored rows", meanOver(func(t *labelled) float64 { return t.rows })),
	kernel("loss-mean-unweighted", "SoftmaxCrossEntropy", "the mean counts rows, whatever their weights", meanOver(func(t *labelled) float64 { return t.kept })),
	kernel("loss-sum-for-mean", "SoftmaxCrossEntropy", "the mean does not divide", meanOver(func(*labelled) float64 { return 1 })),
	kernel("loss-weights-squared", "SoftmaxCrossEntropy", "weights in the rows and again in the sum", on(2, func(w *reference.Array, _ *Launch) *reference.Array {
		return reference.Mul(w, w)
	})),
	kernel("loss-smoothing-ignored", "SoftmaxCrossEntropy", "labels as they are", attr(func(a graph.Attrs, _ *graph.Call) { delete(a, "label_smoothing") })).once("an attribute that one class of a loss's cases has"),
	kernel("loss-smoothing-over-the-others", "SoftmaxCrossEntropy", "ε shared among the other C − 1 classes", attr(func(a graph.Attrs, c *graph.Call) {
		classes := float64(c.In[0].Shape[1])
		a["label_smoothing"] = graph.F(c.Float("label_smoothing") * classes / (classes - 1))
	})).once("an attribute that one class of a loss's cases has"),
	kernel("loss-smoothing-counts-ignored-rows", "SoftmaxCrossEntropy", "the mean of a smoothed loss counts ignored rows (pytorch#73205)", func(k *Launch) ([]*reference.Array, error) {
		if k.Call.Float("label_smoothing") == 0 {
			return k.Plain()
		}
		return meanOver(func(t *labelled) float64 { return t.divisor + t.rows - t.kept })(k)
	}).once("only smoothing with ignored rows shows it: one class has both"),
	kernel("loss-ignored-label-clamped", "SoftmaxCrossEntropy", "an ignored row counts as class 0", func(k *Launch) ([]*reference.Array, error) {
		label, ok := k.Call.IgnoreIndex()
		if delete(k.attrs(), "ignore_index"); ok {
			k.In[1] = mapped(k.In[1], func(l float64) float64 {
				if l == float64(label) {
					return 0
				}
				return l
			})
		}
		return k.Plain()
	}),
	kernel("loss-distribution-hardened", "SoftmaxCrossEntropy", "of a mixture the larger part alone", on(1, func(l *reference.Array, k *Launch) *reference.Array {
		if !k.Call.In[1].DType.IsFloat() {
			return l
		}
		return mapped(l, func(v float64) float64 { return math.Round(v) })
	})).once("only labels that are distributions show it: one class has them"),
	kernel("loss-rows-misaligned", "SoftmaxCrossEntropy", "labels of an image read in the reverse order", on(1, func(l *reference.Array, k *Launch) *reference.Array {
		if len(l.Shape) < 2 || k.Call.In[1].DType.IsFloat() {
			return l
		}
		y := reference.New(l.Shape...)
		for i, v := range l.Data {
			y.Data[len(l.Data)-1-i] = v
		}
		return y
	})),
	kernel("loss-grad-of-ignored-rows", "SoftmaxCrossEntropyGrad", "ignored rows pull all classes down", func(k *Launch) ([]*reference.Array, error) {
		out, err := k.Plain()
		h := reference.LossParamsOf(k.Call, 2)
		if err != nil || h.Ignore == nil {
			return out, err
		}
		classes, inner := k.In[1].Shape[1], k.In[1].Shape[2:].Elements()
		for i := range out[0].Data {
			r := i/(classes*inner)*inner + i%inner
			if k.In[2].Data[r] == *h.Ignore {
				out[0].Data[i] = math.Exp(k.In[1].Data[i]-k.In[3].Data[r]) * k.In[0].Data[r%len(k.In[0].Data)] / float64(len(k.In[2].Data))
			}
		}
		return out, nil
	}).also("SoftmaxCrossEntropy"),
	kernel("loss-grad-unweighted", "SoftmaxCrossEntropyGrad", "weights of classes in the loss alone", func(k *Launch) ([]*reference.Array, error) {
		k.In[4] = nil
		return k.Plain()
	}).also("SoftmaxCrossEntropy"),
	kernel("onnx-loss-probabilities", "SoftmaxCrossEntropyLoss", "probabilities for their logarithms", func(k *Launch) ([]*reference.Array, error) {
		out, err := k.Plain()
		if err == nil {
			out[1] = mapped(out[1], math.Exp)
		}
		return out, err
	}),
	kernel("nll-mean-unweighted", "NegativeLogLikelihoodLoss", "the mean counts rows, whatever their weights", meanOver(func(t *labelled) float64 { return t.kept })).once("only class weights show it, which one class of cases has"),
	kernel("mse-halved", "MSELoss", "½ of the square, as textbooks have it", after(func(y float64, _ int, _ *Launch) float64 { return y / 2 })),
	kernel("mse-mean-over-rows", "MSELoss", "the mean divides by the batch alone", after(func(y float64, _ int, k *Launch) float64 {
		if s := k.Call.In[0].Shape; k.Call.Str("reduction") == "mean" {
			return y * float64(s[1:].Elements())
		}
		return y
	})).once("only the mean shows it, which one class of cases has"),
}

// labelled is what the mean of a loss may be taken over.
type labelled struct{ divisor, rows, kept float64 }

// meanOver divides the sum of the losses by something else.
func meanOver(divisor func(t *labelled) float64) Kernel {
	return func(k *Launch) ([]*reference.Array, error) {
		in := *k
		out, err := k.Plain()
		h := reference.LossParamsOf(k.Call, 1)
		if err != nil || h.Reduction != "mean" {
			return out, err
		}
		t := &labelled{}
		if _, t.divisor, err = reference.Targets(in.Acc, in.In[0].Shape, in.In[1], in.In[2], h); err != nil {
			return nil, err
		}
		t.rows = float64(len(in.In[0].Data) / in.In[0].Shape[1])
		t.kept = t.rows
		for _, l := range in.In[1].Data {
			if h.Ignore != nil && l == *h.Ignore {
				t.kept--
			}
		}
		out[0] = mapped(out[0], func(y float64) float64 { return y * t.divisor / divisor(t) })
		return out, nil
	}
}
