package reference

import (
	"crypto/sha256"
	"embed"
	"fmt"
	"io/fs"
	"strings"
	"sync"
)

//go:embed *.go
var ownSources embed.FS

// Digest names the state of the reference, the 64-bit start of a SHA-256 over
// the names and texts of its sources without tests: who holds a failure against
// another build sees whether both had the same formulas. It does not cover
// packages that reference imports, nor reference/relaxed.
func Digest() string { return digest() }

var digest = sync.OnceValue(func() string {
	h := sha256.New()
	names, err := fs.Glob(ownSources, "*.go") // sorted
	if err != nil {
		panic(err) // a bad pattern
	}
	for _, name := range names {
		if strings.HasSuffix(name, "_test.go") {
			continue
		}
		text, err := ownSources.ReadFile(name)
		if err != nil {
			panic(err) // it is in this program
		}
		fmt.Fprintf(h, "%s %d\n%s", name, len(text), text)
	}
	return fmt.Sprintf("%x", h.Sum(nil)[:8])
})
