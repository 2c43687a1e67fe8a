package data

import (
	"bytes"
	"image"
	"image/color"
	"image/png"
	"testing"

	"github.com/stretchr/testify/require"
)

func sheet(t *testing.T, set *Set, split Split, opts SheetOptions) image.Image {
	t.Helper()
	var b bytes.Buffer
	require.NoError(t, ContactSheet(&b, set, split, opts))
	img, err := png.Decode(&b)
	require.NoError(t, err)
	return img
}

// dark counts the pixels that are nearly black in an area.
func dark(img image.Image, area image.Rectangle) (n int) {
	for y := area.Min.Y; y < area.Max.Y; y++ {
		for x := area.Min.X; x < area.Max.X; x++ {
			if color.GrayModel.Convert(img.At(x, y)).(color.Gray).Y < 0x60 {
				n++
			}
		}
	}
	return n
}

// Two classes of flat grey images, 20×20: the sheet must show each class's
// own in its row, evenly spaced, the name before and the count after.
func TestContactSheet(t *testing.T) {
	set := &Set{Name: "flat", Classes: []string{"light", "half", "none"}, H: 20, W: 20, C: 1}
	split := Split{}
	for i := range 10 {
		grey, label := byte(200+i), int64(0)
		if i%5 == 1 {
			grey, label = byte(100+i), 1
		}
		split.Images = append(split.Images, bytes.Repeat([]byte{grey}, 400)...)
		split.Labels = append(split.Labels, label)
	}
	img := sheet(t, set, split, SheetOptions{Columns: 4, Scale: 2})

	// Find the cells: the columns of the first row's samples, by their grey.
	at := func(x, y int) int { return int(color.GrayModel.Convert(img.At(x, y)).(color.Gray).Y) }
	row := func(k int) int { return sheetHeading + k*(40+sheetGap) }
	left := sheetMargin
	for at(left, row(0)+1) != 200 {
		left++
		require.Less(t, left, img.Bounds().Dx(), "the first sample is nowhere")
	}
	cell := func(k int) int { return left + k*(40+sheetGap) }
	for k, want := range []int{200, 203, 205, 208} { // of 0 2 3 4 5 7 8 9
		require.Equal(t, want, at(cell(k), row(0)), "row 0, sample %d", k)
		require.Equal(t, want, at(cell(k)+39, row(0)+39))
		require.Equal(t, 0xff, at(cell(k)+40, row(0)+20), "gap")
	}
	for k, want := range []int{101, 106, 0xee, 0xee} {
		require.Equal(t, want, at(cell(k)+5, row(1)+5), "row 1, sample %d", k)
	}
	for k := range 3 {
		area := image.Rect(0, row(k), left, row(k)+40)
		require.Greater(t, dark(img, area), 20, "name of class %d", k)
		after := image.Rect(cell(4), row(k), img.Bounds().Dx(), row(k)+40)
		require.Greater(t, dark(img, after), 5, "count of class %d", k)
	}
	require.Greater(t, dark(img, image.Rect(0, 0, img.Bounds().Dx(), sheetHeading)), 100, "title")
}

func TestContactSheetColoursAndManyClasses(t *testing.T) {
	set := &Set{Name: "colour", Classes: numbered(100), H: 2, W: 2, C: 3}
	split := Split{Images: bytes.Repeat([]byte{250, 120, 10}, 4), Labels: []int64{0}}
	img := sheet(t, set, split, SheetOptions{Columns: 1})
	require.Equal(t, sheetHeading+sheetMaxRows*(56+sheetGap)+sheetMargin, img.Bounds().Dy())
	found := false
	for x := range img.Bounds().Dx() {
		found = found || img.At(x, sheetHeading+1) == color.RGBA{250, 120, 10, 255}
	}
	require.True(t, found)
}
