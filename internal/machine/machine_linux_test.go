package machine

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/txtar"
	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"
	"pgregory.net/rapid"
)

const (
	waitLong = 5 * time.Second
	tick     = time.Millisecond
)

// fixture unpacks a machine's files; its process is number 77.
func fixture(t testing.TB, name string) host {
	t.Helper()
	archive, err := txtar.ParseFile(filepath.Join("testdata", name))
	require.NoError(t, err)
	root := t.TempDir()
	require.NoError(t, txtar.Write(archive, root))
	// procfs finds this process by the link /proc/self; the files of ours lie in both places.
	self, numbered := filepath.Join(root, "proc", "self"), filepath.Join(root, "proc", "77")
	entries, err := os.ReadDir(self)
	require.NoError(t, err)
	for _, e := range entries {
		require.NoError(t, os.Rename(filepath.Join(self, e.Name()), filepath.Join(numbered, e.Name())))
	}
	require.NoError(t, os.Remove(self))
	require.NoError(t, os.Symlink("77", self))
	return host{root: root, getenv: func(string) string { return "" }}
}

func TestCaptureV1(t *testing.T) {
	h := fixture(t, "v1.txtar")
	h.getenv = func(name string) string {
		return map[string]string{"OPENBLAS_CORETYPE": "Haswell", "HOME": "/home/somebody"}[name]
	}
	i := h.capture(context.Background())
	require.Equal(t, "Intel(R) Xeon(R) Platinum 8480+", i.CPU.Model)
	require.Equal(t, []int{0, 1, 2, 3}, i.CPU.Allowed)
	require.Equal(t, 8, i.CPU.LogicalCPUs)
	require.Equal(t, 4, i.CPU.PhysicalCores)
	require.Equal(t, 2, i.CPU.Sockets)
	require.Equal(t, 2, i.CPU.ThreadsPerCore)
	require.Equal(t, 2, i.CPU.NUMANodes)
	require.Equal(t, "on", i.CPU.SMT)
	require.Equal(t, "on", i.CPU.Boost)
	require.Equal(t, "powersave", i.CPU.Governor)
	require.Equal(t, 2500.0, i.CPU.MHz, "the driver's clocks, not cpuinfo's")
	require.Equal(t, 3800.0, i.CPU.MaxMHz)
	require.Equal(t, []Cache{{1, "data", 48 << 10, 2}, {1, "instruction", 32 << 10, 2}, {3, "unified", 105 << 20, 4}}, i.CPU.Caches)
	require.Equal(t, Cgroup{"v1", 1.5, 4 << 30}, i.Cgroup, "the parent's quota and the group's own memory limit")
	require.Equal(t, "docker", i.Container)
	require.EqualValues(t, 16384000<<10, i.Memory.Total)
	require.EqualValues(t, 8192000<<10, i.Memory.Available)
	require.EqualValues(t, 2048000<<10, i.Memory.Swap)
	require.Equal(t, "never", i.Memory.HugePages)
	require.Equal(t, "Debian GNU/Linux 11 (bullseye)", i.Software.OS)
	require.Equal(t, "5.10.0-28-amd64", i.Software.Kernel)
	require.Equal(t, map[string]string{"OPENBLAS_CORETYPE": "Haswell"}, i.Environment)
}

func TestCaptureV2(t *testing.T) {
	h := fixture(t, "v2.txtar")
	h.virtual = true
	i := h.capture(context.Background())
	require.Equal(t, Cgroup{"v2", 0.5, 1 << 30}, i.Cgroup, "the slice's limits are tighter than the scope's")
	require.Equal(t, None, i.Container)
	require.Zero(t, i.CPU.MHz, "a guest's cpuinfo repeats the nominal clock")
	require.Equal(t, Unknown, i.CPU.Governor)
	require.Equal(t, Unknown, i.CPU.SMT)
	require.Zero(t, i.CPU.PhysicalCores)
	require.Equal(t, "madvise", i.Memory.HugePages)

	h.virtual = false
	require.Equal(t, 3700.0, h.capture(context.Background()).CPU.MHz, "bare metal without a frequency driver")
}

func TestCgroupHybrid(t *testing.T) {
	h := fixture(t, "v1.txtar")
	mounts := filepath.Join(h.root, "proc/self/mountinfo")
	b, err := os.ReadFile(mounts)
	require.NoError(t, err)
	b = append(b, "40 30 0:37 / /sys/fs/cgroup/unified rw,relatime - cgroup2 cgroup2 rw\n"...)
	require.NoError(t, os.WriteFile(mounts, b, 0o600))
	require.Equal(t, Cgroup{"hybrid", 1.5, 4 << 30}, h.cgroup(), "the controllers stay in their v1 trees")
}

func TestCgroupMemoryLimit(t *testing.T) {
	for _, c := range []struct {
		name, own, parent string
		want              int64
	}{
		{"the group's own is tighter", "4294967296", "8589934592", 4 << 30},
		{"the parent's is tighter", "4294967296", "1073741824", 1 << 30},
		{"none anywhere", "9223372036854771712", "9223372036854771712", 0},
		{"unreadable", "", "many", 0},
	} {
		h := fixture(t, "v1.txtar")
		for dir, text := range map[string]string{"docker/abc": c.own, "docker": c.parent} {
			require.NoError(t, os.WriteFile(filepath.Join(h.root, "sys/fs/cgroup/memory", dir, "memory.limit_in_bytes"), []byte(text+"\n"), 0o600))
		}
		require.Equal(t, c.want, h.cgroup().MemoryLimit, c.name)
	}
}

func TestCgroupNone(t *testing.T) {
	h := fixture(t, "v1.txtar")
	require.NoError(t, os.WriteFile(filepath.Join(h.root, "proc/self/mountinfo"), []byte("22 1 254:1 / / rw - ext4 /dev/root rw\n"), 0o600))
	require.Equal(t, Cgroup{Version: None}, h.cgroup())
}

func TestGroupDirs(t *testing.T) {
	for _, c := range []struct {
		name, root, place string
		want              []string
	}{
		{"whole tree", "/", "/a/b", []string{"/m/a/b", "/m/a", "/m"}},
		{"own namespace", "/", "/", []string{"/m"}},
		{"the container's part is mounted", "/docker/abc", "/docker/abc/job", []string{"/m/job", "/m"}},
		{"the container's part, at its top", "/docker/abc", "/docker/abc", []string{"/m"}},
		{"outside of what is mounted", "/docker/abc", "/elsewhere", []string{"/m"}},
		{"outside of the namespace", "/", "/../x", []string{"/m"}},
		{"not in the tree", "/", "", []string{"/m"}},
	} {
		require.Equal(t, c.want, groupDirs(mount{root: c.root, point: "/m"}, c.place), c.name)
	}
}

func TestParseMount(t *testing.T) {
	m, ok := parseMount(`30 22 0:27 /a\040b /sys/fs/c\134d rw,relatime shared:4 master:1 - cgroup2 cgroup2 rw,nsdelegate`)
	require.True(t, ok)
	require.Equal(t, mount{"/a b", `/sys/fs/c\d`, "cgroup2", "rw,nsdelegate"}, m)
	for _, bad := range []string{"", "30 22 0:27 / /sys", "1 2 3 / /x rw - ext4 /dev/root rw", "- cgroup", "1 2 3 / /x rw - cgroup"} {
		_, ok := parseMount(bad)
		require.False(t, ok, bad)
	}
}

func TestConditionsV1(t *testing.T) {
	h := fixture(t, "v1.txtar")
	w := &Watcher{h, h.snapshot()}
	require.InDelta(t, 0.21, *w.start.load, 1e-9)
	require.Equal(t, &throttle{500, 7, 2.5}, w.start.quota, "those of the group whose quota binds")
	require.EqualValues(t, 11, *w.start.thermal)
	require.Equal(t, stall{1, 0}, w.start.pressure["cpu"])

	write := func(name, text string) {
		require.NoError(t, os.WriteFile(filepath.Join(h.root, name), []byte(text), 0o600))
	}
	write("proc/stat", `cpu  0 0 0 0 0 0 0 0 0 0
cpu0 350 0 125 2000 25 0 12 108 0 0
cpu1 250 0 125 2100 25 0 13 87 0 0
cpu2 250 0 125 2100 25 0 12 88 0 0
cpu3 250 0 125 2080 25 0 13 87 0 0
cpu4 99999 0 9 9 9 0 9 99999 0 0
`)
	write("sys/fs/cgroup/cpu,cpuacct/docker/cpu.stat", "nr_periods 600\nnr_throttled 9\nthrottled_time 2750000000\n")
	write("sys/devices/system/cpu/cpu1/thermal_throttle/core_throttle_count", "8\n")
	c := w.Stop()
	require.InDelta(t, 5, *c.StealPercent, 1e-6, "20 of 400 ticks, over the allowed CPUs only")
	require.InDelta(t, 30, *c.BusyPercent, 1e-6)
	require.EqualValues(t, 100, *c.Periods)
	require.EqualValues(t, 2, *c.Throttled)
	require.InDelta(t, 0.25, *c.ThrottledSeconds, 1e-9)
	require.EqualValues(t, 2, *c.ThermalEvents)
	require.InDelta(t, 0, *c.Pressure.CPU, 1e-9)
	require.Nil(t, c.Pressure.IO, "the fixture's kernel does not count it")
}

func TestConditionsV2(t *testing.T) {
	h := fixture(t, "v2.txtar")
	s := h.snapshot()
	require.Equal(t, &throttle{40, 4, 0.75}, s.quota)
	require.Nil(t, s.thermal)
	require.Empty(t, s.pressure)
}

func TestOwnSeconds(t *testing.T) {
	h := fixture(t, "v1.txtar")
	fs, err := h.proc()
	require.NoError(t, err)
	require.Nil(t, ownSeconds(fs), "no record of this process")
	for pid, record := range map[int]string{
		77: statLine(77, 1, 100, 50, 1000, 0),  // we, with a plugin of 10 s that has ended
		80: statLine(80, 77, 200, 0, 0, 0),     // a plugin
		81: statLine(81, 80, 25, 25, 0, 300),   // its child, with one of its own that has ended
		90: statLine(90, 1, 99999, 9999, 0, 0), // somebody else
	} {
		dir := filepath.Join(h.root, "proc", fmt.Sprint(pid))
		require.NoError(t, os.MkdirAll(dir, 0o700))
		require.NoError(t, os.WriteFile(filepath.Join(dir, "stat"), []byte(record), 0o600))
	}
	require.InDelta(t, 1.5+10+2+0.5+3, *ownSeconds(fs), 1e-9)
}

// statLine is a /proc/PID/stat with these times in ticks; its name has a blank and a parenthesis in it.
func statLine(pid, parent, user, system, childUser, childSystem int) string {
	return fmt.Sprintf("%d (a (b) c) S %d 1 1 0 -1 4194560 0 0 0 0 %d %d %d %d 20 0 1 0 100 1000 10 18446744073709551615"+
		" 1 1 0 0 0 0 0 0 0 0 0 0 17 0 0 0 0 0 0 0 0 0 0 0 0 0 0\n", pid, parent, user, system, childUser, childSystem)
}

func TestOwnWorkIsNotOthers(t *testing.T) {
	w := Watch()
	child := exec.Command("sh", "-c", "i=0; while [ $i -lt 200000 ]; do i=$((i+1)); done")
	require.NoError(t, child.Run())
	end := w.host.snapshot()
	require.Greater(t, *end.own, *w.start.own, "an ended child's time counts as ours")
	c := w.Stop()
	require.NotNil(t, c.OtherPercent)
	require.LessOrEqual(t, *c.OtherPercent, *c.BusyPercent)
}

func TestCPUList(t *testing.T) {
	for in, want := range map[string][]int{
		"0": {0}, "0-3": {0, 1, 2, 3}, "0-1,4,6-7": {0, 1, 4, 6, 7}, "": nil, "3-1": nil, "x": nil, "-1": nil, "0-": nil, "0-999999999": nil, "0,": nil,
	} {
		require.Equal(t, want, cpuList(in), in)
	}
	rapid.Check(t, func(t *rapid.T) {
		text, want, next := "", []int(nil), 0
		for range rapid.IntRange(1, 5).Draw(t, "parts") {
			first := next + rapid.IntRange(0, 3).Draw(t, "gap")
			length := rapid.IntRange(1, 4).Draw(t, "length")
			if text != "" {
				text += ","
			}
			text += fmt.Sprint(first)
			if length > 1 {
				text += fmt.Sprint("-", first+length-1)
			}
			for n := range length {
				want = append(want, first+n)
			}
			next = first + length
		}
		require.Equal(t, want, cpuList(text))
	})
}

func FuzzKernelText(f *testing.F) {
	f.Add("0-3,8", `31 30 0:28 / /sys/fs/cgroup/cpu rw shared:9 - cgroup cgroup rw,cpu`, "/a/b")
	f.Add("4294967295-", `31 30 0:28 /docker /m rw - cgroup2 x y`, "/../..")
	f.Fuzz(func(t *testing.T, list, line, place string) {
		if got := cpuList(list); len(got) > maxCPUs {
			t.Fatalf("a list of %d CPUs from %q", len(got), list)
		}
		if n := kernelSize(list); n < 0 {
			t.Fatalf("size %d from %q", n, list)
		}
		if m, ok := parseMount(line); ok {
			dirs := groupDirs(m, place)
			if dirs[len(dirs)-1] != filepath.Join(m.point, "/") {
				t.Fatalf("the walk from %q ends at %q, not at the mount %q", place, dirs[len(dirs)-1], m.point)
			}
		}
	})
}

func TestProcessMemory(t *testing.T) {
	const bytes = 32 << 20
	pid := os.Getpid()
	before, err := ReadProcessMemory(pid)
	require.NoError(t, err)

	mem, err := unix.Mmap(-1, 0, bytes, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_PRIVATE|unix.MAP_ANONYMOUS)
	require.NoError(t, err)
	touch(mem)
	private, err := ReadProcessMemory(pid)
	require.NoError(t, err)
	require.Greater(t, private.Anonymous, before.Anonymous+bytes*3/4)
	require.GreaterOrEqual(t, private.Peak, private.Resident)
	require.NoError(t, unix.Munmap(mem))

	fd, err := unix.MemfdCreate("region", 0)
	require.NoError(t, err)
	defer unix.Close(fd)
	require.NoError(t, unix.Ftruncate(fd, bytes))
	region, err := unix.Mmap(fd, 0, bytes, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_SHARED)
	require.NoError(t, err)
	touch(region)
	shared, err := ReadProcessMemory(pid)
	require.NoError(t, err)
	require.GreaterOrEqual(t, shared.Shared, before.Shared+bytes, "a touched region counts as shared")
	require.Less(t, shared.Anonymous, private.Anonymous, "and not as anonymous")
	require.NoError(t, unix.Munmap(region))

	if err := ResetPeak(pid); err != nil {
		t.Skipf("no right to reset: %v", err)
	}
	after, err := ReadProcessMemory(pid)
	require.NoError(t, err)
	require.Less(t, after.Peak, private.Peak-bytes/2, "the peak starts again from what is resident")
}

func touch(b []byte) {
	for n := 0; n < len(b); n += 4096 {
		b[n] = 1
	}
}

func TestProcessMemoryOfAChildIsItsOwn(t *testing.T) {
	// A child's ru_maxrss starts at its parent's peak; VmHWM must not.
	mem, err := unix.Mmap(-1, 0, 64<<20, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_PRIVATE|unix.MAP_ANONYMOUS)
	require.NoError(t, err)
	touch(mem)
	defer unix.Munmap(mem)
	child := exec.Command("sleep", "60")
	require.NoError(t, child.Start())
	defer child.Wait()
	defer child.Process.Kill()
	m, err := ReadProcessMemory(child.Process.Pid)
	require.NoError(t, err)
	require.Positive(t, m.Peak)
	require.Less(t, m.Peak, int64(32<<20))
}

func TestProcessMemoryOfNone(t *testing.T) {
	child := exec.Command("true")
	require.NoError(t, child.Run())
	_, err := ReadProcessMemory(child.Process.Pid)
	require.ErrorContains(t, err, fmt.Sprint(child.Process.Pid))
	require.Error(t, ResetPeak(child.Process.Pid))

	ended := exec.Command("true")
	stdout, err := ended.StdoutPipe()
	require.NoError(t, err)
	require.NoError(t, ended.Start())
	_, _ = stdout.Read(make([]byte, 1)) // end of file: it has exited, but was not waited for
	require.Eventually(t, func() bool {
		_, err := ReadProcessMemory(ended.Process.Pid)
		return err != nil
	}, waitLong, tick, "a zombie has no memory to count")
	require.NoError(t, ended.Wait())
}
