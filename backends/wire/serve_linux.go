package wire

import (
	"os"

	"golang.org/x/sys/unix"
)

// redirectStdout lets descriptor 1 and os.Stdout be the log.
func redirectStdout(log *os.File) {
	os.Stdout, os.Stderr = log, log
	_ = unix.Dup3(int(log.Fd()), 1, 0) // C libraries write there
}

// killGroup ends the children of a plugin whose host is dead, and the plugin
// with them, if the host gave it a process group of its own.
func killGroup() {
	if unix.Getpgrp() == os.Getpid() {
		_ = unix.Kill(0, unix.SIGKILL)
	}
}
