package conformance

import (
	"crypto/sha256"
	_ "embed"
	"encoding/hex"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"sync"
)

// ONNX's releases are tests as they were known then: some expect what ONNX has
// since found to be wrong. Of those a backend's answer is held against the
// reference alone, and the test counts as superseded: neither passed nor failed.
//
//go:embed onnxcorrected.txt
var correctedText string

// correctedTests are the pull requests that corrected a test, by the digest of
// its files as they were.
var correctedTests = sync.OnceValue(func() map[string]string {
	m := map[string]string{}
	for line := range strings.Lines(correctedText) {
		if f := strings.Fields(line); len(f) == 4 && !strings.HasPrefix(line, "#") {
			m[f[0]+" "+f[1]] = f[2]
		}
	}
	return m
})

// corrected names the pull requests of ONNX that corrected the test's data, ""
// if there are none.
func (t ONNXTest) corrected() string {
	name := baseOf(t)
	if !strings.Contains(correctedText, " "+name+" ") {
		return ""
	}
	return correctedTests()[t.digest()+" "+name]
}

func baseOf(t ONNXTest) string { return filepath.Base(t.Name) }

// digest is the first half, in hex, of a SHA-256 over the test's files in the
// order of their paths: of each its path, a zero byte and its content's SHA-256.
func (t ONNXTest) digest() string {
	h := sha256.New()
	err := filepath.WalkDir(t.Dir, func(file string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		text, err := os.ReadFile(file)
		if err != nil {
			return err
		}
		rel, err := filepath.Rel(t.Dir, file)
		if err != nil {
			return err
		}
		sum := sha256.Sum256(text)
		h.Write([]byte(filepath.ToSlash(rel) + "\x00"))
		h.Write(sum[:])
		return nil
	})
	if err != nil {
		return ""
	}
	return hex.EncodeToString(h.Sum(nil))[:32]
}
