package main

import (
	"errors"
	"fmt"
	"strconv"

	"github.com/spf13/pflag"
)

// plainly says what a flag wanted where the flag package says how its parser
// failed. Other errors stay as they are.
func plainly(err error) error {
	var bad *pflag.InvalidValueError
	if !errors.As(err, &bad) {
		return err
	}
	want, ok := wants[bad.GetFlag().Value.Type()]
	if !ok {
		return err
	}
	if errors.Is(err, strconv.ErrRange) {
		want += ", no larger than a machine's word"
	}
	return fmt.Errorf("flag --%s: %q: want %s", bad.GetFlag().Name, bad.GetValue(), want)
}

// wants are the kinds of value that a flag can have, by pflag's names.
var wants = map[string]string{
	"bool":     "true or false",
	"int":      "a whole number",
	"int64":    "a whole number",
	"uint64":   "a whole number, 0 or more",
	"float64":  "a number",
	"intSlice": "a whole number, or several with commas between",
	"duration": "a span of time, as in 90s or 2m",
}
