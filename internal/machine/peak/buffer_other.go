//go:build !linux

package peak

func allocate(n int) ([]byte, func()) { return make([]byte, n), func() {} }
