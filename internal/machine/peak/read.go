package peak

import "unsafe"

// readGeneric reads b, a multiple of 64 bytes, in words.
func readGeneric(b []byte) {
	w := unsafe.Slice((*uint64)(unsafe.Pointer(unsafe.SliceData(b))), len(b)/8)
	var s0, s1, s2, s3 uint64
	for ; len(w) >= 8; w = w[8:] {
		s0 |= w[0] | w[4]
		s1 |= w[1] | w[5]
		s2 |= w[2] | w[6]
		s3 |= w[3] | w[7]
	}
	sink.Store(s0 | s1 | s2 | s3)
}
