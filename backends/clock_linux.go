package backends

import (
	"time"

	"golang.org/x/sys/unix"
)

// nowStart is a moment of this process, nowOrigin its CLOCK_MONOTONIC. The two
// clocks can't be read at once: of several readings of the one between two of
// the other the closest counts, or a process that lost the CPU in between would
// live that much in the past.
var nowStart, nowOrigin = closestReading(readMonotonic)

func readMonotonic() int64 {
	var ts unix.Timespec
	if err := unix.ClockGettime(unix.CLOCK_MONOTONIC, &ts); err != nil {
		return 0
	}
	return ts.Nano()
}

const (
	clockReadings = 64
	clockClose    = time.Microsecond // close enough
)

func closestReading(clock func() int64) (start time.Time, origin int64) {
	best := time.Duration(-1)
	for range clockReadings {
		before := time.Now()
		read := clock()
		gap := time.Since(before)
		if best < 0 || gap < best {
			best, start, origin = gap, before.Add(gap/2), read
		}
		if best < clockClose {
			break
		}
	}
	return start, origin
}
