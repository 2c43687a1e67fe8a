package augment

import "math"

// affine gives each output pixel the input pixel that the map leads to, the
// nearest one, black outside: x = a·X + b·Y + c, y = d·X + e·Y + f at pixel
// centres, in 16 fraction bits as Pillow's transform takes it.
func affine(m Image, a, b, c, d, e, f float64) Image {
	fix := func(v float64) int64 { return int64(math.Floor(float64(v*65536) + 0.5)) }
	xx, xy, x0 := fix(a), fix(b), fix(c+float64(a*0.5)+float64(b*0.5))
	yx, yy, y0 := fix(d), fix(e), fix(f+float64(d*0.5)+float64(e*0.5))
	out := m.like()
	for row := range m.H {
		x, y := x0+xy*int64(row), y0+yy*int64(row)
		for column := range m.W {
			if sx, sy := int(x>>16), int(y>>16); sx >= 0 && sx < m.W && sy >= 0 && sy < m.H {
				copy(out.at(row, column), m.at(sy, sx))
			}
			x, y = x+xx, y+yx
		}
	}
	return out
}

// ShearX moves each row by k times its number to the left.
func ShearX(m Image, k float64) Image { return affine(m, 1, k, 0, 0, 1, 0) }

// ShearY moves each column by k times its number up.
func ShearY(m Image, k float64) Image { return affine(m, 1, 0, 0, k, 1, 0) }

// Translate moves the image by whole pixels, right and down.
func Translate(m Image, right, down int) Image { return Crop(m, -down, -right, m.H, m.W) }

// Rotate turns the image about its middle, degrees counter-clockwise.
func Rotate(m Image, degrees float64) Image {
	angle := -degrees * math.Pi / 180
	digits := func(v float64) float64 { return math.RoundToEven(v*1e15) / 1e15 } // as Pillow rounds
	cos, sin := digits(math.Cos(angle)), digits(math.Sin(angle))
	x, y := float64(m.W)/2, float64(m.H)/2
	return affine(m,
		cos, sin, x-float64(cos*x)-float64(sin*y),
		-sin, cos, y+float64(sin*x)-float64(cos*y))
}
