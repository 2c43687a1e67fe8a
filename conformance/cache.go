package conformance

import (
	"bytes"
	"crypto/sha256"
	"encoding/gob"
	"encoding/hex"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"time"

	"github.com/clsbench/clsbench/graph"
	"github.com/clsbench/clsbench/graph/onnx"
	"github.com/clsbench/clsbench/reference"
)

// Cache keeps what the program rule made of a program and its data, in memory
// and in a folder. It is a convenience: what can't be read or written is
// evaluated again. A nil Cache keeps nothing.
type Cache struct {
	dir string
	mu  sync.Mutex
	mem map[string]*cached
	old []string // keys of mem, the oldest first
	// grown is how many bytes were written since the folder was last looked
	// through, which takes as long as hundreds of files take to write.
	grown int64
}

// Sizes of a cache.
const (
	cacheEntries = 64
	cacheBytes   = 256 << 20
	cacheSlack   = cacheBytes / 16 // written before the folder is looked through
)

// cached is what was made of a program and its data.
type cached struct {
	Outputs []cachedOutput
	EitherSide
}

type cachedOutput struct{ Want, Limit []float64 }

// NewCache keeps results in memory and, if dir is not empty, in that folder.
func NewCache(dir string) *Cache {
	return &Cache{dir: dir, mem: map[string]*cached{}, grown: cacheSlack}
}

// UserCache keeps results in the user's cache folder, or in memory alone
// where there is none.
func UserCache() *Cache {
	dir, err := os.UserCacheDir()
	if err != nil {
		return NewCache("")
	}
	return NewCache(filepath.Join(dir, "clsbench", "reference"))
}

// thisProgram is a hash of this very program: what another build of the reference
// and of its rules made is not taken for its own.
var thisProgram = sync.OnceValue(func() string {
	h := sha256.New()
	path, err := os.Executable()
	if err == nil {
		var f *os.File
		if f, err = os.Open(path); err == nil {
			_, err = io.Copy(h, f)
			f.Close()
		}
	}
	if err != nil { // no other run's results
		return fmt.Sprint(os.Getpid(), time.Now())
	}
	return hex.EncodeToString(h.Sum(nil))
})

// key is a hash of all that the result depends on.
func (c *Cache) key(g *graph.Graph, math string, values map[string]*reference.Array) string {
	if c == nil {
		return ""
	}
	h := sha256.New()
	fmt.Fprintln(h, thisProgram(), onnx.Digest(g.Program), math)
	for _, list := range [][]graph.Value{g.Feeds, g.State} {
		for _, v := range list {
			fmt.Fprintln(h, v.Name, v.Type)
			h.Write(values[v.Name].Tensor(v.Type.DType).Data)
		}
	}
	return hex.EncodeToString(h.Sum(nil))
}

// load finds a result and fits it to the outputs of g.
func (c *Cache) load(key string, g *graph.Graph) (*ruling, bool) {
	if c == nil {
		return nil, false
	}
	c.mu.Lock()
	entry, ok := c.mem[key]
	c.mu.Unlock()
	if !ok {
		if entry, ok = c.read(key); !ok {
			return nil, false
		}
		c.remember(key, entry)
	}
	outs := outputsOf(g)
	if len(outs) != len(entry.Outputs) {
		return nil, false
	}
	ruled := &ruling{list: make([]*expectation, len(outs)), EitherSide: entry.EitherSide}
	for i, out := range outs {
		o := entry.Outputs[i]
		if n := out.typ.Shape.Elements(); len(o.Want) != n || len(o.Limit) != n {
			return nil, false
		}
		ruled.list[i] = &expectation{output: out, bound: programRule, want: o.Want, limit: o.Limit}
	}
	return ruled, true
}

func (c *Cache) store(key string, ruled *ruling) {
	if c == nil {
		return
	}
	entry := &cached{make([]cachedOutput, len(ruled.list)), ruled.EitherSide}
	for i, e := range ruled.list {
		entry.Outputs[i] = cachedOutput{e.want, e.limit}
	}
	c.remember(key, entry)
	if c.dir != "" {
		c.write(key, entry)
	}
}

func (c *Cache) remember(key string, entry *cached) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if _, ok := c.mem[key]; ok {
		return
	}
	if len(c.old) >= cacheEntries {
		delete(c.mem, c.old[0])
		c.old = c.old[1:]
	}
	c.mem[key] = entry
	c.old = append(c.old, key)
}

func (c *Cache) path(key string) string { return filepath.Join(c.dir, key+".gob") }

// read takes a file only if its checksum is right.
func (c *Cache) read(key string) (*cached, bool) {
	if c.dir == "" {
		return nil, false
	}
	info, err := os.Stat(c.path(key))
	if err != nil || info.Size() < sha256.Size || info.Size() > cacheBytes {
		return nil, false
	}
	data, err := os.ReadFile(c.path(key))
	if err != nil || len(data) < sha256.Size {
		return nil, false
	}
	sum, body := data[:sha256.Size], data[sha256.Size:]
	if got := sha256.Sum256(body); !bytes.Equal(sum, got[:]) {
		return nil, false
	}
	var entry cached
	if err := gob.NewDecoder(bytes.NewReader(body)).Decode(&entry); err != nil {
		return nil, false
	}
	return &entry, true
}

// write puts a file in place whole or not at all, and keeps the folder small:
// the first file prunes it, and from then on every so many bytes.
func (c *Cache) write(key string, entry *cached) {
	var body bytes.Buffer
	if gob.NewEncoder(&body).Encode(entry) != nil || os.MkdirAll(c.dir, 0o755) != nil {
		return
	}
	f, err := os.CreateTemp(c.dir, "new-*")
	if err != nil {
		return
	}
	sum := sha256.Sum256(body.Bytes())
	_, err = f.Write(append(sum[:], body.Bytes()...))
	if e := f.Close(); err != nil || e != nil || os.Rename(f.Name(), c.path(key)) != nil {
		_ = os.Remove(f.Name()) // nothing more can be done for a cache
		return
	}
	c.mu.Lock()
	c.grown += int64(body.Len())
	due := c.grown >= cacheSlack
	if due {
		c.grown = 0
	}
	c.mu.Unlock()
	if due {
		c.prune()
	}
}

// prune removes the oldest files beyond the folder's size.
func (c *Cache) prune() {
	entries, err := os.ReadDir(c.dir)
	if err != nil {
		return
	}
	type file struct {
		path string
		time time.Time
		size int64
	}
	var files []file
	var total int64
	for _, e := range entries {
		var info fs.FileInfo
		if info, err = e.Info(); err != nil || !info.Mode().IsRegular() {
			continue
		}
		files = append(files, file{filepath.Join(c.dir, e.Name()), info.ModTime(), info.Size()})
		total += info.Size()
	}
	slices.SortFunc(files, func(a, b file) int { return a.time.Compare(b.time) })
	for _, f := range files {
		if total <= cacheBytes {
			return
		}
		if os.Remove(f.path) == nil {
			total -= f.size
		}
	}
}
