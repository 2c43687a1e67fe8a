package results

import (
	"bytes"
	"crypto/rand"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"
)

// Store is a folder of finished documents and the journals of runs under way.
type Store struct{ Dir string }

// NewRunID draws a run's id.
func NewRunID() string {
	var b [6]byte
	rand.Read(b[:]) // never fails
	return hex.EncodeToString(b[:])
}

// Entry is a document in the store, as a list shows it.
type Entry struct {
	Path      string
	RunID     string
	Started   time.Time
	Ended     time.Time
	Effort    string
	Backends  []string // in the order of their first rows
	Workloads []string
	Cells     int
	Failed    int   // cells whose status is neither ok nor unstable
	Err       error // why the file can't be read; then only Path is set
}

func (s Store) make() error {
	if err := os.MkdirAll(s.Dir, 0o755); err != nil {
		return fmt.Errorf("results folder: %w", err)
	}
	return nil
}

// Probe says whether the store takes files of so many bytes together, making its folder: before hours of work, not
// after.
func (s Store) Probe(room int64) error {
	if err := s.make(); err != nil {
		return err
	}
	f, err := os.CreateTemp(s.Dir, ".probe-*")
	if err != nil {
		return fmt.Errorf("results folder %s takes no files: %w", s.Dir, err)
	}
	_, err = io.CopyN(f, rand.Reader, room) // what compresses would prove too little
	if err == nil {
		err = f.Sync()
	}
	if err = errors.Join(err, f.Close(), os.Remove(f.Name())); err != nil {
		return fmt.Errorf("results folder %s does not take the %s that the run may write: %w", s.Dir, FormatBytes(room), err)
	}
	return nil
}

// Save validates the document and writes it to a new file, named by date, backends and workloads. It gives the path.
func (s Store) Save(d *Document) (string, error) {
	var b bytes.Buffer
	if err := d.Encode(&b); err != nil {
		return "", fmt.Errorf("result document: %w", err)
	}
	if _, err := Read(bytes.NewReader(b.Bytes()), ""); err != nil {
		return "", fmt.Errorf("result document: %w", err)
	}
	if err := s.make(); err != nil {
		return "", err
	}
	return writeNew(s.Dir, d.fileName, b.Bytes())
}

// SaveElsewhere keeps in the user's temporary folder what the store does not take. It gives the path.
func (d *Document) SaveElsewhere() (string, error) {
	dir, err := os.MkdirTemp("", "clsbench-result-*")
	if err != nil {
		return "", err
	}
	path, err := Store{dir}.Save(d)
	if err != nil {
		return "", errors.Join(err, os.Remove(dir))
	}
	return path, nil
}

// fileName is the document's n-th choice of a name: "2026-11-24-cpu+torch-lenet5.json", from the second on with -2.
func (d *Document) fileName(n int) string {
	backends, workloads := d.subjects()
	name := d.Run.Started.UTC().Format(time.DateOnly) + "-" + joinNames(backends) + "-" + joinNames(workloads)
	if n > 1 {
		name += fmt.Sprintf("-%d", n)
	}
	return name + ".json"
}

// subjects are the backends and workloads of a document, each in the order of its first row.
func (d *Document) subjects() (backends, workloads []string) {
	for i := range d.Results {
		r := &d.Results[i]
		backends, workloads = addNew(backends, r.Backend), addNew(workloads, r.Workload)
	}
	return backends, workloads
}

func addNew(list []string, s string) []string {
	if slices.Contains(list, s) {
		return list
	}
	return append(list, s)
}

// joinNames joins at most three names, cut and cleaned so that any file system takes them.
func joinNames(names []string) string {
	if len(names) == 0 {
		return "none"
	}
	clean := func(r rune) rune {
		if r < 0x80 && (r >= '0' && r <= '9' || r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || strings.ContainsRune("._-", r)) {
			return r
		}
		return '_'
	}
	const most, longest = 3, 40
	var parts []string
	for _, n := range names[:min(most, len(names))] {
		n = strings.Map(clean, n)
		parts = append(parts, n[:min(longest, len(n))])
	}
	if n := len(names) - most; n > 0 {
		parts = append(parts, fmt.Sprintf("%dmore", n))
	}
	return strings.Join(parts, "+")
}

// List gives the documents in the store, the latest first. A store without a folder is empty.
func (s Store) List() ([]Entry, error) {
	paths, err := filepath.Glob(filepath.Join(s.Dir, "*.json"))
	if err != nil {
		return nil, err
	}
	entries := make([]Entry, len(paths))
	for i, p := range paths {
		entries[i] = glance(p)
	}
	slices.SortStableFunc(entries, func(a, b Entry) int { return b.Started.Compare(a.Started) })
	return entries, nil
}

// glance reads what a list shows, without validating.
func glance(path string) Entry {
	e := Entry{Path: path}
	f, err := os.Open(path)
	if err != nil {
		e.Err = err
		return e
	}
	defer f.Close()
	data, err := readCapped(f, path, MaxFile)
	if err != nil {
		e.Err = err
		return e
	}
	var d struct {
		Schema  string
		Run     Run
		Results []struct {
			Backend, Workload string
			Status            Status
		}
	}
	if err := json.Unmarshal(data, &d); err != nil {
		e.Err = invalid(path, "", syntaxMend(data, err), "not JSON: %v", err)
		return e
	}
	if e := checkVersion(map[string]any{"schema": d.Schema}, path); e != nil {
		return Entry{Path: path, Err: e}
	}
	e.RunID, e.Started, e.Ended, e.Effort, e.Cells = d.Run.ID, d.Run.Started, d.Run.Ended, d.Run.Effort.Name, len(d.Results)
	for _, r := range d.Results {
		e.Backends, e.Workloads = addNew(e.Backends, r.Backend), addNew(e.Workloads, r.Workload)
		if !r.Status.Measured() {
			e.Failed++
		}
	}
	return e
}

// Find gives the document of the run with this id or unique beginning of one. Where a run was saved more than once,
// because it was interrupted and resumed, the last counts.
func (s Store) Find(prefix string) (Entry, error) {
	entries, err := s.List()
	if err != nil {
		return Entry{}, err
	}
	last := map[string]Entry{}
	var ids []string
	for _, e := range entries {
		if e.Err != nil {
			continue
		}
		if was, ok := last[e.RunID]; !ok || was.Ended.Before(e.Ended) {
			last[e.RunID] = e
		}
		ids = addNew(ids, e.RunID)
	}
	i, err := oneOf(prefix, ids)
	if errors.Is(err, fs.ErrNotExist) {
		return Entry{}, notFound(fmt.Sprintf("no run %q in %s; clsbench results list shows what there is", prefix, s.Dir))
	}
	if err != nil {
		return Entry{}, err
	}
	return last[ids[i]], nil
}

// Load reads the document that name means: the path of a file, or a run's id or unique beginning of one.
func (s Store) Load(name string) (d *Document, path string, err error) {
	path = name
	if !strings.ContainsAny(name, `/\`) && filepath.Ext(name) != ".json" {
		e, err := s.Find(name)
		if err != nil {
			return nil, "", err
		}
		path = e.Path
	}
	d, err = ReadFile(path)
	return d, path, err
}

// Short is the shortest beginning of a run's id, of at least four digits, that no other run in the store has.
func (s Store) Short(id string) string {
	entries, _ := s.List()
	n := 4
	for _, e := range entries {
		if e.RunID == id || e.Err != nil {
			continue
		}
		for n < len(id) && strings.HasPrefix(e.RunID, id[:n]) {
			n++
		}
	}
	return id[:min(n, len(id))]
}

// notFound is fs.ErrNotExist to a program, and to people a sentence that does not end in its words.
type notFound string

func (e notFound) Error() string        { return string(e) }
func (e notFound) Is(target error) bool { return target == fs.ErrNotExist }

// oneOf is the index of the one id that begins with prefix; fs.ErrNotExist where there is none.
func oneOf(prefix string, ids []string) (int, error) {
	found := -1
	for i, id := range ids {
		switch {
		case id == prefix:
			return i, nil
		case prefix == "" || !strings.HasPrefix(id, prefix):
		case found >= 0:
			return -1, fmt.Errorf("%q begins more than one run (%s, %s); give more digits", prefix, ids[found], id)
		default:
			found = i
		}
	}
	if found < 0 {
		return -1, fs.ErrNotExist
	}
	return found, nil
}
