package plugin

import "time"

// memoryInterval is how often a plugin's memory is looked at: reading statm
// costs some 20 µs, which leaves no trace in a measurement.
const memoryInterval = 100 * time.Millisecond

// watchMemory ends a plugin whose anonymous memory, its children's included,
// passes the limit, before the kernel ends somebody else.
func (p *Plugin) watchMemory(limit int64) {
	tick := time.NewTicker(memoryInterval)
	defer tick.Stop()
	for {
		select {
		case <-p.process.exited:
			return
		case <-tick.C:
			if n := anonymousBytes(p.Pid()); n > limit {
				p.note(newFailure(p.spec.Label, OutOfMemory,
					"grew to %d MiB of memory, more than its limit of %d MiB; killed", n>>20, limit>>20))
				p.process.kill()
				return
			}
		}
	}
}
