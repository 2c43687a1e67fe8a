package fetch

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"time"
)

// finalError is of an address that need not be tried again.
type finalError struct{ error }

func (e *finalError) Unwrap() error { return e.error }

func final(format string, args ...any) error { return &finalError{fmt.Errorf(format, args...)} }

// try takes the download at path up where it stands, and verifies the file if
// it comes to its end. What is wrong is removed; what is short stays.
func (f *Fetcher) try(ctx context.Context, url string, file File, path string) error {
	out, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o644)
	if err != nil {
		return unwritable(path, err)
	}
	defer out.Close()
	have, err := out.Seek(0, io.SeekEnd)
	if err != nil {
		return unwritable(path, err)
	}
	if have > file.Size {
		if have, err = 0, out.Truncate(0); err != nil {
			return unwritable(path, err)
		}
	}
	if have < file.Size {
		if err := f.rest(ctx, url, file, out, have); err != nil {
			return err
		}
	}
	got, err := sumOf(out)
	if err != nil {
		return unwritable(path, err)
	}
	if got == file.SHA256 {
		return nil
	}
	if err := out.Truncate(0); err != nil {
		return unwritable(path, err)
	}
	wrong := fmt.Errorf("has SHA-256 %s, not %s", got, file.SHA256)
	if have > 0 {
		return wrong // the beginning may have come from elsewhere, or be damaged: from the start once more
	}
	return &finalError{wrong}
}

func sumOf(r io.ReadSeeker) (string, error) {
	h := sha256.New()
	if _, err := r.Seek(0, io.SeekStart); err != nil {
		return "", err
	}
	if _, err := io.Copy(h, r); err != nil {
		return "", err
	}
	return hex.EncodeToString(h.Sum(nil)), nil
}

// rest appends to out what is missing after its first have bytes.
func (f *Fetcher) rest(ctx context.Context, url string, file File, out *os.File, have int64) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	stalled := fmt.Errorf("no byte came for %v", f.Stall)
	timer := time.AfterFunc(f.Stall, func() { cancel(stalled) })
	defer timer.Stop()
	told := func(err error) error { // an ended context hides why it ended
		if errors.Is(context.Cause(ctx), stalled) {
			return stalled
		}
		return err
	}

	req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return &finalError{err}
	}
	req.Header.Set("Accept-Encoding", "identity") // the bytes as they are published
	if have > 0 {
		req.Header.Set("Range", fmt.Sprintf("bytes=%d-", have))
	}
	resp, err := f.Client.Do(req)
	if err != nil {
		return told(err)
	}
	defer resp.Body.Close()
	start, err := startOf(resp, file, have)
	if have > 0 && (resp.StatusCode == http.StatusPartialContent || resp.StatusCode == http.StatusRequestedRangeNotSatisfiable) && err != nil {
		if err := out.Truncate(0); err != nil { // it may do better when asked for all
			return unwritable(out.Name(), err)
		}
		return fmt.Errorf("cannot go on after byte %d: it %w", have, errors.Unwrap(err))
	}
	if err != nil {
		return err
	}
	if start != have {
		if err := out.Truncate(start); err != nil {
			return unwritable(out.Name(), err)
		}
	}
	body := &watched{resp.Body, timer, f.Stall}
	if err := f.copy(out, body, file, start); err != nil {
		return told(err)
	}
	return nil
}

// startOf says at which byte of the file an answer begins, and refuses one that
// is not the file's.
func startOf(resp *http.Response, file File, have int64) (int64, error) {
	switch code := resp.StatusCode; {
	case code == http.StatusOK: // from the start, asked for or not
		if resp.ContentLength >= 0 && resp.ContentLength != file.Size {
			return 0, final("offers %d bytes, the file has %d", resp.ContentLength, file.Size)
		}
		return 0, nil
	case code == http.StatusPartialContent:
		var first, last, size int64
		if n, err := fmt.Sscanf(resp.Header.Get("Content-Range"), "bytes %d-%d/%d", &first, &last, &size); n != 3 || err != nil {
			return 0, final("sends a part without saying which (Content-Range %q)", resp.Header.Get("Content-Range"))
		}
		if first != have || size != file.Size {
			return 0, final("sends bytes from %d of %d, asked for from %d of %d", first, size, have, file.Size)
		}
		return have, nil
	case code == http.StatusRequestTimeout, code == http.StatusTooManyRequests, code >= 500:
		return 0, fmt.Errorf("answers %s", resp.Status)
	default:
		return 0, final("answers %s", resp.Status)
	}
}

// watched puts the stall off with each byte.
type watched struct {
	io.Reader
	timer *time.Timer
	stall time.Duration
}

func (w *watched) Read(p []byte) (int, error) {
	n, err := w.Reader.Read(p)
	if n > 0 {
		w.timer.Reset(w.stall)
	}
	return n, err
}

// copy appends the body to out, whose first have bytes are there, up to the
// file's size.
func (f *Fetcher) copy(out *os.File, body io.Reader, file File, have int64) error {
	if _, err := out.Seek(have, io.SeekStart); err != nil {
		return unwritable(out.Name(), err)
	}
	buffer := make([]byte, 256<<10)
	f.Progress(file.Name, have, file.Size)
	for {
		n, err := body.Read(buffer)
		if have+int64(n) > file.Size {
			_ = out.Truncate(0) // not the file; if it stays, its checksum tells
			return final("goes on after the %d bytes of the file", file.Size)
		}
		if _, err := out.Write(buffer[:n]); err != nil {
			return unwritable(out.Name(), err)
		}
		have += int64(n)
		f.Progress(file.Name, have, file.Size)
		switch {
		case errors.Is(err, io.EOF) && have == file.Size:
			return nil
		case errors.Is(err, io.EOF):
			return fmt.Errorf("ends after %d of %d bytes", have, file.Size)
		case err != nil:
			return fmt.Errorf("breaks off after %d of %d bytes: %w", have, file.Size, err)
		}
	}
}
