package conformance

import (
	"crypto/sha256"
	"embed"
	"fmt"
	"go/ast"
	"go/parser"
	"go/scanner"
	"go/token"
	"hash"
	"io/fs"
	"slices"
	"strings"
	"sync"
)

//go:embed *.go
var ownSources embed.FS

// BoundsDigest names the state of the table of bounds, for reports: its texts,
// and the code that computes them, so that no constant changes unseen.
func BoundsDigest() string { return boundsDigest() }

var boundsDigest = sync.OnceValue(func() string {
	sources := map[string]string{}
	names, err := fs.Glob(ownSources, "*.go")
	if err != nil {
		panic(err) // a bad pattern
	}
	for _, name := range names {
		text, err := ownSources.ReadFile(name)
		if err != nil {
			panic(err) // it is in this program
		}
		if !strings.HasSuffix(name, "_test.go") {
			sources[name] = string(text)
		}
	}
	return digestOf(sources)
})

// digestOf hashes the table's texts, and from the sources all declarations that
// Bounds and the program rule lead to. Comments and layout do not count.
func digestOf(sources map[string]string) string {
	h := sha256.New()
	for _, b := range Bounds() {
		fmt.Fprintln(h, b.Name, b.Formula, b.Source, b.Proposal)
	}
	d := declarationsOf(sources)
	seen, todo := map[string]bool{}, []string{"Bounds", "rule"}
	for len(todo) > 0 {
		name := todo[len(todo)-1]
		if todo = todo[:len(todo)-1]; !seen[name] {
			seen[name] = true
			todo = append(todo, d.uses(name)...)
		}
	}
	var names []string
	for name := range seen {
		names = append(names, name)
	}
	slices.Sort(names)
	for _, name := range names {
		var texts []string
		for _, decl := range d[name] {
			texts = append(texts, decl.text)
		}
		slices.Sort(texts) // methods of one name, whichever file they are in
		for _, t := range texts {
			hashTokens(h, t)
		}
	}
	return fmt.Sprintf("%x", h.Sum(nil)[:8])
}

// declaration is one at the top of a file: its text, and its syntax.
type declaration struct {
	node ast.Node
	text string
}

// declarations are by name; methods of several types share one.
type declarations map[string][]declaration

func declarationsOf(sources map[string]string) declarations {
	d := declarations{}
	for name, text := range sources {
		fset := token.NewFileSet()
		f, err := parser.ParseFile(fset, name, text, parser.SkipObjectResolution)
		if err != nil {
			panic(err) // it was compiled
		}
		add := func(name string, n ast.Node) {
			d[name] = append(d[name], declaration{n, text[fset.Position(n.Pos()).Offset:fset.Position(n.End()).Offset]})
		}
		for _, decl := range f.Decls {
			if fn, ok := decl.(*ast.FuncDecl); ok {
				if !makesCases(fn) {
					add(fn.Name.Name, fn)
				}
				continue
			}
			for _, s := range decl.(*ast.GenDecl).Specs {
				if v, ok := s.(*ast.ValueSpec); ok {
					for _, n := range v.Names {
						add(n.Name, v)
					}
				}
			}
		}
	}
	return d
}

// makesCases says that a function gives cases, or their data: bounds judge those
// and are not made of them.
func makesCases(fn *ast.FuncDecl) bool {
	if fn.Type.Results == nil {
		return false
	}
	made := false
	ast.Inspect(fn.Type.Results, func(n ast.Node) bool {
		id, ok := n.(*ast.Ident)
		made = made || ok && slices.Contains([]string{"Case", "opSubject", "subject", "fill", "input", "Program"}, id.Name)
		return true
	})
	return made
}

// uses are the names of declarations that those of a name have in them: scopes
// are not looked into, so that there may be some too many.
func (d declarations) uses(name string) (names []string) {
	for _, decl := range d[name] {
		ast.Inspect(decl.node, func(n ast.Node) bool {
			if id, ok := n.(*ast.Ident); ok && d[id.Name] != nil {
				names = append(names, id.Name)
			}
			return true
		})
	}
	return names
}

func hashTokens(h hash.Hash, text string) {
	var s scanner.Scanner
	s.Init(token.NewFileSet().AddFile("", -1, len(text)), []byte(text), nil, 0)
	for {
		_, tok, lit := s.Scan()
		if tok == token.EOF {
			return
		}
		fmt.Fprintln(h, tok, lit)
	}
}
