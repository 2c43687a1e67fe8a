package results

import (
	"fmt"
	"slices"
	"strings"
)

// Unpaired says, a sentence for each task, which measured cells stand beside no other because an interruption came
// between them: their rounds were not interleaved, and pairing them would compare the hours, not the backends.
func (d *Document) Unpaired() []string {
	if len(d.Run.Resumed) == 0 {
		return nil
	}
	type task struct {
		sessions []int
		subjects []string
	}
	var order []string
	tasks := map[string]*task{}
	for i := range d.Results {
		r := &d.Results[i]
		c, err := ParseCell(r.Cell)
		if err != nil || shown(r) == nil {
			continue
		}
		name := c.Task()
		if tasks[name] == nil {
			order, tasks[name] = append(order, name), &task{}
		}
		t := tasks[name]
		t.subjects = append(t.subjects, c.Subject())
		if !slices.Contains(t.sessions, r.Session) {
			t.sessions = append(t.sessions, r.Session)
		}
	}
	var said []string
	for _, name := range order {
		if t := tasks[name]; len(t.sessions) > 1 {
			said = append(said, fmt.Sprintf("%s: %s are not all compared: the interruption came between them, so that their rounds were not interleaved; clsbench rerun measures them together",
				name, strings.Join(t.subjects, ", ")))
		}
	}
	return said
}
