// Package fetch downloads the public sets that clsbench reads, each into a
// folder of its own:
//
//	err := (&fetch.Fetcher{}).Fetch(ctx, set, "./mnist")
//
// Nothing is believed: a file counts once it has the length and the SHA-256 that
// the table in this package gives. A download that breaks off is taken up where
// it stopped (HTTP Range, RFC 9110 §14), one that stalls is ended, and both are
// tried again, from the next address if need be.
//
// All happens in DIR.part beside the folder, which gets its name when the set is
// whole: there is never a folder with half a set. What DIR.part holds after an
// interruption is taken up by the next call. SHA256SUMS in the folder, in
// sha256sum's format, has every file's checksum as it was unpacked; a folder that
// is there already is held against it.
package fetch
