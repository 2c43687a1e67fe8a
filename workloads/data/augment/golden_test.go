package augment

import (
	"encoding/json"
	"os"
	"testing"

	"github.com/stretchr/testify/require"
)

type goldenImage struct {
	H   int    `json:"h"`
	W   int    `json:"w"`
	C   int    `json:"c"`
	Pix []byte `json:"pix"`
}

func (g goldenImage) image() Image { return Image(g) }

type goldenCase struct {
	Input      string      `json:"input"`
	Op         string      `json:"op"`
	Parameters []float64   `json:"parameters"`
	Want       goldenImage `json:"want"`
}

// calls are the transforms by the names that golden.py gives them.
var calls = map[string]func(m Image, p []float64) Image{
	"Resize":        func(m Image, p []float64) Image { return Resize(m, int(p[0]), int(p[1])) },
	"ResizeShorter": func(m Image, p []float64) Image { return ResizeShorter(m, int(p[0])) },
	"ResizedCrop": func(m Image, p []float64) Image {
		return Resize(Crop(m, int(p[0]), int(p[1]), int(p[2]), int(p[3])), int(p[4]), int(p[4]))
	},
	// A larger image on its way to evaluation.
	"Fit":            func(m Image, p []float64) Image { return Fit(m, int(p[0]), int(p[1]), int(p[1])) },
	"CenterCrop":     func(m Image, p []float64) Image { return CenterCrop(m, int(p[0]), int(p[1])) },
	"Evaluate":       func(m Image, p []float64) Image { return Evaluate(m, int(p[0]), int(p[1])) },
	"FlipHorizontal": func(m Image, _ []float64) Image { return FlipHorizontal(m) },
	"Brightness":     func(m Image, p []float64) Image { return Brightness(m, p[0]) },
	"Contrast":       func(m Image, p []float64) Image { return Contrast(m, p[0]) },
	"Saturation":     func(m Image, p []float64) Image { return Saturation(m, p[0]) },
	"Hue":            func(m Image, p []float64) Image { return Hue(m, p[0]) },
	"Erase": func(m Image, p []float64) Image {
		return Erase(m, int(p[0]), int(p[1]), int(p[2]), int(p[3]), nil)
	},
}

func init() {
	for _, o := range ops {
		calls["RandAugment"+o.name] = func(m Image, p []float64) Image { return o.apply(m, p[0]) }
	}
}

// What torchvision makes of PIL images, from the same parameters.
func TestGoldenCases(t *testing.T) {
	content, err := os.ReadFile("testdata/golden.json")
	require.NoError(t, err)
	var golden struct {
		Inputs map[string]goldenImage
		Cases  []goldenCase
	}
	require.NoError(t, json.Unmarshal(content, &golden))
	require.Greater(t, len(golden.Cases), 200)
	seen := map[string]bool{"RandAugmentIdentity": true}
	for _, c := range golden.Cases {
		if in := golden.Inputs[c.Input]; c.Op == "Evaluate" && in.H >= int(c.Parameters[0]) && in.W >= int(c.Parameters[0]) && c.Parameters[1] <= c.Parameters[0] {
			golden.Cases = append(golden.Cases, goldenCase{c.Input, "Fit", c.Parameters, c.Want})
		}
	}
	for _, c := range golden.Cases {
		seen[c.Op] = true
		call := calls[c.Op]
		require.NotNil(t, call, c.Op)
		input := golden.Inputs[c.Input].image()
		before := append([]byte(nil), input.Pix...)
		got := call(input, c.Parameters)
		require.Equal(t, before, input.Pix, "%s writes to its input", c.Op)
		want := c.Want.image()
		require.Equal(t, []int{want.H, want.W, want.C}, []int{got.H, got.W, got.C}, "%s%v of %s", c.Op, c.Parameters, c.Input)
		wrong, worst := 0, 0
		for i := range want.Pix {
			d := int(want.Pix[i]) - int(got.Pix[i])
			if d = max(d, -d); d > 0 {
				wrong, worst = wrong+1, max(worst, d)
			}
		}
		if wrong > 0 {
			t.Errorf("%s%v of %s: %d of %d bytes differ, by up to %d", c.Op, c.Parameters, c.Input, wrong, len(want.Pix), worst)
		}
	}
	for name := range calls {
		require.True(t, seen[name], "no golden case of %s", name)
	}
}
