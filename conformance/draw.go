package conformance

import (
	"hash/fnv"
	"math"

	"github.com/clsbench/clsbench/tensor"
)

// Draw is all that the data of one run of a case follow from, so that a case
// run alone sees the data that it saw among others.
type Draw struct {
	Seed uint64 // the run's
	Case string
	Set  int    // every case runs with at least two sets of data
	Try  int    // how often the set was drawn anew, see Trial
	Math string // the mode that answers are judged in; "" is strict
}

// rng is the stream of random numbers that belongs to one value of a draw.
func (d Draw) rng(value string) *rng {
	h := fnv.New64a()
	h.Write([]byte(d.Case + "\x00" + value))
	return &rng{math: d.Math, p: tensor.Philox{Key: d.Seed ^ h.Sum64(), Stream: uint32(d.Set), Step: uint32(d.Try)}}
}

type rng struct {
	p     tensor.Philox
	i     uint64    // of the next word
	block [4]uint32 // of the generator, that word i-1 is of
	math  string
}

func (r *rng) word() uint32 {
	at := r.i & 3
	if at == 0 {
		r.block = r.p.Block(r.i >> 2)
	}
	r.i++
	return r.block[at]
}

// float is uniform in [0, 1), with 24 bits.
func (r *rng) float() float64 { return float64(r.word()>>8) * (1.0 / (1 << 24)) }

// intn is uniform in [0, n).
func (r *rng) intn(n int) int { return int(uint64(r.word()) * uint64(n) >> 32) }

func (r *rng) sign() float64 { return float64(r.word()&1)*2 - 1 }

// normal has mean 0 and deviation 1 (Box and Muller 1958).
func (r *rng) normal() float64 {
	u := 1 - r.float()
	return math.Sqrt(-2*math.Log(u)) * math.Cos(2*math.Pi*r.float())
}

// perm is a random order of [0, n) (Fisher and Yates).
func (r *rng) perm(n int) []int {
	p := make([]int, n)
	for i := range p {
		j := r.intn(i + 1)
		p[i], p[j] = p[j], i
	}
	return p
}
