package faulty

import (
	"bytes"
	"crypto/sha256"
	"slices"
	"time"

	"github.com/clsbench/clsbench/backends"
)

// lies spoil the samples of a call of Run that went well, or its time.
var lies = map[string]func(e *executable, s *backends.Samples, r backends.RunRequest){
	"short": func(_ *executable, s *backends.Samples, _ backends.RunRequest) { s.Steps = s.Steps[:len(s.Steps)-1] },
	"long":  func(_ *executable, s *backends.Samples, _ backends.RunRequest) { s.Steps = append(s.Steps, s.Steps[0]) },
	"early": func(_ *executable, s *backends.Samples, _ backends.RunRequest) { // an hour before the call
		for i := range s.Steps {
			s.Steps[i].Start -= int64(time.Hour)
			s.Steps[i].End -= int64(time.Hour)
		}
	},
	"late": func(_ *executable, s *backends.Samples, _ backends.RunRequest) { // the last step ends after the call
		s.Steps[len(s.Steps)-1].End += int64(time.Minute)
	},
	"ahead": func(_ *executable, s *backends.Samples, _ backends.RunRequest) { // all at a moment that has not come yet
		for i := range s.Steps {
			s.Steps[i].Start = backends.Now() + int64(time.Minute)
			s.Steps[i].End = s.Steps[i].Start
		}
	},
	"still": func(_ *executable, s *backends.Samples, _ backends.RunRequest) { // a clock that stands
		for i := range s.Steps {
			s.Steps[i] = backends.StepSample{Start: s.Steps[0].Start, End: s.Steps[0].Start}
		}
	},
	"split": func(_ *executable, s *backends.Samples, _ backends.RunRequest) { // a part longer than the step
		s.Steps[0].Split.Device = int64(time.Hour)
	},
	"negative": func(_ *executable, s *backends.Samples, _ backends.RunRequest) { // parts that make up for each other
		for i := range s.Steps {
			s.Steps[i].Split.Device += int64(time.Second)
			s.Steps[i].Split.Host -= int64(time.Second)
		}
	},
	"other-partition": func(_ *executable, s *backends.Samples, _ backends.RunRequest) {
		s.Partitions = []backends.PartitionSample{{Partition: 7}}
	},
	"half": func(*executable, *backends.Samples, backends.RunRequest) { // the samples leave out most of a long call
		time.Sleep(100 * time.Millisecond)
	},
	"slow": func(_ *executable, s *backends.Samples, r backends.RunRequest) {
		time.Sleep(time.Duration(r.Steps) * 10 * time.Millisecond)
		s.Steps[len(s.Steps)-1].End = backends.Now()
	},
	"truncate":    func(*executable, *backends.Samples, backends.RunRequest) { truncate() },
	"late-answer": func(*executable, *backends.Samples, backends.RunRequest) { time.Sleep(300 * time.Millisecond) },
	"sleep":       func(*executable, *backends.Samples, backends.RunRequest) { time.Sleep(30 * time.Second) }, // does not hear that it is cancelled
	"replay":      (*executable).replay,
}

// replay takes 40 ms a step for inputs that differ from the last call's, and no
// time for the same again.
func (e *executable) replay(s *backends.Samples, r backends.RunRequest) {
	h := sha256.New()
	for i := range min(int64(r.Steps), e.slots) {
		slot := (r.First + i) % e.slots
		h.Write(e.ring[slot*e.stride : (slot+1)*e.stride])
	}
	sum := h.Sum(nil)
	if bytes.Equal(sum, e.last) {
		return
	}
	e.last = sum
	time.Sleep(time.Duration(r.Steps) * 40 * time.Millisecond)
	s.Steps[len(s.Steps)-1].End = backends.Now()
}

// wrongVerdicts spoil the answer of Check.
var wrongVerdicts = map[string]func(v []backends.NodeVerdict, ops []string) []backends.NodeVerdict{
	"short": func(v []backends.NodeVerdict, _ []string) []backends.NodeVerdict { return v[:len(v)-1] },
	"other": func(v []backends.NodeVerdict, _ []string) []backends.NodeVerdict {
		v[0].Node = "another"
		return v
	},
	"refuse-core": func(v []backends.NodeVerdict, ops []string) []backends.NodeVerdict {
		i := slices.Index(ops, "Cast")
		v[i].Supported, v[i].Why = false, "no kernel for it"
		return v
	},
}

// wrongPlans spoil the plan of what was compiled. Alone, as conformance cuts it
// out of a network, a node is then planned otherwise than among others.
var wrongPlans = map[string]func(p *backends.Plan){
	"unknown-node": func(p *backends.Plan) { p.Partitions[0].Nodes = append(p.Partitions[0].Nodes, "no-such-node") },
	"node-twice":   func(p *backends.Plan) { p.Partitions = append(p.Partitions, p.Partitions[0]) },
	"no-node": func(p *backends.Plan) { // the first is in no partition
		if len(p.Partitions) > 1 {
			p.Partitions = p.Partitions[1:]
		}
	},
	"other-kernel": func(p *backends.Plan) {
		if len(p.Partitions) > 3 {
			p.Partitions[3].Kernel += "+fused"
		}
	},
	"no-digest": func(p *backends.Plan) { p.Digest = "" },
}

// wrongNames spoil what the backend says of itself.
var wrongNames = map[string]string{"nameless": "My Backend\x1b[2J"}
