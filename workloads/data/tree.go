package data

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
)

// An image tree is ImageNet's layout, torchvision's ImageFolder: a folder
// train and a folder val (or validation, or test), in each a folder a class,
// in each of these the class's images, of any size, as JPEG, PNG or WebP.
//
// Labels number the classes' folders in the order of their names, or of the
// lines of a class map. Images are taken in turn from every class, the first
// of each, then the second, so that any prefix is nearly balanced.
//
// Opening a tree lists it, which an index in the cache makes quick, and decodes
// only the sample that its statistics are taken of. Images are decoded when they
// are asked for.
const (
	treeTrain    = "train"
	treeSide     = 224 // pixels, where no size is asked for
	maxClassLine = 1 << 16
)

var treeTests = []string{"val", "validation", "test"}

// isTree says whether the folder is an image tree.
func isTree(dir string) bool {
	info, err := os.Stat(filepath.Join(dir, treeTrain))
	return err == nil && info.IsDir()
}

// readTree opens an image tree at the size that is asked for: images are scaled
// so that the shorter side fits, then the middle is taken.
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
		skipped := 0
		if *part.into, skipped, err = openTreeSplit(ctx, part.dir, folders, part.limit, opts); err != nil {
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

// openTreeSplit lists a split, leaves out what cannot be decoded if opts.SkipBad
// says so, and keeps the index if it has learnt something.
func openTreeSplit(ctx context.Context, dir string, folders []string, limit int, opts Options) (Split, int, error) {
	index, err := listTree(ctx, dir, folders, opts)
	if err != nil {
		return Split{}, 0, err
	}
	source, err := newTreeSource(dir, folders, index.classes, limit, opts)
	if err != nil {
		return Split{}, 0, err
	}
	skipped := 0
	if opts.SkipBad {
		if skipped, err = source.skipBad(ctx, index, opts); err != nil {
			return Split{}, 0, err
		}
	}
	index.save(opts)
	split := Split{Source: source, Labels: make([]int64, len(source.files))}
	for i, f := range source.files {
		split.Labels[i] = int64(f.class)
	}
	return split, skipped, nil
}

// listTree lists a split's folders. A folder that is no class would be images
// without a label, a class without images would never be learnt: neither is
// passed over.
func listTree(ctx context.Context, dir string, folders []string, opts Options) (*treeIndex, error) {
	present, err := classFolders(dir)
	if err != nil {
		return nil, err
	}
	known := make(map[string]bool, len(folders))
	for _, name := range folders {
		known[name] = true
	}
	for _, name := range present {
		if !known[name] {
			return nil, &Error{Kind: LabelRange, File: filepath.Join(dir, name), What: fmt.Sprintf("is none of the %d classes", len(folders)),
				Mend: "move it away or add it to the class map or the training split"}
		}
	}
	index, err := indexTree(ctx, dir, folders, opts)
	if err != nil {
		return nil, err
	}
	for i, c := range index.classes {
		if c.names.len() == 0 {
			return nil, &Error{Kind: Missing, File: filepath.Join(dir, folders[i]), Field: "class", What: "has no images",
				Mend: "put its JPEG, PNG or WebP files there or leave the class out"}
		}
	}
	return index, nil
}
