package results

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/gofrs/flock"
)

// maxSequence bounds the search for a free name.
const maxSequence = 10_000

// writeNew writes data to the first of name(1), name(2), … that does not exist in dir: whole, on the disk when it
// returns, and never over another file. It gives the path.
func writeNew(dir string, name func(int) string, data []byte) (string, error) {
	path, err := writeUnnamed(dir, name, data)
	if errors.Is(err, errors.ErrUnsupported) {
		path, err = writeNamed(dir, name, data)
	}
	if err != nil {
		return "", err
	}
	return path, syncDir(dir)
}

// firstFree calls link with one path after the other until one does not exist yet.
func firstFree(dir string, name func(int) string, link func(path string) error) (string, error) {
	for n := 1; n <= maxSequence; n++ {
		path := filepath.Join(dir, name(n))
		err := link(path)
		if err == nil {
			return path, nil
		}
		if !errors.Is(err, fs.ErrExist) {
			return "", err
		}
	}
	return "", fmt.Errorf("%s: %d files named like %s; move some away", dir, maxSequence, name(1))
}

const tempPattern = ".clsbench-*.tmp"

// writeNamed is writeNew where a file can't be without a name until it is whole. A process killed in the middle leaves
// the temporary file, which nobody locks then; the next writer removes it.
func writeNamed(dir string, name func(int) string, data []byte) (string, error) {
	sweep(dir)
	f, err := os.CreateTemp(dir, tempPattern)
	if err != nil {
		return "", err
	}
	defer os.Remove(f.Name())
	defer f.Close()
	lock := flock.New(f.Name())
	defer lock.Close()
	if ok, err := lock.TryLock(); err != nil || !ok {
		return "", fmt.Errorf("%s: locked by another process: %w", f.Name(), err)
	}
	if _, err := f.Write(data); err != nil {
		return "", err
	}
	if err := f.Chmod(0o644); err != nil {
		return "", err
	}
	if err := f.Sync(); err != nil {
		return "", err
	}
	return firstFree(dir, name, func(path string) error { return moveNew(f.Name(), path) })
}

// sweep removes temporary files of writers that are gone.
func sweep(dir string) {
	stale, _ := filepath.Glob(filepath.Join(dir, tempPattern))
	for _, path := range stale {
		lock := flock.New(path)
		if ok, err := lock.TryLock(); err == nil && ok {
			os.Remove(path)
		}
		lock.Close()
	}
}

// syncDir makes the names in a folder last.
func syncDir(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	defer d.Close()
	return d.Sync()
}
