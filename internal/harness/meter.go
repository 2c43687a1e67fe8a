package harness

import "time"

// meter estimates a rate for people to watch, a few times a second.
type meter struct {
	since  time.Time
	images int
}

func newMeter() *meter { return &meter{since: time.Now()} }

// step counts one batch; due says that it is time to show the rate, images/s.
func (m *meter) step(batch int) (rate float64, due bool) {
	m.images += batch
	d := time.Since(m.since)
	if d < 300*time.Millisecond {
		return 0, false
	}
	rate = float64(m.images) / d.Seconds()
	m.since, m.images = time.Now(), 0
	return rate, true
}
