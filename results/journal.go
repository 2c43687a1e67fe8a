package results

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/gofrs/flock"

	"github.com/clsbench/clsbench/internal/machine"
)

// journalSchema names the version of the journal's lines.
const journalSchema = "clsbench.journal/v1"

// Header is what a run knows before its first cell.
type Header struct {
	Run     Run           `json:"run"` // Ended is not known yet
	Machine machine.Info  `json:"machine"`
	Peaks   machine.Peaks `json:"peaks"`
}

// record is one line of a journal: the header in the first, then each finished cell, and a session where one took the
// journal up.
type record struct {
	Schema  string          `json:"schema,omitempty"`
	Header  *Header         `json:"header,omitempty"`
	Session *Session        `json:"session,omitempty"`
	Result  json.RawMessage `json:"result,omitempty"`
}

// Journal is the file of a run under way. Each line is on the disk when the call that writes it returns without error;
// one that the disk does not take is tried again before the next, and leaves nothing of itself until then. One process
// has the journal at a time, and one goroutine writes to it.
type Journal struct {
	f       *os.File
	lock    *flock.Flock
	size    int64    // of the whole lines
	waiting [][]byte // lines that the disk has not taken
}

// ErrJournalBusy says that the run is still under way in another process.
var ErrJournalBusy = errors.New("the run is still under way in another process")

const journalSuffix = ".journal.jsonl"

func (s Store) journalPath(id string) string { return filepath.Join(s.Dir, id+journalSuffix) }

// Begin starts the journal of a new run; the run's id must be new in the store.
func (s Store) Begin(h Header) (*Journal, error) {
	if err := s.make(); err != nil {
		return nil, err
	}
	s.sweepJournals()
	path := s.journalPath(h.Run.ID)
	f, err := os.OpenFile(path, os.O_CREATE|os.O_EXCL|os.O_WRONLY|os.O_APPEND, 0o644)
	if err != nil {
		return nil, err
	}
	j := &Journal{f: f, lock: flock.New(path)}
	if err := j.takeLock(); err != nil {
		f.Close()
		return nil, err
	}
	if err := errors.Join(j.write(record{Schema: journalSchema, Header: &h}), syncDir(s.Dir)); err != nil {
		_ = j.Remove() // there is nothing in it to take up
		return nil, err
	}
	return j, nil
}

func (j *Journal) takeLock() error {
	ok, err := j.lock.TryLock()
	if err == nil && !ok {
		err = ErrJournalBusy
	}
	if err != nil {
		return fmt.Errorf("%s: %w", j.f.Name(), err)
	}
	return nil
}

// Resume takes up the journal of the run with this id or unique beginning of one. The document has what is done: run,
// machine, peaks, and the results, the last where a cell was written twice. A torn last line is dropped.
func (s Store) Resume(prefix string) (*Journal, *Document, error) {
	path, err := s.findJournal(prefix)
	if err != nil {
		return nil, nil, err
	}
	f, err := os.OpenFile(path, os.O_RDWR|os.O_APPEND, 0)
	if err != nil {
		return nil, nil, err
	}
	j := &Journal{f: f, lock: flock.New(path)}
	if err := j.takeLock(); err != nil {
		f.Close()
		return nil, nil, err
	}
	d, whole, err := readJournal(f, path)
	if err == nil {
		err = f.Truncate(whole)
	}
	if err != nil {
		j.Close()
		return nil, nil, err
	}
	j.size = whole
	return j, d, nil
}

// Session notes that a later session has taken the journal up.
func (j *Journal) Session(s Session) error { return j.write(record{Session: &s}) }

// Append adds a finished cell.
func (j *Journal) Append(r *Result) error {
	raw, err := encodeLine(r)
	if err != nil {
		return fmt.Errorf("cell %s: %w", r.Cell, err)
	}
	return j.write(record{Result: raw})
}

// Missing is how many lines the disk has not taken: cells that a resumption would measure again.
func (j *Journal) Missing() int { return len(j.waiting) }

func (j *Journal) write(r record) error {
	line, err := encodeLine(r)
	if err != nil {
		return err
	}
	j.waiting = append(j.waiting, line)
	for len(j.waiting) > 0 {
		if err := j.writeLine(j.waiting[0]); err != nil {
			return err
		}
		j.waiting = j.waiting[1:]
	}
	return nil
}

// writeLine puts a line behind the whole ones, or nothing: the next would stand behind a torn one, and make it one line
// with itself that nobody can read.
func (j *Journal) writeLine(line []byte) error {
	_, err := j.f.Write(line)
	if err == nil {
		err = j.f.Sync()
	}
	if err != nil {
		return errors.Join(err, j.f.Truncate(j.size))
	}
	j.size += int64(len(line))
	return nil
}

// Close leaves the journal to be resumed.
func (j *Journal) Close() error { return errors.Join(j.f.Close(), j.lock.Close()) }

// Remove ends the journal: its run is saved as a document.
func (j *Journal) Remove() error { return errors.Join(os.Remove(j.f.Name()), j.Close()) }

// readJournal gives what a journal holds and the length of its whole lines.
func readJournal(r io.Reader, file string) (*Document, int64, error) {
	data, err := readCapped(r, file, MaxFile)
	if err != nil {
		return nil, 0, err
	}
	d := &Document{Schema: Schema}
	rows := map[string]int{}
	var whole int64
	for n := 1; ; n++ {
		line, rest, ended := bytes.Cut(data, []byte{'\n'})
		if !ended {
			break // torn: a whole line has its newline
		}
		if !json.Valid(line) && len(rest) == 0 {
			break // torn inside: the disk had not all of it
		}
		if err := d.addRecord(line, n == 1, rows); err != nil {
			return nil, 0, journalProblem(file, n, err)
		}
		whole += int64(len(line)) + 1
		data = rest
	}
	if whole == 0 {
		return nil, 0, invalid(file, "", "there is nothing to resume: delete it, unless its run is just beginning", "not even the first line is whole")
	}
	if ps := d.check(); len(ps) > 0 {
		return nil, 0, journalProblem(file, 1, &InvalidError{ps})
	}
	return d, whole, nil
}

func journalProblem(file string, line int, err error) error {
	var bad *InvalidError
	if errors.As(err, &bad) {
		p := bad.Problems[0]
		p.File = fmt.Sprintf("%s:%d", file, line)
		return &InvalidError{[]Problem{p}}
	}
	mend := "delete the line to lose only that"
	if line == 1 {
		mend = "all else hangs on this line: the run can't be taken up"
	}
	return invalid(fmt.Sprintf("%s:%d", file, line), "", mend, "not a journal's line: %v", err)
}

func (d *Document) addRecord(line []byte, first bool, rows map[string]int) error {
	var r record
	if err := json.Unmarshal(line, &r); err != nil {
		return err
	}
	switch {
	case first && r.Schema != journalSchema:
		return fmt.Errorf("schema is %.80q, this build knows %s", r.Schema, journalSchema)
	case first && r.Header == nil:
		return errors.New("no header in the first line")
	case first:
		d.Run, d.Machine, d.Peaks = r.Header.Run, r.Header.Machine, r.Header.Peaks
		d.Run.Ended = d.Run.Started // until Save
		d.Results = []Result{}
		return d.validateStart()
	case r.Session != nil:
		d.Run.Resumed = append(d.Run.Resumed, *r.Session)
	case r.Result != nil:
		res, err := decodeResult(r.Result)
		if err != nil {
			return err
		}
		if i, again := rows[res.Cell]; again {
			d.Results[i] = *res
		} else {
			rows[res.Cell] = len(d.Results)
			d.Results = append(d.Results, *res)
		}
	default:
		return errors.New("neither result nor session")
	}
	return nil
}

// validateStart is Validate before there are rows.
func (d *Document) validateStart() error {
	var b bytes.Buffer
	if err := d.Encode(&b); err != nil {
		return err
	}
	_, err := readAny(&b, "")
	return err
}

func decodeResult(raw []byte) (*Result, error) {
	var tree any
	if err := json.Unmarshal(raw, &tree); err != nil {
		return nil, err
	}
	if err := resultSchema().Validate(tree); err != nil {
		return nil, schemaProblems("", err)
	}
	var r Result
	if err := decode(raw, tree, &r); err != nil {
		return nil, decodeProblem("", err)
	}
	if ps := r.check(); len(ps) > 0 {
		return nil, &InvalidError{ps}
	}
	return &r, nil
}

func (s Store) findJournal(prefix string) (string, error) {
	var ids []string
	for _, path := range s.journals() {
		ids = append(ids, journalID(path))
	}
	i, err := oneOf(prefix, ids)
	if errors.Is(err, fs.ErrNotExist) {
		return "", notFound(fmt.Sprintf("no unfinished run %q in %s; clsbench results list shows what there is", prefix, s.Dir))
	}
	if err != nil {
		return "", err
	}
	return s.journalPath(ids[i]), nil
}

func (s Store) journals() []string {
	paths, _ := filepath.Glob(s.journalPath("*")) // the pattern is ours
	return paths
}

func journalID(path string) string { return strings.TrimSuffix(filepath.Base(path), journalSuffix) }

// Unfinished is a run that has a journal, under way or interrupted.
type Unfinished struct {
	RunID string
	Path  string
	Cells int   // finished
	Err   error // why it can't be taken up
}

// Unfinished lists the runs that have a journal.
func (s Store) Unfinished() []Unfinished {
	var list []Unfinished
	for _, path := range s.journals() {
		u := Unfinished{RunID: journalID(path), Path: path}
		d, err := peekJournal(path)
		if u.Err = err; err == nil {
			u.Cells = len(d.Results)
		}
		list = append(list, u)
	}
	return list
}

// peekJournal reads a journal without taking it up.
func peekJournal(path string) (*Document, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	d, _, err := readJournal(f, path)
	return d, err
}

// emptyFor is how long a journal without a line is taken to be one that its run is about to begin.
const emptyFor = time.Minute

// sweepJournals removes those whose runs were killed before there was anything to take up.
func (s Store) sweepJournals() {
	for _, path := range s.journals() {
		if st, err := os.Stat(path); err == nil && st.Mode().IsRegular() && st.Size() == 0 && time.Since(st.ModTime()) > emptyFor {
			os.Remove(path)
		}
	}
}
