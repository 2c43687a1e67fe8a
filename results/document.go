package results

import (
	"time"

	"github.com/clsbench/clsbench/internal/machine"
	"github.com/clsbench/clsbench/internal/measure"
)

// Schema names the version of the document that this package writes.
const Schema = "clsbench.result/v1"

// MaxSeed bounds seeds, so that every reader of JSON keeps them whole: integers above 2⁵³ lose digits in many.
const MaxSeed = 1 << 53

// Document is what a run found.
type Document struct {
	Schema  string        `json:"schema" jsonschema:"const=clsbench.result/v1"`
	Run     Run           `json:"run"`
	Machine machine.Info  `json:"machine"`
	Peaks   machine.Peaks `json:"peaks"` // of the run's first session; see Run.Resumed
	// Conditions are those while the cells were measured.
	Conditions  *machine.Conditions `json:"conditions,omitempty"`
	Results     []Result            `json:"results"`
	Comparisons []Comparison        `json:"comparisons,omitempty"`
	// Warnings are sentences for the reader: what limits these figures.
	Warnings []string `json:"warnings,omitempty"`
}

// Run is how the document came to be.
type Run struct {
	// ID names the run: 12 hexadecimal digits, drawn at random.
	ID      string    `json:"id" jsonschema:"pattern=^[0-9a-f]{12}$"`
	Started time.Time `json:"started"`
	Ended   time.Time `json:"ended"`
	// Command is the command line, one argument an element.
	Command []string `json:"command"`
	// Directory is the working directory, where Command names files that are looked up in it.
	Directory string `json:"directory,omitempty"`
	Effort    Effort `json:"effort"`
	// Seed is the run's: what is drawn follows from it.
	Seed        uint64 `json:"seed" jsonschema:"maximum=9007199254740992"`
	Interrupted bool   `json:"interrupted,omitempty"` // ended before every cell was measured
	// Resumed lists the later sessions that took up the journal; Result.Session counts them from 1.
	Resumed []Session `json:"resumed,omitempty"`
}

// Session is a later start of the same run. The machine's limits are measured in each.
type Session struct {
	Started time.Time     `json:"started"`
	Peaks   machine.Peaks `json:"peaks"`
}

// Effort is how much was measured, as it took effect.
type Effort struct {
	Name         string  `json:"name" jsonschema:"enum=smoke,enum=quick,enum=standard,enum=publish"`
	Rounds       int     `json:"rounds" jsonschema:"minimum=0"`        // asked for; each cell has its own in throughput.rounds
	RoundSeconds float64 `json:"round_seconds" jsonschema:"minimum=0"` // at least, a cell and round
	// Processes is how many processes of a backend measured one cell: 1, or one a round.
	Processes int `json:"processes" jsonschema:"minimum=0"`
}

// EffortSmoke is the effort that claims no figures: one step without warm-up.
const EffortSmoke = "smoke"

// Status is how a cell ended.
type Status string

// The statuses. Figures stand beside ok and unstable; beside invalid they may, and are not to be believed.
const (
	StatusOK          Status = "ok"
	StatusUnstable    Status = "unstable"    // measured, but it never became steady
	StatusInvalid     Status = "invalid"     // measured, and the measurement or the answer is wrong
	StatusUnsupported Status = "unsupported" // the backend can't do it and says so
	StatusCrashed     Status = "crashed"
	StatusTimeout     Status = "timeout"
	StatusOOM         Status = "oom"
	StatusError       Status = "error" // anything else, see Cause
)

// Measured says whether figures of the cell can be read.
func (s Status) Measured() bool { return s == StatusOK || s == StatusUnstable }

// CauseKind is what kind of thing went wrong.
type CauseKind string

// Kinds under gRPC's names come from the backend.
const (
	CauseUnimplemented      CauseKind = "unimplemented"
	CauseInvalidArgument    CauseKind = "invalid_argument"
	CauseFailedPrecondition CauseKind = "failed_precondition"
	CauseResourceExhausted  CauseKind = "resource_exhausted"
	CauseInternal           CauseKind = "internal"
	CauseUnavailable        CauseKind = "unavailable" // the process has gone
	CauseDeadlineExceeded   CauseKind = "deadline_exceeded"
	CauseCancelled          CauseKind = "cancelled"

	CauseStart      CauseKind = "start"       // the plugin did not come up, or speaks another protocol version
	CauseProtocol   CauseKind = "protocol"    // an answer that the contract does not allow
	CauseNotSteady  CauseKind = "not_steady"  // warm-up ended without a steady rate
	CauseWrong      CauseKind = "wrong"       // a checked answer is outside its bound
	CauseForgedTime CauseKind = "forged_time" // samples that don't fit inside the harness's clock
	CauseOverLimit  CauseKind = "over_limit"  // faster than the algorithm's limit on this machine allows
	CauseReplayed   CauseKind = "replayed"    // a repeated input is faster than a fresh one
	CauseAccuracy   CauseKind = "accuracy"    // trained below the recipe's floor
)

// Cause says why a status is not ok.
type Cause struct {
	Kind    CauseKind `json:"kind" jsonschema:"enum=unimplemented,enum=invalid_argument,enum=failed_precondition,enum=resource_exhausted,enum=internal,enum=unavailable,enum=deadline_exceeded,enum=cancelled,enum=start,enum=protocol,enum=not_steady,enum=wrong,enum=forged_time,enum=over_limit,enum=replayed,enum=accuracy"`
	Message string    `json:"message" jsonschema:"minLength=1"`
	Node    string    `json:"node,omitempty"` // the program's node at fault
	Op      string    `json:"op,omitempty"`
	Wanted  int64     `json:"wanted_bytes,omitempty"` // resource_exhausted
	Free    int64     `json:"free_bytes,omitempty"`
	LogTail []string  `json:"log_tail,omitempty"` // the last lines of the plugin's log
}

// Result is one cell. The keys up to Repro are the stable ones.
type Result struct {
	Cell      string `json:"cell"`
	Status    Status `json:"status" jsonschema:"enum=ok,enum=unstable,enum=invalid,enum=unsupported,enum=crashed,enum=timeout,enum=oom,enum=error"`
	Backend   string `json:"backend" jsonschema:"minLength=1"` // label
	Workload  string `json:"workload" jsonschema:"minLength=1"`
	Mode      string `json:"mode" jsonschema:"enum=infer,enum=train"`
	Scenario  string `json:"scenario" jsonschema:"enum=offline,enum=singlestream,enum=multistream,enum=server,enum=train"`
	Data      string `json:"data" jsonschema:"minLength=1"`
	Precision string `json:"precision" jsonschema:"minLength=1"`
	Batch     int    `json:"batch" jsonschema:"minimum=1"`   // images a step
	Threads   int    `json:"threads" jsonschema:"minimum=0"` // 0 where the backend has no notion of them
	Math      string `json:"math" jsonschema:"minLength=1"`  // math mode

	Throughput *Throughput `json:"throughput,omitempty"`
	Latency    *Latency    `json:"latency_ms,omitempty"`
	Accuracy   *Accuracy   `json:"accuracy,omitempty"`
	Memory     *Memory     `json:"memory,omitempty"`
	Model      *Model      `json:"model,omitempty"` // of inference
	Setup      *Setup      `json:"setup_ms,omitempty"`
	// PeakShare is that of the peak that Peak names. Above 1.1 the row is invalid: no honest one is that much faster
	// than the machine.
	PeakShare   *float64    `json:"peak_share,omitempty" jsonschema:"minimum=0"`
	Conformance Conformance `json:"conformance"`
	PluginHash  string      `json:"plugin_hash,omitempty"` // hexadecimal
	PlanDigest  string      `json:"plan_digest,omitempty"` // hexadecimal
	Repro       string      `json:"repro" jsonschema:"minLength=1"`

	Quantization *Quantization `json:"quantization,omitempty"` // of int8
	Weights      *Weights      `json:"weights,omitempty"`      // where they are not drawn by the seed
	// Recipe is what a training cell's steps follow, as it took effect, by the names of a recipe's file; what is off is
	// left out.
	Recipe  map[string]any    `json:"recipe,omitempty"`
	Cause   *Cause            `json:"cause,omitempty"`
	Options map[string]string `json:"options,omitempty"` // the backend's own, as asked
	// Implementation is what the backend chose on this machine, in its words: "avx512", "sm_90".
	Implementation string `json:"implementation,omitempty"`
	Version        string `json:"backend_version,omitempty"`
	Device         string `json:"device,omitempty"`
	Driver         string `json:"driver,omitempty"`
	// Peak is the key in Document.Peaks of the limit that PeakShare is a share of.
	Peak          string     `json:"peak,omitempty"`
	FLOPsPerImage float64    `json:"flops_per_image,omitempty" jsonschema:"minimum=0"` // of the direct algorithm
	Time          *TimeSplit `json:"time_ms,omitempty"`
	HarnessMicros *float64   `json:"harness_us_per_step,omitempty"` // (harness's clock − plugin's) / steps, median
	Warmup        *Warmup    `json:"warmup,omitempty"`
	Flags         []string   `json:"flags,omitempty"`
	Session       int        `json:"session,omitempty" jsonschema:"minimum=0"` // 0: the first; else index + 1 in Run.Resumed
}

// Flags that a reader should know. Others may stand.
const (
	FlagThrottled    = "throttled"    // the clock fell while measuring
	FlagSteal        = "steal"        // other machines took CPU time
	FlagOutliers     = "outliers"     // rounds far from the rest; kept
	FlagFewRounds    = "few-rounds"   // fewer rounds than the effort asks
	FlagFewSeeds     = "few-seeds"    // fewer training runs than publishing takes
	FlagUnregistered = "unregistered" // an exec: backend without a manifest
	FlagUntrained    = "untrained"    // initial weights: the training run before it failed
	FlagRelaxed      = "relaxed"      // a math mode other than strict
	FlagCached       = "cached"       // figures of an earlier run
)

// Throughput is by the harness's clock, many steps in flight.
type Throughput struct {
	measure.Estimate
	Unit   string    `json:"unit" jsonschema:"enum=images/s"`
	Rounds []float64 `json:"rounds" jsonschema:"minItems=1,maxItems=1000"` // every round's, in the order measured
}

// TimeSplit is where a step's time goes: the median of each part over the steps of the latency rounds, in ms.
type TimeSplit struct {
	Queue  float64 `json:"queue" jsonschema:"minimum=0"`
	H2D    float64 `json:"h2d" jsonschema:"minimum=0"`
	Device float64 `json:"device" jsonschema:"minimum=0"`
	D2H    float64 `json:"d2h" jsonschema:"minimum=0"`
	Host   float64 `json:"host" jsonschema:"minimum=0"` // the backend's bookkeeping
	RPC    float64 `json:"rpc" jsonschema:"minimum=0"`  // the way to the plugin and back, of one call
}

// Setup is what happens once, in ms.
type Setup struct {
	Open     float64 `json:"open" jsonschema:"minimum=0"`
	Compile  float64 `json:"compile" jsonschema:"minimum=0"`
	FirstRun float64 `json:"first_run" jsonschema:"minimum=0"`
}

// Warmup is what ran before the first round.
type Warmup struct {
	Steps   int     `json:"steps" jsonschema:"minimum=0"`
	Seconds float64 `json:"seconds" jsonschema:"minimum=0"`
	Stable  bool    `json:"stable"`
}

// Memory is the plugin's at its highest, taken in a pass of its own.
type Memory struct {
	// Peak is VmHWM: anonymous, file and shared memory that was ever resident at once.
	Peak      int64         `json:"peak_bytes" jsonschema:"minimum=0"`
	Anonymous int64         `json:"anonymous_bytes,omitempty" jsonschema:"minimum=0"`
	Shared    int64         `json:"shared_bytes,omitempty" jsonschema:"minimum=0"` // regions shared with the harness
	Device    *DeviceMemory `json:"device,omitempty"`                              // where the device has its own
}

// DeviceMemory is an accelerator's.
type DeviceMemory struct {
	Used      int64 `json:"used_bytes" jsonschema:"minimum=0"`      // by values and state
	Allocated int64 `json:"allocated_bytes" jsonschema:"minimum=0"` // by the backend's allocator
	Reserved  int64 `json:"reserved_bytes" jsonschema:"minimum=0"`  // taken from the driver
}

// Model is what an inference row's network takes in a file: its tensors.
type Model struct {
	Bytes int64 `json:"tensor_bytes" jsonschema:"minimum=0"` // of the program's constants: integers, scales, what is left in floats
	// Checkpoint is what the weights take as they were trained, in f32 with the norms unfolded.
	Checkpoint int64 `json:"checkpoint_bytes" jsonschema:"minimum=0"`
}

// Weights is the file that inference took its weights from, or training began with.
type Weights struct {
	File   string `json:"file" jsonschema:"minLength=1"` // its name; the command has the path
	SHA256 string `json:"sha256" jsonschema:"pattern=^[0-9a-f]{64}$"`
	// NewHead says that its classifier was of other classes, and was drawn anew.
	NewHead bool `json:"new_head,omitempty"`
}

// Quantization is how an int8 row came by its integers.
type Quantization struct {
	// Recipe is what --quant takes: dynamic, static with the method that chose the ranges of activations, or aware.
	Recipe string `json:"recipe" jsonschema:"minLength=1"`
	// Sensitivity is of each product, the most sensitive first, where it was asked for.
	Sensitivity []Sensitivity `json:"sensitivity,omitempty"`
}

// Sensitivity is what the quantization of one node alone costs.
type Sensitivity struct {
	Node string  `json:"node" jsonschema:"minLength=1"`
	Lost float64 `json:"top1_lost" jsonschema:"minimum=-1,maximum=1"` // of top-1, a fraction; below 0 it gains
}

// Accuracy is that of a trained or loaded model on the test split. Fractions, not percents.
type Accuracy struct {
	// Top1 is the median over Runs, the fastest and slowest dropped where there are five; or the model's, in inference.
	Top1   float64 `json:"top1" jsonschema:"minimum=0,maximum=1"`
	Target float64 `json:"target,omitempty" jsonschema:"minimum=0,maximum=1"` // asked for
	Floor  float64 `json:"floor,omitempty" jsonschema:"minimum=0,maximum=1"`  // the recipe's; below it the row is void
	// Seconds is the time until Target, or to the end where there is none; evaluation is on the clock. Median over Runs.
	Seconds float64    `json:"seconds,omitempty" jsonschema:"minimum=0"`
	Runs    []Training `json:"runs,omitempty"`
	// Test is the first run's final evaluation, or the loaded model's.
	Test *Classification `json:"test,omitempty"`
}

// Training is one training run.
type Training struct {
	Seed    uint64       `json:"seed" jsonschema:"maximum=9007199254740992"`
	Top1    float64      `json:"top1" jsonschema:"minimum=0,maximum=1"` // at the end
	Seconds float64      `json:"seconds" jsonschema:"minimum=0"`
	Reached bool         `json:"reached"` // Target, or there is none
	Curve   []CurvePoint `json:"curve"`
	// InputWait is how many seconds the device had nothing to do since no images were ready for it, InputWaitShare which
	// part of the time of training, without evaluation, that was.
	InputWait      float64 `json:"input_wait_seconds,omitempty" jsonschema:"minimum=0"`
	InputWaitShare float64 `json:"input_wait_share,omitempty" jsonschema:"minimum=0,maximum=1"`
}

// CurvePoint is one evaluation during training.
type CurvePoint struct {
	Epoch   float64 `json:"epoch" jsonschema:"minimum=0"`   // epochs done; a fraction within one
	Seconds float64 `json:"seconds" jsonschema:"minimum=0"` // since training began
	Top1    float64 `json:"top1" jsonschema:"minimum=0,maximum=1"`
	Loss    float64 `json:"loss"` // mean training loss since the point before
}

// Verdict is what conformance says of the code behind a figure.
type Verdict string

// The verdicts.
const (
	VerdictPass    Verdict = "pass"
	VerdictFail    Verdict = "fail"
	VerdictPartial Verdict = "partial" // a partition of the plan went untested: shown, not publishable
	VerdictNone    Verdict = "none"    // not judged
)

// Conformance is the verdict on the executable that gave the figures.
type Conformance struct {
	// Verdict is none only where the status is neither ok nor unstable: whatever is measured is judged, with every
	// effort, smoke too.
	Verdict Verdict `json:"verdict" jsonschema:"enum=pass,enum=fail,enum=partial,enum=none"`
	Passed  int     `json:"cases_passed" jsonschema:"minimum=0"`
	Total   int     `json:"cases_total" jsonschema:"minimum=0"`
	// Worst is the largest error of all cases, as a multiple of its bound.
	Worst  *float64 `json:"worst,omitempty" jsonschema:"minimum=0"`
	Suite  string   `json:"suite,omitempty"` // name and version
	Key    string   `json:"key,omitempty"`   // what the verdict is cached under
	Cached bool     `json:"cached,omitempty"`
	// Batch is what the program and its partitions were judged at, where its own is too much work for the reference.
	Batch int `json:"batch,omitempty" jsonschema:"minimum=1"`
	// EitherSide is how many elements lay so near to a jump, as a ReLU's gradient has at zero, that either side was right.
	EitherSide *EitherSide `json:"either_side,omitempty"`
	Failures   []Failure   `json:"failures,omitempty"`
}

// EitherSide is a number of elements among all whose jumps were watched.
type EitherSide struct {
	Elements int `json:"elements" jsonschema:"minimum=1"`
	Of       int `json:"of" jsonschema:"minimum=1"`
}

// Failure is one case that failed.
type Failure struct {
	Case    string   `json:"case" jsonschema:"minLength=1"`
	Error   *float64 `json:"error,omitempty"` // as a multiple of the bound; absent where it is not finite
	Message string   `json:"message"`
	Repro   string   `json:"repro,omitempty"`
}

// Comparison is of two cells that were measured in the same interleaved rounds.
type Comparison struct {
	A      string `json:"a"` // a cell of this document
	B      string `json:"b"`
	Rounds int    `json:"rounds" jsonschema:"minimum=1"` // pairs
	// Ratio is that of A's throughput to B's: the Hodges–Lehmann median of the rounds' log ratios.
	Ratio measure.Estimate `json:"ratio"`
	P     float64          `json:"p" jsonschema:"minimum=0,maximum=1"`      // Wilcoxon's signed-rank test, two-sided
	PHolm float64          `json:"p_holm" jsonschema:"minimum=0,maximum=1"` // adjusted over the document's comparisons
	Word  measure.Word     `json:"word" jsonschema:"enum=FASTER,enum=SLOWER,enum=SAME,enum=UNDECIDED"`
	// Margin is the difference that counts as none, as a fraction; 0 if none was set.
	Margin float64 `json:"margin,omitempty" jsonschema:"minimum=0"`
	// Visible is the smallest difference that these rounds could have shown, as a fraction.
	Visible float64 `json:"smallest_visible" jsonschema:"minimum=0"`
	// Need is how many rounds a word takes here, if there were fewer.
	Need int `json:"rounds_needed,omitempty" jsonschema:"minimum=0"`
}
