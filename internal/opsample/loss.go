package opsample

import "github.com/clsbench/clsbench/graph"

func losses() (list []Sample) {
	scores, labels, weights := in(Signed, 4, 5), index(5, 4), in(Positive, 5)
	images, pixels := in(Signed, 2, 3, 2, 2), index(3, 2, 2, 2)
	for _, r := range []string{"mean", "sum", "none"} {
		list = append(list, crossEntropies(graph.Attrs{"reduction": graph.S(r)}, scores, labels, in(Absent))...)
		list = append(list, Sample{"MSELoss", graph.Attrs{"reduction": graph.S(r)}, []Input{in(Signed, 3, 4), in(Signed, 3, 4)}})
		a := graph.Attrs{"reduction": graph.S(r), "ignore_index": graph.I(2)}
		list = append(list, crossEntropies(a, scores, labels, weights)...)
		smooth := graph.Attrs{"reduction": graph.S(r), "ignore_index": graph.I(2), "label_smoothing": graph.F(0.1)}
		list = append(list, own(smooth, images, pixels, in(Positive, 3))...)
		soft := graph.Attrs{"reduction": graph.S(r), "label_smoothing": graph.F(0.2)}
		list = append(list, own(soft, scores, in(Positive, 4, 5), weights)...)
	}
	list = append(list, crossEntropies(nil, images, pixels, in(Absent))...)
	return append(list, own(nil, scores, in(Positive, 4, 5), in(Absent))...)
}

// crossEntropies are samples of all ops that know an attribute of ONNX's.
func crossEntropies(a graph.Attrs, scores, labels, weights Input) []Sample {
	return append(own(a, scores, labels, weights),
		Sample{"SoftmaxCrossEntropyLoss", a, []Input{scores, labels, weights}},
		Sample{"NegativeLogLikelihoodLoss", a, []Input{scores, labels, weights}})
}

// own are samples of our cross-entropy and its gradient.
func own(a graph.Attrs, scores, labels, weights Input) []Sample {
	loss := Sample{"SoftmaxCrossEntropy", a, []Input{scores, labels, weights}}
	lse := in(Positive, append([]int{scores.Shape[0]}, scores.Shape[2:]...)...)
	return []Sample{loss, {"SoftmaxCrossEntropyGrad", a, []Input{in(Signed, loss.output()...), scores, labels, lse, weights}}}
}
