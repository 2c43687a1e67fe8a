package main

import (
	"errors"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
	"github.com/stretchr/testify/require"
)

// repository is the folder of the documents.
const repository = "../.."

// requireParses holds a command line against the command tree: the command
// exists, has these flags, and takes their values and so many arguments.
func requireParses(t *testing.T, line string) {
	words := shellWords(line)
	require.Equal(t, "clsbench", words[0], line)
	root, _ := newRoot()
	cmd, rest, err := root.Find(words[1:])
	require.NoError(t, err, line)
	require.True(t, cmd.Runnable(), line)
	if err := cmd.ParseFlags(rest); errors.Is(err, pflag.ErrHelp) {
		return
	} else {
		require.NoError(t, err, line)
	}
	require.NoError(t, cmd.ValidateArgs(cmd.Flags().Args()), line)
}

// shellWords splits a line as a shell would that expands nothing, up to a
// comment or a pipe. Words of capitals stand for themselves, an ellipsis for
// more of the same.
func shellWords(line string) (words []string) {
	for _, m := range regexp.MustCompile(`(?:'[^']*'|"[^"]*"|[^\s'"])+`).FindAllString(line, -1) {
		if m == "#" || m == "|" || m == ">" || m == "&&" {
			break
		}
		words = append(words, strings.TrimSuffix(strings.NewReplacer("'", "", `"`, "").Replace(m), "…"))
	}
	return words
}

// commandLines are the lines of clsbench in a document: in `ticks`, broken by
// a line's end or not, and in fenced blocks at a line's beginning.
func commandLines(text string) (lines []string) {
	inline := regexp.MustCompile("`(clsbench [^`]*)`")
	for i, part := range strings.Split(text, "```") {
		if i%2 == 0 {
			for _, m := range inline.FindAllStringSubmatch(part, -1) {
				lines = append(lines, strings.Join(strings.Fields(m[1]), " "))
			}
			continue
		}
		for _, l := range strings.Split(part, "\n") {
			l = strings.TrimPrefix(strings.TrimSpace(l), "$ ")
			if after, ok := strings.CutPrefix(l, "go run ./cmd/clsbench"); ok {
				l = "clsbench" + after
			}
			if strings.HasPrefix(l, "clsbench ") {
				lines = append(lines, l)
			}
		}
	}
	return lines
}

func TestCommandsOfTheDocumentsParse(t *testing.T) {
	for _, doc := range []string{"README.md", "CONTRIBUTING.md"} {
		text, err := os.ReadFile(filepath.Join(repository, doc))
		require.NoError(t, err)
		lines := commandLines(string(text))
		require.Greater(t, len(lines), 5, doc)
		for _, l := range lines {
			requireParses(t, l)
		}
	}
	require.Equal(t, []string{"clsbench run --json", "clsbench run # all"}, commandLines("a `clsbench run\n--json` b\n```sh\ngo run ./cmd/clsbench run # all\n```\n"))
}

func TestLinksOfTheDocumentsExist(t *testing.T) {
	link := regexp.MustCompile(`\]\(([^)\s]+)\)`)
	path := regexp.MustCompile("`((?:cmd|graph|tensor|reference|backends|conformance|workloads|results|plots|internal|docs|\\.ci)/[A-Za-z0-9_./-]*)`")
	for _, doc := range []string{"README.md", "CONTRIBUTING.md"} {
		text, err := os.ReadFile(filepath.Join(repository, doc))
		require.NoError(t, err)
		found := 0
		for _, m := range append(link.FindAllSubmatch(text, -1), path.FindAllSubmatch(text, -1)...) {
			target, _, _ := strings.Cut(string(m[1]), "#")
			if target == "" || strings.Contains(target, "://") {
				continue
			}
			found++
			_, err := os.Stat(filepath.Join(repository, target))
			require.NoError(t, err, "%s names %s", doc, target)
		}
		require.Positive(t, found, doc)
	}
}

// Every command teaches by example, and its examples are its own and parse.
func TestEveryCommandHasExamples(t *testing.T) {
	seen := 0
	var walk func(c *cobra.Command)
	walk = func(c *cobra.Command) {
		if c.Name() == "completion" || c.Name() == "help" {
			return // cobra's own
		}
		require.NotEmpty(t, c.Example, c.CommandPath())
		for _, l := range strings.Split(c.Example, "\n") {
			line, _, _ := strings.Cut(strings.TrimSpace(l), "   ") // behind it stands what it does
			require.True(t, strings.HasPrefix(line, c.CommandPath()), "%q of %s", line, c.CommandPath())
			requireParses(t, line)
			seen++
		}
		for _, sub := range c.Commands() {
			walk(sub)
		}
	}
	root, _ := newRoot()
	walk(root)
	require.Greater(t, seen, 30)
}

// What a flag takes is either completed or known to be the user's alone.
func TestEveryFlagIsCompleted(t *testing.T) {
	var walk func(c *cobra.Command)
	walk = func(c *cobra.Command) {
		c.LocalNonPersistentFlags().VisitAll(func(f *pflag.Flag) {
			if _, has := c.GetFlagCompletionFunc(f.Name); f.Value.Type() != "bool" {
				require.True(t, has, "%s --%s", c.CommandPath(), f.Name)
			}
		})
		for _, sub := range c.Commands() {
			walk(sub)
		}
	}
	root, _ := newRoot()
	walk(root)
}
