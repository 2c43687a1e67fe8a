package reference

import (
	"go/ast"
	"go/parser"
	"go/token"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/clsbench/clsbench/graph"
)

// A row without a function, or a function without a row, fails here.
func TestEveryRowHasAFunction(t *testing.T) {
	rows := map[string]bool{}
	for _, op := range graph.Ops() {
		rows[op.Name] = true
		f, ok := Lookup(op.Name)
		require.True(t, ok, "%s has no reference function", op.Name)
		require.NotNil(t, f.Outputs, op.Name)
	}
	for name := range table {
		require.True(t, rows[name], "%s is not in the op table", name)
	}
	// Networks too large to compute whole are judged at single outputs of these.
	for _, op := range []string{"Conv", "ConvInputGrad", "ConvWeightGrad", "MatMul", "Gemm", "AveragePool", "AveragePoolGrad", "ReduceSum", "ReduceMean"} {
		require.NotNil(t, table[op].Formula, op)
	}
}

// Whoever looks for an op finds a function of its name, with a comment, in the
// file that the table names above its row.
func TestEveryOpIsFoundByItsName(t *testing.T) {
	fset := token.NewFileSet()
	names, err := filepath.Glob("*.go")
	require.NoError(t, err)
	files, place, commented := map[string]*ast.File{}, map[string]string{}, map[string]bool{}
	for _, name := range names {
		if strings.HasSuffix(name, "_test.go") {
			continue
		}
		f, err := parser.ParseFile(fset, name, nil, parser.ParseComments)
		require.NoError(t, err)
		files[name] = f
		for _, d := range f.Decls {
			if fn, ok := d.(*ast.FuncDecl); ok && fn.Recv == nil {
				place[fn.Name.Name] = name
				commented[fn.Name.Name] = strings.HasPrefix(fn.Doc.Text(), fn.Name.Name+" ")
			}
		}
	}
	for op := range table {
		require.True(t, commented[op], "%s: no function of this name with a comment", op)
	}
	headings := map[int]string{} // by line
	for _, group := range files["table.go"].Comments {
		for _, c := range group.List {
			if file, _, _ := strings.Cut(strings.TrimPrefix(c.Text, "// "), ";"); strings.HasSuffix(file, ".go") && !strings.Contains(file, " ") {
				headings[fset.Position(c.Pos()).Line] = file
			}
		}
	}
	ast.Inspect(files["table.go"], func(n ast.Node) bool {
		row, ok := n.(*ast.KeyValueExpr)
		if !ok {
			return true
		}
		if key, ok := row.Key.(*ast.BasicLit); ok {
			op, line := strings.Trim(key.Value, `"`), fset.Position(key.Pos()).Line
			for line > 0 && headings[line] == "" {
				line--
			}
			require.Equal(t, place[op], headings[line], "%s is not in the file that table.go says", op)
		}
		return true
	})
}
