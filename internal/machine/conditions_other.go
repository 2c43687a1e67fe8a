//go:build !linux

package machine

import "time"

// snapshot knows only the time elsewhere.
func (h host) snapshot() snapshot { return snapshot{at: time.Now()} }
