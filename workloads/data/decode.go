package data

import (
	"bytes"
	"errors"
	"fmt"
	"image"
	"image/color"
	_ "image/jpeg" // registers the format
	_ "image/png"  // registers the format
	"io"
	"os"
	"strings"

	_ "golang.org/x/image/webp" // registers the format

	"github.com/clsbench/clsbench/workloads/data/augment"
)

// Limits of one image, far beyond a photograph, so that a header's claim
// cannot take the machine's memory.
const (
	maxImageFile   = 256 << 20 // bytes
	maxImagePixels = 1 << 27
)

// The most pixels that a byte of a format can stand for, so that a small file's
// claim is not believed: a block of 8 × 8 costs JPEG one bit or more (ITU-T T.81,
// a code of Huffman's), and deflate, which PNG packs pixels of one bit with,
// expands by at most maxInflate. WebP has no such bound: a picture of one colour
// takes some bytes at any size.
var maxPixelsOfAByte = map[string]int{"jpeg": 8 * 64, "png": 8 * maxInflate}

// decodeFile reads an image as RGB. What the file is, its first bytes say, not
// its name: ImageNet has PNGs that are called JPEG.
func decodeFile(path string) (augment.Image, error) {
	f, err := os.Open(path)
	if err != nil {
		return augment.Image{}, &Error{Kind: Unreadable, File: path, What: "cannot be read", Mend: "look at its permissions", Err: errors.Unwrap(err)}
	}
	defer f.Close()
	content, err := io.ReadAll(io.LimitReader(f, maxImageFile+1))
	switch {
	case err != nil:
		return augment.Image{}, &Error{Kind: Unreadable, File: path, What: "cannot be read", Mend: "look at the disk", Err: errors.Unwrap(err)}
	case len(content) > maxImageFile:
		return augment.Image{}, &Error{Kind: Oversized, File: path, Field: "length", What: fmt.Sprintf("is more than %d bytes", maxImageFile), Mend: skipMend}
	}
	return decodeImage(path, content)
}

const skipMend = "mend or remove the file, or skip such files with --skip-bad"

// decodeImage holds the size that the header claims against the limit before
// it decodes.
func decodeImage(path string, content []byte) (augment.Image, error) {
	bad := func(err error) (augment.Image, error) {
		return augment.Image{}, &Error{Kind: BadImage, File: path, What: "cannot be decoded as JPEG, PNG or WebP", Mend: skipMend, Err: err}
	}
	head, format, err := image.DecodeConfig(bytes.NewReader(content))
	most, bounded := maxPixelsOfAByte[format]
	switch {
	case err != nil:
		return bad(err)
	case head.Width < 1 || head.Height < 1:
		return bad(errors.New("it has no pixels"))
	case head.Width > maxImagePixels/head.Height:
		return augment.Image{}, &Error{Kind: Oversized, File: path, Field: "width and height", What: fmt.Sprintf("are %d×%d, more than %d pixels", head.Width, head.Height, maxImagePixels), Mend: skipMend}
	case bounded && head.Width*head.Height/most > len(content):
		return augment.Image{}, &Error{Kind: Truncated, File: path, Field: "width and height", What: fmt.Sprintf("are %d×%d, more than %d bytes of %s can hold", head.Width, head.Height, len(content), strings.ToUpper(format)), Mend: skipMend}
	}
	decoded, _, err := image.Decode(bytes.NewReader(content))
	if err != nil {
		return bad(err)
	}
	return toRGB(decoded), nil
}

// toRGB drops alpha without blending, as Pillow's convert("RGB") does.
func toRGB(m image.Image) augment.Image {
	b := m.Bounds()
	out := augment.New(b.Dy(), b.Dx(), 3)
	i := 0
	put := func(r, g, b byte) {
		out.Pix[i], out.Pix[i+1], out.Pix[i+2] = r, g, b
		i += 3
	}
	for y := b.Min.Y; y < b.Max.Y; y++ {
		for x := b.Min.X; x < b.Max.X; x++ {
			switch m := m.(type) { // the types that photographs come in have a way of their own: At allocates
			case *image.YCbCr:
				c := m.YCbCrAt(x, y)
				put(color.YCbCrToRGB(c.Y, c.Cb, c.Cr))
			case *image.Gray:
				v := m.GrayAt(x, y).Y
				put(v, v, v)
			default:
				c := color.NRGBAModel.Convert(m.At(x, y)).(color.NRGBA)
				put(c.R, c.G, c.B)
			}
		}
	}
	return out
}
