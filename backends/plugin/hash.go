package plugin

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"os"
	"sync"
	"time"
)

// fileKey tells whether a file is still the one that was hashed.
type fileKey struct {
	path string
	size int64
	time time.Time
}

var fileHashes sync.Map // fileKey → [32]byte

func hashFile(path string) (sum [32]byte, err error) {
	f, err := os.Open(path)
	if err != nil {
		return sum, err
	}
	defer f.Close()
	st, err := f.Stat()
	if err != nil {
		return sum, err
	}
	if !st.Mode().IsRegular() {
		return sum, fmt.Errorf("%s is not a file", path)
	}
	key := fileKey{path, st.Size(), st.ModTime()}
	if known, ok := fileHashes.Load(key); ok {
		return known.([32]byte), nil
	}
	h := sha256.New()
	if _, err := io.Copy(h, f); err != nil {
		return sum, err
	}
	h.Sum(sum[:0])
	fileHashes.Store(key, sum)
	return sum, nil
}

// hash identifies what is run: the contents of the program and of the files
// that go with it, and the arguments and environment that steer it. Paths do
// not count: the same plugin elsewhere is the same.
func (t *target) hash() (string, error) {
	h := sha256.New()
	for _, f := range t.files {
		sum, err := hashFile(f)
		if err != nil {
			return "", err
		}
		h.Write(sum[:])
	}
	if t.kind != Embedded {
		fmt.Fprintf(h, "%q%q", t.args[1:], t.env)
	} else {
		fmt.Fprintf(h, "%q", t.args[2:])
	}
	return hex.EncodeToString(h.Sum(nil)), nil
}
