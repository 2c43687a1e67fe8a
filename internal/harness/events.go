package harness

import (
	"github.com/clsbench/clsbench/internal/machine"
	"github.com/clsbench/clsbench/results"
)

// Events is told what a run is doing. Calls come from one goroutine, between
// measurements and never inside one.
type Events interface {
	// Begin comes first, before anything is probed.
	Begin(info machine.Info, plan *Plan)
	// Peaks comes once the machine's limits are known.
	Peaks(p machine.Peaks)
	// Stage says that done of total units of a stage are finished; note is a
	// few words on where it stands.
	Stage(name string, done, total int, note string)
	// Finished comes with each finished cell.
	Finished(r *results.Result)
	// Note is a sentence for the reader.
	Note(text string)
}
