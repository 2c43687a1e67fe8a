package results

import (
	"bytes"
	"fmt"
	"io"
	"strings"

	"github.com/olekukonko/tablewriter"
	"github.com/olekukonko/tablewriter/renderer"
	"github.com/olekukonko/tablewriter/tw"
)

// grid is a table's text: columns named in left are aligned left, the others right.
type grid struct {
	head []string
	left map[int]bool
	rows [][]string
}

func (g *grid) alignment() tw.Alignment {
	a := make(tw.Alignment, len(g.head))
	for i := range a {
		if a[i] = tw.AlignRight; g.left[i] {
			a[i] = tw.AlignLeft
		}
	}
	return a
}

// section is a table with its title and the lines below it.
type section struct {
	title string
	grid  grid
	after []string
}

func (g *grid) write(w io.Writer, options ...tablewriter.Option) error {
	align := g.alignment()
	t := tablewriter.NewTable(w, append([]tablewriter.Option{
		// The default formatting rewrites headers: "GB/s" becomes "GB / S".
		tablewriter.WithHeaderAutoFormat(tw.Off),
		tablewriter.WithHeaderAutoWrap(tw.WrapNone),
		tablewriter.WithRowAutoWrap(tw.WrapNone),
		tablewriter.WithTrimSpace(tw.Off),
		tablewriter.WithHeaderAlignmentConfig(tw.CellAlignment{PerColumn: align}),
		tablewriter.WithRowAlignmentConfig(tw.CellAlignment{PerColumn: align}),
	}, options...)...)
	t.Header(g.head)
	if err := t.Bulk(g.rows); err != nil {
		return err
	}
	return t.Render()
}

// plain writes the table with two spaces between columns and no lines.
func (g *grid) plain(w io.Writer) error {
	var b bytes.Buffer
	err := g.write(&b,
		tablewriter.WithRenderer(renderer.NewBlueprint(tw.Rendition{
			Borders:  tw.BorderNone,
			Settings: tw.Settings{Separators: tw.SeparatorsNone, Lines: tw.LinesNone},
		})),
		tablewriter.WithPadding(tw.Padding{Left: tw.Empty, Right: "  ", Overwrite: true}))
	for line := range strings.Lines(b.String()) {
		fmt.Fprintln(w, strings.TrimRight(line, " \n"))
	}
	return err
}

// markdown writes the table as GitHub's markdown has them.
func (g *grid) markdown(w io.Writer) error {
	bare := grid{head: escapePipes(g.head), left: g.left}
	for _, r := range g.rows {
		bare.rows = append(bare.rows, escapePipes(r))
	}
	return bare.write(w, tablewriter.WithRenderer(renderer.NewMarkdown()))
}

func escapePipes(cells []string) []string {
	out := make([]string, len(cells))
	for i, c := range cells {
		out[i] = strings.ReplaceAll(c, "|", `\|`)
	}
	return out
}
