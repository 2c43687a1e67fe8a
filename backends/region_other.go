//go:build !linux

package backends

// NewRegion makes a zeroed region; without memfd it is private memory.
func NewRegion(bytes int64) (*Region, error) {
	if bytes < 1 {
		return nil, Errorf(InvalidArgument, "region of %d bytes: want at least 1", bytes)
	}
	return NewPrivateRegion(bytes), nil
}
