package faults

import (
	"bufio"
	"context"
	"errors"
	"flag"
	"fmt"
	"maps"
	"math/rand/v2"
	"os"
	"path/filepath"
	"regexp"
	"runtime"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"golang.org/x/sync/errgroup"

	"github.com/clsbench/clsbench/backends"
	"github.com/clsbench/clsbench/backends/plugin"
	"github.com/clsbench/clsbench/conformance"
	"github.com/clsbench/clsbench/conformance/faults/mutate"
	"github.com/clsbench/clsbench/conformance/protocol"
)

var (
	mutants     = flag.Int("mutants", 0, "mutants of each package to try, drawn at random; -1: all")
	mutantSeed  = flag.Uint64("mutant-seed", 0, "which mutants are drawn and the data they meet, so that a sample can be repeated; 0: others each time")
	mutantFiles = flag.String("mutant-files", "", "only mutants of files that match")
	mutantLog   = flag.String("mutant-log", "", "file that keeps what became of each mutant; a run that was cut off goes on where it stopped")
)

// build builds all mutants of the target into one plugin.
func (t *target) build(tb testing.TB) (binary string, list []mutate.Mutant) {
	overlay := map[string][]byte{}
	for _, path := range t.packages {
		p, err := mutate.Load(".", path, skipped)
		require.NoError(tb, err)
		list = append(list, p.Mutants...)
		maps.Copy(overlay, p.Overlay)
	}
	binary, err := mutate.Build(tb.TempDir(), mutantProgram, overlay)
	require.NoError(tb, err)
	return binary, list
}

// excluded are functions without mutants, with why. A run prints them.
var excluded = map[string]string{
	"drawOrder": "draws an order of summation, of which each is legal",
	"Changes":   "what a judge asks of a math mode: no plugin runs it",
}

func skipped(_, function string) bool { return excluded[function] != "" }

// fate is what became of a mutant. Only a case's verdict on an answer kills: a
// mutant that does not start, or hangs, shows nothing of the suite's teeth.
type fate string

const (
	alive     fate = "alive"
	killed    fate = "killed"
	hangs     fate = "hangs"
	startless fate = "does not start"
)

// outcome is a mutant's fate, and the case or the error that decided it.
type outcome struct {
	fate
	by string
}

// TestMutants turns single changes of the sources loose on the suite: the
// mutant serves as a plugin, the clean reference judges. Those that can't be
// told from the original are listed with why in testdata/survivors.txt.
func TestMutants(t *testing.T) {
	if *mutants == 0 {
		t.Skip("takes long: CI tries a sample, make verify all of them")
	}
	for _, tg := range targets {
		t.Run(tg.name, func(t *testing.T) { tg.test(t) })
	}
}

func (tg *target) test(t *testing.T) {
	binary, list := tg.build(t)
	known := survivors(t)
	list = slices.DeleteFunc(list, func(m mutate.Mutant) bool { return tg.takes != nil && !tg.takes(m) })
	total := len(list)
	list = slices.DeleteFunc(list, func(m mutate.Mutant) bool { return known[m.Key()] })
	equivalent := total - len(list)
	list = slices.DeleteFunc(list, func(m mutate.Mutant) bool {
		return *mutantFiles != "" && !regexp.MustCompile(*mutantFiles).MatchString(m.File)
	})
	seed := *mutantSeed
	if seed == 0 {
		seed = conformance.NewSeed()
	}
	if *mutants >= 0 {
		rng := rand.New(rand.NewPCG(seed, 0))
		rng.Shuffle(len(list), func(i, j int) { list[i], list[j] = list[j], list[i] })
		list = list[:min(*mutants, len(list))]
	}
	past := openMutantLog(t, tg.name)
	outcomes := make([]outcome, len(list))
	var next, done atomic.Int64
	var wg errgroup.Group
	for range min(len(list), runtime.GOMAXPROCS(0)) {
		wg.Go(func() error {
			j := &mutantJudge{target: tg, binary: binary, seed: seed, oracles: map[string]*conformance.Oracle{}, prepared: map[string][]*conformance.Prepared{}}
			for i := next.Add(1) - 1; i < int64(len(list)); i = next.Add(1) - 1 {
				m := list[i]
				o, known := past.by[m.Key()]
				if !known {
					var err error
					if o, err = j.judge(m); err != nil {
						return fmt.Errorf("%v: %w", m, err)
					}
					past.write(t, m, o)
				}
				outcomes[i] = o
				if n := done.Add(1); n%50 == 0 && testing.Verbose() {
					t.Logf("%d of %d", n, len(list))
				}
			}
			return nil
		})
	}
	require.NoError(t, wg.Wait())
	of := map[fate][]string{}
	for i, m := range list {
		o := outcomes[i]
		of[o.fate] = append(of[o.fate], m.Key())
		if o.fate != killed {
			t.Logf("%s: %v (%s) %s", o.fate, m, m.Key(), o.by)
		}
	}
	for function, why := range excluded {
		t.Logf("no mutants of %s: %s", function, why)
	}
	t.Logf("seed %d: of %d mutants %d killed, %d do not start, %d hang, %d alive; %d of %d are known to be equivalent",
		seed, len(list), len(of[killed]), len(of[startless]), len(of[hangs]), len(of[alive]), equivalent, total)
	require.LessOrEqual(t, float64(equivalent+len(list)-len(of[killed])), (1-tg.share)*float64(total), "too many are not killed by a case")
	require.Empty(t, of[alive], "a case is missing that tells them from the original; where none can, testdata/survivors.txt says why")
}

// survivors reads the mutants that are known to be equivalent.
func survivors(t *testing.T) map[string]bool {
	f, err := os.Open(filepath.Join("testdata", "survivors.txt"))
	require.NoError(t, err)
	defer f.Close()
	known := map[string]bool{}
	for s := bufio.NewScanner(f); s.Scan(); {
		key, why, ok := strings.Cut(s.Text(), " # ")
		if strings.HasPrefix(s.Text(), "#") || s.Text() == "" {
			continue
		}
		require.True(t, ok && why != "", "no reason in %q", s.Text())
		known[strings.TrimSpace(key)] = true
	}
	return known
}

// A survivor whose function has changed or moved is an excuse for nothing.
func TestSurvivorsAreMutants(t *testing.T) {
	left := survivors(t)
	for _, tg := range targets {
		for _, path := range tg.packages {
			p, err := mutate.Load(".", path, skipped)
			require.NoError(t, err)
			for _, m := range p.Mutants {
				if tg.takes == nil || tg.takes(m) {
					delete(left, m.Key())
				}
			}
		}
	}
	require.Empty(t, left, "testdata/survivors.txt has mutants that there are none of")
}

// mutantRecord keeps what became of mutants: lines of target, file, function and
// change, fate, and what decided it, parted by tabs. A mutant's key holds
// the change and its place in the function, so that a line stays true while the
// function does; who changes a function or its cases starts a new file.
type mutantRecord struct {
	mu     sync.Mutex // of the file
	file   *os.File
	target string
	by     map[string]outcome
}

func openMutantLog(t *testing.T, target string) *mutantRecord {
	r := &mutantRecord{target: target, by: map[string]outcome{}}
	if *mutantLog == "" {
		return r
	}
	f, err := os.OpenFile(*mutantLog, os.O_RDWR|os.O_CREATE|os.O_APPEND, 0o644)
	require.NoError(t, err)
	t.Cleanup(func() { f.Close() })
	for s := bufio.NewScanner(f); s.Scan(); {
		if part := strings.Split(s.Text(), "\t"); len(part) == 4 && part[0] == target {
			r.by[part[1]] = outcome{fate(part[2]), part[3]}
		}
	}
	r.file = f
	return r
}

func (r *mutantRecord) write(t *testing.T, m mutate.Mutant, o outcome) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.file != nil {
		_, err := fmt.Fprintf(r.file, "%s\t%s\t%s\t%s\n", r.target, m.Key(), o.fate, strings.NewReplacer("\t", " ", "\n", " ").Replace(o.by))
		assert.NoError(t, err)
	}
}

type mutantJudge struct {
	*target
	binary   string
	seed     uint64
	oracles  map[string]*conformance.Oracle     // by math mode
	prepared map[string][]*conformance.Prepared // by math mode and op
}

func (j *mutantJudge) oracle(math string) *conformance.Oracle {
	if j.oracles[math] == nil {
		j.oracles[math] = &conformance.Oracle{Cache: conformance.NewCache(""), Threads: 1, Math: math}
	}
	return j.oracles[math]
}

// cases of the ops, the quick ones first.
func (j *mutantJudge) cases(math string, ops []string) []*conformance.Prepared {
	var list []*conformance.Prepared
	for _, op := range ops {
		key := math + " " + op
		if j.prepared[key] == nil {
			for _, c := range conformance.Cases() {
				if c.Op == op && soon(c, math) {
					j.prepared[key] = append(j.prepared[key], c.Prepare(j.seed, j.oracle(math)))
				}
			}
		}
		list = append(list, j.prepared[key]...)
	}
	return list
}

// soon says which cases a mutant meets first; most are killed by them. A math
// mode's oracle takes long.
func soon(c *conformance.Case, math string) bool {
	effort := conformance.Quick
	if math != "" {
		effort = conformance.Smoke
	}
	return c.Effort <= effort && c.Class != "gradient" && !strings.Contains(c.Name(), "training")
}

// judge lets a mutant meet cases until one rejects it.
func (j *mutantJudge) judge(m mutate.Mutant) (outcome, error) {
	ops, ways := j.meets(m)
	ctx, cancel := context.WithTimeout(context.Background(), 8*time.Minute) // those that survive meet every case of their op
	defer cancel()
	dir, err := os.MkdirTemp("", "cls")
	if err != nil {
		return outcome{}, err
	}
	defer os.RemoveAll(dir)
	p, err := plugin.Open(ctx, plugin.Spec{Label: j.name, Name: plugin.Exec, Command: []string{j.binary, j.backend}},
		plugin.Options{Dir: dir, Env: []string{mutate.VariableOf(m.Package) + "=" + fmt.Sprint(m.ID)}})
	if err != nil {
		return outcome{startless, err.Error()}, nil
	}
	defer p.Close()
	d, err := p.Describe(ctx)
	if err != nil {
		return outcome{startless, err.Error()}, nil
	}
	for _, later := range []bool{false, true} {
		if later {
			if o := j.forbidden(ctx, p, ops); o.fate != alive {
				return o, nil
			}
		}
		for _, w := range ways {
			o, err := j.judgeIn(ctx, p, d.Features, w, ops, later)
			if o.fate != alive || err != nil {
				return o, err
			}
		}
	}
	return outcome{fate: alive}, nil
}

// forbidden is what becomes of data that the ops forbid, asked in sessions of
// their own.
func (j *mutantJudge) forbidden(ctx context.Context, p *plugin.Plugin, ops []string) outcome {
	for _, c := range protocol.Cases() {
		if !slices.Contains(ops, c.Op) {
			continue
		}
		limited, cancel := context.WithTimeout(ctx, 20*time.Second)
		err := c.Run(limited, p)
		late := limited.Err() != nil
		cancel()
		switch {
		case late:
			return outcome{hangs, c.Name}
		case err != nil && !errors.Is(err, protocol.ErrLacksOp):
			return outcome{killed, c.Name}
		}
	}
	return outcome{fate: alive}
}

// judgeIn holds what a session of the plugin gives against the ops' cases:
// those that come soon, or the others.
func (j *mutantJudge) judgeIn(ctx context.Context, p *plugin.Plugin, features []string, w way, ops []string, later bool) (outcome, error) {
	s, err := p.Open(ctx, backends.SessionConfig{Math: w.math, Options: w.options, Threads: 2})
	if err != nil {
		return outcome{startless, err.Error()}, nil
	}
	defer s.Close()
	if !later {
		cases := j.cases(w.math, ops)
		if len(cases) == 0 {
			return outcome{}, errors.New("no case is tried on its file")
		}
		for _, c := range cases {
			if o := j.verdict(ctx, c, w.math, s, features); o.fate != alive {
				return o, nil
			}
		}
		return outcome{fate: alive}, nil
	}
	for _, c := range conformance.Cases() {
		if slices.Contains(ops, c.Op) && !soon(c, w.math) && c.Op != "lenet5" {
			if o := j.verdict(ctx, c.Prepare(j.seed, j.oracle(w.math)), w.math, s, features); o.fate != alive {
				return o, nil
			}
		}
	}
	return outcome{fate: alive}, nil
}

// verdict is what one case makes of what the session gives.
func (j *mutantJudge) verdict(ctx context.Context, c *conformance.Prepared, math string, s backends.Session, features []string) outcome {
	limited, cancel := context.WithTimeout(ctx, 20*time.Second)
	defer cancel()
	r := c.Check(limited, s, j.oracle(math), features)
	switch r.Status {
	case conformance.StatusPass, conformance.StatusMistrusted:
		return outcome{fate: alive}
	case conformance.StatusTimeout:
		return outcome{hangs, r.Case}
	case conformance.StatusUnsupported:
		if !r.Required {
			return outcome{fate: alive}
		}
	}
	return outcome{killed, r.Case}
}
