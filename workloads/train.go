package workloads

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"math"
	"runtime"
	"time"

	"github.com/clsbench/clsbench/backends"
	"github.com/clsbench/clsbench/graph"
	"github.com/clsbench/clsbench/tensor"
	"github.com/clsbench/clsbench/workloads/data"
)

// TrainConfig is a training run. Zero PerCall, EvalBatch and Workers take
// defaults.
type TrainConfig struct {
	Workload     *Workload
	Recipe       *Recipe
	Data         *data.Set
	Seed         uint64  // of the first parameters, of every epoch's order and of what changes images
	Weights      Weights // to begin with; nil: fresh ones
	PerCall      int     // steps a Run call
	EvalBatch    int
	Workers      int    // goroutines that make the images of a step ready; one a CPU by default
	StopAtTarget bool   // end with the first epoch that reaches the recipe's target
	Checkpoint   string // file that each epoch's end is saved to; "" for none
	Resume       bool   // begin from that file if it exists
}

// Hooks tell of a run's progress. Each may be nil.
type Hooks struct {
	Step  func(step, of int64, loss float64) // after each step whose loss was read
	Epoch func(Point)
	// Unsaved tells that the file of a checkpoint could not be written: the training goes on without. If it is nil, that
	// ends the training.
	Unsaved func(error)
}

// Point is the state of a run after an epoch.
type Point struct {
	Epoch     int     `json:"epoch"`   // from 1
	Seconds   float64 `json:"seconds"` // since the first step, evaluations included
	Top1      float64 `json:"top1"`    // of the test split
	Loss      float64 `json:"loss"`    // of the test split
	TrainLoss float64 `json:"train_loss"`
}

// Outcome is a finished run.
type Outcome struct {
	Curve          []Point
	Steps          int64
	Throughput     float64 // images/s of training without the first epoch and without evaluation; 0 after one epoch
	Seconds        float64
	Reached        bool // the target, at TimeToAccuracy
	TimeToAccuracy float64
	Final          *Evaluation
	InputWait      float64 // seconds in which the device had nothing to do since no images were ready
	InputWaitShare float64 // of the time of training without evaluation
}

// DivergedError ends a run whose loss, of a training step or of the test split
// after one, is not finite.
type DivergedError struct {
	Step, Epoch int64
	Loss, Rate  float64
}

func (e *DivergedError) Error() string {
	return fmt.Sprintf("training diverged: the loss is %v at step %d (epoch %d, learning rate %.3g); try a lower rate", e.Loss, e.Step, e.Epoch, e.Rate)
}

// Train trains a network from its first parameters, or from a checkpoint, in
// session s, and evaluates it after every epoch. It leaves the parameters in
// the session's state. On a deterministic backend a resumed run gives the bits
// of one that was not interrupted.
func Train(ctx context.Context, s backends.Session, cfg TrainConfig, h Hooks) (*Outcome, error) {
	t, err := newTrainer(ctx, s, cfg, h)
	if err != nil {
		return nil, err
	}
	defer t.close()
	if err := t.begin(ctx); err != nil {
		return nil, err
	}
	for t.progress.Epoch < cfg.Recipe.Epochs && !(t.reached() && cfg.StopAtTarget) {
		if err := t.epoch(ctx); err != nil {
			return nil, err
		}
	}
	return t.outcome(ctx)
}

// evalPerCall is enough for evaluation, whose batches are large.
const evalPerCall = 8

type trainer struct {
	TrainConfig
	hooks   Hooks
	session backends.Session
	state   []graph.Value
	full    *stream    // whole batches
	rest    *stream    // an epoch's last, smaller batch; nil if there is none
	test    *Evaluator // shares the state
	loss    string     // fetch of both streams

	digest   string // of the data, for checkpoints
	perEpoch int64  // steps
	feeder   *feeder
	lossSum  float64
	progress progress
	begun    time.Time // moved back by what a checkpoint had spent
	final    *Evaluation
}

// progress is what a run has to remember beside the state variables.
type progress struct {
	Epoch        int     `json:"epoch"` // finished
	Curve        []Point `json:"curve"`
	TimedImages  int64   `json:"timed_images"` // after the first epoch
	TimedSeconds float64 `json:"timed_seconds"`
	TrainSeconds float64 `json:"train_seconds"` // of all epochs, without evaluation
	InputWait    float64 `json:"input_wait_seconds"`
}

func newTrainer(ctx context.Context, s backends.Session, cfg TrainConfig, h Hooks) (*trainer, error) {
	if err := cfg.Recipe.Validate(); err != nil {
		return nil, fmt.Errorf("recipe: %w", err)
	}
	if err := cfg.Workload.Fits(cfg.Data); err != nil {
		return nil, err
	}
	if cfg.PerCall == 0 {
		cfg.PerCall = DefaultPerCall
	}
	if cfg.EvalBatch == 0 {
		cfg.EvalBatch = min(256, max(1, cfg.Data.Test.Len()))
	}
	if cfg.Workers == 0 {
		cfg.Workers = runtime.GOMAXPROCS(0)
	}
	t := &trainer{TrainConfig: cfg, hooks: h, session: s}
	if cfg.Checkpoint != "" {
		t.digest = cfg.Data.Digest()
	}
	if err := t.compile(ctx); err != nil {
		t.close()
		return nil, err
	}
	return t, nil
}

// compile makes the executables: training, on what is left over at an epoch's
// end if that counts, and evaluation.
func (t *trainer) compile(ctx context.Context) error {
	batch, n := t.Recipe.Batch, t.Data.Train.Len()
	var err error
	if t.feeder, err = newFeeder(&t.TrainConfig); err != nil {
		return err
	}
	if t.full, err = t.openTraining(ctx, batch); err != nil {
		return err
	}
	if left := n % batch; left > 0 && !t.Recipe.DropLast {
		t.feeder.perEpoch++
		if t.rest, err = t.openTraining(ctx, left); err != nil {
			return err
		}
	}
	t.perEpoch = t.feeder.perEpoch
	p, err := t.Workload.evaluation(t.EvalBatch, StandardOf(t.Data), t.Recipe.evaluated())
	if err != nil {
		return err
	}
	if t.test, err = NewEvaluator(ctx, t.session, p, min(t.PerCall, evalPerCall)); err == nil {
		t.test.See(t.feeder.view)
	}
	return err
}

func (t *trainer) openTraining(ctx context.Context, batch int) (*stream, error) {
	p, err := t.Workload.Training(batch, StandardOf(t.Data), t.Recipe, false)
	if err != nil {
		return nil, err
	}
	st, err := openStream(ctx, t.session, p, t.PerCall)
	if err != nil {
		return nil, err
	}
	t.state, t.loss = p.State, p.Fetches[0]
	label := t.Workload.LabelType(batch, t.Recipe)
	st.fill = func(ctx context.Context, step int64) error {
		tensor.View[float32](st.At(FeedLR, step))[0] = float32(t.Recipe.Rate(step, t.perEpoch))
		return t.feeder.fill(ctx, step, st.At(FeedImage, step), st.At(FeedLabel, step), label)
	}
	st.drain = func(step int64) error { return t.drain(st, step) }
	return st, nil
}

func (t *trainer) close() {
	for _, st := range []*stream{t.full, t.rest} {
		if st != nil {
			st.Close()
		}
	}
	if t.test != nil {
		t.test.Close()
	}
}

// begin writes the first state: a checkpoint's, or fresh parameters and zeros.
func (t *trainer) begin(ctx context.Context) error {
	weights := t.Workload.Init(t.Seed)
	maps.Copy(weights, t.Weights)
	if t.Resume && t.Checkpoint != "" {
		saved, err := t.load()
		if err != nil {
			return err
		}
		if saved != nil {
			weights = saved
		}
	}
	if err := Restore(ctx, t.session, t.state, FirstState(t.state, weights)); err != nil {
		return err
	}
	spent := 0.0
	if n := len(t.progress.Curve); n > 0 {
		spent = t.progress.Curve[n-1].Seconds
	}
	t.begun = time.Now().Add(-time.Duration(spent * float64(time.Second)))
	return nil
}

// epoch trains on every batch once, then evaluates and saves.
func (t *trainer) epoch(ctx context.Context) error {
	e := int64(t.progress.Epoch)
	t.feeder.batches.Shuffle(int(e))
	t.lossSum = 0
	first, end := e*t.perEpoch, (e+1)*t.perEpoch
	if err := t.steps(ctx, first, end); err != nil {
		return err
	}
	var err error
	if t.final, err = t.test.Run(ctx, t.Data.Test); err != nil {
		return err
	}
	if l := t.final.Loss; math.IsNaN(l) || math.IsInf(l, 0) {
		return &DivergedError{Step: end - 1, Epoch: e + 1, Loss: l, Rate: t.Recipe.Rate(end-1, t.perEpoch)}
	}
	t.progress.Epoch++
	p := Point{Epoch: t.progress.Epoch, Seconds: time.Since(t.begun).Seconds(), Top1: t.final.Top1, Loss: t.final.Loss,
		TrainLoss: t.lossSum / float64(t.imagesPerEpoch())}
	t.progress.Curve = append(t.progress.Curve, p)
	if t.Checkpoint != "" {
		state, err := Snapshot(ctx, t.session, t.state)
		if err != nil {
			return err
		}
		if err := t.save(state); err != nil && t.hooks.Unsaved == nil {
			return err
		} else if err != nil {
			t.hooks.Unsaved(err)
		}
	}
	if t.hooks.Epoch != nil {
		t.hooks.Epoch(p)
	}
	return nil
}

// steps trains on the batches of an epoch, and notes how long that took.
func (t *trainer) steps(ctx context.Context, first, end int64) error {
	start, whole := time.Now(), end
	if t.rest != nil {
		whole--
	}
	t.full.waited = 0
	if err := t.full.run(ctx, first, whole); err != nil {
		return err
	}
	waited := t.full.waited
	if t.rest != nil {
		t.rest.waited = 0
		if err := t.rest.run(ctx, whole, end); err != nil {
			return err
		}
		waited += t.rest.waited
	}
	seconds := time.Since(start).Seconds()
	t.progress.TrainSeconds += seconds
	t.progress.InputWait += waited.Seconds()
	if first > 0 {
		t.progress.TimedSeconds += seconds
		t.progress.TimedImages += t.imagesPerEpoch()
	}
	return nil
}

func (t *trainer) imagesPerEpoch() int64 {
	if t.rest != nil {
		return int64(t.Data.Train.Len())
	}
	return t.perEpoch * int64(t.Recipe.Batch)
}

func (t *trainer) drain(st *stream, step int64) error {
	loss := float64(tensor.View[float32](st.At(t.loss, step))[0])
	if math.IsNaN(loss) || math.IsInf(loss, 0) {
		return &DivergedError{Step: step, Epoch: step/t.perEpoch + 1, Loss: loss, Rate: t.Recipe.Rate(step, t.perEpoch)}
	}
	t.lossSum += loss * float64(len(st.At(FeedImage, step))/t.Workload.Input.bytes())
	if t.hooks.Step != nil {
		t.hooks.Step(step+1, t.perEpoch*int64(t.Recipe.Epochs), loss)
	}
	return nil
}

func (t *trainer) reached() bool {
	n := len(t.progress.Curve)
	return n > 0 && t.progress.Curve[n-1].Top1 >= t.Recipe.Target
}

func (t *trainer) outcome(ctx context.Context) (*Outcome, error) {
	if len(t.progress.Curve) == 0 {
		return nil, errors.New("no epoch was run")
	}
	if t.final == nil { // resumed at the end
		var err error
		if t.final, err = t.test.Run(ctx, t.Data.Test); err != nil {
			return nil, err
		}
	}
	o := &Outcome{Curve: t.progress.Curve, Steps: int64(t.progress.Epoch) * t.perEpoch, Final: t.final,
		Seconds: t.progress.Curve[len(t.progress.Curve)-1].Seconds}
	if t.progress.TimedSeconds > 0 {
		o.Throughput = float64(t.progress.TimedImages) / t.progress.TimedSeconds
	}
	if p := t.progress; p.TrainSeconds > 0 {
		o.InputWait, o.InputWaitShare = p.InputWait, p.InputWait/p.TrainSeconds
	}
	for _, p := range o.Curve {
		if p.Top1 >= t.Recipe.Target {
			o.Reached, o.TimeToAccuracy = true, p.Seconds
			break
		}
	}
	return o, nil
}
