package digits

import (
	"codeberg.org/go-fonts/dejavu/dejavusans"
	"codeberg.org/go-fonts/dejavu/dejavusansbold"
	"codeberg.org/go-fonts/dejavu/dejavusansextralight"
	"codeberg.org/go-fonts/dejavu/dejavusansmono"
	"codeberg.org/go-fonts/dejavu/dejavusansmonobold"
	"codeberg.org/go-fonts/dejavu/dejavusansmonooblique"
	"codeberg.org/go-fonts/dejavu/dejavuserif"
	"codeberg.org/go-fonts/dejavu/dejavuserifbold"
	"codeberg.org/go-fonts/dejavu/dejavuserifbolditalic"
	"codeberg.org/go-fonts/dejavu/dejavuserifcondensed"
	"codeberg.org/go-fonts/dejavu/dejavuserifcondensedbold"
	"codeberg.org/go-fonts/dejavu/dejavuserifitalic"
	"codeberg.org/go-fonts/latin-modern/lmmono10italic"
	"codeberg.org/go-fonts/latin-modern/lmmono10regular"
	"codeberg.org/go-fonts/latin-modern/lmmonolt10bold"
	"codeberg.org/go-fonts/latin-modern/lmmonoltcond10regular"
	"codeberg.org/go-fonts/latin-modern/lmmonoprop10regular"
	"codeberg.org/go-fonts/latin-modern/lmroman10bold"
	"codeberg.org/go-fonts/latin-modern/lmroman10bolditalic"
	"codeberg.org/go-fonts/latin-modern/lmroman10italic"
	"codeberg.org/go-fonts/latin-modern/lmroman10regular"
	"codeberg.org/go-fonts/latin-modern/lmroman17regular"
	"codeberg.org/go-fonts/latin-modern/lmroman5bold"
	"codeberg.org/go-fonts/latin-modern/lmroman5regular"
	"codeberg.org/go-fonts/latin-modern/lmromandemi10regular"
	"codeberg.org/go-fonts/latin-modern/lmromandunh10regular"
	"codeberg.org/go-fonts/latin-modern/lmromanunsl10regular"
	"codeberg.org/go-fonts/latin-modern/lmsans10bold"
	"codeberg.org/go-fonts/latin-modern/lmsans10oblique"
	"codeberg.org/go-fonts/latin-modern/lmsans10regular"
	"codeberg.org/go-fonts/latin-modern/lmsansdemicond10regular"
	"codeberg.org/go-fonts/latin-modern/lmsansquot8bold"
	"codeberg.org/go-fonts/latin-modern/lmsansquot8regular"
	"codeberg.org/go-fonts/liberation/liberationmonobold"
	"codeberg.org/go-fonts/liberation/liberationmonobolditalic"
	"codeberg.org/go-fonts/liberation/liberationmonoitalic"
	"codeberg.org/go-fonts/liberation/liberationmonoregular"
	"codeberg.org/go-fonts/liberation/liberationsansbold"
	"codeberg.org/go-fonts/liberation/liberationsansbolditalic"
	"codeberg.org/go-fonts/liberation/liberationsansitalic"
	"codeberg.org/go-fonts/liberation/liberationsansregular"
	"codeberg.org/go-fonts/liberation/liberationserifbold"
	"codeberg.org/go-fonts/liberation/liberationserifbolditalic"
	"codeberg.org/go-fonts/liberation/liberationserifitalic"
	"codeberg.org/go-fonts/liberation/liberationserifregular"
	"codeberg.org/go-fonts/stix/stix2textbold"
	"codeberg.org/go-fonts/stix/stix2textbolditalic"
	"codeberg.org/go-fonts/stix/stix2textitalic"
	"codeberg.org/go-fonts/stix/stix2textmedium"
	"codeberg.org/go-fonts/stix/stix2textmediumitalic"
	"codeberg.org/go-fonts/stix/stix2textregular"
	"codeberg.org/go-fonts/stix/stix2textsemibold"
	"codeberg.org/go-fonts/stix/stix2textsemibolditalic"
	"golang.org/x/image/font/gofont/gobold"
	"golang.org/x/image/font/gofont/gobolditalic"
	"golang.org/x/image/font/gofont/goitalic"
	"golang.org/x/image/font/gofont/gomedium"
	"golang.org/x/image/font/gofont/gomediumitalic"
	"golang.org/x/image/font/gofont/gomono"
	"golang.org/x/image/font/gofont/gomonobold"
	"golang.org/x/image/font/gofont/gomonobolditalic"
	"golang.org/x/image/font/gofont/gomonoitalic"
	"golang.org/x/image/font/gofont/goregular"
)

// trainFaces are the faces of the training split, 51 of four families. Their
// order is part of the set's definition: a face is drawn by its index.
var trainFaces = [][]byte{
	// Go, by Bigelow & Holmes
	goregular.TTF, goitalic.TTF, gomedium.TTF, gomediumitalic.TTF, gobold.TTF, gobolditalic.TTF,
	gomono.TTF, gomonoitalic.TTF, gomonobold.TTF, gomonobolditalic.TTF,
	// Liberation
	liberationsansregular.TTF, liberationsansitalic.TTF, liberationsansbold.TTF, liberationsansbolditalic.TTF,
	liberationserifregular.TTF, liberationserifitalic.TTF, liberationserifbold.TTF, liberationserifbolditalic.TTF,
	liberationmonoregular.TTF, liberationmonoitalic.TTF, liberationmonobold.TTF, liberationmonobolditalic.TTF,
	// Latin Modern, in the optical sizes and cuts whose digits differ
	lmroman10regular.TTF, lmroman10italic.TTF, lmroman10bold.TTF, lmroman10bolditalic.TTF,
	lmroman17regular.TTF, lmroman5regular.TTF, lmroman5bold.TTF, lmromandemi10regular.TTF,
	lmromandunh10regular.TTF, lmromanunsl10regular.TTF,
	lmsans10regular.TTF, lmsans10oblique.TTF, lmsans10bold.TTF, lmsansdemicond10regular.TTF,
	lmsansquot8regular.TTF, lmsansquot8bold.TTF,
	lmmono10regular.TTF, lmmono10italic.TTF, lmmonolt10bold.TTF, lmmonoltcond10regular.TTF, lmmonoprop10regular.TTF,
	// STIX Two Text
	stix2textregular.TTF, stix2textitalic.TTF, stix2textmedium.TTF, stix2textmediumitalic.TTF,
	stix2textsemibold.TTF, stix2textsemibolditalic.TTF, stix2textbold.TTF, stix2textbolditalic.TTF,
}

// testFaces are the faces of the test split, of DejaVu alone, a family that
// training never sees. Its condensed and oblique sans faces are left out: the
// affine maps make their like, and each would add 0.6 MB to the binary.
var testFaces = [][]byte{
	dejavusans.TTF, dejavusansbold.TTF, dejavusansextralight.TTF,
	dejavusansmono.TTF, dejavusansmonooblique.TTF, dejavusansmonobold.TTF,
	dejavuserif.TTF, dejavuserifitalic.TTF, dejavuserifbold.TTF, dejavuserifbolditalic.TTF,
	dejavuserifcondensed.TTF, dejavuserifcondensedbold.TTF,
}
