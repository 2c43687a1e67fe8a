package fetch

import (
	"bytes"
	"encoding/hex"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/clsbench/clsbench/workloads/data"
)

// sumsName is the file of checksums, in the format of sha256sum.
const sumsName = "SHA256SUMS"

// writeSums writes the checksums of the files in dir.
func writeSums(dir string) error {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return unwritable(dir, err)
	}
	var out bytes.Buffer
	for _, e := range entries {
		sum, err := fileSum(filepath.Join(dir, e.Name()))
		if err != nil {
			return unwritable(filepath.Join(dir, e.Name()), err)
		}
		fmt.Fprintf(&out, "%s  %s\n", sum, e.Name())
	}
	path := filepath.Join(dir, sumsName)
	if err := os.WriteFile(path, out.Bytes(), 0o644); err != nil {
		return unwritable(path, err)
	}
	return nil
}

func fileSum(path string) (string, error) {
	f, err := os.Open(path)
	if err != nil {
		return "", err
	}
	defer f.Close()
	return sumOf(f)
}

// checkSums holds the files in dir against its checksums.
func checkSums(dir string) error {
	path := filepath.Join(dir, sumsName)
	content, err := os.ReadFile(path)
	if err != nil {
		return &data.Error{Kind: data.Exists, File: dir, What: "is there and was not fetched", Mend: "give another folder or remove it"}
	}
	sums, ok := parseSums(content)
	if !ok {
		return &data.Error{Kind: data.Mismatch, File: path, What: "is no list of checksums", Mend: "remove the folder and fetch the set again"}
	}
	for name, want := range sums {
		at := filepath.Join(dir, name)
		got, err := fileSum(at)
		switch {
		case err != nil:
			return &data.Error{Kind: data.Unreadable, File: at, What: "cannot be read", Mend: "remove the folder and fetch the set again", Err: cause(err)}
		case got != want:
			return &data.Error{Kind: data.Mismatch, File: at, What: fmt.Sprintf("has SHA-256 %s, not %s as in %s", got, want, sumsName), Mend: "remove the folder and fetch the set again"}
		}
	}
	return nil
}

// parseSums reads lines of a checksum, two spaces and a file's name.
func parseSums(content []byte) (map[string]string, bool) {
	out := map[string]string{}
	for line := range strings.Lines(string(content)) {
		sum, name, found := strings.Cut(strings.TrimSuffix(line, "\n"), "  ")
		if raw, err := hex.DecodeString(sum); !found || err != nil || len(raw) != 32 || name == "" || name != filepath.Base(name) || name == "." || name == ".." {
			return nil, false
		}
		out[name] = sum
	}
	return out, len(out) > 0
}
