package plugin

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"github.com/clsbench/clsbench/backends/wire"
)

// isolate gives the child a process group of its own and SIGTERM when its
// parent dies, so that it can remove its socket.
func isolate(cmd *exec.Cmd) {
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGTERM}
}

// waitUnreaped returns when the child has ended, leaving its number taken.
func waitUnreaped(pid int) {
	for {
		err := unix.Waitid(unix.P_PID, pid, nil, unix.WEXITED|unix.WNOWAIT, nil)
		if err != unix.EINTR {
			return
		}
	}
}

// killTree ends a plugin with all that it started: its group, what has left
// that but is below it still, and what has left both, as a daemon does, but has
// kept its environment, in which the run folder is the plugin's own.
func killTree(pid int, dir string) {
	_ = unix.Kill(-pid, unix.SIGSTOP) // it starts no more
	strays := descendants(pid)
	_ = unix.Kill(-pid, unix.SIGKILL)
	mark := []byte(wire.EnvRunDir + "=" + dir)
	for range 50 { // what is killed takes a moment, and may have started others
		for _, n := range strays {
			_ = unix.Kill(n, unix.SIGKILL)
		}
		if strays = marked(mark); len(strays) == 0 {
			return
		}
		time.Sleep(2 * time.Millisecond)
	}
}

// children are the processes that pid's threads have started and that have not
// been waited for.
func children(pid int) (pids []int) {
	dir := "/proc/" + strconv.Itoa(pid) + "/task"
	tasks, _ := os.ReadDir(dir)
	for _, t := range tasks {
		list, _ := os.ReadFile(filepath.Join(dir, t.Name(), "children"))
		for _, c := range strings.Fields(string(list)) {
			if n, err := strconv.Atoi(c); err == nil {
				pids = append(pids, n)
			}
		}
	}
	return pids
}

func descendants(pid int) []int {
	pids := children(pid)
	for _, c := range pids {
		pids = append(pids, descendants(c)...)
	}
	return pids
}

// marked are the processes that have this in their environment.
func marked(mark []byte) (pids []int) {
	list, _ := os.ReadDir("/proc")
	for _, e := range list {
		n, err := strconv.Atoi(e.Name())
		if err != nil || n == os.Getpid() {
			continue
		}
		environ, _ := os.ReadFile("/proc/" + e.Name() + "/environ") // others' can't be read
		if slices.ContainsFunc(bytes.Split(environ, []byte{0}), func(v []byte) bool { return bytes.Equal(v, mark) }) {
			pids = append(pids, n)
		}
	}
	return pids
}

func ownedByUs(st os.FileInfo) bool {
	s, ok := st.Sys().(*syscall.Stat_t)
	return ok && int(s.Uid) == os.Getuid()
}

// startTime is when a process began, in clock ticks since boot; 0 if there is
// none. Field 22 of proc(5)'s stat, counted from behind the name, which may
// hold anything.
func startTime(pid int) uint64 {
	b, err := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/stat")
	if err != nil {
		return 0
	}
	f := strings.Fields(string(b[bytes.LastIndexByte(b, ')')+1:]))
	if len(f) < 20 {
		return 0
	}
	n, _ := strconv.ParseUint(f[19], 10, 64)
	return n
}

// anonymousBytes is the anonymous memory of a process and its descendants,
// from proc(5)'s statm, whose third field is what RssFile and RssShmem add to.
func anonymousBytes(pid int) int64 {
	dir := "/proc/" + strconv.Itoa(pid)
	b, err := os.ReadFile(dir + "/statm")
	if err != nil {
		return 0
	}
	f := strings.Fields(string(b))
	if len(f) < 3 {
		return 0
	}
	resident, _ := strconv.ParseInt(f[1], 10, 64)
	shared, _ := strconv.ParseInt(f[2], 10, 64)
	sum := (resident - shared) * int64(os.Getpagesize())
	for _, c := range children(pid) {
		sum += anonymousBytes(c)
	}
	return sum
}
