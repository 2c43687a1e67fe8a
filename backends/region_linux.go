package backends

import (
	"errors"
	"fmt"
	"os"

	"golang.org/x/sys/unix"
)

// NewRegion makes a zeroed region of shared memory behind a memfd, which has
// no name to leak. Its pages are reserved at once: a full tmpfs must be an
// error here and not a SIGBUS later; and its size is sealed, since whoever may
// write a file may truncate it, and the host would die of the plugin's doing.
// Failure is ResourceExhausted.
func NewRegion(bytes int64) (*Region, error) {
	if bytes < 1 {
		return nil, Errorf(InvalidArgument, "region of %d bytes: want at least 1", bytes)
	}
	fd, err := unix.MemfdCreate("clsbench", unix.MFD_CLOEXEC|unix.MFD_ALLOW_SEALING)
	if errors.Is(err, unix.ENOSYS) || errors.Is(err, unix.EPERM) {
		// An old kernel or a sandbox: the transport will keep private memory in step.
		return NewPrivateRegion(bytes), nil
	}
	if err != nil {
		return nil, fmt.Errorf("memfd: %w", err)
	}
	f := os.NewFile(uintptr(fd), "memfd:clsbench")
	if err := unix.Fallocate(fd, 0, 0, bytes); err != nil {
		f.Close()
		return nil, &Error{Code: ResourceExhausted, Message: "shared memory: " + err.Error(), Wanted: bytes}
	}
	if _, err := unix.FcntlInt(f.Fd(), unix.F_ADD_SEALS, unix.F_SEAL_SHRINK|unix.F_SEAL_GROW|unix.F_SEAL_SEAL); err != nil {
		f.Close()
		return nil, fmt.Errorf("sealing shared memory: %w", err)
	}
	data, err := unix.Mmap(fd, 0, int(bytes), unix.PROT_READ|unix.PROT_WRITE, unix.MAP_SHARED)
	if err != nil {
		f.Close()
		return nil, &Error{Code: ResourceExhausted, Message: "mapping shared memory: " + err.Error(), Wanted: bytes}
	}
	return &Region{ID: lastRegion.Add(1), Data: data, File: f, unmap: func() error {
		return errors.Join(unix.Munmap(data), f.Close())
	}}, nil
}
