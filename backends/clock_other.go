//go:build !linux

package backends

import "time"

var nowStart = time.Now()

// Elsewhere the origin is the process's start: spans stay right, and only the
// comparison with another process's clock is lost.
var nowOrigin int64
