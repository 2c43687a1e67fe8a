package data

import (
	"context"
	"fmt"
	"hash"
	"strconv"
	"strings"
	"sync"

	"github.com/clsbench/clsbench/workloads/data/augment"
	"github.com/clsbench/clsbench/workloads/data/paint"
	"github.com/clsbench/clsbench/workloads/data/shapes"
)

var shapesV1 = Info{
	Name:        "shapes/v1",
	Description: fmt.Sprintf("procedural textured figures; any size from %d to %d as shapes/v1@SIZE; no download", shapes.MinSide, shapes.MaxSide),
	Classes:     shapes.Names,
	H:           shapes.Side, W: shapes.Side, C: 3,
	Train: shapes.TrainCount, Test: shapes.TestCount,
	Digest: shapesDigests[shapes.Side],
}

// shapesDigests are those of the sizes that are kept in the cache; the others
// are drawn at every start.
var shapesDigests = map[int]string{
	32: "aebab6232dc74ee3e57ecc353a9d4cbde57bd30fd928436fd7ac47d7072ecf96",
	64: "3a91559c6f464eae1b9bfa6767913cbc793e5a445d19a1290ae63374a074d66f",
}

// shapesInMemory is the largest side at which the set is kept in memory. Above
// it, images are drawn as they are read.
const shapesInMemory = 96

// openShapes opens the set at the size that is asked for, which it is drawn at
// rather than resized to, or at its own.
func openShapes(ctx context.Context, opts Options) (*Set, error) {
	side := shapes.Side
	if opts.Height == opts.Width && opts.Height >= shapes.MinSide && opts.Height <= shapes.MaxSide {
		side = opts.Height
	}
	return openShapesAt(ctx, side, opts)
}

// openShapesAt opens the set at one size, or as much of it as is asked for.
func openShapesAt(ctx context.Context, side int, opts Options) (*Set, error) {
	if side < shapes.MinSide || side > shapes.MaxSide {
		return nil, &Error{Kind: BadOption, Field: "data set", What: fmt.Sprintf("%s@%d is of no size that is drawn", shapesV1.Name, side),
			Mend: fmt.Sprintf("give %d to %d", shapes.MinSide, shapes.MaxSide)}
	}
	info := shapesV1
	info.H, info.W, info.Digest = side, side, shapesDigests[side]
	if side != shapes.Side {
		info.Name = fmt.Sprintf("%s@%d", info.Name, side)
	}
	draw := func() (*Set, error) { return drawShapes(ctx, info, opts) }
	if info.Digest != "" && opts.TrainLimit == 0 && opts.TestLimit == 0 {
		return cached(ctx, info, opts, draw)
	}
	return draw()
}

func drawShapes(ctx context.Context, info Info, opts Options) (*Set, error) {
	set := &Set{Name: info.Name, Classes: info.Classes, H: info.H, W: info.W, C: info.C}
	for _, part := range []struct {
		split paint.Split
		limit int
		into  *Split
	}{
		{paint.Train, opts.TrainLimit, &set.Train},
		{paint.Test, opts.TestLimit, &set.Test},
	} {
		n := limited(shapes.Count(part.split), part.limit)
		if info.H > shapesInMemory {
			*part.into = Split{Labels: shapes.Labels(part.split, n), Source: newShapesSource(info.H, part.split, n)}
			continue
		}
		part.into.Images, part.into.Labels = make([]byte, n*info.H*info.W*info.C), make([]int64, n)
		if err := shapes.Fill(ctx, info.H, part.split, part.into.Images, part.into.Labels, opts.Workers); err != nil {
			return nil, err
		}
	}
	return set, nil
}

// shapesSource draws images as they are read.
type shapesSource struct {
	side     int
	split    paint.Split
	n        int
	painters sync.Pool
}

func newShapesSource(side int, split paint.Split, n int) *shapesSource {
	return &shapesSource{side: side, split: split, n: n, painters: sync.Pool{New: func() any { return shapes.NewPainter(side) }}}
}

// Decode draws image i.
func (s *shapesSource) Decode(i int) (augment.Image, error) {
	p := s.painters.Get().(*shapes.Painter)
	defer s.painters.Put(p)
	m := augment.New(s.side, s.side, 3)
	p.Paint(m.Pix, s.split, i)
	return m, nil
}

// Shape is the size that the set is drawn at.
func (s *shapesSource) Shape() (h, w, c int) { return s.side, s.side, 3 }

// Digest hashes what the images are a function of.
func (s *shapesSource) Digest(h hash.Hash) {
	fmt.Fprintf(h, "%s %d %d %d ", shapesV1.Name, s.side, s.split, s.n)
}

// Registered says whether spec names a set that needs no files, at one of its
// sizes or not.
func Registered(spec string) bool {
	_, found := Describe(spec)
	return found
}

// Describe returns what is known of a registered set, at one of its sizes or
// not, without opening it.
func Describe(spec string) (Info, bool) {
	name, _, _ := strings.Cut(spec, "@")
	for _, r := range registered {
		if r.Name == name {
			return r.Info, true
		}
	}
	return Info{}, false
}

// openRegistered opens the set that spec names: NAME, or NAME@SIDE of a set
// that is drawn at any size.
func openRegistered(ctx context.Context, spec string, opts Options) (*Set, error) {
	name, size, sized := strings.Cut(spec, "@")
	for _, r := range registered {
		switch {
		case r.Name != name:
			continue
		case !sized:
			return r.open(ctx, opts)
		case r.at == nil:
			return nil, &Error{Kind: BadOption, Field: "data set", What: fmt.Sprintf("%s has one size, %d×%d", name, r.H, r.W), Mend: "give its name without @" + size}
		}
		side, err := strconv.Atoi(size)
		if err != nil {
			return nil, &Error{Kind: BadOption, Field: "data set", What: fmt.Sprintf("%q has no number after @", spec), Mend: fmt.Sprintf("give %s@SIZE, a number of pixels", name)}
		}
		return r.at(ctx, side, opts)
	}
	panic("data: " + spec + " is not registered")
}
