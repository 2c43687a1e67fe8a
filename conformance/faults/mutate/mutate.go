// Package mutate makes mutants of a Go package: every single change of an
// arithmetic or comparing operator and of a number, all in one build, one of
// them chosen by a variable of the environment (DeMillo, Lipton and Sayward,
// "Hints on Test Data Selection", 1978). The author of a check is a poor judge
// of it; these changes nobody chose.
package mutate

import (
	"bytes"
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"go/ast"
	"go/importer"
	"go/parser"
	"go/token"
	"go/types"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
)

// VariableOf names the variable of the environment that chooses a package's
// mutant: a number of Mutant.ID; anything else is none.
func VariableOf(path string) string {
	return "CLSBENCH_MUTANT_" + strings.ToUpper(strings.Map(func(r rune) rune {
		if r >= 'a' && r <= 'z' || r >= '0' && r <= '9' {
			return r
		}
		return '_'
	}, path))
}

// Mutant is one change.
type Mutant struct {
	ID      int
	Package string // import path
	File    string // base name
	Line    int
	Func    string
	Nth     int    // of the changes of that kind in the function
	Change  string // "+ → -"
}

// Key names the mutant as long as its function stays as it is.
func (m Mutant) Key() string { return fmt.Sprintf("%s %s %d: %s", m.File, m.Func, m.Nth, m.Change) }

func (m Mutant) String() string {
	return fmt.Sprintf("%s:%d %s: %s", m.File, m.Line, m.Func, m.Change)
}

// Package is a package with all its mutants built in.
type Package struct {
	Mutants []Mutant
	// Overlay has the new text of files by path, as go build -overlay wants
	// them written somewhere.
	Overlay map[string][]byte
}

// Load reads the package at an import path from the module in dir. Functions
// for which skip (if not nil) says so stay as they are.
func Load(dir, path string, skip func(file, function string) bool) (*Package, error) {
	p, exports, err := list(dir, path)
	if err != nil {
		return nil, err
	}
	fset := token.NewFileSet()
	var files []*ast.File
	texts := map[*ast.File][]byte{}
	for _, name := range p.GoFiles {
		text, err := os.ReadFile(filepath.Join(p.Dir, name))
		if err != nil {
			return nil, err
		}
		f, err := parser.ParseFile(fset, name, text, parser.SkipObjectResolution)
		if err != nil {
			return nil, err
		}
		files = append(files, f)
		texts[f] = text
	}
	info := &types.Info{Types: map[ast.Expr]types.TypeAndValue{}}
	conf := types.Config{Importer: importer.ForCompiler(fset, "gc", func(path string) (io.ReadCloser, error) { return os.Open(exports[path]) })}
	if _, err := conf.Check(path, fset, files, info); err != nil {
		return nil, err
	}
	out := &Package{Overlay: map[string][]byte{}}
	for i, f := range files {
		m := &mutator{info: info, fset: fset, file: p.GoFiles[i], out: out}
		m.rewrite(f, skip)
		if len(m.edits) > 0 {
			out.Overlay[filepath.Join(p.Dir, m.file)] = m.apply(texts[f])
		}
	}
	if len(out.Mutants) == 0 {
		return nil, fmt.Errorf("package %s: nothing to mutate", path)
	}
	out.Overlay[filepath.Join(p.Dir, "zz_mutants.go")] = []byte("package " + p.Name + fmt.Sprintf(helpers, VariableOf(path)))
	nth := map[string]int{}
	for i := range out.Mutants {
		m := &out.Mutants[i]
		m.Package = path
		place := m.File + " " + m.Func + " " + m.Change
		nth[place]++
		m.Nth = nth[place]
	}
	return out, nil
}

// Dir is the folder of the package at an import path, from the module in dir.
func Dir(dir, path string) (string, error) {
	p, _, err := list(dir, path)
	if err != nil {
		return "", err
	}
	return p.Dir, nil
}

// Build builds the program at an import path, with the files of an overlay in
// place of its own. What it writes lies in dir.
func Build(dir, path string, overlay map[string][]byte) (binary string, err error) {
	replace := map[string]string{}
	for name, text := range overlay {
		to := filepath.Join(dir, fmt.Sprint(len(replace))+filepath.Base(name))
		if err := os.WriteFile(to, text, 0o600); err != nil {
			return "", err
		}
		replace[name] = to
	}
	text, err := json.Marshal(map[string]any{"Replace": replace})
	if err != nil {
		return "", err
	}
	file := filepath.Join(dir, "overlay.json")
	if err := os.WriteFile(file, text, 0o600); err != nil {
		return "", err
	}
	binary = filepath.Join(dir, "mutant")
	if out, err := exec.Command("go", "build", "-overlay", file, "-o", binary, path).CombinedOutput(); err != nil {
		return "", fmt.Errorf("go build %s: %w: %s", path, err, out)
	}
	return binary, nil
}

// listed is what `go list` says of a package.
type listed struct {
	Dir, Name, ImportPath, Export string
	GoFiles                       []string
}

// list finds a package, and the compiled form of all that it imports.
func list(dir, path string) (*listed, map[string]string, error) {
	cmd := exec.Command("go", "list", "-export", "-deps", "-json=Dir,Name,ImportPath,Export,GoFiles", path)
	cmd.Dir = dir
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	text, err := cmd.Output()
	if err != nil {
		return nil, nil, fmt.Errorf("go list %s: %w: %s", path, err, stderr.Bytes())
	}
	exports := map[string]string{}
	var found *listed
	for d := json.NewDecoder(bytes.NewReader(text)); ; {
		var p listed
		if err := d.Decode(&p); errors.Is(err, io.EOF) {
			break
		} else if err != nil {
			return nil, nil, err
		}
		exports[p.ImportPath] = p.Export
		if p.ImportPath == path {
			found = &p
		}
	}
	if found == nil {
		return nil, nil, fmt.Errorf("go list %s: not in its own output", path)
	}
	return found, exports, nil
}

type mutator struct {
	info  *types.Info
	fset  *token.FileSet
	file  string
	out   *Package
	in    string // function
	edits []edit
}

// edit replaces cut bytes of the source at a position. Of insertions at one
// place those with a lower rank come first.
type edit struct {
	at, cut, rank int
	text          string
}

func (m *mutator) apply(source []byte) []byte {
	slices.SortStableFunc(m.edits, func(a, b edit) int { return cmp.Or(cmp.Compare(a.at, b.at), cmp.Compare(a.rank, b.rank)) })
	var b bytes.Buffer
	done := 0
	for _, e := range m.edits {
		b.Write(source[done:e.at])
		b.WriteString(e.text)
		done = e.at + e.cut
	}
	b.Write(source[done:])
	return b.Bytes()
}

// wrap writes a call around an expression: open before it, a comma in place
// of the operator (if there is one), a parenthesis behind it. Outer
// expressions are visited first, so that their openings come first and their
// closings last.
func (m *mutator) wrap(from, operator, to token.Pos, width int, open string) {
	offset := func(p token.Pos) int { return m.fset.Position(p).Offset }
	n := len(m.edits)
	m.edits = append(m.edits, edit{offset(from), 0, n, open}, edit{offset(to), 0, -n - 1, ")"})
	if operator.IsValid() {
		m.edits = append(m.edits, edit{offset(operator), width, n, ","})
	}
}

func (m *mutator) rewrite(f *ast.File, skip func(file, function string) bool) {
	skipped := func() bool { return skip != nil && skip(m.file, m.in) }
	for _, d := range f.Decls {
		switch d := d.(type) {
		case *ast.FuncDecl:
			m.in = d.Name.Name
			if d.Body != nil && !generic(d) && !skipped() {
				m.node(d.Body)
			}
		case *ast.GenDecl: // tables of functions
			if d.Tok == token.VAR {
				for _, s := range d.Specs {
					for _, v := range s.(*ast.ValueSpec).Values {
						m.table(v, skipped)
					}
				}
			}
		}
	}
}

// table goes through a variable's value; the rows of a table by name are as
// good as functions of that name.
func (m *mutator) table(v ast.Expr, skipped func() bool) {
	m.in = "table"
	if skipped() {
		return
	}
	list, ok := v.(*ast.CompositeLit)
	if !ok {
		m.node(v)
		return
	}
	for _, e := range list.Elts {
		m.in = "table"
		if row, ok := e.(*ast.KeyValueExpr); ok {
			if key, ok := row.Key.(*ast.BasicLit); ok && key.Kind == token.STRING {
				m.in = strings.Trim(key.Value, `"`)
			}
		}
		m.node(e)
	}
}

// generic says that a function's types are not known here.
func generic(d *ast.FuncDecl) bool {
	if d.Type.TypeParams != nil {
		return true
	}
	if d.Recv == nil || len(d.Recv.List) == 0 {
		return false
	}
	t := d.Recv.List[0].Type
	if s, ok := t.(*ast.StarExpr); ok {
		t = s.X
	}
	_, one := t.(*ast.IndexExpr)
	_, more := t.(*ast.IndexListExpr)
	return one || more
}

func (m *mutator) node(root ast.Node) {
	var parents []ast.Node
	ast.Inspect(root, func(n ast.Node) bool {
		if n == nil {
			parents = parents[:len(parents)-1]
			return true
		}
		switch x := n.(type) {
		case *ast.ArrayType, *ast.StructType, *ast.FuncType:
			return false // lengths are constants
		case *ast.GenDecl:
			if x.Tok == token.CONST {
				return false
			}
		case *ast.BinaryExpr:
			m.binary(x)
		case *ast.BasicLit:
			if len(parents) > 0 {
				m.number(x, parents[len(parents)-1])
			}
		}
		parents = append(parents, n)
		return true
	})
}

// operators are the changes: what stands there, the helper, what it may
// become.
var operators = map[token.Token]struct {
	helper  string
	becomes []string
}{
	token.ADD: {"mutAdd", []string{"-"}}, token.SUB: {"mutSub", []string{"+"}},
	token.MUL: {"mutMul", []string{"+"}}, token.QUO: {"mutQuo", []string{"*"}},
	token.LSS: {"mutLess", []string{"<=", ">="}}, token.LEQ: {"mutLessEqual", []string{"<", ">"}},
	token.GTR: {"mutGreater", []string{">=", "<="}}, token.GEQ: {"mutGreaterEqual", []string{">", "<"}},
	token.EQL: {"mutEqual", []string{"!="}}, token.NEQ: {"mutNotEqual", []string{"=="}},
}

// plainNumber is a type that helpers can take: predeclared and numeric.
func plainNumber(t types.Type) *types.Basic {
	b, ok := t.(*types.Basic)
	if !ok || b.Info()&types.IsNumeric == 0 || b.Info()&(types.IsUntyped|types.IsComplex) != 0 {
		return nil
	}
	return b
}

func (m *mutator) binary(n *ast.BinaryExpr) {
	op, ok := operators[n.Op]
	if !ok || m.info.Types[n].Value != nil {
		return
	}
	t, other := plainNumber(m.info.Types[n.X].Type), plainNumber(m.info.Types[n.Y].Type)
	if t == nil || other == nil || !types.Identical(t, other) {
		return
	}
	id := m.add(n, op.becomes, n.Op.String())
	m.wrap(n.Pos(), n.OpPos, n.End(), len(n.Op.String()), fmt.Sprintf("%s[%s](%d, ", op.helper, t.Name(), id))
}

// number changes a literal where a value is wanted, not a constant.
func (m *mutator) number(n *ast.BasicLit, parent ast.Node) {
	if n.Kind != token.INT && n.Kind != token.FLOAT {
		return
	}
	switch p := parent.(type) {
	case *ast.BinaryExpr:
		if m.info.Types[p].Value != nil || p.Op == token.SHL || p.Op == token.SHR || p.Op == token.REM {
			return
		}
	case *ast.UnaryExpr, *ast.ParenExpr, *ast.KeyValueExpr, *ast.CaseClause, *ast.ValueSpec, *ast.RangeStmt:
		return
	case *ast.CallExpr:
		if m.info.Types[p].Value != nil || m.info.Types[p.Fun].IsType() {
			return
		}
	}
	if t := plainNumber(m.info.Types[n].Type); t != nil {
		id := m.add(n, []string{n.Value + " + 1"}, n.Value)
		m.wrap(n.Pos(), token.NoPos, n.End(), 0, fmt.Sprintf("mutNumber[%s](%d, ", t.Name(), id))
	}
}

// add enters the mutants of one place and gives the first one's number.
func (m *mutator) add(n ast.Node, becomes []string, was string) int {
	first := len(m.out.Mutants) + 1
	at := m.fset.Position(n.Pos())
	for _, b := range becomes {
		m.out.Mutants = append(m.out.Mutants, Mutant{ID: len(m.out.Mutants) + 1, File: m.file, Line: at.Line, Func: m.in, Change: was + " → " + b})
	}
	return first
}

// ByPlace sorts mutants as the source has them.
func ByPlace(list []Mutant) {
	slices.SortFunc(list, func(a, b Mutant) int {
		return cmp.Or(cmp.Compare(a.File, b.File), cmp.Compare(a.Line, b.Line), cmp.Compare(a.ID, b.ID))
	})
}

// helpers is the file that mutated ones call. Comparisons have two mutants:
// the second has the next number.
const helpers = `

import (
	"os"
	"strconv"
)

var mutant, _ = strconv.Atoi(os.Getenv("%s"))

type mutable interface {
	~int | ~int8 | ~int16 | ~int32 | ~int64 | ~uint | ~uint8 | ~uint16 | ~uint32 | ~uint64 | ~uintptr | ~float32 | ~float64
}

func mutAdd[T mutable](id int, a, b T) T {
	if mutant == id {
		return a - b
	}
	return a + b
}

func mutSub[T mutable](id int, a, b T) T {
	if mutant == id {
		return a + b
	}
	return a - b
}

func mutMul[T mutable](id int, a, b T) T {
	if mutant == id {
		return a + b
	}
	return a * b
}

func mutQuo[T mutable](id int, a, b T) T {
	if mutant == id {
		return a * b
	}
	return a / b
}

func mutLess[T mutable](id int, a, b T) bool {
	switch mutant {
	case id:
		return a <= b
	case id + 1:
		return a >= b
	}
	return a < b
}

func mutLessEqual[T mutable](id int, a, b T) bool {
	switch mutant {
	case id:
		return a < b
	case id + 1:
		return a > b
	}
	return a <= b
}

func mutGreater[T mutable](id int, a, b T) bool {
	switch mutant {
	case id:
		return a >= b
	case id + 1:
		return a <= b
	}
	return a > b
}

func mutGreaterEqual[T mutable](id int, a, b T) bool {
	switch mutant {
	case id:
		return a > b
	case id + 1:
		return a < b
	}
	return a >= b
}

func mutEqual[T mutable](id int, a, b T) bool {
	if mutant == id {
		return a != b
	}
	return a == b
}

func mutNotEqual[T mutable](id int, a, b T) bool {
	if mutant == id {
		return a == b
	}
	return a != b
}

func mutNumber[T mutable](id int, v T) T {
	if mutant == id {
		return v + 1
	}
	return v
}

var _ = []any{mutAdd[int], mutSub[int], mutMul[int], mutQuo[int], mutLess[int], mutLessEqual[int], mutGreater[int],
	mutGreaterEqual[int], mutEqual[int], mutNotEqual[int], mutNumber[int]}
`
