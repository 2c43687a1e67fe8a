package fetch

import (
	"archive/tar"
	"bufio"
	"compress/gzip"
	"errors"
	"fmt"
	"io"
	"os"
	"path"
	"path/filepath"
	"strings"

	"github.com/clsbench/clsbench/workloads/data"
)

const (
	maxEntries  = 1000    // of an archive
	maxUnpacked = 1 << 30 // bytes, all entries together
)

// unpack takes the members out of the gzipped tar at file into dir.
func (a *Archive) unpack(file, dir string) error {
	f, err := os.Open(file)
	if err != nil {
		return unwritable(file, err)
	}
	defer f.Close()
	return a.read(bufio.NewReader(f), file, dir)
}

// read takes each member once, as a plain file of at most its size. Entries that
// are not members are passed over, but none may point out of the archive or be
// a link: no set has such, so that whoever made it had something else in mind.
func (a *Archive) read(r io.Reader, file, dir string) error {
	fail := func(entry, what string, err error) error {
		return &data.Error{Kind: data.BadArchive, File: file, Field: entry, What: what, Mend: "remove the file and fetch it again", Err: err}
	}
	z, err := gzip.NewReader(r)
	if err != nil {
		return fail("gzip header", "cannot be read", err)
	}
	t := tar.NewReader(io.LimitReader(z, maxUnpacked))
	seen := map[string]bool{}
	for range maxEntries {
		head, err := t.Next()
		if errors.Is(err, io.EOF) {
			return a.complete(seen, fail)
		}
		if err != nil {
			return fail("tar", "is damaged", err)
		}
		name := path.Clean(head.Name)
		switch {
		case path.IsAbs(name) || name == ".." || strings.HasPrefix(name, "../") || strings.ContainsAny(name, "\\\x00"):
			return fail(fmt.Sprintf("%q", head.Name), "points out of the archive", nil)
		case head.Typeflag == tar.TypeDir:
			continue
		case head.Typeflag != tar.TypeReg:
			return fail(fmt.Sprintf("%q", head.Name), "is no plain file", nil)
		case path.Dir(name) != a.Folder:
			continue
		}
		member := path.Base(name)
		limit, wanted := a.Members[member]
		switch {
		case !wanted:
			continue
		case seen[member]:
			return fail(member, "is there twice", nil)
		case head.Size > limit:
			return fail(member, fmt.Sprintf("claims %d bytes, more than the %d of the set's", head.Size, limit), nil)
		}
		seen[member] = true
		if damage, err := writeMember(filepath.Join(dir, member), t, head.Size); damage != nil {
			return fail(member, "is damaged", damage)
		} else if err != nil {
			return err
		}
	}
	return fail("tar", fmt.Sprintf("has more than %d entries", maxEntries), nil)
}

func (a *Archive) complete(seen map[string]bool, fail func(string, string, error) error) error {
	for member := range a.Members {
		if !seen[member] {
			return fail(a.Folder+"/"+member, "is missing", nil)
		}
	}
	return nil
}

// writeMember writes a file. Damage is the archive's fault, err the disk's.
func writeMember(path string, r io.Reader, size int64) (damage, err error) {
	out, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o644)
	if err != nil {
		return nil, unwritable(path, err)
	}
	defer out.Close()
	from := &remembering{r: r}
	n, err := io.Copy(out, from)
	switch {
	case from.err != nil:
		return from.err, nil
	case err != nil:
		return nil, unwritable(path, err)
	case n != size:
		return io.ErrUnexpectedEOF, nil
	}
	if err := out.Close(); err != nil {
		return nil, unwritable(path, err)
	}
	return nil, nil
}

// remembering tells a failure to read from one to write.
type remembering struct {
	r   io.Reader
	err error
}

func (r *remembering) Read(p []byte) (int, error) {
	n, err := r.r.Read(p)
	if err != nil && !errors.Is(err, io.EOF) {
		r.err = err
	}
	return n, err
}
