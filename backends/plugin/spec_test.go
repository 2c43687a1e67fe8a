package plugin

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/clsbench/clsbench/backends"
	"github.com/clsbench/clsbench/backends/null"
)

func TestRelativeWordsOfACommand(t *testing.T) {
	dir := t.TempDir()
	t.Chdir(dir)
	require.NoError(t, os.WriteFile("plugin.py", nil, 0o644))
	for spec, want := range map[string][]string{
		"cpu":                        nil,
		"exec:plugin":                nil, // by PATH
		"exec:plugin run=kill":       nil,
		"exec:/opt/p --port 7":       nil,
		"exec:./p":                   {"./p"},
		"exec:bin/p a/b":             {"bin/p", "a/b"},
		"exec:python3 plugin.py":     {"plugin.py"},
		"exec:python3 other.py":      nil,
		"exec:/p --config=c/d":       {"--config=c/d"},
		"exec:/p --file=plugin.py":   {"--file=plugin.py"},
		"exec:/p --config=/etc/x":    nil,
		"exec:/p --at=http://a/b":    nil,
		"exec:plugin.py":             nil,
		"exec:python3 " + dir + "/a": nil,
	} {
		s, err := ParseSpec(spec)
		require.NoError(t, err)
		require.Equal(t, want, s.Relative(), spec)
	}
}

func TestParseSpec(t *testing.T) {
	for text, want := range map[string]Spec{
		"cpu":                  {Label: "cpu", Name: "cpu"},
		"old=cpu":              {Label: "old", Name: "cpu"},
		"cpu:isa=avx2":         {Label: "cpu-avx2", Name: "cpu", Options: map[string]string{"isa": "avx2"}},
		"a.b=cpu:isa=avx2,n=4": {Label: "a.b", Name: "cpu", Options: map[string]string{"isa": "avx2", "n": "4"}},
		"cpu:dir=/a=b":         {Label: "cpu-a-b", Name: "cpu", Options: map[string]string{"dir": "/a=b"}},
		"cpu:isa=":             {Label: "cpu", Name: "cpu", Options: map[string]string{"isa": ""}},
		"exec:./x --a=1,2":     {Label: "x", Name: "exec", Command: []string{"./x", "--a=1,2"}},
		"old=exec:/opt/My-Plugin -v": {
			Label: "old", Name: "exec", Command: []string{"/opt/My-Plugin", "-v"}},
		`exec:"/a b/Run Me.sh" 'it''s' \"q\" ''`: {
			Label: "run-me.sh", Name: "exec", Command: []string{"/a b/Run Me.sh", "its", `"q"`, ""}},
	} {
		got, err := ParseSpec(text)
		require.NoError(t, err, text)
		require.Equal(t, want, got, text)
		again, err := ParseSpec(got.String())
		require.NoError(t, err, got.String())
		require.Equal(t, got, again)
	}
	for text, says := range map[string]string{
		"":               "want [label=]name",
		"=cpu":           `label ""`,
		"A=cpu":          `label "A"`,
		"a/b=cpu":        `label "a/b"`,
		"Cpu":            "want [label=]name",
		"cpu:":           `option ""`,
		"cpu:isa":        `option "isa"`,
		"cpu:=avx2":      "want key=value",
		"cpu:isa=1,,n=2": `option ""`,
		"cpu:isa=1,isa=": "given twice",
		"exec":           "no command",
		"exec:":          "no command",
		"exec:  ":        "no command",
		`exec:"./x`:      "inside a quotation",
		`exec:./x \`:     "inside a quotation",
		"./x":            "want [label=]name",
	} {
		_, err := ParseSpec(text)
		var bad *SpecError
		require.ErrorAs(t, err, &bad, text)
		require.ErrorContains(t, err, says)
	}
}

func TestParseSpecs(t *testing.T) {
	s, err := ParseSpecs([]string{"cpu", "cpu:isa=avx2", "new=cpu"})
	require.NoError(t, err)
	require.Len(t, s, 3)
	_, err = ParseSpecs([]string{"cpu", "null", "cpu"})
	require.ErrorContains(t, err, "new=cpu")
}

func TestSpecRoundTrip(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		s := Spec{Label: rapid.StringMatching(`[a-z0-9][a-z0-9._-]{0,8}`).Draw(t, "label"), Name: Exec}
		s.Command = rapid.SliceOfN(rapid.StringN(0, 10, -1), 1, 4).Draw(t, "command")
		got, err := ParseSpec(s.String())
		if err != nil {
			t.Fatalf("%q: %v", s.String(), err)
		}
		require.Equal(t, s, got)
	})
}

func FuzzParseSpec(f *testing.F) {
	for _, s := range []string{"cpu", "a=cpu:isa=avx2,n=4", `x=exec:"a b" 'c' \d`, "exec:", "=", ":", "exec:=", "a=exec"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, text string) {
		s, err := ParseSpec(text)
		if err != nil {
			return
		}
		require.Regexp(t, labelPattern, s.Label)
		again, err := ParseSpec(s.String())
		require.NoError(t, err, s.String())
		require.Equal(t, s, again)
	})
}

func TestUnknownBackendListsTheKnown(t *testing.T) {
	o := Options{Registry: Registry{"null": null.New, "cpu": null.New}, ManifestDirs: []string{"testdata/manifests"}}
	err := Check(Spec{Label: "x", Name: "gpu"}, o)
	var bad *SpecError
	require.ErrorAs(t, err, &bad)
	require.ErrorContains(t, err, "cpu, null, python and exec:COMMAND")
	require.NoError(t, Check(Spec{Label: "x", Name: "cpu"}, o))
	require.ErrorContains(t, Check(Spec{Label: "x", Name: Exec, Command: []string{"./missing"}}, o), `"./missing"`)
	require.ErrorContains(t, Check(Spec{Label: "x", Name: Exec, Command: []string{"spec_test.go"}}, o), `"spec_test.go"`)
	entries, errs := List(o)
	require.Empty(t, errs)
	require.Equal(t, []Entry{{"cpu", Embedded, ""}, {"null", Embedded, ""}, {"python", Installed, "testdata/manifests/python.yaml"}}, entries)
}

func TestUnknownOptionListsTheKnown(t *testing.T) {
	o := options(t)
	for text, says := range map[string]string{
		"null:speed=9": `option "speed": want one of read`,
		"null:read=2":  `option read="2": want one of 0, 1`,
	} {
		s, err := ParseSpec(text)
		require.NoError(t, err)
		_, err = Open(t.Context(), s, o)
		var bad *SpecError
		require.ErrorAs(t, err, &bad)
		require.ErrorContains(t, err, says)
	}
}

func TestManifests(t *testing.T) {
	dir := t.TempDir()
	write := func(name, text string) {
		require.NoError(t, os.WriteFile(filepath.Join(dir, name), []byte(text), 0o700))
	}
	write("run.sh", "#!/bin/sh\n")
	write("weights.bin", "1")
	write("a.yaml", "name: a\ncommand: [./run.sh, weights.bin, --fast]\nfiles: [weights.bin]\nenv: {B: \"2\", A: x}\n")
	write("b.yaml", "name: b\ncommand: [/bin/sh, -c, 'true']\n")
	write("bad.yaml", "name: bad\ncommand: [x]\nspeed: 9\n")
	write("exec.yaml", "name: exec\ncommand: [x]\n")
	write("none.yaml", "name: none\ncommand: []\n")
	write("big.yaml", strings.Repeat("#", maxManifest+1))
	write("notes.txt", "not a manifest")
	o := Options{ManifestDirs: []string{dir}}
	list, errs := o.manifests()
	require.Len(t, list, 2)
	require.Len(t, errs, 4)
	for i, says := range []string{"speed", "at most", "exec", "want a list"} {
		require.ErrorContains(t, errs[i], says)
	}

	a, err := o.resolve(Spec{Name: "a"})
	require.NoError(t, err)
	require.Equal(t, filepath.Join(dir, "run.sh"), a.path)
	require.Equal(t, []string{"./run.sh", filepath.Join(dir, "weights.bin"), "--fast"}, a.args)
	require.Equal(t, []string{"A=x", "B=2"}, a.env)
	require.Equal(t, Installed, a.kind)
	before, err := a.hash()
	require.NoError(t, err)
	write("weights.bin", "22")
	after, err := a.hash()
	require.NoError(t, err)
	require.NotEqual(t, before, after, "a hashed file has changed")

	write("a.yaml", "name: a\ncommand: [./run.sh]\nfiles: [missing]\n")
	_, err = o.resolve(Spec{Name: "a"})
	require.ErrorContains(t, err, "missing")
	_, err = o.resolve(Spec{Name: "bad"})
	require.ErrorContains(t, err, "speed", "a manifest that can't be read is why there is no such backend")
}

func FuzzManifest(f *testing.F) {
	f.Add([]byte("name: a\ncommand: [./run.sh]\n"))
	f.Add([]byte("name: a\ncommand: [x]\nfiles: [a]\nenv: {A: b}\n"))
	f.Add([]byte("a: &a [*a, *a]\n"))
	f.Add([]byte("---\n---\n"))
	f.Fuzz(func(t *testing.T, b []byte) {
		m, err := parseManifest(b)
		if err == nil {
			require.Regexp(t, labelPattern, m.Name)
			require.NotEmpty(t, m.Command)
		}
	})
}

func TestHash(t *testing.T) {
	o := Options{Registry: Registry{"a": null.New, "b": null.New}}
	hash := func(s Spec) string {
		target, err := o.resolve(s)
		require.NoError(t, err)
		h, err := target.hash()
		require.NoError(t, err)
		require.Len(t, h, 64)
		return h
	}
	script := filepath.Join(t.TempDir(), "x.py")
	require.NoError(t, os.WriteFile(script, []byte("1"), 0o600))
	sh := Spec{Name: Exec, Command: []string{"/bin/sh", script}}
	one := hash(sh)
	require.Equal(t, one, hash(sh))
	require.NoError(t, os.WriteFile(script, []byte("22"), 0o600))
	require.NotEqual(t, one, hash(sh), "an interpreter's script counts")
	require.NotEqual(t, hash(Spec{Name: Exec, Command: []string{"/bin/sh", "-v"}}), hash(Spec{Name: Exec, Command: []string{"/bin/sh", "-x"}}))
	require.NotEqual(t, hash(Spec{Name: "a"}), hash(Spec{Name: "b"}), "two backends of one binary")
}

func TestLogKeepsTheTail(t *testing.T) {
	path := filepath.Join(t.TempDir(), "log")
	l, err := newLog(path, 1000)
	require.NoError(t, err)
	for i := range 100 {
		n, err := l.Write([]byte(strings.Repeat(string(rune('a'+i%26)), 98) + "!\n"))
		require.NoError(t, err)
		require.Equal(t, 100, n)
	}
	require.Equal(t, strings.Repeat("v", 98)+"!\n", l.Tail(150))
	n, err := l.Write([]byte(strings.Repeat("long ", 1<<20)))
	require.NoError(t, err)
	require.Equal(t, 5<<20, n)
	require.Len(t, l.Tail(1<<20), tailBytes)
	require.NoError(t, l.Close())
	_, err = l.Write([]byte("late"))
	require.NoError(t, err)
	require.NoError(t, l.Close())
	for _, p := range []string{path, path + ".1"} {
		st, err := os.Stat(p)
		require.NoError(t, err)
		require.LessOrEqual(t, st.Size(), int64(500))
	}
	l, err = newLog(path, 1000)
	require.NoError(t, err)
	_, _ = l.Write([]byte("half \xc3"))
	require.Equal(t, "half \uFFFD", l.Tail(100))
	require.NoError(t, l.Close())
}

func TestRunFoldersAreOurs(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "x")
	require.NoError(t, os.Mkdir(dir, 0o755))
	_, err := Open(t.Context(), Spec{Label: "null", Name: "null"}, Options{Registry: registry, Dir: dir})
	require.ErrorContains(t, err, "mode 0700")
	require.NoError(t, os.Chmod(dir, 0o700))
	_, err = Open(t.Context(), Spec{Label: "null", Name: "null"}, Options{Registry: registry, Dir: filepath.Join(dir, strings.Repeat("long", 20))})
	require.ErrorContains(t, err, "set TMPDIR")
}

func TestFailureIsTyped(t *testing.T) {
	f := newFailure("a", OutOfMemory, "grew to %d", 5)
	require.Equal(t, backends.ResourceExhausted, backends.CodeOf(f))
	require.Equal(t, "plugin a: grew to 5", f.Error())
}
