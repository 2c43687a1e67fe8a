package paint

// Polygons are filled on a grid of side × side pixels, in integers: 8 scan
// lines a pixel, exact coverage along each, the non-zero winding rule, so that
// overlapping outlines stay one shape.
const (
	subBits  = 3
	subLines = 1 << subBits

	PixQ    = 16 // fraction bits of a coordinate in pixels
	FullInk = subLines << 8
)

// crossing is where an edge meets a scan line, and which way it goes.
type crossing struct {
	x   int64
	dir int32
}

// Raster fills polygons; it keeps its memory from one image to the next.
type Raster struct {
	Side  int
	Cover []int32 // [Side, Side], 0 … FullInk, after Fill

	lines [][]crossing // [Side·subLines]
}

// NewRaster returns an empty grid of side × side pixels.
func NewRaster(side int) Raster {
	return Raster{Side: side, lines: make([][]crossing, side*subLines), Cover: make([]int32, side*side)}
}

// Edge records the crossings of a directed edge; coordinates in 1/65536 pixel.
// Scan line k runs at y = (k + ½)/subLines, and takes an edge whose upper end
// is at or above it and whose lower end is below it.
func (r *Raster) Edge(x0, y0, x1, y1 int64) {
	dir := int32(1)
	if y0 > y1 {
		x0, y0, x1, y1, dir = x1, y1, x0, y0, -1
	}
	const pitch = 1 << (PixQ - subBits)
	first := max((y0-pitch/2+pitch-1)>>(PixQ-subBits), 0)
	last := min((y1-pitch/2+pitch-1)>>(PixQ-subBits), int64(len(r.lines)))
	if first >= last {
		return
	}
	slope := ((x1 - x0) << PixQ) / (y1 - y0)
	x := x0<<PixQ + (first*pitch+pitch/2-y0)*slope
	for k := first; k < last; k++ {
		r.lines[k] = append(r.lines[k], crossing{x >> PixQ, dir})
		x += pitch * slope
	}
}

// Fill turns the recorded crossings into coverage and forgets them.
func (r *Raster) Fill() {
	clear(r.Cover)
	for k := range r.lines {
		line := r.lines[k]
		for i := 1; i < len(line); i++ { // insertion sort: a line has 2 to 8 crossings
			for j := i; j > 0 && line[j].x < line[j-1].x; j-- {
				line[j], line[j-1] = line[j-1], line[j]
			}
		}
		row := r.Cover[k/subLines*r.Side:][:r.Side]
		winding := int32(0)
		for i, c := range line {
			if winding != 0 {
				span(row, line[i-1].x, c.x)
			}
			winding += c.dir
		}
		r.lines[k] = line[:0]
	}
}

// span adds the coverage of one scan line from a to b, in 1/256 pixel.
func span(row []int32, a, b int64) {
	a, b = max(a>>(PixQ-8), 0), min(b>>(PixQ-8), int64(len(row))<<8)
	for p := a >> 8; p<<8 < b; p++ {
		row[p] += int32(min(b, (p+1)<<8) - max(a, p<<8))
	}
}
