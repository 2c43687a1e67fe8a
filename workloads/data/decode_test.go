package data

import (
	"bytes"
	"encoding/base64"
	"encoding/binary"
	"hash/crc32"
	"image"
	"image/color"
	"image/jpeg"
	"image/png"
	"runtime"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/clsbench/clsbench/workloads/data/augment"
)

// What the formats hold comes out as RGB.
func TestDecodeFormats(t *testing.T) {
	encoded := func(m image.Image) []byte {
		var b bytes.Buffer
		require.NoError(t, png.Encode(&b, m))
		return b.Bytes()
	}
	gray := image.NewGray(image.Rect(0, 0, 2, 1))
	gray.Pix = []byte{9, 200}
	deep := image.NewGray16(image.Rect(0, 0, 1, 1))
	deep.SetGray16(0, 0, color.Gray16{0xabcd})
	palette := image.NewPaletted(image.Rect(0, 0, 1, 1), color.Palette{color.NRGBA{1, 2, 3, 255}})
	clear := image.NewNRGBA(image.Rect(0, 0, 1, 1))
	clear.SetNRGBA(0, 0, color.NRGBA{10, 20, 30, 128})
	webp, err := base64.StdEncoding.DecodeString("UklGRiAAAABXRUJQVlA4TBQAAAAvAQAAAA8wyF/4f1P0/IcWMqL/AQ==")
	require.NoError(t, err)
	for name, c := range map[string]struct {
		content []byte
		want    []byte
	}{
		"grey":    {encoded(gray), []byte{9, 9, 9, 200, 200, 200}},
		"16 bits": {encoded(deep), []byte{0xab, 0xab, 0xab}},
		"palette": {encoded(palette), []byte{1, 2, 3}},
		"alpha":   {encoded(clear), []byte{10, 20, 30}},
		"webp":    {webp, []byte{10, 200, 30, 255, 0, 77}},
	} {
		m, err := decodeImage("f", c.content)
		require.NoError(t, err, name)
		require.Equal(t, c.want, m.Pix, name)
	}
	var b bytes.Buffer
	colour := image.NewRGBA(image.Rect(0, 0, 16, 16))
	for i := range colour.Pix {
		colour.Pix[i] = [4]byte{180, 90, 40, 255}[i%4]
	}
	require.NoError(t, jpeg.Encode(&b, colour, nil))
	m, err := decodeImage("f", b.Bytes())
	require.NoError(t, err)
	for c, want := range []float64{180, 90, 40} {
		require.InDelta(t, want, m.Pix[c], 3)
	}
}

// samples are a small image in each format.
func samples(t testing.TB) map[string][]byte {
	t.Helper()
	m := image.NewRGBA(image.Rect(0, 0, 20, 10))
	for i := range m.Pix {
		m.Pix[i] = byte(i*i>>3) | byte(i&3/3*255)
	}
	var j bytes.Buffer
	require.NoError(t, jpeg.Encode(&j, m, nil))
	var p bytes.Buffer
	require.NoError(t, png.Encode(&p, m))
	webp, err := base64.StdEncoding.DecodeString("UklGRiAAAABXRUJQVlA4TBQAAAAvAQAAAA8wyF/4f1P0/IcWMqL/AQ==")
	require.NoError(t, err)
	return map[string][]byte{"jpeg": j.Bytes(), "png": p.Bytes(), "webp": webp}
}

// A file that ends anywhere before its end is one line that names it, or, where
// only what follows the pixels is missing, the image.
func TestTruncatedImages(t *testing.T) {
	for format, content := range samples(t) {
		whole, err := decodeImage("f", content)
		require.NoError(t, err)
		for n := range len(content) {
			m, err := decodeImage("dir/f."+format, content[:n])
			if err == nil {
				require.Equal(t, whole, m)
				require.Greater(t, n, len(content)*9/10, "%s: %d of %d bytes", format, n, len(content))
				continue
			}
			var e *Error
			require.ErrorAs(t, err, &e)
			require.Contains(t, err.Error(), "dir/f."+format+": ")
			require.NotContains(t, err.Error(), "\n")
		}
	}
}

// A few bytes that claim a picture just below the limit are not believed.
func TestImageClaimIsHeldAgainstTheFile(t *testing.T) {
	content := samples(t)
	png := bytes.Clone(content["png"])
	binary.BigEndian.PutUint32(png[16:], 1<<13)
	binary.BigEndian.PutUint32(png[20:], 1<<13)
	jpeg := bytes.Clone(content["jpeg"])
	frame := bytes.Index(jpeg, []byte{0xff, 0xc0}) // SOF0: length, precision, height, width
	require.Positive(t, frame)
	binary.BigEndian.PutUint16(jpeg[frame+5:], 1<<13)
	binary.BigEndian.PutUint16(jpeg[frame+7:], 1<<13)
	for format, content := range map[string][]byte{"PNG": fixIHDR(png), "JPEG": jpeg} {
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		_, err := decodeImage("f", content)
		runtime.ReadMemStats(&after)
		requireError(t, err, Truncated, "f: width and height: are 8192×8192, more than", "bytes of "+format+" can hold")
		require.Less(t, after.TotalAlloc-before.TotalAlloc, uint64(1<<20))
	}
}

// Even pictures that the formats pack best are believed.
func TestDensestImagesAreRead(t *testing.T) {
	var j, p bytes.Buffer
	require.NoError(t, jpeg.Encode(&j, image.NewGray(image.Rect(0, 0, 2000, 2000)), nil))
	flat := image.NewPaletted(image.Rect(0, 0, 4000, 4000), color.Palette{color.Black, color.White})
	require.NoError(t, (&png.Encoder{CompressionLevel: png.BestCompression}).Encode(&p, flat))
	for format, content := range map[string][]byte{"jpeg": j.Bytes(), "png": p.Bytes()} {
		_, err := decodeImage("f", content)
		require.NoError(t, err, "%s of %d bytes", format, len(content))
	}
}

// FuzzDecodeImage: whatever a file holds, an image or one line; no panic.
func FuzzDecodeImage(f *testing.F) {
	for _, content := range samples(f) {
		f.Add(content)
	}
	f.Fuzz(func(t *testing.T, content []byte) {
		if head, _, err := image.DecodeConfig(bytes.NewReader(content)); err == nil && head.Width > (1<<20)/max(head.Height, 1) {
			return // it may be right, but takes long
		}
		m, err := decodeImage("f", content)
		if err != nil {
			require.ErrorAs(t, err, new(*Error))
			return
		}
		require.Len(t, m.Pix, m.H*m.W*3)
		require.Positive(t, len(m.Pix))
	})
}

func TestFitCoversAndCentres(t *testing.T) {
	for _, size := range [][4]int{{30, 20, 8, 6}, {20, 90, 8, 6}, {3, 4, 8, 6}, {8, 6, 8, 6}, {1, 1, 5, 9}, {500, 333, 7, 7}} {
		m := augment.New(size[0], size[1], 3)
		for i := range m.Pix {
			m.Pix[i] = 77
		}
		out := augment.Cover(m, size[2], size[3])
		require.Equal(t, []int{size[2], size[3]}, []int{out.H, out.W})
		for _, v := range out.Pix {
			require.Equal(t, byte(77), v, "%v: no frame", size)
		}
	}
}

// A small file that claims a huge image must not take its memory.
func TestImageClaimTakesNoMemory(t *testing.T) {
	content := flat(t, 1, 1, color.White)
	copy(content[16:], []byte{0, 1, 0, 0, 0, 1, 0, 0}) // 65536 × 65536, its checksum made to fit below
	content = fixIHDR(content)
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	_, err := decodeImage("f.png", content)
	runtime.ReadMemStats(&after)
	requireError(t, err, Oversized, "f.png: width and height: are 65536×65536")
	require.Less(t, after.TotalAlloc-before.TotalAlloc, uint64(1<<20))
}

// fixIHDR makes the checksum of a PNG's first chunk fit its content.
func fixIHDR(content []byte) []byte {
	binary.BigEndian.PutUint32(content[29:], crc32.ChecksumIEEE(content[12:29]))
	return content
}
