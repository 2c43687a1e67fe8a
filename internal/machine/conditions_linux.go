package machine

import "time"

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
