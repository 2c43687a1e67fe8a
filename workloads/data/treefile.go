package data

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"io"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/google/renameio/v2"
)

// The file of a tree's index is a line of JSON, then for each of its classes
// the names of the class's files, each ended by a zero byte, and, where there
// are verdicts, 8 bytes a file, little-endian. A million files are read and
// checked in a fraction of a second.
const (
	treeFileVersion = 2
	maxTreeIndex    = 1 << 30 // bytes
)

type treeHeader struct {
	Version int               `json:"version"`
	SHA256  string            `json:"sha256"` // of what follows the line
	Classes []treeClassHeader `json:"classes"`
}

type treeClassHeader struct {
	Folder   string    `json:"folder"`
	Changed  time.Time `json:"changed"`
	Inode    uint64    `json:"inode"`
	Listed   time.Time `json:"listed"`
	Files    int       `json:"files"`
	Bytes    int       `json:"bytes"` // of the names
	Verdicts bool      `json:"verdicts,omitempty"`
}

// loadTreeIndex returns nothing if there is no index that can be read: it costs
// a listing.
func loadTreeIndex(path string) map[string]treeClass {
	f, err := os.Open(path)
	if err != nil {
		return nil
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil || !info.Mode().IsRegular() || info.Size() > maxTreeIndex {
		return nil
	}
	content := make([]byte, info.Size())
	if _, err := io.ReadFull(f, content); err != nil {
		return nil
	}
	return parseTreeIndex(content)
}

// parseTreeIndex returns nothing of content that save does not write.
func parseTreeIndex(content []byte) map[string]treeClass {
	line, rest, found := bytes.Cut(content, []byte("\n"))
	var head treeHeader
	if !found || json.Unmarshal(line, &head) != nil || head.Version != treeFileVersion {
		return nil
	}
	if sum := sha256.Sum256(rest); hex.EncodeToString(sum[:]) != head.SHA256 {
		return nil
	}
	return head.split(rest)
}

// split gives each class what the header says that it has of the body.
func (head treeHeader) split(rest []byte) map[string]treeClass {
	out := make(map[string]treeClass, len(head.Classes))
	for _, h := range head.Classes {
		c := treeClass{changed: h.Changed, number: h.Inode, listed: h.Listed}
		if h.Bytes < 0 || h.Bytes > len(rest) || h.Files < 0 || 2*h.Files > h.Bytes { // a name and its end take 2 bytes or more
			return nil
		}
		c.names, rest = namesOf(string(rest[:h.Bytes]), h.Files), rest[h.Bytes:]
		if !c.names.valid(h.Files) {
			return nil
		}
		if h.Verdicts {
			if len(rest)/8 < h.Files {
				return nil
			}
			c.verdicts = make([]verdict, h.Files)
			for i := range c.verdicts {
				c.verdicts[i] = verdict(binary.LittleEndian.Uint64(rest[8*i:]))
			}
			rest = rest[8*h.Files:]
		}
		out[h.Folder] = c
	}
	if len(rest) > 0 {
		return nil
	}
	return out
}

// valid says whether the names are as many as they should be, each the name of
// an image file and nothing else, in order.
func (n nameList) valid(count int) bool {
	if n.len() != count || count > 0 && int(n.ends[count-1])+1 != len(n.blob) || count == 0 && n.blob != "" {
		return false
	}
	last := ""
	for i := range count {
		name := n.at(i)
		if name <= last || strings.ContainsRune(name, filepath.Separator) || !imageName(name) {
			return false
		}
		last = name
	}
	return true
}

// save writes the index if it has learnt something. A cache that cannot be
// written costs time at the next start.
func (x *treeIndex) save(opts Options) {
	path := treeIndexPath(x.dir, opts)
	if !x.learnt || path == "" {
		return
	}
	content, err := x.encode()
	if err == nil {
		err = os.MkdirAll(filepath.Dir(path), 0o755)
	}
	if err == nil {
		err = renameio.WriteFile(path, content, 0o644, renameio.WithTempDir(filepath.Dir(path)))
	}
	if err != nil {
		opts.Log.Warn("index of images is not cached", "folder", x.dir, "error", err)
	}
}

func (x *treeIndex) encode() ([]byte, error) {
	head := treeHeader{Version: treeFileVersion}
	var body []byte
	for i, c := range x.classes {
		head.Classes = append(head.Classes, treeClassHeader{Folder: x.folders[i], Changed: c.changed, Inode: c.number, Listed: c.listed,
			Files: c.names.len(), Bytes: len(c.names.blob), Verdicts: c.verdicts != nil})
		body = append(body, c.names.blob...)
		for _, v := range c.verdicts {
			body = binary.LittleEndian.AppendUint64(body, uint64(v))
		}
	}
	sum := sha256.Sum256(body)
	head.SHA256 = hex.EncodeToString(sum[:])
	line, err := json.Marshal(head)
	if err != nil { // a folder of a year that JSON's times end before
		return nil, err
	}
	return append(append(line, '\n'), body...), nil
}
