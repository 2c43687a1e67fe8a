package results

import (
	"testing"

	"github.com/stretchr/testify/require"
)

func TestNumbersReadAsInTheExample(t *testing.T) {
	for _, c := range []struct{ got, want string }{
		{FormatRate(86_149), "86.1k"}, {FormatRate(402_300), "402k"}, {FormatRate(61_200), "61.2k"},
		{FormatRate(999.6), "1.00k"}, {FormatRate(999.4), "999"}, {FormatRate(9.7), "9.70"}, {FormatRate(0.5), "0.500"},
		{FormatRate(2_060_000), "2.06M"}, {FormatRate(0), "0"}, {FormatRate(999_600_000), "1.00G"},
		{FormatMillis(0.0116), "11.6µs"}, {FormatMillis(0.0796), "79.6µs"}, {FormatMillis(1.05), "1.05ms"},
		{FormatMillis(0.9996), "1.00ms"}, {FormatMillis(999.7), "1.00s"}, {FormatMillis(12_000), "12.0s"},
		{FormatMillis(0.0009), "900ns"}, {FormatMillis(0.0000015), "1.50ns"}, {FormatMillis(0), "0"},
		{FormatBytes(43 << 20), "43M"}, {FormatBytes(1288490189), "1.2G"}, {FormatBytes(999), "999B"},
		{FormatBytes(1023), "1K"}, {FormatBytes(1000 << 20), "1.0G"}, {FormatBytes(0), "0B"}, {FormatBytes(5 << 50), "5.0P"},
		{FormatShare(0.1), "10%"}, {FormatShare(0.0996), "10%"}, {FormatShare(0.0994), "9.9%"}, {FormatShare(0.00994), "0.99%"}, {FormatShare(0.00996), "1.0%"}, {FormatShare(0), "0%"}, {FormatShare(0.45), "45%"}, {FormatShare(1.1), "110%"},
		{FormatRatio(0.4834), "0.483×"}, {FormatRatio(2.1), "2.10×"}, {FormatRatio(12.34), "12.3×"},
	} {
		require.Equal(t, c.want, c.got)
	}
}
