package data

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/google/renameio/v2"
	"golang.org/x/sync/errgroup"
)

// treeIndex is the list of a split's files, kept in the cache so that a
// million files need not be listed at every start: listing on a disk over the
// network takes minutes. Adding, removing or renaming a file changes the
// modification time of its folder, so that a look at each folder says which of
// them must be listed again.
type treeIndex struct {
	Version int                  `json:"version"`
	Folders map[string]treeClass `json:"folders"`
}

// treeClass is one folder as it was listed.
type treeClass struct {
	Changed time.Time `json:"changed"` // the folder's own time
	Listed  time.Time `json:"listed"`
	Files   []string  `json:"files"` // sorted
}

const (
	treeIndexVersion = 1
	// A folder that changed so shortly before it was listed may have changed
	// again within the same tick of the file system's clock.
	treeTick = 2 * time.Second
)

// fresh says whether the listing still holds for a folder of that time.
func (c treeClass) fresh(changed time.Time) bool {
	return c.Changed.Equal(changed) && c.Listed.Sub(changed) > treeTick
}

// indexTree returns the image files of each folder of dir, empty where there
// is none, and keeps the index if something had to be listed.
func indexTree(ctx context.Context, dir string, folders []string, opts Options) ([][]string, error) {
	path := treeIndexPath(dir, opts)
	old := loadTreeIndex(path)
	classes := make([]treeClass, len(folders))
	listed := make([]bool, len(folders))
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(max(opts.Workers, 8)) // it waits for the disk, not for the CPU
	for i, name := range folders {
		group.Go(func() (err error) {
			if err := ctx.Err(); err != nil {
				return err
			}
			classes[i], listed[i], err = listClass(filepath.Join(dir, name), old.Folders[name])
			return err
		})
	}
	if err := group.Wait(); err != nil {
		return nil, err
	}
	out := make([][]string, len(folders))
	next, changed := treeIndex{treeIndexVersion, map[string]treeClass{}}, false
	for i, c := range classes {
		out[i], next.Folders[folders[i]] = c.Files, c
		changed = changed || listed[i]
	}
	if changed && path != "" {
		if err := saveTreeIndex(path, next); err != nil {
			opts.Log.Warn("index of images is not cached", "folder", dir, "error", err)
		}
	}
	return out, nil
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
	case known.fresh(info.ModTime()):
		return known, false, nil
	}
	c = treeClass{Changed: info.ModTime(), Listed: time.Now()}
	entries, err := os.ReadDir(dir)
	if err != nil {
		return treeClass{}, false, unreadable(err)
	}
	for _, e := range entries {
		if !e.IsDir() && imageName(e.Name()) {
			c.Files = append(c.Files, e.Name())
		}
	}
	return c, true, nil
}

// imageName says whether a file is taken for an image: by its name's end.
func imageName(name string) bool {
	switch strings.ToLower(filepath.Ext(name)) {
	case ".jpg", ".jpeg", ".png", ".webp":
		return !strings.HasPrefix(name, ".")
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
	return filepath.Join(cache, "trees", hex.EncodeToString(sum[:16])+".json")
}

// loadTreeIndex returns an empty index if there is none that can be read: it
// costs a listing.
func loadTreeIndex(path string) (x treeIndex) {
	content, err := os.ReadFile(path)
	if err != nil || json.Unmarshal(content, &x) != nil || x.Version != treeIndexVersion {
		return treeIndex{}
	}
	for name, c := range x.Folders {
		for _, file := range c.Files {
			if file != filepath.Base(file) || !imageName(file) {
				delete(x.Folders, name) // not what this package writes
				break
			}
		}
	}
	return x
}

func saveTreeIndex(path string, x treeIndex) error {
	content, err := json.Marshal(x)
	if err != nil {
		return err
	}
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return err
	}
	return renameio.WriteFile(path, content, 0o644, renameio.WithTempDir(filepath.Dir(path)))
}
