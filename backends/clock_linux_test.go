package backends

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// A process that is put to sleep between the two clocks' readings does not
// take the pause for an offset.
func TestTheClocksOriginSurvivesAPause(t *testing.T) {
	reading := 0
	start, origin := closestReading(func() int64 {
		defer func() { reading++ }()
		if reading == 0 {
			time.Sleep(20 * time.Millisecond)
		}
		return readMonotonic()
	})
	now := origin + int64(time.Since(start))
	require.InDelta(t, readMonotonic(), now, float64(10*time.Millisecond))
	require.Greater(t, reading, 1)

	start, origin = closestReading(func() int64 { // after each reading
		now := readMonotonic()
		if reading++; reading%8 != 0 {
			time.Sleep(2 * time.Millisecond)
		}
		return now
	})
	require.InDelta(t, readMonotonic(), origin+int64(time.Since(start)), float64(time.Millisecond))
}
