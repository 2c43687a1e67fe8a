//go:build !linux

package machine

// looks has nothing to add elsewhere: what the processor and the Go runtime tell is all there is.
func (h host) looks() []func(*Info) { return nil }

// UsableMemory is not known elsewhere.
func UsableMemory() int64 { return 0 }
