package fetch

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/gofrs/flock"
	"github.com/stretchr/testify/require"

	"github.com/clsbench/clsbench/workloads/data"
)

// content is bytes that do not repeat soon.
func content(n int) []byte {
	out := make([]byte, n)
	for i := range out {
		out[i] = byte(i * i >> 7)
	}
	return out
}

func hexSum(b []byte) string {
	s := sha256.Sum256(b)
	return hex.EncodeToString(s[:])
}

// server plays a list of answers, one a request, the last for ever, and keeps
// what was asked for.
type server struct {
	*httptest.Server
	mu      sync.Mutex
	answers []http.HandlerFunc
	ranges  []string
	paths   []string
}

func serve(t *testing.T, answers ...http.HandlerFunc) *server {
	s := &server{answers: answers}
	s.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		s.mu.Lock()
		s.ranges, s.paths = append(s.ranges, r.Header.Get("Range")), append(s.paths, r.URL.Path)
		answer := s.answers[0]
		if len(s.answers) > 1 {
			s.answers = s.answers[1:]
		}
		s.mu.Unlock()
		answer(w, r)
	}))
	t.Cleanup(s.Close)
	return s
}

// The ways of servers.

func honest(body []byte) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		http.ServeContent(w, r, "f", time.Time{}, bytes.NewReader(body))
	}
}

// deaf ignores Range.
func deaf(body []byte) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) { _, _ = w.Write(body) }
}

// cutting promises all and breaks off after n bytes of what was asked for.
func cutting(body []byte, n int) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		from := 0
		if _, err := fmt.Sscanf(r.Header.Get("Range"), "bytes=%d-", &from); err == nil {
			w.Header().Set("Content-Range", fmt.Sprintf("bytes %d-%d/%d", from, len(body)-1, len(body)))
		}
		w.Header().Set("Content-Length", fmt.Sprint(len(body)-from))
		if from > 0 {
			w.WriteHeader(http.StatusPartialContent)
		}
		_, _ = w.Write(body[from:min(from+n, len(body))])
		w.(http.Flusher).Flush()
		panic(http.ErrAbortHandler)
	}
}

// stalling sends n bytes and then nothing, until the client has gone.
func stalling(body []byte, n int) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Length", fmt.Sprint(len(body)))
		_, _ = w.Write(body[:n])
		w.(http.Flusher).Flush()
		<-r.Context().Done()
	}
}

func status(code int) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) { http.Error(w, "<html>no</html>", code) }
}

// part answers a Range with a Content-Range of its own making.
func part(body []byte, contentRange string) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		if contentRange != "" {
			w.Header().Set("Content-Range", contentRange)
		}
		w.WriteHeader(http.StatusPartialContent)
		_, _ = w.Write(body)
	}
}

// endless sends without saying how much.
func endless(w http.ResponseWriter, r *http.Request) {
	w.(http.Flusher).Flush()
	for {
		if _, err := w.Write(make([]byte, 1<<16)); err != nil {
			return
		}
	}
}

func quick() *Fetcher {
	return &Fetcher{Tries: 3, Stall: 200 * time.Millisecond, Pause: time.Millisecond}
}

func one(body []byte, urls ...string) Set {
	return Set{Name: "one", Files: []File{{Name: "f.gz", Size: int64(len(body)), SHA256: hexSum(body), URLs: urls}}}
}

func requireWhole(t *testing.T, dir string, body []byte) {
	t.Helper()
	got, err := os.ReadFile(filepath.Join(dir, "f.gz"))
	require.NoError(t, err)
	require.True(t, bytes.Equal(body, got))
	sums, err := os.ReadFile(filepath.Join(dir, sumsName))
	require.NoError(t, err)
	require.Equal(t, hexSum(body)+"  f.gz\n", string(sums))
	require.NoDirExists(t, dir+".part")
}

// Whatever happens on the way, the file comes whole, and what was there is not
// asked for again.
func TestFetchComesThrough(t *testing.T) {
	body := content(100_000)
	wrong := content(100_000)
	wrong[50] ^= 1
	for name, c := range map[string]struct {
		answers []http.HandlerFunc
		ranges  []string
	}{
		"at once":           {[]http.HandlerFunc{honest(body)}, []string{""}},
		"cut twice":         {[]http.HandlerFunc{cutting(body, 30_000), cutting(body, 30_000), honest(body)}, []string{"", "bytes=30000-", "bytes=60000-"}},
		"stalls":            {[]http.HandlerFunc{stalling(body, 10_000), honest(body)}, []string{"", "bytes=10000-"}},
		"stalls at once":    {[]http.HandlerFunc{stalling(body, 0), honest(body)}, []string{"", ""}},
		"ignores Range":     {[]http.HandlerFunc{cutting(body, 30_000), deaf(body)}, []string{"", "bytes=30000-"}},
		"500 and 503":       {[]http.HandlerFunc{status(500), status(503), honest(body)}, []string{"", "", ""}},
		"too many requests": {[]http.HandlerFunc{status(429), honest(body)}, []string{"", ""}},
		"refuses Range":     {[]http.HandlerFunc{cutting(body, 30_000), status(416), honest(body)}, []string{"", "bytes=30000-", ""}},
		"another part":      {[]http.HandlerFunc{cutting(body, 30_000), part(body[10:], "bytes 10-99999/100000"), honest(body)}, []string{"", "bytes=30000-", ""}},
		"part of another":   {[]http.HandlerFunc{cutting(body, 30_000), part(body[30_000:], "bytes 30000-99999/100001"), honest(body)}, []string{"", "bytes=30000-", ""}},
		"part of nothing":   {[]http.HandlerFunc{cutting(body, 30_000), part(body[30_000:], ""), honest(body)}, []string{"", "bytes=30000-", ""}},
		"wrong beginning":   {[]http.HandlerFunc{cutting(wrong, 30_000), honest(body), honest(body)}, []string{"", "bytes=30000-", ""}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := serve(t, c.answers...)
			dir := filepath.Join(t.TempDir(), "deep", "set")
			already, err := quick().Fetch(context.Background(), one(body, s.URL), dir)
			require.NoError(t, err)
			require.False(t, already)
			requireWhole(t, dir, body)
			require.Equal(t, c.ranges, s.ranges)
		})
	}
}

// A server that does not have the file is not believed, and there is no folder
// that could be taken for a set.
func TestFetchRefusesLies(t *testing.T) {
	body := content(10_000)
	wrong := content(10_000)
	wrong[50] ^= 1
	for name, c := range map[string]struct {
		answers []http.HandlerFunc
		message string
		asked   int
	}{
		"404":              {[]http.HandlerFunc{status(404)}, "answers 404 Not Found", 1},
		"403":              {[]http.HandlerFunc{status(403)}, "answers 403 Forbidden", 1},
		"500 for ever":     {[]http.HandlerFunc{status(500)}, "3 tries: answers 500", 3},
		"wrong bytes":      {[]http.HandlerFunc{honest(wrong)}, "has SHA-256 " + hexSum(wrong) + ", not " + hexSum(body), 1},
		"shorter":          {[]http.HandlerFunc{honest(body[:9_000])}, "offers 9000 bytes, the file has 10000", 1},
		"longer":           {[]http.HandlerFunc{honest(content(11_000))}, "offers 11000 bytes, the file has 10000", 1},
		"a web page":       {[]http.HandlerFunc{honest([]byte("<html>log in</html>"))}, "offers 19 bytes", 1},
		"endless":          {[]http.HandlerFunc{endless}, "goes on after the 10000 bytes", 1},
		"cut for ever":     {[]http.HandlerFunc{cutting(body, 10)}, "3 tries: breaks off after 30 of 10000 bytes", 3},
		"stalls for ever":  {[]http.HandlerFunc{stalling(body, 10)}, "3 tries: no byte came for 200ms", 3},
		"a part unasked":   {[]http.HandlerFunc{part(body, "bytes 5-9999/10000")}, "sends bytes from 5 of 10000, asked for from 0 of 10000", 1},
		"redirects around": {[]http.HandlerFunc{func(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, "/again", http.StatusFound) }}, "stopped after 10 redirects", 30},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := serve(t, c.answers...)
			dir := filepath.Join(t.TempDir(), "set")
			_, err := quick().Fetch(context.Background(), one(body, s.URL), dir)
			var e *Error
			require.ErrorAs(t, err, &e)
			require.ErrorContains(t, err, "f.gz: could not be fetched (")
			require.ErrorContains(t, err, c.message)
			require.NotContains(t, err.Error(), "\n")
			require.Len(t, s.ranges, c.asked)
			require.NoDirExists(t, dir)
		})
	}
}

func TestFetchFollowsRedirects(t *testing.T) {
	body := content(1000)
	behind := serve(t, cutting(body, 400), honest(body))
	s := serve(t, func(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, behind.URL, http.StatusFound) })
	dir := filepath.Join(t.TempDir(), "set")
	_, err := quick().Fetch(context.Background(), one(body, s.URL), dir)
	require.NoError(t, err)
	requireWhole(t, dir, body)
	require.Equal(t, []string{"", "bytes=400-"}, behind.ranges)
}

// Mirrors come first, and the next address takes up what the one before left.
func TestFetchGoesFromAddressToAddress(t *testing.T) {
	body := content(1000)
	mirror, gone, published := serve(t, cutting(body, 100), cutting(body, 100), status(404)), serve(t, status(410)), serve(t, honest(body))
	var retries []string
	f := quick()
	f.Mirrors = []string{mirror.URL + "/sets/"}
	f.Retry = func(err error) { retries = append(retries, err.Error()) }
	var progress []int64
	f.Progress = func(file string, have, size int64) {
		require.Equal(t, "f.gz", file)
		require.Equal(t, int64(1000), size)
		progress = append(progress, have)
	}
	dir := filepath.Join(t.TempDir(), "set")
	_, err := f.Fetch(context.Background(), one(body, gone.URL, published.URL), dir)
	require.NoError(t, err)
	requireWhole(t, dir, body)
	require.Equal(t, "/sets/one/f.gz", mirror.paths[0])
	require.Equal(t, []string{"bytes=200-"}, published.ranges)
	require.Len(t, retries, 4, "%q", retries)
	require.Equal(t, int64(1000), progress[len(progress)-1])
}

// An interrupted call is taken up by the next, and a whole set is left alone.
func TestFetchIsTakenUp(t *testing.T) {
	body := content(1000)
	dir := filepath.Join(t.TempDir(), "set")
	ctx, cancel := context.WithCancel(context.Background())
	s := serve(t, func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Length", "1000")
		_, _ = w.Write(body[:300])
		w.(http.Flusher).Flush()
		time.Sleep(50 * time.Millisecond) // until what was sent has been written
		cancel()
		<-r.Context().Done()
	}, honest(body))
	_, err := quick().Fetch(ctx, one(body, s.URL), dir)
	require.ErrorIs(t, err, context.Canceled)
	require.NoDirExists(t, dir)
	require.NoError(t, os.MkdirAll(filepath.Join(dir+".part", "ready"), 0o755))
	require.NoError(t, os.WriteFile(filepath.Join(dir+".part", "ready", "half"), nil, 0o644))
	_, err = quick().Fetch(context.Background(), one(body, s.URL), dir)
	require.NoError(t, err)
	requireWhole(t, dir, body)
	require.Equal(t, []string{"", "bytes=300-"}, s.ranges)

	already, err := quick().Fetch(context.Background(), one(body, s.URL), dir)
	require.NoError(t, err)
	require.True(t, already)
	require.Len(t, s.ranges, 2)

	require.NoError(t, os.WriteFile(filepath.Join(dir, "f.gz"), body[1:], 0o644))
	_, err = quick().Fetch(context.Background(), one(body, s.URL), dir)
	requireData(t, err, data.Mismatch, "f.gz: has SHA-256")
	require.NoError(t, os.WriteFile(filepath.Join(dir, sumsName), []byte("00  ../../f\n"), 0o644))
	_, err = quick().Fetch(context.Background(), one(body, s.URL), dir)
	requireData(t, err, data.Mismatch, "SHA256SUMS: is no list of checksums")
}

// A damaged part that is as long as the file is fetched anew.
func TestFetchDoesNotBelieveParts(t *testing.T) {
	body := content(1000)
	for _, part := range [][]byte{bytes.Repeat([]byte{1}, 1000), bytes.Repeat([]byte{1}, 2000), bytes.Repeat([]byte{1}, 400)} {
		dir := filepath.Join(t.TempDir(), "set")
		require.NoError(t, os.Mkdir(dir+".part", 0o755))
		require.NoError(t, os.WriteFile(filepath.Join(dir+".part", "f.gz"), part, 0o644))
		_, err := quick().Fetch(context.Background(), one(body, serve(t, honest(body)).URL), dir)
		require.NoError(t, err)
		requireWhole(t, dir, body)
	}
}

func requireData(t *testing.T, err error, kind data.Kind, message string) {
	t.Helper()
	var e *data.Error
	require.ErrorAs(t, err, &e)
	require.Equal(t, kind, e.Kind, err)
	require.ErrorContains(t, err, message)
}

func TestFolderThatCannotBeFilled(t *testing.T) {
	body := content(10)
	s := serve(t, honest(body))
	dir := filepath.Join(t.TempDir(), "set")
	require.NoError(t, os.MkdirAll(dir, 0o755)) // an empty one is taken
	_, err := quick().Fetch(context.Background(), one(body, s.URL), dir)
	require.NoError(t, err)
	requireWhole(t, dir, body)

	other := t.TempDir()
	require.NoError(t, os.WriteFile(filepath.Join(other, "thesis.tex"), nil, 0o644))
	_, err = quick().Fetch(context.Background(), one(body, s.URL), other)
	requireData(t, err, data.Exists, "is there and was not fetched")
	_, err = quick().Fetch(context.Background(), one(body, s.URL), filepath.Join(other, "thesis.tex"))
	requireData(t, err, data.Unreadable, "thesis.tex: cannot be read as a folder (not a directory)")
	_, err = quick().Fetch(context.Background(), one(body, s.URL), filepath.Join(other, "thesis.tex", "set"))
	requireData(t, err, data.Unreadable, "thesis.tex/set: cannot be read as a folder (not a directory)")

	busy := filepath.Join(t.TempDir(), "set")
	require.NoError(t, os.Mkdir(busy+".part", 0o755))
	held := flock.New(filepath.Join(busy+".part", lockName))
	_, err = held.TryLock()
	require.NoError(t, err)
	defer held.Close()
	_, err = quick().Fetch(context.Background(), one(body, s.URL), busy)
	requireData(t, err, data.Exists, "is being filled by another process")
}

// entry is one of a tar's.
type entry struct {
	name string
	kind byte
	body string
}

func archive(t testing.TB, entries ...entry) []byte {
	t.Helper()
	var b bytes.Buffer
	z := gzip.NewWriter(&b)
	w := tar.NewWriter(z)
	for _, e := range entries {
		head := &tar.Header{Name: e.name, Typeflag: e.kind, Mode: 0o777, Size: int64(len(e.body))}
		if e.kind != tar.TypeReg {
			head.Size, head.Linkname = 0, "/etc/passwd"
		}
		require.NoError(t, w.WriteHeader(head))
		if e.kind == tar.TypeReg {
			_, err := w.Write([]byte(e.body))
			require.NoError(t, err)
		}
	}
	require.NoError(t, w.Close())
	require.NoError(t, z.Close())
	return b.Bytes()
}

var small = &Archive{"set", map[string]int64{"a.bin": 4, "b.txt": 4}}

func TestFetchUnpacks(t *testing.T) {
	body := archive(t, entry{"set/", tar.TypeDir, ""}, entry{"set/readme.html", tar.TypeReg, "<p>"}, entry{"set/a.bin", tar.TypeReg, "aaaa"},
		entry{"./set/b.txt", tar.TypeReg, "b"}, entry{"other/a.bin", tar.TypeReg, "zzzz"})
	set := one(body, serve(t, cutting(body, 40), honest(body)).URL)
	set.Files[0].Unpack = small
	dir := filepath.Join(t.TempDir(), "set")
	_, err := quick().Fetch(context.Background(), set, dir)
	require.NoError(t, err)
	files, err := os.ReadDir(dir)
	require.NoError(t, err)
	var names []string
	for _, f := range files {
		names = append(names, f.Name())
	}
	require.Equal(t, []string{sumsName, "a.bin", "b.txt"}, names)
	got, err := os.ReadFile(filepath.Join(dir, "a.bin"))
	require.NoError(t, err)
	require.Equal(t, "aaaa", string(got))
	already, err := quick().Fetch(context.Background(), set, dir)
	require.NoError(t, err)
	require.True(t, already)
}

func TestHostileArchives(t *testing.T) {
	a, b := entry{"set/a.bin", tar.TypeReg, "aaaa"}, entry{"set/b.txt", tar.TypeReg, "b"}
	whole := archive(t, a, b)
	many := make([]entry, maxEntries+1)
	for i := range many {
		many[i] = entry{fmt.Sprintf("set/%d", i), tar.TypeReg, ""}
	}
	for name, c := range map[string]struct {
		content []byte
		message string
	}{
		"climbs":      {archive(t, a, entry{"set/../../b.txt", tar.TypeReg, "b"}), `"set/../../b.txt": points out of the archive`},
		"absolute":    {archive(t, a, entry{"/etc/b.txt", tar.TypeReg, "b"}), `"/etc/b.txt": points out of the archive`},
		"backslashes": {archive(t, a, entry{`set\..\b.txt`, tar.TypeReg, "b"}), "points out of the archive"},
		"a link":      {archive(t, a, entry{"set/b.txt", tar.TypeSymlink, ""}), `"set/b.txt": is no plain file`},
		"a hard link": {archive(t, a, entry{"elsewhere", tar.TypeLink, ""}), `"elsewhere": is no plain file`},
		"a device":    {archive(t, a, entry{"set/b.txt", tar.TypeChar, ""}), "is no plain file"},
		"too long":    {archive(t, a, entry{"set/b.txt", tar.TypeReg, "bbbbb"}), "b.txt: claims 5 bytes, more than the 4"},
		"twice":       {archive(t, a, b, b), "b.txt: is there twice"},
		"missing":     {archive(t, a), "set/b.txt: is missing"},
		"too many":    {archive(t, many...), "more than 1000 entries"},
		"no gzip":     {[]byte("<html>"), "gzip header: cannot be read"},
		"cut":         {whole[:len(whole)-30], "damaged"},
		"damaged":     {append(bytes.Clone(whole[:30]), whole[34:]...), "damaged"},
		"no tar":      {gzipped(t, []byte(strings.Repeat("x", 2000))), "tar: is damaged"},
		"nothing":     {gzipped(t, nil), "is missing"},
	} {
		t.Run(name, func(t *testing.T) {
			parent := t.TempDir()
			dir := filepath.Join(parent, "deep", "dir")
			require.NoError(t, os.MkdirAll(dir, 0o755))
			err := small.read(bytes.NewReader(c.content), "f.tar.gz", dir)
			requireData(t, err, data.BadArchive, "f.tar.gz: ")
			require.ErrorContains(t, err, c.message)
			for _, above := range []string{parent, filepath.Dir(dir)} {
				entries, err := os.ReadDir(above)
				require.NoError(t, err)
				require.Len(t, entries, 1, "nothing lies outside")
			}
		})
	}
}

func gzipped(t testing.TB, content []byte) []byte {
	var b bytes.Buffer
	z := gzip.NewWriter(&b)
	_, err := z.Write(content)
	require.NoError(t, err)
	require.NoError(t, z.Close())
	return b.Bytes()
}

// FuzzUnpack: nothing that an archive says gets a file out of its folder, or one
// that is no member, or longer than it may be.
func FuzzUnpack(f *testing.F) {
	var raw bytes.Buffer
	z, err := gzip.NewReader(bytes.NewReader(archive(f, entry{"set/a.bin", tar.TypeReg, "aaaa"}, entry{"set/b.txt", tar.TypeReg, "b"})))
	require.NoError(f, err)
	_, err = raw.ReadFrom(z)
	require.NoError(f, err)
	f.Add(raw.Bytes())
	f.Fuzz(func(t *testing.T, content []byte) {
		parent := t.TempDir()
		dir := filepath.Join(parent, "dir")
		require.NoError(t, os.Mkdir(dir, 0o755))
		err := small.read(bytes.NewReader(gzipped(t, content)), "f", dir)
		if err != nil {
			require.ErrorAs(t, err, new(*data.Error))
		}
		entries, readErr := os.ReadDir(dir)
		require.NoError(t, readErr)
		for _, e := range entries {
			info, infoErr := e.Info()
			require.NoError(t, infoErr)
			require.True(t, info.Mode().IsRegular())
			require.LessOrEqual(t, info.Size(), small.Members[e.Name()])
		}
		outside, readErr := os.ReadDir(parent)
		require.NoError(t, readErr)
		require.Len(t, outside, 1)
		if err == nil {
			require.Len(t, entries, 2)
		}
	})
}

func FuzzSums(f *testing.F) {
	f.Add([]byte(hexSum(nil) + "  a.bin\n"))
	f.Add([]byte(hexSum(nil) + "  ../a.bin\n"))
	f.Fuzz(func(t *testing.T, content []byte) {
		sums, ok := parseSums(content)
		if !ok {
			return
		}
		for name, sum := range sums {
			require.Equal(t, name, filepath.Base(name))
			require.Len(t, sum, 64)
		}
	})
}

// The table is filled in as its users count on.
func TestSetsAreDescribed(t *testing.T) {
	names := map[string]bool{}
	for _, s := range Sets {
		require.False(t, names[s.Name])
		names[s.Name] = true
		require.NotEmpty(t, s.Description)
		files := map[string]bool{}
		for _, f := range s.Files {
			require.False(t, files[f.Name])
			files[f.Name] = true
			raw, err := hex.DecodeString(f.SHA256)
			require.NoError(t, err)
			require.Len(t, raw, 32)
			require.Positive(t, f.Size)
			require.NotEmpty(t, f.URLs)
			for _, u := range f.URLs {
				require.True(t, strings.HasSuffix(u, "/"+f.Name), u)
			}
			if f.Unpack != nil {
				require.NotEmpty(t, f.Unpack.Members)
			}
		}
	}
	require.Len(t, names, 4)
}

func TestErrorUnwraps(t *testing.T) {
	inner := errors.New("inner")
	require.ErrorIs(t, &Error{File: "f", Err: inner}, inner)
}
