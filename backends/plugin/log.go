package plugin

import (
	"bytes"
	"io"
	"os"
	"sync"
)

// tailBytes is how much of a log stays in memory.
const tailBytes = 64 << 10

// logFile takes what a plugin writes. It never blocks the plugin nor grows
// beyond its limit: when half the limit is written the file becomes
// NAME.1 and a new one begins, so that the tail survives a flood.
type logFile struct {
	mu    sync.Mutex
	path  string
	limit int64
	file  *os.File
	size  int64
	tail  []byte // at most 2·tailBytes
}

func newLog(path string, limit int64) (*logFile, error) {
	f, err := os.OpenFile(path, os.O_CREATE|os.O_TRUNC|os.O_WRONLY, 0o600)
	if err != nil {
		return nil, err
	}
	return &logFile{path: path, limit: limit, file: f}, nil
}

// Write always takes all of p: a full disk must not stop the plugin.
func (l *logFile) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.tail = append(l.tail, p[max(0, len(p)-tailBytes):]...)
	if len(l.tail) > 2*tailBytes {
		l.tail = append(l.tail[:0], l.tail[len(l.tail)-tailBytes:]...)
	}
	if l.size+int64(len(p)) > l.limit/2 && l.size > 0 {
		l.rotate()
	}
	if l.file != nil {
		n, _ := l.file.Write(p[max(0, int64(len(p))-l.limit/2):])
		l.size += int64(n)
	}
	return len(p), nil
}

func (l *logFile) rotate() {
	if l.file != nil {
		l.file.Close()
	}
	l.size = 0
	_ = os.Rename(l.path, l.path+".1") // at worst the older half is lost
	l.file, _ = os.OpenFile(l.path, os.O_CREATE|os.O_TRUNC|os.O_WRONLY, 0o600)
}

// Tail is the last of the log, whole lines, at most n bytes and tailBytes.
func (l *logFile) Tail(n int) string {
	l.mu.Lock()
	defer l.mu.Unlock()
	t := l.tail
	if n = min(n, tailBytes); len(t) > n {
		t = t[len(t)-n:]
		if i := bytes.IndexByte(t, '\n'); i >= 0 && i < len(t)-1 {
			t = t[i+1:]
		}
	}
	return string(bytes.ToValidUTF8(t, []byte("\uFFFD")))
}

func (l *logFile) Close() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.file == nil {
		return nil
	}
	err := l.file.Close()
	l.file = nil
	return err
}

// pump copies what a plugin writes until the pipe closes.
func (l *logFile) pump(r io.Reader, done func()) {
	defer done()
	_, _ = io.CopyBuffer(l, r, make([]byte, 64<<10))
}
