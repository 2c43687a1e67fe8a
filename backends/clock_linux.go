package backends

import (
	"time"

	"golang.org/x/sys/unix"
)

var nowStart = time.Now()

var nowOrigin = func() int64 {
	var ts unix.Timespec
	if err := unix.ClockGettime(unix.CLOCK_MONOTONIC, &ts); err != nil {
		return 0
	}
	return ts.Nano()
}()
