package conformance

import (
	"context"
	"crypto/rand"
	"encoding/binary"
	"errors"
	"fmt"
	"regexp"
	"runtime"
	"slices"
	"strconv"
	"time"

	"github.com/clsbench/clsbench/backends"
	"github.com/clsbench/clsbench/conformance/protocol"
)

// Options say what to run, on what data, and where to put what is found.
type Options struct {
	Suites []Suite        // nil: all
	Effort Effort         // cases of more effort are left out
	Filter *regexp.Regexp // on case names; nil: all
	Ops    []string       // only cases of these ops; nil: all
	Seed   uint64         // what all data follow from; 0: drawn anew

	Config  backends.SessionConfig
	Label   string        // the backend as on the command line, for lines that repeat
	Threads int           // of the reference; 0: as many as run at a time
	Cache   *Cache        // of the reference's results; nil: kept for this run alone
	Timeout time.Duration // of one case; 0: a minute
	Out     string        // folder for bundles of failures; empty: none

	// Progress, if not nil, is called after every case.
	Progress func(done, total int, r *Result)
	// Restart, if not nil, makes the backend anew after it has gone.
	Restart func(ctx context.Context) (backends.Backend, error)
}

// MaxSeed bounds seeds, so that every reader of JSON keeps them whole.
const MaxSeed = 1 << 53

// NewSeed draws a seed.
func NewSeed() uint64 {
	var b [8]byte
	if _, err := rand.Read(b[:]); err != nil {
		panic(err) // crypto/rand does not fail
	}
	return 1 + binary.LittleEndian.Uint64(b[:])%(MaxSeed-1)
}

// Runner runs suites on one backend.
type Runner struct {
	backend backends.Backend
	opt     Options
	oracle  *Oracle

	session  backends.Session // nil after a failure
	features []string
}

// NewRunner prepares a run. Its error is the caller's fault.
func NewRunner(b backends.Backend, o Options) (*Runner, error) {
	if o.Seed == 0 {
		o.Seed = NewSeed()
	}
	if o.Seed >= MaxSeed {
		return nil, fmt.Errorf("seed %d: want less than 2^53", o.Seed)
	}
	if o.Timeout == 0 {
		o.Timeout = time.Minute
	}
	if o.Cache == nil {
		o.Cache = NewCache("")
	}
	if len(o.Suites) == 0 {
		o.Suites = Suites()
	}
	for _, s := range o.Suites {
		if _, err := ParseSuite(string(s)); err != nil {
			return nil, err
		}
	}
	return &Runner{backend: b, opt: o, oracle: &Oracle{Threads: o.Threads, Cache: o.Cache, Math: o.Config.Math}}, nil
}

// item is a case of either kind.
type item struct {
	name     string
	c        *Case          // a program
	part     *PlanCase      // which is a partition of this kind
	protocol *protocol.Case // or a part of the contract
}

// row is what a report counts it under. The contract itself is required, what
// it says of an op's data only of those who have the op.
func (it item) row() (s Suite, op string, required bool) {
	if it.protocol != nil {
		return Protocol, string(Protocol), it.protocol.Op == ""
	}
	return it.c.Suite, it.c.Op, it.c.Required
}

// protocolName is how cases of the protocol are called among the others.
func protocolName(c protocol.Case) string { return string(Protocol) + "/" + c.Name }

// takes says whether the filter lets a name through.
func (o *Options) takes(name string) bool { return o.Filter == nil || o.Filter.MatchString(name) }

// selection lists what the options ask for, and says whether that is all of
// the suites.
func (o *Options) selection() (list []item, complete bool) {
	complete = true
	take := func(it item, s Suite, e Effort, op string) {
		if !slices.Contains(o.Suites, s) {
			return
		}
		if e > o.Effort || !o.takes(it.name) || (o.Ops != nil && !slices.Contains(o.Ops, op)) {
			complete = complete && e > Quick // standard cases add no claim of their own
			return
		}
		list = append(list, it)
	}
	for _, c := range protocol.Cases() {
		take(item{name: protocolName(c), protocol: &c}, Protocol, Smoke, string(Protocol))
	}
	for _, c := range Cases() {
		take(item{name: c.Name(), c: c}, c.Suite, c.Effort, c.Op)
	}
	return list, complete
}

// Names lists the cases that the options ask for.
func (o Options) Names() []string {
	if len(o.Suites) == 0 {
		o.Suites = Suites()
	}
	list, _ := o.selection()
	names := make([]string, len(list))
	for i, it := range list {
		names[i] = it.name
	}
	return names
}

// Run runs all cases that the options ask for. An error is one of the run
// itself: a backend that can't be opened, a filter that matches nothing. What
// is wrong with the backend is in the report. If ctx ends, the report has what
// was done until then.
func (r *Runner) Run(ctx context.Context) (*Report, error) {
	items, complete := r.opt.selection()
	if len(items) == 0 {
		return nil, ErrNoCase
	}
	start := time.Now()
	rep, err := r.begin(ctx)
	if err != nil {
		return nil, err
	}
	defer r.close()
	rep.Results = r.runAll(ctx, items)
	rep.Interrupted = len(rep.Results) < len(items)
	rep.Seconds = time.Since(start).Seconds()
	rep.summarise(r.opt.Suites, complete && !rep.Interrupted)
	return rep, r.bundles(ctx, rep)
}

// begin opens a session and heads the report.
func (r *Runner) begin(ctx context.Context) (*Report, error) {
	d, err := r.backend.Describe(ctx)
	if err != nil {
		return nil, fmt.Errorf("describe: %w", err)
	}
	r.features = d.Features
	rep := &Report{
		Schema: ReportSchema, Version: Version, Bounds: BoundsDigest(), Started: time.Now().UTC(), Seed: r.opt.Seed, Effort: r.opt.Effort,
		Backend:     NewBackendInfo(r.opt.Label, d, r.opt.Config),
		Environment: map[string]string{"go": runtime.Version(), "os": runtime.GOOS + "/" + runtime.GOARCH, "cpus": strconv.Itoa(runtime.GOMAXPROCS(0))},
	}
	if r.opt.Filter != nil {
		rep.Filter = r.opt.Filter.String()
	}
	if err := r.open(ctx); err != nil {
		return nil, fmt.Errorf("open: %w", err)
	}
	return rep, nil
}

// runAll runs the cases one after the other; the data and the reference of
// those to come are made meanwhile.
func (r *Runner) runAll(ctx context.Context, items []item) []*Result {
	ahead := r.oracle.threads()
	ready := make([]chan *Prepared, len(items))
	work, stop := make(chan int), make(chan struct{})
	defer close(stop)
	for i := range items {
		ready[i] = make(chan *Prepared, 1)
	}
	for range ahead {
		go func() {
			for i := range work {
				if items[i].c != nil {
					ready[i] <- items[i].c.Prepare(r.opt.Seed, r.oracle)
				}
			}
		}()
	}
	window := make(chan struct{}, 4*ahead) // how far ahead the reference may be
	go func() {
		defer close(work)
		for i := range items {
			select {
			case window <- struct{}{}:
			case <-stop:
				return
			}
			work <- i
		}
	}()
	var results []*Result
	for i, it := range items {
		if ctx.Err() != nil {
			break
		}
		var p *Prepared
		if it.c != nil {
			select {
			case p = <-ready[i]:
			case <-ctx.Done(): // the reference may take minutes yet
				return results
			}
		}
		<-window
		res := r.one(ctx, it, p)
		if ctx.Err() != nil {
			break // stopped in the middle: it says nothing
		}
		results = append(results, res)
		if r.opt.Progress != nil {
			r.opt.Progress(len(results), len(items), res)
		}
	}
	return results
}

// one runs a case under its deadline, on a session that works.
func (r *Runner) one(ctx context.Context, it item, p *Prepared) *Result {
	start := time.Now()
	limited, cancel := context.WithTimeout(ctx, r.opt.Timeout)
	defer cancel()
	res := r.ask(limited, it, p)
	if limited.Err() != nil && ctx.Err() == nil {
		res.Status = StatusTimeout
	}
	res.Seconds = time.Since(start).Seconds()
	if res.Status == StatusCrashed || res.Status == StatusTimeout {
		r.reopen(ctx)
	}
	return res
}

const hasGone = "the backend has gone and could not be opened again"

func (r *Runner) ask(ctx context.Context, it item, p *Prepared) *Result {
	if it.protocol != nil {
		res := &Result{Case: it.name, Status: StatusPass}
		res.Suite, res.Op, res.Required = it.row()
		if err := it.protocol.Run(ctx, r.backend); errors.Is(err, protocol.ErrLacksOp) {
			res.Status, res.Feature, res.Why = StatusUnsupported, it.protocol.Op, err.Error()
		} else if err != nil {
			res.Status, res.Why = StatusFail, err.Error()
		}
		return res
	}
	if r.session == nil {
		return &Result{Case: it.name, Op: it.c.Op, DType: it.c.DType.String(), Suite: it.c.Suite, Required: it.c.Required,
			Status: StatusCrashed, Why: hasGone}
	}
	res := p.Check(ctx, r.session, r.oracle, r.features)
	if it.part != nil {
		it.part.result(res)
	}
	return res
}

func (r *Runner) open(ctx context.Context) error {
	s, err := r.backend.Open(ctx, r.opt.Config)
	if err == nil {
		r.session = s
	}
	return err
}

// reopen takes a new session after a failure, of a new process if need be.
func (r *Runner) reopen(ctx context.Context) {
	r.close()
	if r.open(ctx) == nil || r.opt.Restart == nil {
		return
	}
	if b, err := r.opt.Restart(ctx); err == nil {
		r.backend = b
		_ = r.open(ctx) // if it fails the cases that follow say so
	}
}

func (r *Runner) close() {
	if r.session != nil {
		_ = r.session.Close() // a session that failed may fail to close
		r.session = nil
	}
}
