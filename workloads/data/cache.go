package data

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/gofrs/flock"
)

// CacheEnv names the environment variable that moves the cache.
const CacheEnv = "CLSBENCH_CACHE"

// CacheDir returns the folder that generated sets are kept in: $CLSBENCH_CACHE,
// or clsbench in the user's cache folder. It need not exist.
func CacheDir() (string, error) {
	if dir := os.Getenv(CacheEnv); dir != "" {
		return dir, nil
	}
	dir, err := os.UserCacheDir()
	if err != nil {
		return "", fmt.Errorf("no cache folder: set %s: %w", CacheEnv, err)
	}
	return filepath.Join(dir, "clsbench"), nil
}

// cached returns the set from the cache if what lies there has the pinned
// digest, else draws it and puts it there. One process draws it, others wait
// for it; a cache that cannot be used costs time, never the set.
func cached(ctx context.Context, info Info, opts Options, draw func() (*Set, error)) (*Set, error) {
	dir := opts.CacheDir
	if dir == "" {
		var err error
		if dir, err = CacheDir(); err != nil {
			opts.Log.Warn("data set is not cached", "set", info.Name, "error", err)
			return pinned(info, draw)
		}
	}
	dir = filepath.Join(dir, strings.ReplaceAll(info.Name, "/", "-"))
	if set := fromCache(ctx, dir, info, opts); set != nil {
		return set, nil
	}
	unlock, err := lock(ctx, dir+".lock")
	if ctx.Err() != nil {
		return nil, ctx.Err()
	}
	if err != nil {
		opts.Log.Warn("data set is not cached", "set", info.Name, "error", err)
		return pinned(info, draw)
	}
	defer unlock()
	if set := fromCache(ctx, dir, info, opts); set != nil { // another process was faster
		return set, nil
	}
	set, err := pinned(info, draw)
	if err != nil {
		return nil, err
	}
	if err := replaceCache(dir, set); err != nil {
		opts.Log.Warn("data set is not cached", "set", info.Name, "error", err)
	}
	return set, nil
}

// pinned draws the set and holds it against its digest: a set that comes out
// different here would give accuracies that cannot be compared.
func pinned(info Info, draw func() (*Set, error)) (*Set, error) {
	set, err := draw()
	if err != nil {
		return nil, err
	}
	if got := set.Digest(); got != info.Digest {
		return nil, fmt.Errorf("data set %s came out as SHA-256 %s, not %s: report this machine and Go version as a defect of clsbench",
			info.Name, got, info.Digest)
	}
	return set, nil
}

// fromCache returns the cached set, nil if there is none or it is torn.
func fromCache(ctx context.Context, dir string, info Info, opts Options) *Set {
	opts.Classes = len(info.Classes)
	set, err := readIDXDir(ctx, dir, opts)
	if err != nil {
		opts.Log.Debug("no cached data set", "set", info.Name, "error", err)
		return nil
	}
	if got := set.Digest(); got != info.Digest {
		opts.Log.Warn("cached data set is damaged, drawing it again", "set", info.Name, "folder", dir, "sha256", got)
		return nil
	}
	set.Name, set.Classes = info.Name, info.Classes
	return set
}

// replaceCache writes the set's files after clearing the folder, so that
// nothing that a killed process left there stays.
func replaceCache(dir string, set *Set) error {
	if err := os.RemoveAll(dir); err != nil {
		return err
	}
	return writeIDXDir(dir, set, false)
}

// lock takes the file lock that whoever fills the cache holds. The system
// frees it when its holder dies.
func lock(ctx context.Context, path string) (unlock func(), err error) {
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return nil, err
	}
	l := flock.New(path)
	if _, err := l.TryLockContext(ctx, 20*time.Millisecond); err != nil {
		_ = l.Close()
		return nil, err
	}
	return func() { _ = l.Close() }, nil
}
