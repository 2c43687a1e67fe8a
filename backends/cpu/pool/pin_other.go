//go:build !linux

package pool

// allowedCPUs are unknown here, so that nothing is pinned.
func allowedCPUs() []int { return nil }

func pin([]int) {}
