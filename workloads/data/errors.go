package data

import (
	"fmt"
	"strings"
)

// Kind says what is wrong with the input, for callers that act on it.
type Kind string

// The kinds of an Error.
const (
	BadOption   Kind = "bad option"            // an option outside its range
	UnknownSet  Kind = "unknown data set"      // neither a registered name nor a folder
	Missing     Kind = "missing file"          // a file that the format needs
	Unreadable  Kind = "unreadable"            // the system refused to open or read
	NotIDX      Kind = "not IDX"               // another format, or another IDX type or rank
	BadImage    Kind = "bad image"             // neither JPEG nor PNG nor WebP, or a damaged one
	Truncated   Kind = "truncated"             // ends before what its header claims
	Oversized   Kind = "oversized"             // goes on after what its header claims, or claims more than is read
	Mismatch    Kind = "mismatch"              // two files that do not belong together
	Ambiguous   Kind = "ambiguous"             // one file in two forms, of which only one can be meant
	LabelRange  Kind = "label out of range"    // a label that is no class
	Exists      Kind = "exists"                // a file that would be overwritten
	Unwritable  Kind = "unwritable"            // the system refused to create or write
	BadArchive  Kind = "bad archive"           // a damaged one, or one that is not what it should be
	Unsupported Kind = "unsupported by format" // a set that the format cannot hold
)

// Error is bad input: one line that names the file, the field in it and the
// mend. The command line maps it to exit status 2.
type Error struct {
	Kind  Kind
	File  string // path, or empty where no file is to blame
	Field string // of the file's format, or an option's name
	What  string // what is wrong, with the figures
	Mend  string // what to do about it
	Err   error  // the system's error, if one lies beneath
}

func (e *Error) Error() string {
	parts := make([]string, 0, 4)
	for _, s := range []string{e.File, e.Field, e.What} {
		if s != "" {
			parts = append(parts, s)
		}
	}
	line := strings.Join(parts, ": ")
	if e.Err != nil {
		line += fmt.Sprintf(" (%v)", e.Err)
	}
	if e.Mend != "" {
		line += "; " + e.Mend
	}
	return line
}

func (e *Error) Unwrap() error { return e.Err }
