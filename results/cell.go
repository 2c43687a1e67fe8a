package results

import (
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"
)

// Keys of a cell's name that say what was asked. Every other key is an option of the backend's and says who answered.
const (
	KeyScenario = "scenario" // when it is not the mode's default
	KeyMath     = "math"     // a mode other than strict
	KeyThreads  = "threads"  // when not all that the process may use
	KeyInput    = "input"    // when not the workload's own size
	KeyQuant    = "quant"    // a quantization recipe
	KeyVariant  = "variant"  // a variant of the network
	KeyWeights  = "weights"  // read from a file: the first digits of its hash
	KeyRecipe   = "recipe"   // of a training cell whose recipe was changed: the first digits of its hash
)

// taskKeys are the keys that Cell.Task keeps. Math is not among them: a relaxed mode is another way to answer the same
// question, and is compared with the strict row beside it.
var taskKeys = []string{KeyScenario, KeyThreads, KeyInput, KeyQuant, KeyVariant, KeyWeights, KeyRecipe}

// maxCellName bounds a name, in bytes, so that it can stand in a report and in a flag.
const maxCellName = 1024

// Cell names one thing measured: workload/mode/precision/batch/backend, then ;key=value for each setting that is not
// the default. The name is the cell's id in JSON, in --filter and in rerun.
type Cell struct {
	Workload  string
	Mode      string // infer, train
	Precision string // f32, bf16, …
	Batch     int    // images a step, ≥ 1
	Backend   string // label, without slashes
	Settings  map[string]string
}

// String is the canonical name: settings by key, ascending, special characters of their values percent-encoded.
func (c Cell) String() string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s/%s/%s/%d/%s", c.Workload, c.Mode, c.Precision, c.Batch, c.Backend)
	for _, k := range slices.Sorted(maps.Keys(c.Settings)) {
		b.WriteString(";" + k + "=" + escape(c.Settings[k]))
	}
	return b.String()
}

// Task is what was asked, in the same words whoever answered: "lenet5/infer/f32/32;scenario=server". Cells of equal
// task may be compared.
func (c Cell) Task() string {
	t := fmt.Sprintf("%s/%s/%s/%d", c.Workload, c.Mode, c.Precision, c.Batch)
	for _, k := range slices.Sorted(maps.Keys(c.Settings)) {
		if slices.Contains(taskKeys, k) {
			t += ";" + k + "=" + escape(c.Settings[k])
		}
	}
	return t
}

// Subject is who answered: the backend's label and its own settings, "cpu;isa=avx2".
func (c Cell) Subject() string {
	s := c.Backend
	for _, k := range slices.Sorted(maps.Keys(c.Settings)) {
		if !slices.Contains(taskKeys, k) {
			s += ";" + k + "=" + escape(c.Settings[k])
		}
	}
	return s
}

// ParseCell reads a cell's name. The settings may come in any order.
func ParseCell(name string) (Cell, error) {
	c, err := parseCell(name)
	if err != nil {
		return Cell{}, fmt.Errorf("cell %.80q: %w; a name is workload/mode/precision/batch/backend;key=value…", name, err)
	}
	return c, nil
}

func parseCell(name string) (Cell, error) {
	if len(name) > maxCellName {
		return Cell{}, fmt.Errorf("%d bytes are too long, %d may stand", len(name), maxCellName)
	}
	head, tail, settings := strings.Cut(name, ";")
	parts := strings.Split(head, "/")
	if len(parts) != 5 {
		return Cell{}, fmt.Errorf("%d parts between slashes in place of 5", len(parts))
	}
	for i, what := range []string{"workload", "mode", "precision", "batch", "backend"} {
		if err := checkWord(parts[i]); err != nil {
			return Cell{}, fmt.Errorf("%s %w", what, err)
		}
	}
	batch, err := strconv.Atoi(parts[3])
	if err != nil || batch < 1 || strconv.Itoa(batch) != parts[3] {
		return Cell{}, fmt.Errorf("batch %q is not a positive number", parts[3])
	}
	c := Cell{Workload: parts[0], Mode: parts[1], Precision: parts[2], Batch: batch, Backend: parts[4]}
	if !settings {
		return c, nil
	}
	c.Settings = map[string]string{}
	for _, kv := range strings.Split(tail, ";") {
		k, v, ok := strings.Cut(kv, "=")
		if err := checkWord(k); err != nil || !ok {
			return Cell{}, fmt.Errorf("setting %q is not key=value", kv)
		}
		if _, twice := c.Settings[k]; twice {
			return Cell{}, fmt.Errorf("key %q stands twice", k)
		}
		if c.Settings[k], err = unescape(v); err != nil {
			return Cell{}, fmt.Errorf("value of %q: %w", k, err)
		}
	}
	return c, nil
}

// Check says whether the cell's name would read back as the same cell.
func (c Cell) Check() error {
	back, err := ParseCell(c.String())
	if err != nil {
		return err
	}
	if back.Backend != c.Backend || !maps.Equal(back.Settings, c.Settings) {
		return fmt.Errorf("cell %q: a label or value in it is not text that a name can hold", c)
	}
	return nil
}

// checkWord refuses what a part of a name can't hold: labels and keys are letters, digits and _ . - + : @.
func checkWord(s string) error {
	if s == "" {
		return fmt.Errorf("is empty")
	}
	for _, r := range s {
		if !(r < utf8.RuneSelf && (unicode.IsLetter(r) || unicode.IsDigit(r)) || strings.ContainsRune("_.-+:@", r)) {
			return fmt.Errorf("%q has the character %q; letters, digits and _ . - + : @ may stand", s, r)
		}
	}
	return nil
}

const hexDigits = "0123456789ABCDEF"

// special says whether a byte of a value is written as %XX: what would end the setting, what would not print.
func special(c byte) bool { return c == ';' || c == '%' || c <= ' ' || c >= 0x7f }

func escape(v string) string {
	var b strings.Builder
	for i := range len(v) {
		if c := v[i]; special(c) {
			b.WriteByte('%')
			b.WriteByte(hexDigits[c>>4])
			b.WriteByte(hexDigits[c&15])
		} else {
			b.WriteByte(c)
		}
	}
	return b.String()
}

func unescape(v string) (string, error) {
	var b strings.Builder
	for i := 0; i < len(v); i++ {
		c := v[i]
		if c == '%' {
			if i+2 >= len(v) {
				return "", fmt.Errorf("%q ends inside a %%XX", v)
			}
			hi, lo := strings.IndexByte(hexDigits, v[i+1]), strings.IndexByte(hexDigits, v[i+2])
			if hi < 0 || lo < 0 || !special(byte(hi<<4|lo)) {
				return "", fmt.Errorf("%q is no escape; only special characters are written %%XX, in capitals", v[i:i+3])
			}
			c, i = byte(hi<<4|lo), i+2
		} else if special(c) {
			return "", fmt.Errorf("character %q has to be written %%%c%c", c, hexDigits[c>>4], hexDigits[c&15])
		}
		b.WriteByte(c)
	}
	return b.String(), nil
}
