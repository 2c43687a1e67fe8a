package results

import "fmt"

// Classification is how a model answers the images of the test split: the whole of them, class by class, and where it
// errs. Scores are as scikit-learn defines them.
type Classification struct {
	Images  int          `json:"images" jsonschema:"minimum=1"`
	Top5    float64      `json:"top5" jsonschema:"minimum=0,maximum=1"`
	Loss    float64      `json:"loss"`                                      // mean cross-entropy, nats
	MacroF1 float64      `json:"macro_f1" jsonschema:"minimum=0,maximum=1"` // over the classes that occur or were answered
	Classes []ClassScore `json:"classes"`
	// Confusions are the pairs of classes that were mistaken at all, most frequent first, up to MaxConfusions.
	Confusions []Confusion `json:"confusions,omitempty"`
	// CalibrationError is the expected one, over Calibration's bins (Guo et al. 2017, eq. 3).
	CalibrationError float64          `json:"calibration_error" jsonschema:"minimum=0,maximum=1"`
	Calibration      []CalibrationBin `json:"calibration,omitempty"` // of equal width, from no confidence to full
	// Mistakes are the wrong answers of the largest loss, worst first.
	Mistakes []Mistake `json:"mistakes,omitempty"`
}

// MaxConfusions bounds what a document says of a network of a thousand classes.
const MaxConfusions = 2000

// ClassScore is how well one class is told from the others.
type ClassScore struct {
	Name      string  `json:"name"`
	Images    int     `json:"images" jsonschema:"minimum=0"`    // that are of it
	Predicted int     `json:"predicted" jsonschema:"minimum=0"` // that were taken for it
	Precision float64 `json:"precision" jsonschema:"minimum=0,maximum=1"`
	Recall    float64 `json:"recall" jsonschema:"minimum=0,maximum=1"`
}

// Confusion counts the images of one class that were taken for another, by their places in Classes.
type Confusion struct {
	Label     int `json:"label" jsonschema:"minimum=0"`
	Predicted int `json:"predicted" jsonschema:"minimum=0"`
	Images    int `json:"images" jsonschema:"minimum=1"`
}

// CalibrationBin holds the images whose confidence, the softmax probability of the answer, lies in it.
type CalibrationBin struct {
	Images     int     `json:"images" jsonschema:"minimum=0"`
	Correct    int     `json:"correct" jsonschema:"minimum=0"`
	Confidence float64 `json:"confidence" jsonschema:"minimum=0"` // the mean; 0 without images
}

// Mistake is one image with a wrong answer.
type Mistake struct {
	Image      int     `json:"image" jsonschema:"minimum=0"` // its place in the test split
	Label      int     `json:"label" jsonschema:"minimum=0"` // places in Classes
	Predicted  int     `json:"predicted" jsonschema:"minimum=0"`
	Confidence float64 `json:"confidence" jsonschema:"minimum=0"` // of the answer
}

// classification checks that counts add up and that places are of classes.
func (c *checker) classification(at string, x *Classification) {
	images, right := 0, x.Images
	for _, s := range x.Classes {
		images += s.Images
	}
	if images != x.Images {
		c.fail(at+"/classes", "each image has a class", "%d images, %d by class", x.Images, images)
	}
	known := func(at string, label, predicted int) {
		if n := len(x.Classes); label >= n || predicted >= n || label == predicted {
			c.fail(at, "two different classes", "%d taken for %d, of %d classes", label, predicted, n)
		}
	}
	for i, p := range x.Confusions {
		known(fmt.Sprintf("%s/confusions/%d", at, i), p.Label, p.Predicted)
		right -= p.Images
	}
	for i, m := range x.Mistakes {
		known(fmt.Sprintf("%s/mistakes/%d", at, i), m.Label, m.Predicted)
	}
	if right < 0 || len(x.Confusions) > MaxConfusions {
		c.fail(at+"/confusions", "", "more mistakes than images, or more than %d pairs", MaxConfusions)
	}
	sum := 0
	for i, b := range x.Calibration {
		sum += b.Images
		if b.Correct > b.Images {
			c.fail(fmt.Sprintf("%s/calibration/%d", at, i), "", "%d of %d correct", b.Correct, b.Images)
		}
	}
	if len(x.Calibration) > 0 && sum != x.Images {
		c.fail(at+"/calibration", "each image is in a bin", "%d images, %d in bins", x.Images, sum)
	}
}
