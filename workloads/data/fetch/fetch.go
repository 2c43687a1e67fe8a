package fetch

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/gofrs/flock"

	"github.com/clsbench/clsbench/workloads/data"
)

// Fetcher downloads sets. The zero value is ready.
type Fetcher struct {
	Mirrors []string      // addresses before the published ones: MIRROR/SET/FILE
	Tries   int           // of one address, in a row without getting further; 0 is 4
	Stall   time.Duration // without a byte, after which a try ends; 0 is 30 s
	Pause   time.Duration // before the second try, doubled for each further one; 0 is 1 s
	Client  *http.Client  // nil is one of the package's
	// Progress hears how many bytes of a file are there; nil discards.
	Progress func(file string, have, size int64)
	// Retry hears why a try ended that another one follows; nil discards.
	Retry func(err error)
}

// Error is a file that could not be had, though nothing is wrong with the
// command: the network or the server is to blame.
type Error struct {
	File string // as published
	What string
	Mend string
	Err  error // of the last try
}

func (e *Error) Error() string {
	line := e.File + ": " + e.What
	if e.Err != nil {
		line += fmt.Sprintf(" (%v)", e.Err)
	}
	return line + "; " + e.Mend
}

func (e *Error) Unwrap() error { return e.Err }

func (f *Fetcher) withDefaults() *Fetcher {
	out := *f
	if out.Tries <= 0 {
		out.Tries = 4
	}
	if out.Stall <= 0 {
		out.Stall = 30 * time.Second
	}
	if out.Pause <= 0 {
		out.Pause = time.Second
	}
	if out.Client == nil {
		out.Client = &http.Client{} // no limit in time: Stall ends what stands still
	}
	if out.Progress == nil {
		out.Progress = func(string, int64, int64) {}
	}
	if out.Retry == nil {
		out.Retry = func(error) {}
	}
	return &out
}

// Fetch brings the set into dir, which must not be there yet, or be whole: then
// nothing is downloaded, and already says so. What the user can mend is a
// *data.Error, what the network or a server did is an *Error.
func (f *Fetcher) Fetch(ctx context.Context, set Set, dir string) (already bool, err error) {
	f = f.withDefaults()
	if already, err = whole(dir); already || err != nil {
		return already, err
	}
	part := filepath.Clean(dir) + ".part"
	if err := os.MkdirAll(part, 0o755); err != nil {
		return false, unwritable(part, err)
	}
	lock := flock.New(filepath.Join(part, lockName))
	switch held, err := lock.TryLock(); {
	case err != nil:
		return false, unwritable(part, err)
	case !held:
		return false, &data.Error{Kind: data.Exists, File: part, What: "is being filled by another process", Mend: "wait for it, or give another folder"}
	}
	defer lock.Close()
	ready := filepath.Join(part, "ready")
	if err := os.RemoveAll(ready); err != nil { // what an interrupted call had unpacked
		return false, unwritable(ready, err)
	}
	if err := os.Mkdir(ready, 0o755); err != nil {
		return false, unwritable(ready, err)
	}
	for _, file := range set.Files {
		if err := f.file(ctx, set.Name, file, filepath.Join(part, file.Name)); err != nil {
			return false, err
		}
	}
	for _, file := range set.Files {
		if err := place(file, filepath.Join(part, file.Name), ready); err != nil {
			return false, err
		}
	}
	if err := writeSums(ready); err != nil {
		return false, err
	}
	if err := os.Remove(dir); err != nil && !errors.Is(err, fs.ErrNotExist) { // whole has seen that it is empty
		return false, unwritable(dir, err)
	}
	if err := os.Rename(ready, dir); err != nil {
		return false, unwritable(dir, err)
	}
	_ = os.RemoveAll(part) // the set is whole without
	return false, nil
}

const lockName = "lock"

// place puts a verified file, or what is unpacked from it, where the set gets
// ready.
func place(file File, at, ready string) error {
	if file.Unpack != nil {
		return file.Unpack.unpack(at, ready)
	}
	if err := os.Rename(at, filepath.Join(ready, file.Name)); err != nil {
		return unwritable(ready, err)
	}
	return nil
}

// whole says whether dir holds a set that was fetched, and refuses one that
// holds anything else.
func whole(dir string) (bool, error) {
	entries, err := os.ReadDir(dir)
	switch {
	case errors.Is(err, fs.ErrNotExist), err == nil && len(entries) == 0:
		return false, nil
	case err != nil:
		return false, &data.Error{Kind: data.Unreadable, File: dir, What: "cannot be read as a folder", Mend: "give another folder", Err: cause(err)}
	}
	if err := checkSums(dir); err != nil {
		return false, err
	}
	return true, nil
}

// file brings one file to path, verified, from the first address that has it.
func (f *Fetcher) file(ctx context.Context, set string, file File, path string) error {
	var last error
	for _, url := range f.addresses(set, file) {
		err := f.from(ctx, url, file, path)
		if err == nil {
			return nil
		}
		if ctx.Err() != nil {
			return ctx.Err()
		}
		var mine *data.Error
		if errors.As(err, &mine) {
			return err
		}
		last = fmt.Errorf("%s: %w", url, err)
		f.Retry(last)
	}
	return &Error{File: file.Name, What: "could not be fetched", Mend: "try again later, what is there is kept, or give a --mirror", Err: last}
}

func (f *Fetcher) addresses(set string, file File) []string {
	var out []string
	for _, m := range f.Mirrors {
		out = append(out, strings.TrimSuffix(m, "/")+"/"+set+"/"+file.Name)
	}
	return append(out, file.URLs...)
}

// from tries one address until the file is whole, or it has failed too often in
// a row, or for good.
func (f *Fetcher) from(ctx context.Context, url string, file File, path string) error {
	failures, pause := 0, f.Pause
	for {
		before := sizeOf(path)
		err := f.try(ctx, url, file, path)
		if err == nil {
			return nil
		}
		var mine *data.Error
		var final *finalError
		if ctx.Err() != nil || errors.As(err, &mine) || errors.As(err, &final) {
			return err
		}
		if failures++; sizeOf(path)-before >= 1<<20 { // it gets on, if in pieces
			failures, pause = 1, f.Pause
		}
		if failures >= f.Tries {
			return fmt.Errorf("%d tries: %w", failures, err)
		}
		f.Retry(err)
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(pause):
		}
		pause = min(2*pause, time.Minute)
	}
}

func sizeOf(path string) int64 {
	if info, err := os.Stat(path); err == nil {
		return info.Size()
	}
	return 0
}

func unwritable(path string, err error) error {
	return &data.Error{Kind: data.Unwritable, File: path, What: "cannot be written", Mend: "give a folder that you may write, with room on its disk", Err: cause(err)}
}

// cause strips the paths that a system error repeats.
func cause(err error) error {
	var p *fs.PathError
	var l *os.LinkError
	switch {
	case errors.As(err, &p):
		return p.Err
	case errors.As(err, &l):
		return l.Err
	}
	return err
}
