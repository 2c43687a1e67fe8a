package plugin

import (
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"

	"go.yaml.in/yaml/v4"
)

// manifest makes a command an installed backend. It repeats nothing that the
// plugin itself can tell.
type manifest struct {
	Name    string            `yaml:"name"`
	Command []string          `yaml:"command"` // a relative program or file counts from the manifest's folder
	Files   []string          `yaml:"files"`   // hashed with the program
	Env     map[string]string `yaml:"env"`

	path string
}

// maxManifest bounds a manifest's size in bytes.
const maxManifest = 64 << 10

// DirsEnv is the variable that lists folders of manifests.
const DirsEnv = "CLSBENCH_PLUGINS"

// DefaultDirs are where manifests are looked for: the folders that
// CLSBENCH_PLUGINS lists, then clsbench/plugins in the user's configuration.
func DefaultDirs() []string {
	dirs := filepath.SplitList(os.Getenv(DirsEnv))
	if config, err := os.UserConfigDir(); err == nil {
		dirs = append(dirs, filepath.Join(config, "clsbench", "plugins"))
	}
	return dirs
}

// manifests reads every *.yaml of the folders; the first of a name counts.
func (o *Options) manifests() (list []manifest, errs []error) {
	dirs := o.ManifestDirs
	if dirs == nil {
		dirs = DefaultDirs()
	}
	seen := map[string]bool{}
	for _, dir := range dirs {
		paths, err := filepath.Glob(filepath.Join(dir, "*.yaml"))
		if err != nil {
			errs = append(errs, fmt.Errorf("plugin folder %s: %w", dir, err))
		}
		for _, path := range paths {
			m, err := readManifest(path)
			if err != nil {
				errs = append(errs, fmt.Errorf("manifest %s: %w", path, err))
			} else if !seen[m.Name] {
				seen[m.Name] = true
				list = append(list, m)
			}
		}
	}
	return list, errs
}

func readManifest(path string) (manifest, error) {
	st, err := os.Stat(path)
	if err != nil {
		return manifest{}, err
	}
	if !st.Mode().IsRegular() || st.Size() > maxManifest {
		return manifest{}, fmt.Errorf("want a file of at most %d bytes", maxManifest)
	}
	b, err := os.ReadFile(path)
	if err != nil {
		return manifest{}, err
	}
	m, err := parseManifest(b)
	m.path = path
	return m, err
}

func parseManifest(b []byte) (manifest, error) {
	var m manifest
	if err := yaml.Load(b, &m, yaml.WithKnownFields()); err != nil {
		return m, err
	}
	if !labelPattern.MatchString(m.Name) || m.Name == Exec {
		return m, fmt.Errorf("name %q: want lower-case letters, digits, '.', '_' and '-', and not %q", m.Name, Exec)
	}
	if len(m.Command) == 0 || m.Command[0] == "" {
		return m, fmt.Errorf("command: want a list of the program and its arguments")
	}
	return m, nil
}

// target resolves the command. Arguments that are files of the manifest's
// folder become absolute, since a plugin runs in the host's folder.
func (m *manifest) target() (*target, error) {
	dir, err := filepath.Abs(filepath.Dir(m.path))
	if err != nil {
		return nil, err
	}
	t := &target{kind: Installed, args: slices.Clone(m.Command), files: []string{m.path}}
	name := m.Command[0]
	if !filepath.IsAbs(name) && filepath.Base(name) != name {
		name = filepath.Join(dir, name)
	}
	if t.path, err = findProgram(name); err != nil {
		return nil, fmt.Errorf("manifest %s: %w", m.path, err)
	}
	t.files = append(t.files, t.path)
	for i, a := range t.args[1:] {
		if st, err := os.Stat(filepath.Join(dir, a)); err == nil && st.Mode().IsRegular() && !filepath.IsAbs(a) {
			t.args[i+1] = filepath.Join(dir, a)
		}
	}
	for _, f := range m.Files {
		if !filepath.IsAbs(f) {
			f = filepath.Join(dir, f)
		}
		if _, err := os.Stat(f); err != nil {
			return nil, fmt.Errorf("manifest %s: files: %w", m.path, err)
		}
		t.files = append(t.files, f)
	}
	for _, k := range slices.Sorted(maps.Keys(m.Env)) {
		t.env = append(t.env, k+"="+m.Env[k])
	}
	return t, nil
}
