package opbench

import "golang.org/x/sys/unix"

// pin keeps the calling thread on one CPU, as far as it may.
func pin(cpu int) {
	var set unix.CPUSet
	set.Set(cpu)
	_ = unix.SchedSetaffinity(0, &set) // refused: the thread writes from where it is
}
