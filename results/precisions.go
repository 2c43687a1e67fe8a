package results

import (
	"fmt"
	"slices"
	"strings"
)

// precisions shows what was inferred in several precisions side by side: a
// table for each workload and subject, a row for each precision and way to
// quantize, with accuracy and size beside the rate.
func (d *Document) precisions(o RenderOptions) []section {
	type table struct{ workload, subject string }
	var order []table
	rows := map[table][]*Result{}
	for i := range d.Results {
		r := &d.Results[i]
		if r.Mode != "infer" || r.Model == nil || !r.Measured() {
			continue
		}
		t := table{r.Workload, groupOf(r).subject}
		if rows[t] == nil {
			order = append(order, t)
		}
		rows[t] = append(rows[t], r)
	}
	var out []section
	for _, t := range order {
		if list := rows[t]; slices.ContainsFunc(list, func(r *Result) bool { return r.Precision != list[0].Precision }) {
			title := painter(o.Color).bold("precisions · "+t.workload) + " · " + t.subject
			out = append(out, section{title: title, grid: precisionGrid(list)})
		}
	}
	return out
}

func precisionGrid(rows []*Result) grid {
	g := grid{head: []string{"", "img/s", "of f32", "top-1", "lost", "size", "of the checkpoint"}, left: map[int]bool{0: true}}
	for _, r := range rows {
		plain := plainBeside(r, rows)
		speed, top1, lost := Missing, Missing, Missing
		if plain != nil && shown(r) != nil && shown(plain) != nil {
			speed = FormatRatio(shown(r).Median / shown(plain).Median)
		}
		if r.Accuracy != nil {
			top1 = fmt.Sprintf("%.2f %%", 100*r.Accuracy.Top1)
			if plain != nil && plain != r && plain.Accuracy != nil {
				lost = fmt.Sprintf("%+.2f", 100*(plain.Accuracy.Top1-r.Accuracy.Top1))
			}
		}
		g.rows = append(g.rows, []string{fmt.Sprintf("b%d %s", r.Batch, precisionName(r)), rateOf(r), speed, top1, lost,
			FormatBytes(r.Model.Bytes), fmt.Sprintf("%.1f %%", 100*float64(r.Model.Bytes)/float64(max(1, r.Model.Checkpoint)))})
	}
	return g
}

func precisionName(r *Result) string {
	if r.Quantization != nil {
		return r.Precision + " " + r.Quantization.Recipe
	}
	return r.Precision
}

// plainBeside is the row in f32 of the same task but for its precision.
func plainBeside(r *Result, rows []*Result) *Result {
	for _, x := range rows {
		if x.Precision == "f32" && x.Batch == r.Batch && x.Scenario == r.Scenario && variantOf(x) == variantOf(r) {
			return x
		}
	}
	return nil
}

func variantOf(r *Result) string {
	c, err := ParseCell(r.Cell)
	if err != nil {
		return ""
	}
	return strings.Join([]string{c.Settings[KeyVariant], c.Settings[KeyInput], c.Settings[KeyThreads]}, ";")
}

// sensitivities shows, for each row that asked, what quantizing each layer
// alone costs.
func (d *Document) sensitivities(o RenderOptions) []section {
	var out []section
	for i := range d.Results {
		r := &d.Results[i]
		if r.Quantization == nil || len(r.Quantization.Sensitivity) == 0 {
			continue
		}
		g := grid{head: []string{"quantized alone", "points of top-1 lost"}, left: map[int]bool{0: true}}
		for _, s := range r.Quantization.Sensitivity {
			g.rows = append(g.rows, []string{s.Node, fmt.Sprintf("%+.2f", 100*s.Lost)})
		}
		out = append(out, section{title: painter(o.Color).bold("sensitivity · "+r.Workload) + " · " + rowName(r) + " · " + groupOf(r).subject, grid: g})
	}
	return out
}
