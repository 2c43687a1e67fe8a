//go:build !linux

package opbench

// pin does nothing where threads can't be placed.
func pin(int) {}
