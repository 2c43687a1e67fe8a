package workloads

import (
	"context"
	"fmt"
	"math"

	"github.com/clsbench/clsbench/backends"
	"github.com/clsbench/clsbench/graph"
	"github.com/clsbench/clsbench/tensor"
	"github.com/clsbench/clsbench/workloads/data"
)

// Evaluation is how well a network classifies a split.
type Evaluation struct {
	Images    int
	Top1      float64 // share whose label has the largest logit; ties go to the first class
	Top5      float64 // share whose label is among the five largest
	Loss      float64 // mean cross-entropy
	Confusion [][]int // images by label, then by predicted class

	Calibration [CalibrationBins]CalibrationBin
	Mistakes    []Mistake // the worst ones, worst first
}

// Evaluator runs an inference or evaluation program over splits.
type Evaluator struct {
	stream  *stream
	batch   int
	classes int
	logits  string

	view    View
	split   data.Split
	batches *data.Batches
	sum     Evaluation
}

// NewEvaluator compiles p, made by Inference or Evaluation, in session s.
func NewEvaluator(ctx context.Context, s backends.Session, p *graph.Program, perCall int) (*Evaluator, error) {
	g, err := p.Infer()
	if err != nil {
		return nil, err
	}
	if len(p.Feeds) != 1 || p.Feeds[0].Name != FeedImage || len(p.Fetches) != 1 {
		return nil, fmt.Errorf("program %s: want the feed %s and one fetch, the logits", p.Name, FeedImage)
	}
	out := g.Types[p.Fetches[0]]
	if out.DType != tensor.F32 || len(out.Shape) != 2 {
		return nil, fmt.Errorf("program %s: the logits are %v, want f32 N×classes", p.Name, out)
	}
	st, err := openStream(ctx, s, p, perCall)
	if err != nil {
		return nil, err
	}
	e := &Evaluator{stream: st, batch: out.Shape[0], classes: out.Shape[1], logits: p.Fetches[0]}
	image := p.Feeds[0].Type.Shape
	size := Input{image[1], image[2], image[3]}
	e.view = View{From: size, To: size}
	st.fill, st.drain = e.fill, e.drain
	return e, nil
}

// Close frees the executable and its buffers.
func (e *Evaluator) Close() error { return e.stream.Close() }

// See makes Run take images of another size than the network's.
func (e *Evaluator) See(v View) { e.view = v }

// Run evaluates every image of the split once. The last batch is padded; the
// padding's answers are thrown away.
func (e *Evaluator) Run(ctx context.Context, split data.Split) (*Evaluation, error) {
	batches, err := data.Evaluation(split, e.batch)
	if err != nil {
		return nil, err
	}
	if have, want := split.Size(), e.view.From.bytes(); have != want {
		return nil, fmt.Errorf("images of %d bytes, want %d, of %v", have, want, e.view.From)
	}
	e.split, e.batches = split, batches
	e.sum = newEvaluation(e.classes)
	if err := e.stream.run(ctx, 0, int64(batches.Len())); err != nil {
		return nil, err
	}
	r := e.sum
	r.finish()
	return &r, nil
}

func newEvaluation(classes int) Evaluation {
	e := Evaluation{Confusion: make([][]int, classes)}
	for i := range e.Confusion {
		e.Confusion[i] = make([]int, classes)
	}
	return e
}

// finish turns sums into means.
func (r *Evaluation) finish() {
	n := float64(r.Images)
	r.Top1, r.Top5, r.Loss = r.Top1/n, r.Top5/n, r.Loss/n
}

func (e *Evaluator) fill(ctx context.Context, step int64) error {
	images, indices := e.stream.At(FeedImage, step), e.batches.Indices(int(step))
	valid := len(indices) * e.view.To.bytes()
	clear(images[valid:])
	return e.view.Read(ctx, images[:valid], e.split, indices)
}

func (e *Evaluator) drain(step int64) error {
	logits := tensor.View[float32](e.stream.At(e.logits, step))
	for i := range e.batch {
		at := int(step)*e.batch + i
		if at >= e.split.Len() {
			break
		}
		label := e.split.Labels[at]
		if label < 0 || label >= int64(e.classes) {
			return fmt.Errorf("image %d: label %d, the network has %d classes", at, label, e.classes)
		}
		e.sum.add(at, logits[i*e.classes:(i+1)*e.classes], int(label))
	}
	return nil
}

// add counts one image of the split; the fields hold sums until the end.
func (r *Evaluation) add(image int, logits []float32, label int) {
	best, above := 0, 0
	if logits[label] != logits[label] {
		above = len(logits) // not a number is no answer
	}
	for i, v := range logits {
		if v > logits[best] || logits[best] != logits[best] {
			best = i
		}
		if v > logits[label] || v == logits[label] && i < label {
			above++
		}
	}
	r.Images++
	r.Confusion[label][best]++
	if above == 0 {
		r.Top1++
	}
	if above < 5 {
		r.Top5++
	}
	sum := 0.0
	for _, v := range logits {
		sum += math.Exp(float64(v) - float64(logits[best]))
	}
	confidence := 1 / sum
	r.Calibration[calibrationBin(confidence)].add(confidence, best == label)
	loss := math.Log(sum) + float64(logits[best]) - float64(logits[label])
	r.Loss += loss
	if best != label {
		r.mistaken(Mistake{image, label, best, confidence, loss})
	}
}
