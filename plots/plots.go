// Package plots draws result documents as figures for papers and pages: throughput with its intervals, the distribution
// of latencies, accuracy and loss while training, confusions, calibration, the worst mistakes, memory, throughput
// against accuracy, and several precisions side by side, each as PNG and SVG.
//
// Series are told apart by colour (Okabe and Ito's palette), by marker and by dashes, so that a grey print and a
// colour-blind reader lose nothing; names stand beside the data where there is room. What is drawn is taken out of the
// documents first (data.go), and drawn then.
package plots

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/google/renameio/v2"

	"github.com/clsbench/clsbench/results"
)

// Options are how figures are written. The zero value is PNG at 150 dots an inch, and SVG.
type Options struct {
	Formats []string // of "png", "svg"
	DPI     int      // of PNG; 0 is 150
	// Pictures has the images of the sheet of mistakes, which nil leaves out.
	Pictures Pictures
	// Skipped is told why a figure is left out for which there are data; it may be nil.
	Skipped func(error)
}

// Formats are the kinds of files that Draw writes.
func Formats() []string { return []string{"png", "svg"} }

// Draw writes the figures that the documents have data for into dir, which it makes if need be, and gives their paths.
// A figure of the same name is replaced: all that is in it is in the documents. Figures of several documents compare
// them, each under the beginning of its run's id.
func Draw(docs []*results.Document, dir string, o Options) ([]string, error) {
	if len(o.Formats) == 0 {
		o.Formats = Formats()
	}
	if o.DPI == 0 {
		o.DPI = 150
	}
	if o.DPI < 30 || o.DPI > 1200 {
		return nil, fmt.Errorf("plots: %d dots an inch; 30 to 1200 may be", o.DPI)
	}
	for _, f := range o.Formats {
		if !slices.Contains(Formats(), f) {
			return nil, fmt.Errorf("plots: format %q; one of %s", f, strings.Join(Formats(), ", "))
		}
	}
	figures, err := figuresOf(docs, o)
	if err != nil {
		return nil, err
	}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return nil, fmt.Errorf("plots: %w", err)
	}
	defer os.Remove(dir) // if nothing came to be in it: a folder with files stays
	var paths []string
	for _, f := range figures {
		for _, format := range o.Formats {
			data, err := f.encode(format, o.DPI)
			if err != nil {
				return paths, fmt.Errorf("plots: %s: %w", f.name, err)
			}
			path := filepath.Join(dir, f.name+"."+format)
			if err := renameio.WriteFile(path, data, 0o644); err != nil {
				return paths, fmt.Errorf("plots: %s: %w", path, err) // which itself may name a temporary file
			}
			paths = append(paths, path)
		}
	}
	return paths, nil
}

// ErrNothing says that the documents have no figure to draw.
var ErrNothing = errors.New("plots: nothing to draw, no cell has a figure")

// figuresOf makes the figures that the documents have data for.
func figuresOf(docs []*results.Document, o Options) ([]*figure, error) {
	t, err := newTable(docs)
	if err != nil {
		return nil, fmt.Errorf("plots: %w", err)
	}
	var figures []*figure
	mistakes := func(t *table) *figure {
		f, err := mistakesFigure(t, o.Pictures)
		if err != nil && o.Skipped != nil {
			o.Skipped(err)
		}
		return f
	}
	for _, draw := range []func(*table) *figure{throughputFigure, latencyFigure, accuracyFigure, learningFigure, confusionFigure,
		calibrationFigure, mistakes, memoryFigure, tradeoffFigure, precisionsFigure} {
		if f := draw(t); f != nil {
			if t.common != "" {
				f.title += " · " + t.common
			}
			f.caption = append(f.caption, machines(docs)...)
			figures = append(figures, f)
		}
	}
	if len(figures) == 0 {
		return nil, ErrNothing
	}
	return figures, nil
}

// machines says where and when each document was measured.
func machines(docs []*results.Document) []string {
	var lines []string
	for _, d := range docs {
		var threads []int
		for _, r := range d.Results {
			if r.Threads > 0 && !slices.Contains(threads, r.Threads) {
				threads = append(threads, r.Threads)
			}
		}
		s := d.Machine.Title()
		if len(threads) == 1 {
			s += fmt.Sprintf(" · threads: %d", threads[0])
		}
		lines = append(lines, fmt.Sprintf("Run %s: %s · effort %s · %s", tag(d), s, d.Run.Effort.Name, d.Run.Started.UTC().Format("2 January 2006")))
	}
	return lines
}
