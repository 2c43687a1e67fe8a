package results

import (
	"bytes"
	"encoding/json"
	"io"
)

// Encode writes the document as JSON: each key of the top level on a line of its own, and each cell and comparison, so
// that the file can be read, searched and diffed line by line.
func (d *Document) Encode(w io.Writer) error {
	data, err := encodeLine(d)
	if err != nil {
		return err
	}
	_, err = w.Write(breakLines(data))
	return err
}

// encodeLine encodes v in one line with its newline, and without HTML's escapes: command lines have > and &.
func encodeLine(v any) ([]byte, error) {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	err := e.Encode(v)
	return b.Bytes(), err
}

// breakLines puts the members of the outer object, and those of the arrays directly in it, on lines of their own.
func breakLines(line []byte) []byte {
	out := make([]byte, 0, len(line)+1024)
	var open []byte // brackets around the current byte
	broken := func() bool {
		return len(open) == 1 || len(open) == 2 && open[1] == '['
	}
	text := false
	for i, c := range line {
		if text {
			out = append(out, c)
			text = c != '"' || escaped(line, i)
			continue
		}
		switch c {
		case '"':
			text = true
		case '{', '[':
			open = append(open, c)
			if out = append(out, c); broken() {
				out = append(out, '\n')
			}
			continue
		case '}', ']':
			if broken() {
				out = append(out, '\n')
			}
			open = open[:len(open)-1]
		}
		if out = append(out, c); c == ',' && broken() {
			out = append(out, '\n')
		}
	}
	return out
}

// escaped says whether an odd number of backslashes stands before i.
func escaped(s []byte, i int) bool {
	n := 0
	for i--; i >= 0 && s[i] == '\\'; i-- {
		n++
	}
	return n%2 == 1
}
