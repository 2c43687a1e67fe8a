package paint

// RGB is a colour, each channel 0 … 255.
type RGB [3]int64

// Luma is ITU-R BT.601's, in 1/256.
func (c RGB) Luma() int64 { return (77*c[0] + 150*c[1] + 29*c[2]) >> 8 }

// Dark draws a colour whose luma is at most limit: any hue, dimmed if need be.
func (d *Draw) Dark(limit int64) RGB {
	c := d.anyColor()
	if l := c.Luma(); l > limit {
		for i := range c {
			c[i] = c[i] * limit / l
		}
	}
	return c
}

// Light draws a colour whose luma is at least limit: any hue, blended with
// white if need be.
func (d *Draw) Light(limit int64) RGB {
	c := d.anyColor()
	if l := c.Luma(); l < limit {
		for i := range c {
			c[i] += (255 - c[i]) * (limit - l) / (255 - l)
		}
	}
	return c
}

func (d *Draw) anyColor() RGB {
	return RGB{d.Between(0, 255), d.Between(0, 255), d.Between(0, 255)}
}

// Ink lays a colour over dst where the raster is covered.
func (r *Raster) Ink(dst []byte, ink RGB) {
	for i, cover := range r.Cover {
		if cover == 0 {
			continue
		}
		for c, v := range dst[i*3 : i*3+3] {
			dst[i*3+c] = byte(int64(v) + (ink[c]-int64(v))*int64(cover)/FullInk)
		}
	}
}
