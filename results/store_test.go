package results

import (
	"errors"
	"io/fs"
	"math"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/gofrs/flock"
	"github.com/stretchr/testify/require"

	"github.com/clsbench/clsbench/internal/machine"
)

func TestSaveNeverOverwrites(t *testing.T) {
	s := Store{filepath.Join(t.TempDir(), "new", "results")}
	var names []string
	for i := range 3 {
		p, err := s.Save(fixture("two.json", uint64(i)))
		require.NoError(t, err)
		names = append(names, filepath.Base(p))
		back, err := ReadFile(p)
		require.NoError(t, err)
		require.Equal(t, uint64(i), back.Run.Seed)
	}
	require.Equal(t, []string{"2026-11-24-cpu+torch-lenet5.json", "2026-11-24-cpu+torch-lenet5-2.json", "2026-11-24-cpu+torch-lenet5-3.json"}, names)
	left, err := os.ReadDir(s.Dir)
	require.NoError(t, err)
	require.Len(t, left, 3, "nothing else in the folder")
	p, err := s.Save(fixture("five.json", 1))
	require.NoError(t, err)
	require.Equal(t, "2026-11-24-cpu+torch-1.13-channels-last+onnxruntime+2more-lenet5.json", filepath.Base(p))
}

func TestSaveRefusesAnInvalidDocument(t *testing.T) {
	s := Store{t.TempDir()}
	d := fixture("one.json", 1)
	d.Results[0].Throughput.Low = d.Results[0].Throughput.High * 2
	_, err := s.Save(d)
	require.ErrorContains(t, err, "/results/0/throughput/median")
	left, _ := os.ReadDir(s.Dir)
	require.Empty(t, left)
}

func TestFileNamesAreSafe(t *testing.T) {
	require.Equal(t, ".._x_y", joinNames([]string{"../x y"}))
	require.Equal(t, "none", joinNames(nil))
	require.LessOrEqual(t, len(joinNames([]string{strings.Repeat("a", 300), strings.Repeat("b", 300)})), 81)
}

func TestWriteNamed(t *testing.T) {
	dir := t.TempDir()
	name := func(n int) string { return strings.Repeat("x", n) }
	stale := filepath.Join(dir, ".clsbench-1.tmp")
	busy := filepath.Join(dir, ".clsbench-2.tmp")
	require.NoError(t, os.WriteFile(stale, []byte("torn"), 0o600))
	require.NoError(t, os.WriteFile(busy, []byte("torn"), 0o600))
	lock := flock.New(busy)
	_, err := lock.TryLock()
	require.NoError(t, err)
	defer lock.Close()
	for _, want := range []string{"x", "xx"} {
		p, err := writeNamed(dir, name, []byte(want))
		require.NoError(t, err)
		require.Equal(t, filepath.Join(dir, want), p)
		got, err := os.ReadFile(p)
		require.NoError(t, err)
		require.Equal(t, want, string(got))
	}
	require.NoFileExists(t, stale, "its writer is gone")
	require.FileExists(t, busy, "its writer is at work")
	left, err := os.ReadDir(dir)
	require.NoError(t, err)
	require.Len(t, left, 3)
}

func TestSaveSaysWhatIsInTheWay(t *testing.T) {
	file := filepath.Join(t.TempDir(), "file")
	require.NoError(t, os.WriteFile(file, nil, 0o644))
	_, err := Store{file}.Save(fixture("one.json", 1))
	require.ErrorContains(t, err, file)
	_, err = Store{filepath.Join(file, "x")}.Begin(Header{Run: Run{ID: "0123456789ab"}})
	require.ErrorContains(t, err, file)
}

// TestSaveSurvivesAKill kills processes that save, at changing moments, and finds whole files only.
func TestSaveSurvivesAKill(t *testing.T) {
	if dir := os.Getenv("CLSBENCH_TEST_SAVE"); dir != "" {
		for d := fixture("one.json", 3); ; {
			if _, err := (Store{dir}).Save(d); err != nil {
				t.Fatal(err)
			}
		}
	}
	dir := t.TempDir()
	for i := range 8 {
		c := exec.Command(os.Args[0], "-test.run=^TestSaveSurvivesAKill$")
		c.Env = append(os.Environ(), "CLSBENCH_TEST_SAVE="+dir)
		require.NoError(t, c.Start())
		require.Eventually(t, func() bool {
			made, _ := filepath.Glob(filepath.Join(dir, "*.json"))
			return len(made) > 3*i
		}, 20*time.Second, time.Millisecond)
		time.Sleep(time.Duration(i) * 700 * time.Microsecond)
		require.NoError(t, c.Process.Kill())
		_ = c.Wait()
	}
	left, err := os.ReadDir(dir)
	require.NoError(t, err)
	for _, e := range left {
		_, err := ReadFile(filepath.Join(dir, e.Name()))
		require.NoError(t, err)
	}
}

func TestStoreFindsByIDAndPrefix(t *testing.T) {
	s := Store{t.TempDir()}
	empty, err := s.List()
	require.NoError(t, err)
	require.Empty(t, empty)
	_, err = s.Find("7c1e")
	require.ErrorIs(t, err, fs.ErrNotExist)

	var ids []string
	for i := range 3 {
		d := fixture("failed.json", uint64(i))
		ids = append(ids, d.Run.ID)
		_, err := s.Save(d)
		require.NoError(t, err)
	}
	require.NoError(t, os.WriteFile(filepath.Join(s.Dir, "broken.json"), []byte(`{"schema":`), 0o644))
	list, err := s.List()
	require.NoError(t, err)
	require.Len(t, list, 4)
	require.Equal(t, ids[2], list[0].RunID, "latest first")
	require.Equal(t, []string{"cpu", "vendor", "liar"}, list[0].Backends)
	require.Equal(t, []any{9, 5, "standard"}, []any{list[0].Cells, list[0].Failed, list[0].Effort})
	require.ErrorContains(t, list[3].Err, "cut off")

	_, err = s.Find("7c1e")
	require.ErrorContains(t, err, "more than one run")
	for _, id := range ids {
		e, err := s.Find(s.Short(id))
		require.NoError(t, err)
		require.Equal(t, id, e.RunID)
		d, path, err := s.Load(id)
		require.NoError(t, err)
		require.Equal(t, id, d.Run.ID)
		_, _, err = s.Load(path)
		require.NoError(t, err)
	}

	again := fixture("failed.json", 1)
	again.Run.Ended = again.Run.Ended.Add(time.Hour)
	path, err := s.Save(again)
	require.NoError(t, err)
	e, err := s.Find(ids[1])
	require.NoError(t, err)
	require.Equal(t, path, e.Path, "of two files of a run the later one")
}

func fixtureHeader(t *testing.T) (Header, []Result) {
	d := fixture("failed.json", 1)
	return Header{Run: d.Run, Machine: d.Machine, Peaks: d.Peaks}, d.Results
}

func TestJournalResumes(t *testing.T) {
	s := Store{t.TempDir()}
	h, rows := fixtureHeader(t)
	j, err := s.Begin(h)
	require.NoError(t, err)
	for i := range 4 {
		require.NoError(t, j.Append(&rows[i]))
	}
	_, _, err = s.Resume(h.Run.ID)
	require.ErrorIs(t, err, ErrJournalBusy)
	_, err = s.Begin(h)
	require.ErrorIs(t, err, fs.ErrExist)
	require.NoError(t, j.Close())

	j, d, err := s.Resume(h.Run.ID[:6])
	require.NoError(t, err)
	require.Equal(t, h.Machine, d.Machine)
	require.Equal(t, rows[:4], d.Results)
	session := Session{Started: h.Run.Started.Add(time.Hour), Peaks: fixturePeaks(490)}
	require.NoError(t, j.Session(session))
	redone := rows[3]
	redone.Session = 1
	require.NoError(t, j.Append(&redone))
	require.NoError(t, j.Append(&rows[4]))
	require.NoError(t, j.Close())

	j, d, err = s.Resume(h.Run.ID)
	require.NoError(t, err)
	require.Equal(t, []Session{session}, d.Run.Resumed)
	require.Equal(t, append(slices.Clone(rows[:3]), redone, rows[4]), d.Results, "the last line of a cell counts")
	_, err = s.Save(d)
	require.NoError(t, err)
	require.NoError(t, j.Remove())
	_, _, err = s.Resume(h.Run.ID)
	require.ErrorIs(t, err, fs.ErrNotExist)
}

// TestJournalToleratesATornTail cuts a journal at many places of its last line, and leaves zeros there.
func TestJournalToleratesATornTail(t *testing.T) {
	s := Store{t.TempDir()}
	h, rows := fixtureHeader(t)
	for i := range rows {
		rows[i].Latency = nil // short lines
	}
	j, err := s.Begin(h)
	require.NoError(t, err)
	require.NoError(t, j.Append(&rows[0]))
	path := j.f.Name()
	one, err := os.ReadFile(path)
	require.NoError(t, err)
	require.NoError(t, j.Append(&rows[1]))
	require.NoError(t, j.Close())
	two, err := os.ReadFile(path)
	require.NoError(t, err)
	tails := [][]byte{append(slices.Clone(one), "\x00\x00\x00\n"...)}
	for n := len(one); n < len(two); n += 41 {
		tails = append(tails, two[:n])
	}
	for _, torn := range tails {
		require.NoError(t, os.WriteFile(path, torn, 0o644))
		j, d, err := s.Resume(h.Run.ID)
		require.NoError(t, err)
		require.Len(t, d.Results, 1)
		require.NoError(t, j.Append(&rows[2]))
		require.NoError(t, j.Close())
		d, err = peekJournal(path)
		require.NoError(t, err)
		require.Len(t, d.Results, 2)
		require.Equal(t, rows[2].Cell, d.Results[1].Cell)
	}
}

func TestJournalRefusesDamageInTheMiddle(t *testing.T) {
	s := Store{t.TempDir()}
	h, rows := fixtureHeader(t)
	j, err := s.Begin(h)
	require.NoError(t, err)
	for i := range 3 {
		require.NoError(t, j.Append(&rows[i]))
	}
	require.NoError(t, j.Close())
	path := j.f.Name()
	whole, err := os.ReadFile(path)
	require.NoError(t, err)
	lines := strings.SplitAfter(string(whole), "\n")
	for _, c := range []struct{ file, want string }{
		{"", "not even the first line"},
		{lines[0][:50], "not even the first line"},
		{strings.Join([]string{lines[0], lines[1][:99], "\n", lines[2]}, ""), ":2: not a journal's line"},
		{lines[1], ":1: not a journal's line: schema is \"\", this build knows clsbench.journal/v1; all else hangs on this line"},
		{lines[0] + strings.Replace(lines[1], `"ok"`, `"fine"`, 1), ":2: /status"},
		{lines[0] + "{}\n", ":2: not a journal's line: neither"},
		{strings.Replace(lines[0], h.Run.ID, "nonsense", 1), ":1: /run/id"},
	} {
		require.NoError(t, os.WriteFile(path, []byte(c.file), 0o644))
		_, _, err := s.Resume(h.Run.ID)
		require.ErrorContains(t, err, c.want)
		got, err := os.ReadFile(path)
		require.NoError(t, err)
		require.Equal(t, c.file, string(got), "a journal that can't be read is left as it is")
	}
}

// A journal whose first line does not come to the disk is gone again.
func TestJournalThatNeverBegan(t *testing.T) {
	s := Store{t.TempDir()}
	h, _ := fixtureHeader(t)
	h.Peaks = machine.Peaks{"x": {Name: "x", Value: math.NaN()}} // no JSON
	_, err := s.Begin(h)
	require.Error(t, err)
	left, err := os.ReadDir(s.Dir)
	require.NoError(t, err)
	require.Empty(t, left)
}

// inProcessOfItsOwn runs the test in a process of its own and is false there: a limit on files' sizes is the whole
// process's, and `go test` has the parent's log in a file too.
func inProcessOfItsOwn(t *testing.T) bool {
	const mark = "CLSBENCH_TEST_ALONE"
	if os.Getenv(mark) == t.Name() {
		return false
	}
	c := exec.Command(os.Args[0], "-test.run=^"+t.Name()+"$", "-test.v")
	c.Env = append(os.Environ(), mark+"="+t.Name())
	out, err := c.CombinedOutput()
	require.NoError(t, err, string(out))
	require.Contains(t, string(out), "--- PASS: "+t.Name())
	return true
}

// limitFiles lets no file of this process grow beyond so many bytes, as a full disk would, until the returned function
// is called.
func limitFiles(t *testing.T, most int64) (lift func()) {
	var was syscall.Rlimit
	require.NoError(t, syscall.Getrlimit(syscall.RLIMIT_FSIZE, &was))
	require.NoError(t, syscall.Setrlimit(syscall.RLIMIT_FSIZE, &syscall.Rlimit{Cur: uint64(most), Max: was.Max}))
	return func() { require.NoError(t, syscall.Setrlimit(syscall.RLIMIT_FSIZE, &was)) }
}

// A line that the disk does not take leaves nothing behind for the next to stand behind, and comes after when there is
// room again.
func TestJournalOnAFullDisk(t *testing.T) {
	if inProcessOfItsOwn(t) {
		return
	}
	s := Store{t.TempDir()}
	h, rows := fixtureHeader(t)
	j, err := s.Begin(h)
	require.NoError(t, err)
	require.NoError(t, j.Append(&rows[0]))
	path := j.f.Name()
	before, err := os.Stat(path)
	require.NoError(t, err)

	lift := limitFiles(t, before.Size()+59)
	for i := 1; i <= 2; i++ {
		require.ErrorIs(t, j.Append(&rows[i]), syscall.EFBIG)
		require.Equal(t, i, j.Missing())
		after, err := os.Stat(path)
		require.NoError(t, err)
		require.Equal(t, before.Size(), after.Size(), "nothing torn is left")
	}
	lift()
	d, err := peekJournal(path)
	require.NoError(t, err)
	require.Len(t, d.Results, 1)

	require.NoError(t, j.Append(&rows[3]))
	require.Zero(t, j.Missing())
	d, err = peekJournal(path)
	require.NoError(t, err)
	require.Equal(t, rows[:4], d.Results, "what had to wait is there too")
	require.NoError(t, j.Close())
}

func TestProbeAsksForRoom(t *testing.T) {
	if inProcessOfItsOwn(t) {
		return
	}
	s := Store{t.TempDir()}
	require.NoError(t, s.Probe(1<<14))
	lift := limitFiles(t, 1<<12)
	err := s.Probe(1 << 14)
	lift()
	require.ErrorIs(t, err, syscall.EFBIG)
	require.ErrorContains(t, err, s.Dir)
	left, err := os.ReadDir(s.Dir)
	require.NoError(t, err)
	require.Empty(t, left)
}

func FuzzReadJournal(f *testing.F) {
	d := terse("failed.json")
	h, err := encodeLine(record{Schema: journalSchema, Header: &Header{d.Run, d.Machine, d.Peaks}})
	require.NoError(f, err)
	raw, err := encodeLine(&d.Results[1])
	require.NoError(f, err)
	row, err := encodeLine(record{Result: raw})
	require.NoError(f, err)
	f.Add(slices.Concat(h, row, row[:40]))
	f.Add(h) // stopped before the first cell
	f.Fuzz(func(t *testing.T, data []byte) {
		d, whole, err := readJournal(strings.NewReader(string(data)), "fuzz")
		if err != nil {
			var bad *InvalidError
			require.True(t, errors.As(err, &bad))
			return
		}
		require.LessOrEqual(t, whole, int64(len(data)))
		d.Run.Interrupted = true // or it would have no journal
		require.NoError(t, d.Validate(), "what is read is a document")
	})
}
