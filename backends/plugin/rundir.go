package plugin

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync/atomic"

	"github.com/gofrs/flock"
)

// runDir is the folder of one running plugin: its socket, its log, the files
// of regions. The host holds a lock in it for as long as it lives, so that a
// later host can tell what was left behind.
type runDir struct {
	path string
	lock *flock.Flock
}

var lastDir atomic.Uint64

const (
	lockName = "lock"
	pidName  = "pid"
)

// maxSocketPath is sockaddr_un's 108 bytes less the terminating zero.
const maxSocketPath = 107

// defaultBase is where run folders are when nobody says.
func defaultBase() string {
	return filepath.Join(os.TempDir(), fmt.Sprintf("clsbench-%d", os.Getuid()))
}

// newRunDir sweeps base and makes a folder in it.
func newRunDir(base string) (*runDir, error) {
	if err := ownDir(base); err != nil {
		return nil, err
	}
	// go-plugin makes plugin-dirN/pluginN below it, N of up to ten digits.
	name := fmt.Sprintf("%d.%d", os.Getpid(), lastDir.Add(1))
	if n := len(filepath.Join(base, name, "plugin-dir0000000000", "plugin0000000000")); n > maxSocketPath {
		return nil, fmt.Errorf("%s is too long a path for a socket by %d bytes: set TMPDIR to a shorter one", base, n-maxSocketPath)
	}
	// Under the gate a folder without a lock holder is a folder left behind, not
	// one about to be locked.
	gate := flock.New(filepath.Join(base, "gate"))
	if err := gate.Lock(); err != nil {
		return nil, err
	}
	defer gate.Close()
	sweep(base)
	d := &runDir{path: filepath.Join(base, name)}
	if err := os.Mkdir(d.path, 0o700); err != nil {
		return nil, err
	}
	d.lock = flock.New(filepath.Join(d.path, lockName))
	if ok, err := d.lock.TryLock(); !ok || err != nil {
		return nil, errors.Join(fmt.Errorf("locking %s", d.path), err, os.RemoveAll(d.path))
	}
	return d, nil
}

// ownDir makes base, or sees to it that it is ours: others must not find or
// plant sockets in it.
func ownDir(base string) error {
	if err := os.MkdirAll(base, 0o700); err != nil {
		return err
	}
	st, err := os.Lstat(base)
	if err != nil {
		return err
	}
	if !st.IsDir() || st.Mode().Perm()&0o077 != 0 || !ownedByUs(st) {
		return fmt.Errorf("%s: want a folder of your own with mode 0700; remove it or set TMPDIR", base)
	}
	return nil
}

// sweep removes what hosts that were killed together with their plugins have
// left in base, and ends plugins that outlived them. It does what it can: what
// it can't remove another start may.
func sweep(base string) {
	entries, err := os.ReadDir(base)
	if err != nil {
		return
	}
	for _, e := range entries {
		if !e.IsDir() {
			continue
		}
		dir := filepath.Join(base, e.Name())
		lock := flock.New(filepath.Join(dir, lockName))
		if ok, err := lock.TryLock(); ok && err == nil {
			killOrphan(dir)
			_ = os.RemoveAll(dir)
		}
		_ = lock.Close()
	}
}

// record notes the plugin's process, for a sweep.
func (d *runDir) record(pid int) error {
	return os.WriteFile(filepath.Join(d.path, pidName), []byte(fmt.Sprintf("%d %d\n", pid, startTime(pid))), 0o600)
}

func killOrphan(dir string) {
	b, err := os.ReadFile(filepath.Join(dir, pidName))
	if err != nil {
		return
	}
	pid, started, ok := strings.Cut(strings.TrimSpace(string(b)), " ")
	n, err := strconv.Atoi(pid)
	// A process of that number that began at another time is a stranger.
	if ok && err == nil && n > 1 && started != "0" && started == strconv.FormatUint(startTime(n), 10) {
		killTree(n, dir)
	}
}

func (d *runDir) close() error {
	return errors.Join(os.RemoveAll(d.path), d.lock.Close())
}
