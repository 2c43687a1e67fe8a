package wire

import (
	"context"
	"errors"
	"fmt"
	"io"
	"runtime/debug"

	"github.com/clsbench/clsbench/backends"
	v1 "github.com/clsbench/clsbench/backends/wire/backendv1"
)

// link is how one region of the host reaches the plugin's session.
type link struct {
	region *backends.Region
	how    Transport
	shadow *shadow // of transport File
}

// span is a part of a link's region.
type span struct {
	*link
	offset, bytes int64
}

// candidates lists the transports to try for a region.
func (c *Client) candidates(r *backends.Region) []Transport {
	if c.opts.Transport != Auto {
		return []Transport{c.opts.Transport}
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	var out []Transport
	for _, t := range []Transport{Memfd, File, Chunks} {
		if !c.broken[t] && (t != Memfd || r.File != nil) && (t != Chunks || c.features[featureChunks]) {
			out = append(out, t)
		}
	}
	return out
}

// attach maps a region into the plugin's session by the first transport that
// works. A transport that failed for want of access is not tried again.
func (s *session) attach(ctx context.Context, r *backends.Region, transfer bool) (*link, error) {
	if r.ID == 0 || len(r.Data) == 0 {
		return nil, backends.Errorf(backends.InvalidArgument, "region %d of %d bytes: want a number and memory", r.ID, len(r.Data))
	}
	var failures []error
	var failed []Transport
	for _, how := range s.client.candidates(r) {
		l, err := s.attachBy(ctx, how, r, transfer)
		if err == nil {
			s.client.remember(failed)
			return l, nil
		}
		if backends.CodeOf(err) != backends.FailedPrecondition {
			return nil, err
		}
		failures, failed = append(failures, fmt.Errorf("%s: %w", how, err)), append(failed, how)
	}
	if len(failures) == 0 {
		return nil, backends.Errorf(backends.FailedPrecondition, "region %d: the plugin takes no transport that this region has", r.ID)
	}
	return nil, errors.Join(failures...)
}

func (c *Client) remember(failed []Transport) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, t := range failed {
		c.broken[t] = true
	}
}

func (s *session) attachBy(ctx context.Context, how Transport, r *backends.Region, transfer bool) (*link, error) {
	l := &link{region: r, how: how}
	n := s.client.number()
	q := &v1.MapRequest{Call: n, Session: s.id, Region: r.ID, Bytes: int64(len(r.Data)), Transfer: transfer}
	var err error
	switch how {
	case Memfd:
		if r.File == nil {
			return nil, backends.Errorf(backends.FailedPrecondition, "region %d is private memory", r.ID)
		}
		q.Path = procPath(r.File)
		q.Device, q.Inode, err = identity(r.File)
	case File:
		if l.shadow, err = newShadow(s.client.opts.Dir, q.GetBytes()); err == nil {
			q.Path = l.shadow.file.Name()
			q.Device, q.Inode, err = identity(l.shadow.file)
		}
	case Chunks:
	default:
		return nil, backends.Errorf(backends.InvalidArgument, "transport %q: want memfd, file or chunks", how)
	}
	if err != nil {
		return nil, errors.Join(backends.Errorf(backends.FailedPrecondition, "sharing region %d: %v", r.ID, err), l.free())
	}
	_, err = call(ctx, s.client, "Map", n, q, s.client.rpc.Map)
	if l.shadow != nil {
		err = errors.Join(err, l.shadow.unlink())
	}
	if err != nil {
		return nil, errors.Join(err, l.free())
	}
	return l, nil
}

// free gives back what the link itself holds; the region is the caller's.
func (l *link) free() error {
	if l.shadow == nil {
		return nil
	}
	err := l.shadow.close()
	l.shadow = nil
	return err
}

// push brings the plugin's side of spans up to date, pull the host's.
func (s *session) push(ctx context.Context, spans []span) error {
	return s.sync(ctx, spans, func(x span) error {
		return x.shadow.touch(func(shared []byte) { copy(shared[x.offset:][:x.bytes], x.region.Data[x.offset:]) })
	}, s.upload)
}

func (s *session) pull(ctx context.Context, spans []span) error {
	return s.sync(ctx, spans, func(x span) error {
		return x.shadow.touch(func(shared []byte) { copy(x.region.Data[x.offset:][:x.bytes], shared[x.offset:]) })
	}, s.download)
}

func (s *session) sync(ctx context.Context, spans []span, local func(span) error, remote func(context.Context, []span) error) error {
	var far []span
	for _, x := range spans {
		switch x.how {
		case File:
			if err := local(x); err != nil {
				return err
			}
		case Chunks:
			far = append(far, x)
		}
	}
	if len(far) == 0 {
		return nil
	}
	return remote(ctx, far)
}

// touch lends the shared memory to f. A file, unlike a memfd, can't be sealed:
// a plugin that truncates it turns every access into a SIGBUS, which is an
// error here and would be the host's end anywhere else.
func (s *shadow) touch(f func(shared []byte)) (err error) {
	defer debug.SetPanicOnFault(debug.SetPanicOnFault(true))
	defer func() {
		switch cause := recover().(type) {
		case nil:
		case interface{ Addr() uintptr }: // a fault, by the runtime's contract
			err = backends.Errorf(backends.Internal, "the plugin made the file that it shares with the host shorter")
		default:
			panic(cause)
		}
	}()
	f(s.data)
	return nil
}

func (s *session) upload(ctx context.Context, spans []span) error {
	ctx, drop := context.WithCancel(ctx)
	defer drop()
	stream, err := s.client.rpc.Upload(ctx, callOptions...)
	if err != nil {
		return s.client.failed(ctx, "Upload", err)
	}
	for _, x := range spans {
		for at, end := x.offset, x.offset+x.bytes; at < end; at += chunkBytes {
			err := stream.Send(&v1.UploadRequest{Session: s.id, Region: x.region.ID, Offset: at, Data: x.region.Data[at:min(end, at+chunkBytes)]})
			if errors.Is(err, io.EOF) {
				break // the answer says why
			}
			if err != nil {
				return s.client.failed(ctx, "Upload", err)
			}
		}
	}
	if _, err := stream.CloseAndRecv(); err != nil {
		return s.client.failed(ctx, "Upload", err)
	}
	return nil
}

// download trusts nothing that comes: each chunk must continue the spans asked
// for.
func (s *session) download(ctx context.Context, spans []span) error {
	ctx, drop := context.WithCancel(ctx)
	defer drop()
	q := &v1.DownloadRequest{Session: s.id, Call: s.client.number()}
	for _, x := range spans {
		q.Ranges = append(q.Ranges, &v1.Range{Region: x.region.ID, Offset: x.offset, Bytes: x.bytes})
	}
	stream, err := s.client.rpc.Download(ctx, q, callOptions...)
	if err != nil {
		return s.client.failed(ctx, "Download", err)
	}
	for _, x := range spans {
		for at, end := x.offset, x.offset+x.bytes; at < end; {
			m, err := stream.Recv()
			if errors.Is(err, io.EOF) {
				return backends.Errorf(backends.Internal, "Download: the plugin ended %d bytes short in region %d", end-at, x.region.ID)
			}
			if err != nil {
				return s.client.failed(ctx, "Download", err)
			}
			n := int64(len(m.GetData()))
			if m.GetRegion() != x.region.ID || m.GetOffset() != at || n == 0 || n > end-at {
				return backends.Errorf(backends.Internal, "Download: the plugin sent %d bytes at %d of region %d, want up to %d at %d of region %d",
					n, m.GetOffset(), m.GetRegion(), end-at, at, x.region.ID)
			}
			at += int64(copy(x.region.Data[at:end], m.GetData()))
		}
	}
	if _, err := stream.Recv(); !errors.Is(err, io.EOF) {
		return backends.Errorf(backends.Internal, "Download: the plugin sent more than it was asked for")
	}
	return nil
}
