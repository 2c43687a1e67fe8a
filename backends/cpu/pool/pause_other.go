//go:build !amd64 || purego

package pool

// pause does nothing for a while; it is not inlined away.
//
//go:noinline
func pause(n uint32) {
	for range 8 * n {
	}
}
