package conformance

import (
	"fmt"
	"strings"
)

// BoundsTable is the table of bounds as Markdown.
func BoundsTable() string {
	var b strings.Builder
	b.WriteString(boundsPreface)
	cell := strings.NewReplacer("|", `\|`)
	for _, row := range Bounds() {
		name := row.Name
		if row.Proposal {
			name += " °"
		}
		fmt.Fprintf(&b, "| %s | %s | %s |\n", name, cell.Replace(row.Formula), cell.Replace(row.Source))
	}
	return b.String()
}

const boundsPreface = `# The bounds

What every answer is held against, row by row as the code has it (written by
` + "`go test ./conformance -run BoundsTable -update`" + `). y answer, y* reference in float64 on
inputs rounded once to the type, e = y − y*, u unit roundoff, v that of f32 or
better, K terms of a sum, B the same sum of magnitudes, N elements of a group or
row. Rows marked ° are proposals: their constants are ours, derived as the source says and
calibrated on the legal variants of ` + "`clsbench conform --self-test`" + `, which must
pass with room while every planted fault is caught. Within a row ° marks what is
looser than the rule that it is taken from.

| bound | formula | source |
|---|---|---|
`
