package machine

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
	Pressure    Pressure `json:"pressure"`
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
