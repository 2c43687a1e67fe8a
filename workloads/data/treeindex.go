package data

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"golang.org/x/sync/errgroup"
)

// treeIndex is the list of a split's files, kept in the cache so that a
// million files need not be listed at every start: listing on a disk over the
// network takes minutes. Adding, removing or renaming a file changes the
// modification time of its folder, and another folder under the same name has
// another number, so that a look at each folder says which of them must be
// listed again. What a file holds is not in the index: it is read when asked
// for, and verdicts on it hold for one state of the file.
type treeIndex struct {
	dir     string
	folders []string
	classes []treeClass // of folders, one each
	learnt  bool        // something that the cached index lacks
}

// treeClass is one folder as it was listed.
type treeClass struct {
	changed  time.Time // the folder's own time
	number   uint64    // … and its inode
	listed   time.Time
	names    nameList  // sorted
	verdicts []verdict // of each file; nil if none was asked for
}

// A folder that changed so shortly before it was listed may have changed again
// within the same tick of the file system's clock.
const treeTick = 2 * time.Second

// nameList is a list of file names in one string, each ended by a zero byte, which
// no name has: 4 bytes a name beside its own.
type nameList struct {
	blob string
	ends []uint32
}

func (n nameList) len() int { return len(n.ends) }

func (n nameList) at(i int) string {
	start := uint32(0)
	if i > 0 {
		start = n.ends[i-1] + 1
	}
	return n.blob[start:n.ends[i]]
}

// namesOf finds the names in a blob of so many.
func namesOf(blob string, count int) nameList {
	n := nameList{blob, make([]uint32, 0, count)}
	for at := 0; at < len(blob); {
		end := strings.IndexByte(blob[at:], 0)
		if end < 0 {
			break
		}
		at += end
		n.ends = append(n.ends, uint32(at))
		at++
	}
	return n
}

// fresh says whether the listing still holds for the folder.
func (c treeClass) fresh(info fs.FileInfo) bool {
	return c.changed.Equal(info.ModTime()) && c.number == inode(info) && c.listed.Sub(c.changed) > treeTick
}

func inode(info fs.FileInfo) uint64 {
	if s, ok := info.Sys().(*syscall.Stat_t); ok {
		return s.Ino
	}
	return 0
}

// indexTree lists the image files of each folder of dir, none where there is no
// such folder.
func indexTree(ctx context.Context, dir string, folders []string, opts Options) (*treeIndex, error) {
	old := loadTreeIndex(treeIndexPath(dir, opts))
	x := &treeIndex{dir: dir, folders: folders, classes: make([]treeClass, len(folders))}
	listed := make([]bool, len(folders))
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(max(opts.Workers, 8)) // it waits for the disk, not for the CPU
	for i, name := range folders {
		group.Go(func() (err error) {
			if err := ctx.Err(); err != nil {
				return err
			}
			x.classes[i], listed[i], err = listClass(filepath.Join(dir, name), old[name])
			return err
		})
	}
	if err := group.Wait(); err != nil {
		return nil, err
	}
	for _, l := range listed {
		x.learnt = x.learnt || l
	}
	return x, nil
}

// listClass lists a folder anew unless what is known of it holds.
func listClass(dir string, known treeClass) (c treeClass, listed bool, err error) {
	unreadable := func(err error) error {
		return &Error{Kind: Unreadable, File: dir, What: "cannot be read", Mend: "look at its permissions", Err: errors.Unwrap(err)}
	}
	info, err := os.Stat(dir)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return treeClass{}, false, nil
	case err != nil:
		return treeClass{}, false, unreadable(err)
	case known.fresh(info):
		return known, false, nil
	}
	c = treeClass{changed: info.ModTime(), number: inode(info), listed: time.Now()}
	entries, err := os.ReadDir(dir)
	if err != nil {
		return treeClass{}, false, unreadable(err)
	}
	var blob strings.Builder
	count := 0
	for _, e := range entries {
		if !e.IsDir() && imageName(e.Name()) {
			blob.WriteString(e.Name())
			blob.WriteByte(0)
			count++
		}
	}
	if blob.Len() > maxTreeIndex {
		return treeClass{}, false, &Error{Kind: Oversized, File: dir, What: "has too many files for one folder", Mend: "spread its images over several trees"}
	}
	c.names = namesOf(blob.String(), count)
	c.keepVerdicts(known)
	return c, true, nil
}

// keepVerdicts takes over what is known of files that are still there.
func (c *treeClass) keepVerdicts(known treeClass) {
	if known.verdicts == nil {
		return
	}
	c.verdicts = make([]verdict, c.names.len())
	k := 0
	for i := range c.verdicts {
		name := c.names.at(i)
		for k < known.names.len() && known.names.at(k) < name {
			k++
		}
		if k < known.names.len() && known.names.at(k) == name {
			c.verdicts[i] = known.verdicts[k]
		}
	}
}

// imageName says whether a file is taken for an image: by its name's end.
func imageName(name string) bool {
	if strings.HasPrefix(name, ".") {
		return false
	}
	end := filepath.Ext(name)
	for _, known := range [...]string{".jpg", ".jpeg", ".png", ".webp"} {
		if strings.EqualFold(end, known) {
			return true
		}
	}
	return false
}

// treeIndexPath is where the index of a folder is kept, empty for nowhere.
func treeIndexPath(dir string, opts Options) string {
	cache := opts.CacheDir
	if cache == "" {
		var err error
		if cache, err = CacheDir(); err != nil {
			return ""
		}
	}
	abs, err := filepath.Abs(dir)
	if err != nil {
		return ""
	}
	sum := sha256.Sum256([]byte(abs))
	return filepath.Join(cache, "trees", hex.EncodeToString(sum[:16])+".index")
}
