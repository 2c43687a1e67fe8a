package plugin

import (
	"errors"
	"fmt"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"

	"github.com/clsbench/clsbench/backends"
	"github.com/clsbench/clsbench/backends/wire"
)

// Registry is the embedded backends by name. The binary that holds them is
// started again as the plugin.
type Registry map[string]func() backends.Backend

// serveCommand is the hidden first argument that makes the binary a plugin.
const serveCommand = "__serve-backend"

// MaybeServe turns the process into the plugin that its arguments ask for and
// does not return then. It must come first in main, before flags are read; in
// tests that start embedded backends, in TestMain.
func MaybeServe(r Registry) {
	if len(os.Args) != 3 || os.Args[1] != serveCommand {
		return
	}
	make, ok := r[os.Args[2]]
	if !ok {
		fmt.Fprintf(os.Stderr, "%s: no backend %q is embedded\n", os.Args[0], os.Args[2])
		os.Exit(2)
	}
	wire.WatchHost()
	wire.Serve(make())
	os.Exit(0)
}

// Kind is where a backend comes from.
type Kind string

// The kinds.
const (
	Embedded     Kind = "embedded"     // in this binary
	Installed    Kind = "installed"    // by a manifest
	Unregistered Kind = "unregistered" // by exec:
)

// Entry is a backend that can be named in a spec.
type Entry struct {
	Name     string `json:"name"`
	Kind     Kind   `json:"kind"`
	Manifest string `json:"manifest,omitempty"` // path, if installed
}

// List is every backend that a spec can name, sorted. A manifest that can't be
// read is an error in the list's stead for its own name only: errs.
func List(o Options) (entries []Entry, errs []error) {
	for name := range o.Registry {
		entries = append(entries, Entry{Name: name, Kind: Embedded})
	}
	manifests, errs := o.manifests()
	for _, m := range manifests {
		if _, shadowed := o.Registry[m.Name]; !shadowed {
			entries = append(entries, Entry{m.Name, Installed, m.path})
		}
	}
	slices.SortFunc(entries, func(a, b Entry) int { return strings.Compare(a.Name, b.Name) })
	return entries, errs
}

// target is a spec resolved to what is started.
type target struct {
	kind  Kind
	path  string   // of the program
	args  []string // with the program's name
	env   []string // beside the host's
	files []string // whose contents make the plugin's hash
}

// selfPath names this binary even if its file has been replaced since.
const selfPath = "/proc/self/exe"

// Check says whether s names a backend that can be started, without starting
// it. Its error is a *SpecError.
func Check(s Spec, o Options) error {
	_, err := o.resolve(s)
	return err
}

func (o *Options) resolve(s Spec) (*target, error) {
	bad := func(format string, args ...any) (*target, error) {
		return nil, &SpecError{s.String(), fmt.Sprintf(format, args...)}
	}
	if s.Name == Exec {
		path, err := findProgram(s.Command[0])
		if err != nil {
			return bad("%v", err)
		}
		t := &target{kind: Unregistered, path: path, args: s.Command, files: []string{path}}
		for _, a := range s.Command[1:] {
			if st, err := os.Stat(a); err == nil && st.Mode().IsRegular() {
				t.files = append(t.files, a) // the script of an interpreter
			}
		}
		return t, nil
	}
	if _, ok := o.Registry[s.Name]; ok {
		path := selfPath
		if _, err := os.Stat(path); err != nil {
			if path, err = os.Executable(); err != nil {
				return bad("finding this program: %v", err)
			}
		}
		return &target{kind: Embedded, path: path, args: []string{os.Args[0], serveCommand, s.Name}, files: []string{path}}, nil
	}
	manifests, errs := o.manifests()
	for _, m := range manifests {
		if m.Name == s.Name {
			t, err := m.target()
			if err != nil {
				return bad("%v", err)
			}
			return t, nil
		}
	}
	why := "no such backend; there are " + strings.Join(o.known(manifests), ", ") + " and exec:COMMAND"
	if err := errors.Join(errs...); err != nil {
		why += "; " + err.Error()
	}
	return bad("%s", why)
}

func (o *Options) known(manifests []manifest) []string {
	names := map[string]bool{}
	for n := range o.Registry {
		names[n] = true
	}
	for _, m := range manifests {
		names[m.Name] = true
	}
	return slices.Sorted(maps.Keys(names))
}

// findProgram resolves a program's name as a shell would, to a path that does
// not depend on the working folder.
func findProgram(name string) (string, error) {
	path, err := exec.LookPath(name)
	if err != nil {
		var e *exec.Error
		if errors.As(err, &e) {
			err = e.Err
		}
		return "", fmt.Errorf("program %q: %w", name, err)
	}
	return filepath.Abs(path)
}
