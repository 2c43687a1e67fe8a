package data

import (
	"context"
	"strconv"

	"github.com/clsbench/clsbench/workloads/data/digits"
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
}

var registered = []entry{
	{digitsV1, openDigits},
}

var digitsV1 = Info{
	Name:        "digits/v1",
	Description: "procedural digits; typefaces of four families train, a fifth tests; no download",
	Classes:     numbered(digits.Classes),
	H:           digits.Side, W: digits.Side, C: 1,
	Train: digits.TrainCount, Test: digits.TestCount,
	Digest: "2a306807f36012e0252e0e8361977572c552aabdc22fa2281b54deb895698c54",
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

// openDigits draws digits/v1, or as much of it as is asked for; the whole set
// goes through the cache.
func openDigits(ctx context.Context, opts Options) (*Set, error) {
	if opts.TrainLimit == 0 && opts.TestLimit == 0 {
		return cached(ctx, digitsV1, opts, func() (*Set, error) { return drawDigits(ctx, opts) })
	}
	return drawDigits(ctx, opts)
}

func drawDigits(ctx context.Context, opts Options) (*Set, error) {
	set := &Set{Name: digitsV1.Name, Classes: digitsV1.Classes, H: digitsV1.H, W: digitsV1.W, C: digitsV1.C}
	for _, part := range []struct {
		split digits.Split
		limit int
		into  *Split
	}{
		{digits.Train, opts.TrainLimit, &set.Train},
		{digits.Test, opts.TestLimit, &set.Test},
	} {
		n := limited(part.split.Count(), part.limit)
		part.into.Images = make([]byte, n*digits.Side*digits.Side)
		part.into.Labels = make([]int64, n)
		if err := digits.Fill(ctx, part.split, part.into.Images, part.into.Labels, opts.Workers); err != nil {
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
