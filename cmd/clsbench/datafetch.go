package main

import (
	"errors"
	"fmt"
	"io"
	"net/url"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"golang.org/x/term"

	"github.com/clsbench/clsbench/workloads/data"
	"github.com/clsbench/clsbench/workloads/data/fetch"
)

func newDataFetchCmd() *cobra.Command {
	var f fetch.Fetcher
	cmd := &cobra.Command{
		Use:   "fetch NAME [DIR]",
		Short: "Download a public data set",
		Long: `fetch downloads a set that others publish into a folder (default ./NAME) that
--data then takes:

` + fetchable() + `
Every file is held against the SHA-256 that TensorFlow Datasets publishes for it,
and the folder appears when the set is whole. What a broken download has brought
lies in DIR.part, and the next call goes on from there. A folder that is there
already is verified by its SHA256SUMS instead.

A mirror, by --mirror or CLSBENCH_MIRROR, has the files at MIRROR/NAME/FILE and is
asked first.

Exit codes: 0 the set is there and whole; 1 the network, a server or a checksum
says no; 2 bad input; 130 interrupted.`,
		Example: `  clsbench data fetch mnist
  clsbench data fetch cifar-10 ~/sets/cifar-10`,
		Args:              cobra.RangeArgs(1, 2),
		ValidArgsFunction: upTo(2, completeFetch),
		RunE: func(cmd *cobra.Command, args []string) error {
			set, err := fetchSet(args[0])
			if err != nil {
				return err
			}
			dir := set.Name
			if len(args) == 2 {
				dir = args[1]
			}
			if err := checkFetchFlags(&f); err != nil {
				return err
			}
			quiet, _ := cmd.Flags().GetBool("quiet")
			p := &fetchProgress{w: cmd.ErrOrStderr(), quiet: quiet}
			f.Progress, f.Retry = p.progress, p.retry
			already, err := f.Fetch(cmd.Context(), set, dir)
			p.end()
			var refused *fetch.Error
			switch {
			case errors.As(err, &refused):
				return &exitError{exitVerdict, err}
			case err != nil:
				return dataError(err)
			case already:
				fmt.Fprintf(cmd.OutOrStdout(), "%s: is there already, its checksums hold\n", dir)
			default:
				fmt.Fprintf(cmd.OutOrStdout(), "%s: %s, %.1f MB, verified\n", dir, set.Name, float64(set.Bytes())/1e6)
			}
			return nil
		},
	}
	cmd.Flags().StringArrayVar(&f.Mirrors, "mirror", nil, "address that is asked first, for MIRROR/NAME/FILE; repeatable")
	cmd.Flags().IntVar(&f.Tries, "tries", 4, "tries of one address in a row that bring nothing")
	cmd.Flags().DurationVar(&f.Stall, "stall", 30*time.Second, "how long no byte may come before a try ends")
	return cmd
}

func checkFetchFlags(f *fetch.Fetcher) error {
	switch {
	case f.Tries < 1:
		return usagef("flag --tries: %d: want 1 or more", f.Tries)
	case f.Stall <= 0:
		return usagef("flag --stall: %v: want a time such as 30s", f.Stall)
	}
	for _, m := range f.Mirrors {
		if u, err := url.Parse(m); err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Host == "" {
			return usagef("mirror %q: want an address such as https://example.org/sets", m)
		}
	}
	return nil
}

// fetchable lists the sets, a line each.
func fetchable() string {
	var b strings.Builder
	for _, s := range fetch.Sets {
		fmt.Fprintf(&b, "  %-14s %s; %.0f MB\n", s.Name, s.Description, float64(s.Bytes())/1e6)
	}
	return b.String()
}

func fetchSet(name string) (fetch.Set, error) {
	var names []string
	for _, s := range fetch.Sets {
		if s.Name == name {
			return s, nil
		}
		names = append(names, s.Name)
	}
	if slices.ContainsFunc(data.List(), func(i data.Info) bool { return i.Name == name }) {
		return fetch.Set{}, usagef("data set %s needs no fetching: give it to --data as it is", name)
	}
	return fetch.Set{}, usagef("data set %q is none that can be fetched: want one of %s", name, strings.Join(names, ", "))
}

func completeFetch(cmd *cobra.Command, args []string, typed string) ([]string, cobra.ShellCompDirective) {
	if len(args) > 0 {
		return folders(cmd, args, typed)
	}
	var names []string
	for _, s := range fetch.Sets {
		names = append(names, s.Name+"\t"+s.Description)
	}
	return names, cobra.ShellCompDirectiveNoFileComp
}

// fetchProgress tells on standard error how far a download is: on a terminal a
// line that is drawn over, else a line for each tenth of a file.
type fetchProgress struct {
	w     io.Writer
	quiet bool
	file  string
	tenth int64
	drawn time.Time
	open  bool // a line without its end
}

func (p *fetchProgress) progress(file string, have, size int64) {
	if p.quiet {
		return
	}
	if f, ok := p.w.(*os.File); ok && term.IsTerminal(int(f.Fd())) {
		if have < size && time.Since(p.drawn) < 200*time.Millisecond {
			return
		}
		p.drawn, p.open = time.Now(), true
		fmt.Fprintf(p.w, "\r\x1b[K%s  %.1f of %.1f MB", file, float64(have)/1e6, float64(size)/1e6)
		return
	}
	tenth := have * 10 / size
	if file == p.file && tenth == p.tenth {
		return
	}
	p.file, p.tenth = file, tenth
	fmt.Fprintf(p.w, "fetch    %s  %.1f of %.1f MB\n", file, float64(have)/1e6, float64(size)/1e6)
}

func (p *fetchProgress) retry(err error) {
	p.end()
	if !p.quiet {
		fmt.Fprintf(p.w, "again    %v\n", err)
	}
}

// end ends the line that is drawn over.
func (p *fetchProgress) end() {
	if p.open {
		fmt.Fprintln(p.w)
		p.open = false
	}
}
