//go:build !linux

package machine

import (
	"errors"
	"fmt"
)

// ReadProcessMemory fails: only Linux tells.
func ReadProcessMemory(pid int) (ProcessMemory, error) {
	return ProcessMemory{}, fmt.Errorf("memory of process %d: %w", pid, errors.ErrUnsupported)
}

// ResetPeak fails: only Linux can.
func ResetPeak(pid int) error {
	return fmt.Errorf("reset of the memory peak of process %d: %w", pid, errors.ErrUnsupported)
}
