// Package measure turns times into figures that can be trusted: how much to measure (Effort), when a backend is warm
// (Warmup), interleaved rounds (Rounds), the median with its interval (MedianOf), the percentiles that a count bears
// (Latencies), the verdict on a comparison (Compare), and what gives dishonest or disturbed work away (Call.Check,
// CheckPeak, CheckRepeat, Outliers, Throttling).
//
// It is arithmetic over times that others took: it knows no backend, opens no file and prints nothing. Times of steps
// are int64 nanoseconds of CLOCK_MONOTONIC; rates are per second.
package measure
