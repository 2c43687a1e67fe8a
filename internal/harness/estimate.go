package harness

import (
	"runtime"
	"time"

	"github.com/clsbench/clsbench/graph"
	"github.com/clsbench/clsbench/internal/machine/peak"
	"github.com/clsbench/clsbench/workloads"
	"github.com/clsbench/clsbench/workloads/data"
)

// What a plan will take is worked out before anything is measured, from what is
// planned and from these rates and sizes, which are those of current servers
// within a factor of two or three: an estimate tells seconds from hours.
const (
	hostBytes   = 90 << 20 // the harness without data
	pluginBytes = 40 << 20 // a plugin's process without a program
	startTime   = 300 * time.Millisecond
	peaksTime   = 3 * time.Second
	casesTime   = 2 * time.Second // the suite's cases of a cell's ops and of its partitions
)

// Bytes of journal and document together: machine and limits, and a row with
// its rounds and curve.
const (
	runRoom  = 32 << 10
	cellRoom = 8 << 10
)

// room is about what the run writes to its folder, bytes.
func (p *Plan) room() int64 {
	n := int64(runRoom)
	for _, c := range p.Cells {
		n += cellRoom
		if c.Mode == "train" && c.Recipe != nil {
			n += 256 * int64(c.Recipe.Epochs) // a curve's points, in both
		}
	}
	return n
}

// FLOP/s a thread on the small networks that are trained here.
const (
	referenceRate = 1e9
	genericRate   = 3e9
	vectorRate    = 20e9
)

// rate is what the cell's backend is thought to do, FLOP/s; 0 is no time at
// all. Others' programs are taken to be as fast as ours.
func (p *Plan) rate(c *Cell) float64 {
	threads := float64(p.threads())
	switch {
	case c.Spec.Name == "null":
		return 0
	case c.Spec.Name == "reference":
		return referenceRate * threads
	case c.Spec.Options["isa"] == "generic":
		return genericRate * threads
	}
	return vectorRate * threads
}

func (p *Plan) threads() int {
	if p.opts.Threads > 0 {
		return p.opts.Threads
	}
	return runtime.GOMAXPROCS(0)
}

func seconds(flops, rate float64) time.Duration {
	if rate == 0 {
		return 0
	}
	return time.Duration(min(flops/rate, 1e9) * 1e9)
}

// flops are those of one step of the cell.
func (c *Cell) flops() float64 {
	f := float64(c.Workload.FLOPs()) * float64(c.Batch)
	if c.Mode == "train" {
		f *= 3 // forward, and the gradients to inputs and to weights
	}
	return f
}

// Duration is about how long the plan takes.
func (p *Plan) Duration() time.Duration {
	total := peaksTime
	trained := map[string]bool{}
	for _, c := range p.Cells {
		total += p.cellTime(c)
		key := c.trainsLike()
		if c.Mode == "train" && p.Effort.Figures && !trained[key] {
			trained[key] = true
			total += p.trainingTime(c)
		}
	}
	return total
}

// cellTime is rounds and warm-up as the effort has them, and the judging.
func (p *Plan) cellTime(c *Cell) time.Duration {
	step := seconds(c.flops(), p.rate(c)) + 10*time.Microsecond
	t := startTime + p.Effort.Time(step)
	if c.Scenario != "singlestream" { // throughput, then latency, then the same inputs again
		t += time.Duration(p.Effort.Rounds) * (max(p.Effort.Round, step) + 2*max(step, min(p.Effort.Round, callSpan)))
	}
	if p.Effort.FreshProcess {
		t += time.Duration(p.Effort.Rounds) * (startTime + min(10*step, p.Effort.WarmupCap))
	}
	return t + casesTime + seconds(p.judgedFLOPs(c), referenceRate*float64(runtime.GOMAXPROCS(0)))
}

// How often the reference repeats a program that is judged: in rounded runs and
// one of float64, for two sets of data or some steps; of a large one, which has a
// golden, for the values between its partitions, and about as much for those.
const (
	repeatedRuns  = 20
	repeatedLarge = 2
)

// judgedFLOPs is what the reference computes for the cell's verdict.
func (p *Plan) judgedFLOPs(c *Cell) float64 {
	if small := smaller(c); small != nil || c.flops() > manyFLOPs {
		if small == nil {
			small = c
		}
		return repeatedLarge * small.flops()
	}
	return repeatedRuns * c.flops()
}

// trainingTime is every epoch and the evaluation behind it.
func (p *Plan) trainingTime(c *Cell) time.Duration {
	train, test, _ := p.images(c)
	epoch := float64(c.Workload.FLOPs()) * float64(3*train+test)
	return seconds(epoch*float64(c.Recipe.Epochs), p.rate(c))
}

// images are the sizes of the cell's data set, and what one image takes, bytes.
func (p *Plan) images(c *Cell) (train, test int, bytes int64) {
	in := c.Workload.Input
	bytes = int64(in.Height)*int64(in.Width)*int64(in.Channels) + 8 // and its label
	if set := p.sets.opened(c.Data, c.Workload); set != nil {
		if set.Train.Source != nil { // images are made as they are read
			bytes = 8
		}
		return set.Train.Len(), set.Test.Len(), bytes
	}
	info, _ := data.Describe(c.Data)
	return info.Train, info.Test, bytes
}

// Memory is about what the plan takes at its highest, bytes, plugins included.
func (p *Plan) Memory() int64 {
	benches, sets := map[string]bool{}, map[setKey]int64{}
	for _, c := range p.Cells {
		benches[benchKey(c)] = true
		train, test, bytes := p.images(c)
		sets[setKey{c.Data, c.Workload.Input}] = int64(train+test) * bytes
	}
	base := int64(hostBytes) + int64(len(benches))*pluginBytes
	for _, b := range sets {
		base += b
	}
	most := int64(peak.BufferBytes) // before anything is compiled
	for _, group := range p.groups() {
		together, judged := int64(0), int64(0)
		for _, c := range group {
			f := footprintOf(c)
			together += f.rings + f.kept + f.arena
			judged = max(judged, f.reference) // one after the other
		}
		most = max(most, together+judged)
	}
	return base + most
}

// footprint is what one cell takes, bytes.
type footprint struct {
	rings     int64 // shared by harness and plugin
	kept      int64 // parameters, optimizer slots, constants
	arena     int64 // values between the nodes, each as long as it is needed
	reference int64 // all of them in float64, while the program is judged
}

// footprintOf is zero for a program that can't be built: the run will say why.
func footprintOf(c *Cell) (f footprint) {
	ones := make([]float64, c.Workload.Input.Channels)
	for i := range ones {
		ones[i] = 1
	}
	std := workloads.Standard{Mean: ones, Std: ones}
	build := func() (*graph.Program, error) { return c.Workload.Evaluation(c.Batch, std) }
	if c.Mode == "train" {
		build = func() (*graph.Program, error) { return c.Workload.Training(c.Batch, std, c.Recipe, false) }
	}
	program, err := build()
	if err != nil {
		return f
	}
	g, err := program.Infer()
	if err != nil {
		return f
	}
	size := func(value string) int64 { return int64(g.Types[value].Bytes()) }
	slots := ringSlots(g)
	ring := func(value string) { f.rings += (size(value) + 2*64) * int64(slots(value)) }
	for _, v := range g.Feeds {
		ring(v.Name)
	}
	for _, v := range g.Fetches {
		ring(v)
		f.rings += size(v) // what it is copied to
	}
	for _, v := range g.State {
		f.kept += size(v.Name)
	}
	for _, v := range g.Consts {
		f.kept += size(v.Name)
	}
	f.arena, f.reference = liveBytes(g, size)
	return f
}

// liveBytes are the most that the values between nodes take at one time, each
// kept until its last use, and what all of them take together in float64.
func liveBytes(g *graph.Graph, size func(string) int64) (most, wide int64) {
	last := map[string]int{}
	for i := range g.Nodes {
		for _, v := range g.Nodes[i].Inputs {
			last[v] = i
		}
	}
	made, now := map[string]bool{}, int64(0)
	for i := range g.Nodes {
		for _, v := range g.Nodes[i].Outputs {
			if v == "" {
				continue
			}
			made[v] = true
			now += size(v)
			wide += 8 * int64(g.Types[v].Shape.Elements())
		}
		most = max(most, now)
		for _, v := range g.Nodes[i].Inputs {
			if made[v] && last[v] == i {
				made[v] = false
				now -= size(v)
			}
		}
	}
	return most, wide
}

// ringSlots gives the length of a value's ring, within the bounds on rings.
func ringSlots(g *graph.Graph) func(value string) int {
	return func(v string) int {
		size := max(1, g.Types[v].Bytes())
		for _, f := range g.Feeds {
			if f.Name == v {
				return min(maxFeedSlots, max(2, maxFeedRing/size))
			}
		}
		return min(maxSteps, max(1, maxFetchRing/size))
	}
}
