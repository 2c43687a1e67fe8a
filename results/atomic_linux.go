package results

import (
	"errors"
	"fmt"
	"io/fs"
	"os"

	"golang.org/x/sys/unix"
)

// writeUnnamed is writeNew through a file that has no name until it is whole: a killed process leaves nothing.
// It is errors.ErrUnsupported where the file system has no such files, or /proc is not mounted.
func writeUnnamed(dir string, name func(int) string, data []byte) (string, error) {
	fd, err := unix.Open(dir, unix.O_TMPFILE|unix.O_WRONLY|unix.O_CLOEXEC, 0o644)
	switch {
	case errors.Is(err, unix.EOPNOTSUPP) || errors.Is(err, unix.EISDIR) || errors.Is(err, unix.EINVAL):
		return "", errors.ErrUnsupported // EISDIR: the kernel does not know the flag
	case err != nil:
		return "", &fs.PathError{Op: "create a file in", Path: dir, Err: err}
	}
	f := os.NewFile(uintptr(fd), dir)
	defer f.Close()
	if _, err := f.Write(data); err != nil {
		return "", err
	}
	if err := f.Sync(); err != nil {
		return "", err
	}
	self := fmt.Sprintf("/proc/self/fd/%d", fd)
	if _, err := os.Stat(self); err != nil {
		return "", errors.ErrUnsupported
	}
	return firstFree(dir, name, func(path string) error {
		err := unix.Linkat(unix.AT_FDCWD, self, unix.AT_FDCWD, path, unix.AT_SYMLINK_FOLLOW)
		if err != nil {
			return &fs.PathError{Op: "create", Path: path, Err: err}
		}
		return nil
	})
}

// moveNew gives a file a new name unless that exists. File systems without hard links (FAT, some network ones) can
// rename without replacing.
func moveNew(from, to string) error {
	err := os.Link(from, to)
	if errors.Is(err, unix.EPERM) || errors.Is(err, errors.ErrUnsupported) {
		return unix.Renameat2(unix.AT_FDCWD, from, unix.AT_FDCWD, to, unix.RENAME_NOREPLACE)
	}
	return err
}
