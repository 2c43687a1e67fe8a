package pool

import "golang.org/x/sys/unix"

// allowedCPUs are those that this process may run on, ascending.
func allowedCPUs() []int {
	var s unix.CPUSet
	if unix.SchedGetaffinity(0, &s) != nil {
		return nil
	}
	var cpus []int
	for n := 0; n < 8*len(s)*8 && len(cpus) < s.Count(); n++ {
		if s.IsSet(n) {
			cpus = append(cpus, n)
		}
	}
	return cpus
}

// pin lets the calling thread run on these CPUs alone. Where it may not, the
// system places it as it likes: slower, not wrong.
func pin(cpus []int) {
	var s unix.CPUSet
	for _, c := range cpus {
		s.Set(c)
	}
	_ = unix.SchedSetaffinity(0, &s)
}
