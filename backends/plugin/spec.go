package plugin

import (
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
)

// Spec says which backend to start and how: `[label=]name[:key=value,…]` for
// an embedded or installed one, `[label=]exec:COMMAND ARGS…` for any other.
type Spec struct {
	Label   string            // what results call it; unique in a comparison
	Name    string            // Exec for a command
	Options map[string]string // the backend's own, given to every session
	Command []string          // of Exec: the program and its arguments
}

// Exec is the name of a spec that is a command.
const Exec = "exec"

// SpecError is bad input: a spec that can't be understood or names what is not
// there. Failures of a plugin that was started are *Failure.
type SpecError struct {
	Spec string
	Why  string
}

func (e *SpecError) Error() string { return fmt.Sprintf("backend %q: %s", e.Spec, e.Why) }

var labelPattern = regexp.MustCompile(`^[a-z0-9][a-z0-9._-]*$`)

// ParseSpec reads one spec. It does not look whether the backend exists.
func ParseSpec(text string) (Spec, error) {
	bad := func(format string, args ...any) (Spec, error) {
		return Spec{}, &SpecError{text, fmt.Sprintf(format, args...)}
	}
	s, rest := Spec{}, text
	if i := strings.IndexAny(text, "=:"); i >= 0 && text[i] == '=' {
		s.Label, rest = text[:i], text[i+1:]
		if !labelPattern.MatchString(s.Label) {
			return bad("label %q: want lower-case letters, digits, '.', '_' and '-'", s.Label)
		}
	}
	name, tail, more := strings.Cut(rest, ":")
	if !labelPattern.MatchString(name) {
		return bad("want [label=]name[:key=value,…] or [label=]exec:COMMAND, as in cpu, cpu:isa=avx2 or exec:./my-plugin")
	}
	s.Name = name
	if name == Exec {
		words, err := splitWords(tail)
		if err != nil {
			return bad("%v", err)
		}
		if len(words) == 0 {
			return bad("no command after exec:")
		}
		s.Command = words
	} else if more {
		options, err := parseOptions(tail)
		if err != nil {
			return bad("%v", err)
		}
		s.Options = options
	}
	if s.Label == "" {
		s.Label = s.defaultLabel()
	}
	return s, nil
}

func parseOptions(text string) (map[string]string, error) {
	options := map[string]string{}
	for _, kv := range strings.Split(text, ",") {
		k, v, ok := strings.Cut(kv, "=")
		if !ok || k == "" {
			return nil, fmt.Errorf("option %q: want key=value", kv)
		}
		if _, dup := options[k]; dup {
			return nil, fmt.Errorf("option %q is given twice", k)
		}
		options[k] = v
	}
	return options, nil
}

var labelUnfit = regexp.MustCompile(`[^a-z0-9._]+`)

// defaultLabel is the name with its options, so that cpu:isa=avx2 and cpu do
// not collide; for a command it is the program's base name.
func (s Spec) defaultLabel() string {
	text := s.Name
	if s.Name == Exec {
		text = filepath.Base(s.Command[0])
	}
	for _, k := range slices.Sorted(maps.Keys(s.Options)) {
		text += "-" + s.Options[k]
	}
	text = strings.Trim(labelUnfit.ReplaceAllString(strings.ToLower(text), "-"), "-._")
	if text == "" {
		return s.Name
	}
	return text
}

// String is the spec in the form that ParseSpec reads.
func (s Spec) String() string {
	var b strings.Builder
	if s.Label != "" && s.Label != s.defaultLabel() {
		b.WriteString(s.Label + "=")
	}
	b.WriteString(s.Name)
	if s.Name == Exec {
		words := make([]string, len(s.Command))
		for i, w := range s.Command {
			words[i] = quote(w)
		}
		b.WriteString(":" + strings.Join(words, " "))
		return b.String()
	}
	sep := ":"
	for _, k := range slices.Sorted(maps.Keys(s.Options)) {
		b.WriteString(sep + k + "=" + s.Options[k])
		sep = ","
	}
	return b.String()
}

// Relative are the words of a command that are looked up in the working
// directory: paths that don't begin at the root, and names of files that lie
// there. In words like --config=FILE the part behind the equals sign counts.
func (s Spec) Relative() (words []string) {
	for i, w := range s.Command {
		path := w
		if k := strings.IndexByte(w, '='); k >= 0 && i > 0 {
			path = w[k+1:]
		}
		if path == "" || filepath.IsAbs(path) || strings.Contains(path, "://") {
			continue
		}
		_, err := os.Lstat(path)
		// A program without a slash is looked up in PATH.
		if strings.ContainsRune(path, filepath.Separator) || i > 0 && err == nil {
			words = append(words, w)
		}
	}
	return words
}

// ParseSpecs reads a list of specs, whose labels must differ.
func ParseSpecs(texts []string) ([]Spec, error) {
	var out []Spec
	seen := map[string]string{}
	for _, t := range texts {
		s, err := ParseSpec(t)
		if err != nil {
			return nil, err
		}
		if other, dup := seen[s.Label]; dup {
			return nil, &SpecError{t, fmt.Sprintf("the label %q is that of %q too: give one, as in new=%s", s.Label, other, t)}
		}
		seen[s.Label] = t
		out = append(out, s)
	}
	return out, nil
}

// splitWords splits a command as a shell would that knows quotes and the
// backslash and nothing else.
func splitWords(text string) ([]string, error) {
	var words []string
	var word strings.Builder
	open, in := rune(0), false // the quote that is open; whether a word has begun
	escaped := false
	for _, r := range text {
		switch {
		case escaped:
			word.WriteRune(r)
			escaped = false
		case r == '\\' && open != '\'':
			escaped, in = true, true
		case open != 0:
			if r == open {
				open = 0
			} else {
				word.WriteRune(r)
			}
		case r == '\'' || r == '"':
			open, in = r, true
		case r == ' ' || r == '\t' || r == '\n':
			if in {
				words = append(words, word.String())
				word.Reset()
				in = false
			}
		default:
			word.WriteRune(r)
			in = true
		}
	}
	if open != 0 || escaped {
		return nil, fmt.Errorf("the command ends inside a quotation")
	}
	if in {
		words = append(words, word.String())
	}
	return words, nil
}

// quote writes a word so that splitWords reads it back.
func quote(w string) string {
	if w != "" && !strings.ContainsAny(w, " \t\n'\"\\") {
		return w
	}
	return "'" + strings.ReplaceAll(w, "'", `'\''`) + "'"
}
