// Package conformance says whether a backend computes what the reference
// means. A Case is one thing to ask: it is the conformance check, the gradient
// check, the micro-benchmark and the probe for support at once, and its name
// holds all its parameters and reruns it alone. Cases come as rows, a file an
// op family; bounds come from one table (bounds.go) with the source beside
// each. Run is the one line that a backend in Go needs in its tests, Runner is
// what `clsbench conform` and the harness use.
//
// Nothing here knows a concrete backend, and nothing tells a backend that it
// is being judged: cases compile, bind and run as a benchmark does.
package conformance

// Version names the suite: its cases, fills and bounds. Verdicts of another
// version are not comparable.
const Version = "2"
