package results

import (
	"math"
	"strconv"
)

// Missing stands in a table where there is no figure.
const Missing = "–"

// FormatRate writes a positive number with three significant digits and a decimal prefix: 86.1k, 402k, 1.20M, 0.500.
func FormatRate(x float64) string {
	prefixes := []string{"", "k", "M", "G", "T", "P"}
	i := 0
	for round3(x) >= 1000 && i < len(prefixes)-1 {
		x, i = x/1000, i+1
	}
	return significant(x) + prefixes[i]
}

// FormatBytes writes bytes as ls -h and top do, in powers of 1,024 with three digits at most: 43M, 1.2G.
func FormatBytes(n int64) string {
	units, x, i := "BKMGTP", float64(n), 0
	for math.Round(x) >= 1000 && i < len(units)-1 {
		x, i = x/1024, i+1
	}
	s := strconv.FormatFloat(x, 'f', 0, 64)
	if i > 1 && math.Round(x*10) < 100 {
		s = strconv.FormatFloat(x, 'f', 1, 64)
	}
	return s + units[i:i+1]
}

// FormatMillis writes a time given in milliseconds with three significant digits: 11.6µs, 1.05ms, 12.0s.
func FormatMillis(ms float64) string {
	switch {
	case ms == 0:
		return "0"
	case round3(ms*1e3) < 1:
		return significant(ms*1e6) + "ns"
	case round3(ms) < 1:
		return significant(ms*1e3) + "µs"
	case round3(ms) < 1000:
		return significant(ms) + "ms"
	}
	return significant(ms/1e3) + "s"
}

// FormatShare writes a fraction as a percentage: 45%, 4.5%, 0.45%.
func FormatShare(x float64) string {
	digits := 0
	switch p := 100 * math.Abs(x); {
	case p == 0:
	case p < 0.995:
		digits = 2
	case p < 9.95:
		digits = 1
	}
	return strconv.FormatFloat(100*x, 'f', digits, 64) + "%"
}

// FormatRatio writes a ratio of throughputs with three significant digits: 0.483×, 2.10×.
func FormatRatio(x float64) string { return significant(x) + "×" }

// round3 rounds to three significant digits.
func round3(x float64) float64 {
	if x == 0 || math.IsInf(x, 0) || math.IsNaN(x) {
		return x
	}
	scale := math.Pow(10, 2-math.Floor(math.Log10(math.Abs(x))))
	return math.Round(x*scale) / scale
}

// significant writes three significant digits without an exponent, never fewer than the integer ones.
func significant(x float64) string {
	x = round3(x)
	if x == 0 || math.IsInf(x, 0) || math.IsNaN(x) {
		return strconv.FormatFloat(x, 'f', -1, 64)
	}
	return strconv.FormatFloat(x, 'f', max(0, 2-int(math.Floor(math.Log10(math.Abs(x))))), 64)
}
