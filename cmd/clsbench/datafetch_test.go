package main

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/clsbench/clsbench/workloads/data/fetch"
)

// The command from end to end, with a set and a server of our own.
func TestDataFetch(t *testing.T) {
	body := bytes.Repeat([]byte("a set"), 1000)
	sum := sha256.Sum256(body)
	broken := 0 // the requests that a server error answers first
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if broken--; broken >= 0 {
			w.WriteHeader(http.StatusBadGateway)
			return
		}
		http.ServeContent(w, r, r.URL.Path, time.Time{}, bytes.NewReader(body))
	}))
	defer s.Close()
	published := fetch.Sets
	defer func() { fetch.Sets = published }()
	fetch.Sets = []fetch.Set{{Name: "ours", Files: []fetch.File{{Name: "f.gz", Size: int64(len(body)), SHA256: hex.EncodeToString(sum[:]), URLs: []string{s.URL + "/f.gz"}}}}}
	dir := filepath.Join(t.TempDir(), "ours")
	call := func(code int, args ...string) (string, string) {
		t.Helper()
		var out, errs bytes.Buffer
		require.Equal(t, code, run(append([]string{"data", "fetch", "ours", dir}, args...), nil, &out, &errs), errs.String())
		return out.String(), errs.String()
	}

	broken = 1
	_, errs := call(exitVerdict, "--tries", "1")
	require.Contains(t, errs, "again    "+s.URL+"/f.gz: 1 tries: answers 502")
	require.Contains(t, errs, "clsbench: f.gz: could not be fetched (")
	require.NoDirExists(t, dir)

	out, errs := call(exitDone)
	require.Equal(t, dir+": ours, 0.0 MB, verified\n", out)
	require.Contains(t, errs, "fetch    f.gz  0.0 of 0.0 MB\n")
	got, err := os.ReadFile(filepath.Join(dir, "f.gz"))
	require.NoError(t, err)
	require.Equal(t, body, got)

	out, errs = call(exitDone, "--quiet")
	require.Equal(t, dir+": is there already, its checksums hold\n", out)
	require.Empty(t, errs)
	require.NoError(t, os.WriteFile(filepath.Join(dir, "f.gz"), nil, 0o644))
	_, errs = call(exitUsage)
	require.Contains(t, errs, "f.gz: has SHA-256")
}
