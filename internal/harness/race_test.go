//go:build race

package harness

// raced: the detector makes the reference's arithmetic, of which verdicts are
// made, some twenty times slower. It finds nothing in the tenth backend that it
// does not find in the first.
const raced = true
