package results

import (
	"bytes"
	_ "embed"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"
	"sync"

	"github.com/santhosh-tekuri/jsonschema/v6"
	"github.com/santhosh-tekuri/jsonschema/v6/kind"
	"golang.org/x/text/language"
	"golang.org/x/text/message"
)

// SchemaURL identifies the JSON Schema. It names, it is not fetched.
const SchemaURL = "https://clsbench.github.io/schema/result-v1.schema.json"

// SchemaJSON is the JSON Schema of clsbench.result/v1.
//
//go:embed schema/result-v1.schema.json
var SchemaJSON []byte

// MaxFile bounds a result file, in bytes: some hundred cells with all their samples.
const MaxFile = 128 << 20

// knownSchemas are the versions that this build reads.
var knownSchemas = []string{Schema}

// Problem is one thing wrong in a file.
type Problem struct {
	File  string // "" where it has none
	Field string // JSON pointer, "" for the whole document
	Text  string // what is wrong
	Mend  string // what to do
}

func (p Problem) String() string {
	var b strings.Builder
	for _, s := range []string{p.File, p.Field} {
		if s != "" {
			b.WriteString(s + ": ")
		}
	}
	b.WriteString(p.Text)
	if p.Mend != "" {
		b.WriteString("; " + p.Mend)
	}
	return b.String()
}

// InvalidError says that a file is no result document. It has at least one problem.
type InvalidError struct{ Problems []Problem }

func (e *InvalidError) Error() string {
	s := e.Problems[0].String()
	if n := len(e.Problems) - 1; n > 0 {
		s += fmt.Sprintf(" (and %d more)", n)
	}
	return s
}

func invalid(file, field, mend, format string, args ...any) *InvalidError {
	return &InvalidError{[]Problem{{file, field, fmt.Sprintf(format, args...), mend}}}
}

var schemas = sync.OnceValue(func() *jsonschema.Compiler {
	doc, err := jsonschema.UnmarshalJSON(bytes.NewReader(SchemaJSON))
	if err != nil {
		panic("results: embedded schema: " + err.Error())
	}
	c := jsonschema.NewCompiler()
	c.AssertFormat()
	if err := c.AddResource(SchemaURL, doc); err != nil {
		panic("results: embedded schema: " + err.Error())
	}
	return c
})

var (
	documentSchema = sync.OnceValue(func() *jsonschema.Schema { return schemas().MustCompile(SchemaURL) })
	resultSchema   = sync.OnceValue(func() *jsonschema.Schema { return schemas().MustCompile(SchemaURL + "#/$defs/Result") })
)

// ReadFile reads and validates one result file. What is wrong with it is an *InvalidError.
func ReadFile(path string) (*Document, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	if st, err := f.Stat(); err != nil {
		return nil, err
	} else if !st.Mode().IsRegular() {
		return nil, fmt.Errorf("%s: not a file; give the path of a result file", path)
	} else if st.Size() > MaxFile {
		return nil, tooLarge(path, MaxFile)
	}
	return Read(f, path)
}

// Read reads and validates a document, which has a cell at least unless its run was cut short before the first was
// done. The file's name is for messages.
func Read(r io.Reader, file string) (*Document, error) {
	d, err := readAny(r, file)
	if err == nil && len(d.Results) == 0 && !d.Run.Interrupted {
		return nil, invalid(file, "/results", "a finished run has a row for each cell", "has none")
	}
	return d, err
}

// readAny is Read, of a document that may be at its beginning.
func readAny(r io.Reader, file string) (*Document, error) {
	data, err := readCapped(r, file, MaxFile)
	if err != nil {
		return nil, err
	}
	// Numbers become float64 here: as exact rationals, which the validator would make of them otherwise, 1e999999999
	// would take all memory.
	var tree any
	if err := json.Unmarshal(data, &tree); err != nil {
		return nil, invalid(file, "", syntaxMend(data, err), "not JSON: %v", err)
	}
	if e := checkVersion(tree, file); e != nil {
		return nil, e
	}
	if err := documentSchema().Validate(tree); err != nil {
		return nil, schemaProblems(file, err)
	}
	var d Document
	if err := decode(data, tree, &d); err != nil {
		return nil, decodeProblem(file, err)
	}
	if ps := d.check(); len(ps) > 0 {
		for i := range ps {
			ps[i].File = file
		}
		return nil, &InvalidError{ps}
	}
	return &d, nil
}

// readCapped reads a whole file of at most so many bytes.
func readCapped(r io.Reader, file string, most int64) ([]byte, error) {
	data, err := io.ReadAll(io.LimitReader(r, most+1))
	if err == nil && int64(len(data)) > most {
		err = tooLarge(file, most)
	}
	return data, err
}

func tooLarge(file string, most int64) error {
	return invalid(file, "", "is it a result file at all?", "larger than %d MB", most>>20)
}

// Validate checks a document as reading it back would: against the schema, then what a schema can't say.
func (d *Document) Validate() error {
	var b bytes.Buffer
	if err := d.Encode(&b); err != nil {
		return err
	}
	_, err := Read(&b, "")
	return err
}

func syntaxMend(data []byte, err error) string {
	var syntax *json.SyntaxError
	switch {
	case len(bytes.TrimSpace(data)) == 0:
		return "the file is empty"
	case errors.As(err, &syntax) && syntax.Error() == "unexpected end of JSON input":
		return "the file is cut off: copy it again"
	case errors.As(err, &syntax):
		return fmt.Sprintf("look at line %d", 1+bytes.Count(data[:syntax.Offset], []byte{'\n'}))
	}
	return "was it edited by hand?"
}

func checkVersion(tree any, file string) *InvalidError {
	m, ok := tree.(map[string]any)
	if !ok {
		return invalid(file, "", "a result document is a JSON object", "not an object")
	}
	v, ok := m["schema"].(string)
	if !ok {
		return invalid(file, "/schema", fmt.Sprintf("a result document says %q", Schema), "no schema version")
	}
	if !slices.Contains(knownSchemas, v) {
		return invalid(file, "/schema", "this build knows "+strings.Join(knownSchemas, ", ")+"; a newer clsbench may read it",
			"unknown version %.80q", v)
	}
	return nil
}

// decode fills v from JSON that the schema accepts. 3e1 is an integer to the schema and none to encoding/json, whose own
// rendering of the tree it reads.
func decode(data []byte, tree, v any) error {
	err := json.Unmarshal(data, v)
	if t := (*json.UnmarshalTypeError)(nil); errors.As(err, &t) {
		if data, err = json.Marshal(tree); err == nil {
			err = json.Unmarshal(data, v)
		}
	}
	return err
}

func decodeProblem(file string, err error) *InvalidError {
	var t *json.UnmarshalTypeError
	if errors.As(err, &t) {
		return invalid(file, "/"+strings.ReplaceAll(t.Field, ".", "/"), "", "%s does not fit %s", t.Value, t.Type)
	}
	return invalid(file, "", "", "%v", err)
}

// schemaProblems flattens the validator's tree of causes into its leaves.
func schemaProblems(file string, err error) *InvalidError {
	var v *jsonschema.ValidationError
	if !errors.As(err, &v) {
		return invalid(file, "", "", "%v", err)
	}
	out := &InvalidError{}
	var walk func(*jsonschema.ValidationError)
	walk = func(v *jsonschema.ValidationError) {
		if len(v.Causes) == 0 {
			out.Problems = append(out.Problems, leafProblems(file, v)...)
		}
		for _, c := range v.Causes {
			walk(c)
		}
	}
	walk(v)
	// The validator walks Go maps, so its order changes from run to run.
	slices.SortStableFunc(out.Problems, func(a, b Problem) int {
		return strings.Compare(a.Field+a.Text, b.Field+b.Text)
	})
	return out
}

func leafProblems(file string, v *jsonschema.ValidationError) []Problem {
	at := pointer(v.InstanceLocation)
	one := func(mend, format string, args ...any) []Problem {
		return []Problem{{file, at, fmt.Sprintf(format, args...), mend}}
	}
	switch k := v.ErrorKind.(type) {
	case *kind.Required:
		var ps []Problem
		for _, m := range k.Missing {
			ps = append(ps, Problem{file, at + "/" + m, "is missing", "add it"})
		}
		return ps
	case *kind.AdditionalProperties:
		var ps []Problem
		for _, m := range k.Properties {
			ps = append(ps, Problem{file, at + pointer([]string{m}), "unknown key", "misspelt, or written by a newer clsbench"})
		}
		return ps
	case *kind.Type:
		return one("write "+strings.Join(k.Want, " or "), "is %s", k.Got)
	case *kind.Enum:
		words := make([]string, len(k.Want))
		for i, w := range k.Want {
			words[i] = fmt.Sprint(w)
		}
		return one("one of "+strings.Join(words, ", "), "%.80q is not known", fmt.Sprint(k.Got))
	case *kind.Pattern:
		return one("it has to match "+k.Want, "%.80q", k.Got)
	case *kind.Format:
		return one("write it as "+k.Want+" says", "%.80q is no %s", fmt.Sprint(k.Got), k.Want)
	}
	return one("", "%s", v.ErrorKind.LocalizedString(message.NewPrinter(language.English)))
}

// pointer writes a JSON pointer (RFC 6901).
func pointer(path []string) string {
	var b strings.Builder
	for _, p := range path {
		b.WriteString("/" + strings.NewReplacer("~", "~0", "/", "~1").Replace(p))
	}
	return b.String()
}
