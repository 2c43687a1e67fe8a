package data

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"golang.org/x/sync/errgroup"
)

// An image tree is ImageNet's layout, torchvision's ImageFolder: a folder
// train and a folder val (or validation, or test), in each a folder a class,
// in each of these the class's images, of any size, as JPEG, PNG or WebP.
//
// Labels number the classes' folders in the order of their names, or of the
// lines of a class map. Images are taken in turn from every class, the first
// of each, then the second, so that any prefix is nearly balanced.
const (
	treeTrain    = "train"
	treeSide     = 224 // pixels, where no size is asked for
	maxClassLine = 1 << 16
)

var treeTests = []string{"val", "validation", "test"}

// treeImage is one file of a split.
type treeImage struct {
	path  string
	label int64
}

// isTree says whether the folder is an image tree.
func isTree(dir string) bool {
	info, err := os.Stat(filepath.Join(dir, treeTrain))
	return err == nil && info.IsDir()
}

// readTree loads an image tree at the size that is asked for: scaled so that
// the shorter side fits, then the middle.
func readTree(ctx context.Context, dir string, opts Options) (*Set, error) {
	if opts.Height == 0 {
		opts.Height, opts.Width = treeSide, treeSide
	}
	test, err := treeTest(dir)
	if err != nil {
		return nil, err
	}
	set := &Set{H: opts.Height, W: opts.Width, C: 3}
	var folders []string
	if opts.ClassMap != "" {
		folders, set.Classes, err = readClassMap(opts.ClassMap)
	} else {
		folders, err = classFolders(filepath.Join(dir, treeTrain))
		set.Classes = folders
	}
	if err != nil {
		return nil, err
	}
	for _, part := range []struct {
		dir   string
		limit int
		into  *Split
	}{{filepath.Join(dir, treeTrain), opts.TrainLimit, &set.Train}, {test, opts.TestLimit, &set.Test}} {
		images, err := listTree(ctx, part.dir, folders, opts)
		if err != nil {
			return nil, err
		}
		var skipped int
		if *part.into, skipped, err = loadTree(ctx, part.dir, images, part.limit, opts); err != nil {
			return nil, err
		}
		set.Skipped += skipped
	}
	return set, nil
}

// treeTest returns the folder of the test split.
func treeTest(dir string) (string, error) {
	for _, name := range treeTests {
		if info, err := os.Stat(filepath.Join(dir, name)); err == nil && info.IsDir() {
			return filepath.Join(dir, name), nil
		}
	}
	return "", &Error{Kind: Missing, File: filepath.Join(dir, treeTests[0]), What: "is missing",
		Mend: "an image tree has train and val (or validation, or test), in each a folder a class"}
}

// classFolders returns the names of a split's folders, sorted.
func classFolders(dir string) ([]string, error) {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return nil, &Error{Kind: Unreadable, File: dir, What: "cannot be read", Mend: "look at its permissions", Err: errors.Unwrap(err)}
	}
	var out []string
	for _, e := range entries {
		if !strings.HasPrefix(e.Name(), ".") && isDir(dir, e) {
			out = append(out, e.Name())
		}
	}
	switch {
	case len(out) == 0:
		return nil, &Error{Kind: Missing, File: dir, What: "has no folders", Mend: "give each class a folder of its images"}
	case len(out) > maxClasses:
		return nil, &Error{Kind: Oversized, File: dir, Field: "classes", What: fmt.Sprintf("are %d", len(out)), Mend: fmt.Sprintf("up to %d are read", maxClasses)}
	}
	return out, nil
}

// isDir follows a link, which people use to share a class.
func isDir(dir string, e os.DirEntry) bool {
	if e.Type()&os.ModeSymlink == 0 {
		return e.IsDir()
	}
	info, err := os.Stat(filepath.Join(dir, e.Name()))
	return err == nil && info.IsDir()
}

// readClassMap reads a file of one line a class, its folder and, after a
// space, its name, as ImageNet's LOC_synset_mapping.txt has them. The line's
// place is the label.
func readClassMap(path string) (folders, names []string, err error) {
	content, err := os.ReadFile(path)
	if err != nil {
		return nil, nil, &Error{Kind: Unreadable, File: path, What: "cannot be read", Mend: "give a class map: a line a class, its folder, then its name", Err: errors.Unwrap(err)}
	}
	return parseClassMap(path, content)
}

func parseClassMap(path string, content []byte) (folders, names []string, err error) {
	const mend = "a class map has a line a class: its folder, then its name"
	fail := func(line int, what string) error {
		return &Error{Kind: Mismatch, File: path, Field: fmt.Sprintf("line %d", line), What: what, Mend: mend}
	}
	seen := map[string]int{}
	lines := bufio.NewScanner(bytes.NewReader(content))
	lines.Buffer(nil, maxClassLine)
	for n := 1; lines.Scan(); n++ {
		folder, name, named := strings.Cut(strings.TrimSpace(lines.Text()), " ")
		switch before, twice := seen[folder]; {
		case folder == "":
			continue
		case folder == "." || folder == ".." || strings.ContainsAny(folder, "/\\\x00"):
			return nil, nil, fail(n, fmt.Sprintf("%q is not the name of a folder", folder))
		case twice:
			return nil, nil, fail(n, fmt.Sprintf("%s is on line %d already", folder, before))
		case len(folders) == maxClasses:
			return nil, nil, fail(n, fmt.Sprintf("more than the %d classes that are read", maxClasses))
		}
		if name = strings.TrimSpace(name); !named || name == "" {
			name = folder
		}
		seen[folder] = n
		folders, names = append(folders, folder), append(names, name)
	}
	if lines.Err() != nil {
		return nil, nil, fail(len(folders)+1, "is too long")
	}
	if len(folders) == 0 {
		return nil, nil, &Error{Kind: Mismatch, File: path, What: "has no classes", Mend: mend}
	}
	return folders, names, nil
}

// listTree lists a split's images. A folder that is no class would be images
// without a label, a class without images would never be learnt: neither is
// passed over.
func listTree(ctx context.Context, dir string, folders []string, opts Options) ([]treeImage, error) {
	present, err := classFolders(dir)
	if err != nil {
		return nil, err
	}
	for _, name := range present {
		if !slices.Contains(folders, name) {
			return nil, &Error{Kind: LabelRange, File: filepath.Join(dir, name), What: fmt.Sprintf("is none of the %d classes", len(folders)),
				Mend: "move it away or add it to the class map or the training split"}
		}
	}
	index, err := indexTree(ctx, dir, folders, opts)
	if err != nil {
		return nil, err
	}
	total := 0
	for i, files := range index {
		if len(files) == 0 {
			return nil, &Error{Kind: Missing, File: filepath.Join(dir, folders[i]), Field: "class", What: "has no images",
				Mend: "put its JPEG, PNG or WebP files there or leave the class out"}
		}
		total += len(files)
	}
	out := make([]treeImage, 0, total)
	for k := 0; len(out) < total; k++ {
		for label, files := range index {
			if k < len(files) {
				out = append(out, treeImage{filepath.Join(dir, folders[label], files[k]), int64(label)})
			}
		}
	}
	return out, nil
}

// loadTree decodes the first limit images in parallel. An image that cannot be
// decoded ends it, or is left out and counted if opts.SkipBad says so.
func loadTree(ctx context.Context, dir string, images []treeImage, limit int, opts Options) (Split, int, error) {
	images = images[:limited(len(images), limit)]
	each := opts.Height * opts.Width * 3
	if uint64(len(images))*uint64(each) > maxBytes {
		return Split{}, 0, &Error{Kind: Oversized, File: dir, What: fmt.Sprintf("%d images of %d×%d take more than the %d bytes that are kept in memory", len(images), opts.Height, opts.Width, uint64(maxBytes)),
			Mend: "limit the number of images or their size"}
	}
	split := Split{Images: make([]byte, len(images)*each), Labels: make([]int64, len(images))}
	bad := make([]bool, len(images))
	group, ctx := errgroup.WithContext(ctx)
	for k := range opts.Workers {
		group.Go(func() error {
			for i := k; i < len(images); i += opts.Workers {
				if err := ctx.Err(); err != nil {
					return err
				}
				m, err := decodeFile(images[i].path)
				switch {
				case err != nil && !opts.SkipBad:
					return err
				case err != nil:
					opts.Log.Warn("image is skipped", "error", err)
					bad[i] = true
					continue
				}
				copy(split.Images[i*each:], fit(m, opts.Height, opts.Width).Pix)
				split.Labels[i] = images[i].label
			}
			return nil
		})
	}
	if err := group.Wait(); err != nil {
		return Split{}, 0, err
	}
	split, skipped := without(split, bad, each)
	if split.Len() == 0 {
		return Split{}, 0, &Error{Kind: Missing, File: dir, What: fmt.Sprintf("none of its %d images can be decoded", len(images)), Mend: "give JPEG, PNG or WebP files"}
	}
	return split, skipped, nil
}

// without closes the gaps that bad images leave.
func without(s Split, bad []bool, each int) (Split, int) {
	kept := 0
	for i, b := range bad {
		if b {
			continue
		}
		copy(s.Images[kept*each:][:each], s.Images[i*each:])
		s.Labels[kept] = s.Labels[i]
		kept++
	}
	return Split{s.Images[:kept*each], s.Labels[:kept]}, len(bad) - kept
}
