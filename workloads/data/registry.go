package data

import (
	"context"
	"strconv"

	"github.com/clsbench/clsbench/workloads/data/digits"
	"github.com/clsbench/clsbench/workloads/data/paint"
)

// Info describes a registered set without opening it.
type Info struct {
	Name        string
	Description string
	Classes     []string
	H, W, C     int
	Train, Test int    // images
	Digest      string // Set.Digest of the whole set as it is
}

type entry struct {
	Info
	open func(context.Context, Options) (*Set, error)
	at   func(ctx context.Context, side int, opts Options) (*Set, error) // nil of a set of one size
}

var registered = []entry{
	{digitsV1, openDigits(digitsV1, digits.Grey), nil},
	{digitsColorV1, openDigits(digitsColorV1, digits.Color), nil},
	{shapesV1, openShapes, openShapesAt},
}

var digitsV1 = Info{
	Name:        "digits/v1",
	Description: "procedural digits; typefaces of four families train, a fifth tests; no download",
	Classes:     numbered(digits.Classes),
	H:           digits.Grey.Side, W: digits.Grey.Side, C: digits.Grey.Channels,
	Train: digits.TrainCount, Test: digits.TestCount,
	Digest: "2a306807f36012e0252e0e8361977572c552aabdc22fa2281b54deb895698c54",
}

var digitsColorV1 = Info{
	Name:        "digits-color/v1",
	Description: "the same in colour on cluttered ground, in CIFAR's shape; no download",
	Classes:     numbered(digits.Classes),
	H:           digits.Color.Side, W: digits.Color.Side, C: digits.Color.Channels,
	Train: digits.TrainCount, Test: digits.TestCount,
	Digest: "6a62dadacd7a45089ed63907aaf498dcc1768192df2c86baa9445b50115935c6",
}

// List returns the registered sets.
func List() []Info {
	out := make([]Info, len(registered))
	for i, r := range registered {
		out[i] = r.Info
	}
	return out
}

// numbered returns the class names "0", "1", ….
func numbered(n int) []string {
	out := make([]string, n)
	for i := range out {
		out[i] = strconv.Itoa(i)
	}
	return out
}

// openDigits draws one of the sets of digits, or as much of it as is asked for;
// the whole set goes through the cache.
func openDigits(info Info, kind *digits.Kind) func(context.Context, Options) (*Set, error) {
	return func(ctx context.Context, opts Options) (*Set, error) {
		draw := func() (*Set, error) { return drawDigits(ctx, info, kind, opts) }
		if opts.TrainLimit == 0 && opts.TestLimit == 0 {
			return cached(ctx, info, opts, draw)
		}
		return draw()
	}
}

func drawDigits(ctx context.Context, info Info, kind *digits.Kind, opts Options) (*Set, error) {
	set := &Set{Name: info.Name, Classes: info.Classes, H: info.H, W: info.W, C: info.C}
	for _, part := range []struct {
		split paint.Split
		limit int
		into  *Split
	}{
		{paint.Train, opts.TrainLimit, &set.Train},
		{paint.Test, opts.TestLimit, &set.Test},
	} {
		n := limited(digits.Count(part.split), part.limit)
		part.into.Images = make([]byte, n*kind.Size())
		part.into.Labels = make([]int64, n)
		if err := kind.Fill(ctx, part.split, part.into.Images, part.into.Labels, opts.Workers); err != nil {
			return nil, err
		}
	}
	return set, nil
}

// limited returns how many of n images a limit leaves.
func limited(n, limit int) int {
	if limit == 0 {
		return n
	}
	return min(n, limit)
}
