package wire

import (
	"bufio"
	"errors"
	"fmt"
	"os"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
)

// openShared maps bytes of the file at path, which must be the one of that
// device and inode: in another PID namespace /proc/PID/fd/N names a stranger.
func openShared(path string, bytes int64, device, inode uint64) ([]byte, func() error, error) {
	fd, err := unix.Open(path, unix.O_RDWR|unix.O_CLOEXEC|unix.O_NONBLOCK, 0)
	if err != nil {
		return nil, nil, fmt.Errorf("opening %s: %w", path, err)
	}
	defer unix.Close(fd)
	var st unix.Stat_t
	if err := unix.Fstat(fd, &st); err != nil {
		return nil, nil, fmt.Errorf("looking at %s: %w", path, err)
	}
	if st.Mode&unix.S_IFMT != unix.S_IFREG || st.Dev != device || st.Ino != inode {
		return nil, nil, fmt.Errorf("%s is not the host's file", path)
	}
	if st.Size < bytes {
		return nil, nil, fmt.Errorf("%s has %d bytes, want %d", path, st.Size, bytes)
	}
	data, err := unix.Mmap(fd, 0, int(bytes), unix.PROT_READ|unix.PROT_WRITE, unix.MAP_SHARED)
	if err != nil {
		return nil, nil, fmt.Errorf("mapping %s: %w", path, err)
	}
	return data, func() error { return unix.Munmap(data) }, nil
}

// identity is what openShared compares.
func identity(f *os.File) (device, inode uint64, err error) {
	var st unix.Stat_t
	err = unix.Fstat(int(f.Fd()), &st)
	return st.Dev, st.Ino, err
}

// availableMemory is what the kernel thinks it can give without swapping.
func availableMemory() (int64, bool) {
	f, err := os.Open("/proc/meminfo")
	if err != nil {
		return 0, false
	}
	defer f.Close()
	for lines := bufio.NewScanner(f); lines.Scan(); {
		if v, ok := strings.CutPrefix(lines.Text(), "MemAvailable:"); ok {
			kb, err := strconv.ParseInt(strings.TrimSpace(strings.TrimSuffix(v, "kB")), 10, 64)
			return kb << 10, err == nil
		}
	}
	return 0, false
}

// shadow is a file that both sides map, in step with a region that the plugin
// cannot map itself. Its name is removed as soon as the plugin has it.
type shadow struct {
	data []byte
	file *os.File
}

func newShadow(dir string, bytes int64) (*shadow, error) {
	f, err := os.CreateTemp(dir, "region-*")
	if err != nil {
		return nil, err
	}
	data, err := reserve(f, bytes)
	if err != nil {
		return nil, errors.Join(fmt.Errorf("%s: %w", f.Name(), err), os.Remove(f.Name()), f.Close())
	}
	return &shadow{data, f}, nil
}

// reserve takes the blocks at once: a full file system must be an error here
// and not a SIGBUS later.
func reserve(f *os.File, bytes int64) ([]byte, error) {
	if err := unix.Fallocate(int(f.Fd()), 0, 0, bytes); err != nil {
		return nil, err
	}
	return unix.Mmap(int(f.Fd()), 0, int(bytes), unix.PROT_READ|unix.PROT_WRITE, unix.MAP_SHARED)
}

func (s *shadow) unlink() error { return os.Remove(s.file.Name()) }

func (s *shadow) close() error { return errors.Join(unix.Munmap(s.data), s.file.Close()) }
