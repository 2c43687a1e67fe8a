package machine

import (
	"errors"
	"fmt"
	"os"
	"strconv"

	"github.com/prometheus/procfs"
)

// ReadProcessMemory reads a process's memory from /proc/PID/status. It fails if there is no such process, or one that
// has ended and not been waited for: that one has no memory left to count.
func ReadProcessMemory(pid int) (ProcessMemory, error) {
	fs, err := procfs.NewDefaultFS()
	if err != nil {
		return ProcessMemory{}, fmt.Errorf("memory of process %d: %w", pid, err)
	}
	p, err := fs.Proc(pid)
	if err != nil {
		return ProcessMemory{}, fmt.Errorf("memory of process %d: %w", pid, err)
	}
	s, err := p.NewStatus()
	if err != nil {
		return ProcessMemory{}, fmt.Errorf("memory of process %d: %w", pid, err)
	}
	if s.VmHWM == 0 {
		return ProcessMemory{}, fmt.Errorf("memory of process %d: %w", pid, errNoMemory)
	}
	return ProcessMemory{
		Peak: int64(s.VmHWM), Resident: int64(s.VmRSS),
		Anonymous: int64(s.RssAnon), File: int64(s.RssFile), Shared: int64(s.RssShmem),
	}, nil
}

var errNoMemory = errors.New("it has ended, or is a thread of the kernel")

// ResetPeak sets the process's ProcessMemory.Peak to what is resident now, so that the next reading tells of the time
// from here on. It needs the right to write to the process's clear_refs (same user, or CAP_SYS_RESOURCE in some
// containers) and a kernel built with CONFIG_PROC_PAGE_MONITOR; where it fails, the peak is that of the whole life.
func ResetPeak(pid int) error {
	// 5 resets the peak and touches nothing else (proc(5)).
	if err := os.WriteFile("/proc/"+strconv.Itoa(pid)+"/clear_refs", []byte("5"), 0); err != nil {
		return fmt.Errorf("reset of the memory peak of process %d: %w", pid, err)
	}
	return nil
}
