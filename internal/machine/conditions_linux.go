package machine

import (
	"time"

	"github.com/prometheus/procfs"
)

// userHZ is the unit of times in /proc/PID/stat: 100 a second on every platform of Linux that Go runs on.
const userHZ = 100

// snapshot reads the counters; what cannot be read stays uncounted.
func (h host) snapshot() snapshot {
	s := snapshot{at: time.Now(), pressure: map[string]stall{}}
	var i Info
	h.lookAffinity(&i)
	if mhz, ok := h.clock(i.CPU.Allowed); ok {
		s.mhz = &mhz
	}
	if periods, throttled, seconds, ok := h.throttling(); ok {
		s.quota = &throttle{periods, throttled, seconds}
	}
	s.thermal = h.thermalEvents()

	fs, err := h.proc()
	if err != nil {
		return s
	}
	s.own = ownSeconds(fs)
	if load, err := fs.LoadAvg(); err == nil {
		s.load = &load.Load1
	}
	for _, resource := range []string{"cpu", "memory", "io"} {
		p, err := fs.PSIStatsForResource(resource)
		if err != nil || p.Some == nil {
			continue
		}
		st := stall{some: float64(p.Some.Total) / 1e6}
		if p.Full != nil {
			st.full = float64(p.Full.Total) / 1e6
		}
		s.pressure[resource] = st
	}
	if stat, err := fs.Stat(); err == nil {
		for _, cpu := range i.CPU.Allowed {
			c := stat.CPU[int64(cpu)]
			// The guests' time is counted in user and nice already (proc(5)).
			s.total += c.User + c.Nice + c.System + c.Idle + c.Iowait + c.IRQ + c.SoftIRQ + c.Steal
			s.idle += c.Idle + c.Iowait
			s.steal += c.Steal
		}
	}
	return s
}

// thermalEvents sums the cores' counts; nil where no core has one (all but Intel's on bare metal).
func (h host) thermalEvents() *int64 {
	fs, err := h.sys()
	if err != nil {
		return nil
	}
	cpus, err := fs.CPUs()
	if err != nil {
		return nil
	}
	var sum int64
	counted := false
	for _, cpu := range cpus {
		if t, err := cpu.ThermalThrottle(); err == nil {
			sum, counted = sum+int64(t.CoreThrottleCount), true
		}
	}
	if !counted {
		return nil
	}
	return &sum
}

// ownSeconds sums the CPU time of this process and its descendants. What has ended and been waited for is in its
// parent's record, so that the sum never falls while a plugin ends. nil if this process is not listed.
func ownSeconds(fs procfs.FS) *float64 {
	self, err := fs.Self()
	if err != nil {
		return nil
	}
	procs, err := fs.AllProcs()
	if err != nil {
		return nil
	}
	children, seconds := map[int][]int{}, map[int]float64{}
	for _, p := range procs {
		if st, err := p.Stat(); err == nil { // else it has ended since
			children[st.PPID] = append(children[st.PPID], st.PID)
			seconds[st.PID] = (float64(st.UTime) + float64(st.STime) + float64(st.CUTime) + float64(st.CSTime)) / userHZ
		}
	}
	if _, listed := seconds[self.PID]; !listed {
		return nil
	}
	sum := 0.0
	for next := []int{self.PID}; len(next) > 0; {
		pid := next[0]
		next = append(next[1:], children[pid]...)
		sum += seconds[pid]
	}
	return &sum
}
