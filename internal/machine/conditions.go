package machine

import "time"

// Conditions is what happened on the machine over an interval, from Watch to Watcher.Stop. A nil field is unknown: the
// kernel does not count it here.
type Conditions struct {
	Seconds float64 `json:"seconds"` // length of the interval
	// LoadStart is the load average over the last minute when the interval began: other work, if nothing of ours ran.
	LoadStart *float64 `json:"load_start,omitempty"`
	// StealPercent is the share of all CPUs' time that the hypervisor gave to other machines.
	StealPercent *float64 `json:"steal_percent,omitempty"`
	// BusyPercent is the share of all CPUs' time that was not idle, of whatever process.
	BusyPercent *float64 `json:"busy_percent,omitempty"`
	// OtherPercent is the part of BusyPercent that neither this process and its descendants used nor the hypervisor
	// took: work of others.
	OtherPercent *float64 `json:"other_percent,omitempty"`
	Pressure     Pressure `json:"pressure"`
	// Periods and Throttled count the control group's CPU periods and those in which its quota ran out.
	Periods          *int64   `json:"quota_periods,omitempty"`
	Throttled        *int64   `json:"throttled_periods,omitempty"`
	ThrottledSeconds *float64 `json:"throttled_seconds,omitempty"`
	// ThermalEvents counts how often cores slowed down for heat (Intel only).
	ThermalEvents *int64 `json:"thermal_events,omitempty"`
	// MHzStart and MHzEnd are the mean clocks of the allowed CPUs as the interval began and ended, in MHz.
	MHzStart *float64 `json:"mhz_start,omitempty"`
	MHzEnd   *float64 `json:"mhz_end,omitempty"`
}

// Pressure is the share of the interval, in percent, in which some task (or, Full, every task) waited for a resource:
// the kernel's pressure stall information, https://docs.kernel.org/accounting/psi.html.
type Pressure struct {
	CPU        *float64 `json:"cpu_percent,omitempty"`
	Memory     *float64 `json:"memory_percent,omitempty"`
	MemoryFull *float64 `json:"memory_full_percent,omitempty"`
	IO         *float64 `json:"io_percent,omitempty"`
}

// Watcher observes an interval.
type Watcher struct {
	host  host
	start snapshot
}

// snapshot is the kernel's counters at one moment. A nil field is not counted here.
type snapshot struct {
	at   time.Time
	load *float64
	// seconds summed over the CPUs that this process may use
	total, idle, steal float64
	own                *float64 // seconds that this process and its descendants, ended ones too, have used
	// seconds since boot
	pressure map[string]stall
	quota    *throttle
	thermal  *int64
	mhz      *float64
}

// stall is how long, in seconds since boot, some task and every task waited for a resource.
type stall struct{ some, full float64 }

// throttle is a control group's record of its CPU quota.
type throttle struct {
	periods, throttled int64
	seconds            float64
}

// Watch begins an interval. It reads files of /proc and /sys, one for each process of the machine among them, some
// milliseconds, and nothing until Stop: no watcher runs beside the measurement.
func Watch() *Watcher {
	h := realHost()
	return &Watcher{h, h.snapshot()}
}

// Stop ends the interval and tells what happened in it. It may be called again for a longer interval.
func (w *Watcher) Stop() Conditions { return w.start.until(w.host.snapshot()) }

func (s snapshot) until(end snapshot) Conditions {
	c := Conditions{
		Seconds:   end.at.Sub(s.at).Seconds(),
		LoadStart: s.load,
		MHzStart:  s.mhz, MHzEnd: end.mhz,
	}
	if total := end.total - s.total; total > 0 {
		c.StealPercent = share(end.steal-s.steal, total)
		c.BusyPercent = share(total-(end.idle-s.idle), total)
	}
	if total := end.total - s.total; total > 0 && s.own != nil && end.own != nil {
		c.OtherPercent = share(total-(end.idle-s.idle)-(end.steal-s.steal)-(*end.own-*s.own), total)
	}
	c.Pressure.CPU, _ = s.stalled(end, "cpu", c.Seconds)
	c.Pressure.IO, _ = s.stalled(end, "io", c.Seconds)
	c.Pressure.Memory, c.Pressure.MemoryFull = s.stalled(end, "memory", c.Seconds)
	if s.quota != nil && end.quota != nil {
		periods, throttled := end.quota.periods-s.quota.periods, end.quota.throttled-s.quota.throttled
		seconds := end.quota.seconds - s.quota.seconds
		c.Periods, c.Throttled, c.ThrottledSeconds = &periods, &throttled, &seconds
	}
	if s.thermal != nil && end.thermal != nil {
		events := *end.thermal - *s.thermal
		c.ThermalEvents = &events
	}
	return c
}

// stalled gives the shares of the interval in which some task and every task waited for the resource.
func (s snapshot) stalled(end snapshot, resource string, seconds float64) (some, full *float64) {
	a, ok := s.pressure[resource]
	b, still := end.pressure[resource]
	if !ok || !still || seconds <= 0 {
		return nil, nil
	}
	return share(b.some-a.some, seconds), share(b.full-a.full, seconds)
}

// share is part of whole in percent, kept within 0 and 100: the counters tick in steps of 10 ms.
func share(part, whole float64) *float64 {
	p := min(max(100*part/whole, 0), 100)
	return &p
}
