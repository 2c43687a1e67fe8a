package tensor

// Philox is the counter-based generator Philox4x32-10 of Salmon, Moraes, Dror
// and Shaw, "Parallel Random Numbers: As Easy as 1, 2, 3" (SC '11), Table 2
// and §3.3. Element i of a stream takes word i&3 of the block whose counter is
// (lo32(i>>2), hi32(i>>2), stream, step), so that any element can be had
// alone, in any order, on any device.
type Philox struct {
	Key    uint64 // the seed
	Stream uint32
	Step   uint32
}

const (
	philoxM0 = 0xD2511F53
	philoxM1 = 0xCD9E8D57
	philoxW0 = 0x9E3779B9 // golden ratio
	philoxW1 = 0xBB67AE85 // sqrt(3) - 1
)

// Philox4x32 is the raw block function of ten rounds.
func Philox4x32(ctr [4]uint32, key [2]uint32) [4]uint32 {
	for range 10 {
		p0 := uint64(philoxM0) * uint64(ctr[0])
		p1 := uint64(philoxM1) * uint64(ctr[2])
		ctr = [4]uint32{
			uint32(p1>>32) ^ ctr[1] ^ key[0], uint32(p1),
			uint32(p0>>32) ^ ctr[3] ^ key[1], uint32(p0),
		}
		key[0] += philoxW0
		key[1] += philoxW1
	}
	return ctr
}

// Block returns the four words of elements 4b … 4b+3.
func (p Philox) Block(b uint64) [4]uint32 {
	return Philox4x32(
		[4]uint32{uint32(b), uint32(b >> 32), p.Stream, p.Step},
		[2]uint32{uint32(p.Key), uint32(p.Key >> 32)})
}

// Word returns element i.
func (p Philox) Word(i uint64) uint32 { return p.Block(i >> 2)[i&3] }

// Uniform returns element i as a float64 in [0, 1) with 24 bits, so that it
// is exact in f32 too.
func (p Philox) Uniform(i uint64) float64 { return float64(p.Word(i)>>8) * (1.0 / (1 << 24)) }
