package reference

// Tile repeats X a number of times along each axis: Y[i, j, …] is
// X[i mod n₀, j mod n₁, …].
func Tile(x *Array, repeats []int) *Array {
	y := x
	for axis, times := range repeats {
		var copies []*Array
		for range times {
			copies = append(copies, y)
		}
		if times == 0 {
			shape := y.Shape.Clone()
			shape[axis] = 0
			y = New(shape...)
			continue
		}
		y = Concat(copies, axis)
	}
	return y
}

// DepthToSpace moves blocks of channels into the plane (Shi et al., "Real-Time
// Single Image and Video Super-Resolution Using an Efficient Sub-Pixel
// Convolutional Neural Network", 2016):
//
//	Y[n, c, h·B + i, w·B + j] = X[n, (i·B + j)·C + c, h, w]   (DCR)
//	Y[n, c, h·B + i, w·B + j] = X[n, (c·B + i)·B + j, h, w]   (CRD)
//
// X N×(C·B²)×H×W, Y N×C×(H·B)×(W·B).
func DepthToSpace(x *Array, block int, mode string) *Array {
	n, channels, h, w := x.Shape[0], x.Shape[1]/block/block, x.Shape[2], x.Shape[3]
	y := New(n, channels, h*block, w*block)
	for k := range y.Data {
		at := k
		j, at := at%block, at/block
		col, at := at%w, at/w
		i, at := at%block, at/block
		row, at := at%h, at/h
		c, image := at%channels, at/channels
		from := (i*block+j)*channels + c
		if mode == "CRD" {
			from = (c*block+i)*block + j
		}
		y.Data[k] = x.Data[((image*channels*block*block+from)*h+row)*w+col]
	}
	return y
}

// SpaceToDepth is the inverse of DepthToSpace with mode DCR.
func SpaceToDepth(x *Array, block int) *Array {
	n, channels, h, w := x.Shape[0], x.Shape[1], x.Shape[2]/block, x.Shape[3]/block
	y := New(n, channels*block*block, h, w)
	places := New(y.Shape...)
	for i := range places.Data {
		places.Data[i] = float64(i)
	}
	for k, at := range DepthToSpace(places, block, "DCR").Data {
		y.Data[int(at)] = x.Data[k]
	}
	return y
}
