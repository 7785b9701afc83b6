package vfs

import (
	"errors"
	"io"
	"io/fs"
	"path"
	"slices"
)

// memFile is an open file of a Mem.
type memFile struct {
	mem      *Mem
	node     *memNode
	name     string
	writable bool
	appends  bool

	pos    int64
	closed bool
}

var _ File = (*memFile)(nil)

func (f *memFile) begin(op string, writes bool) error {
	f.mem.mu.Lock()
	switch {
	case f.closed:
		return pathError(op, f.name, fs.ErrClosed)
	case writes && !f.writable:
		return pathError(op, f.name, fs.ErrPermission)
	case f.node.isDir:
		return pathError(op, f.name, errors.New("is a directory"))
	}
	return nil
}

func (f *memFile) Read(p []byte) (int, error) {
	defer f.mem.mu.Unlock()
	if err := f.begin("read", false); err != nil {
		return 0, err
	}
	n, err := f.node.readAt(p, f.pos)
	f.pos += int64(n)
	if n > 0 {
		err = nil
	}
	return n, err
}

func (f *memFile) ReadAt(p []byte, off int64) (int, error) {
	defer f.mem.mu.Unlock()
	if err := f.begin("read", false); err != nil {
		return 0, err
	}
	return f.node.readAt(p, off)
}

func (n *memNode) readAt(p []byte, off int64) (int, error) {
	if off >= int64(len(n.data)) {
		if len(p) == 0 {
			return 0, nil
		}
		return 0, io.EOF
	}
	k := copy(p, n.data[off:])
	if k < len(p) {
		return k, io.EOF
	}
	return k, nil
}

func (f *memFile) Write(p []byte) (int, error) {
	defer f.mem.mu.Unlock()
	if err := f.begin("write", true); err != nil {
		return 0, err
	}
	if f.appends {
		f.pos = int64(len(f.node.data))
	}
	if len(p) > 0 {
		f.node.write(write{off: f.pos, bytes: slices.Clone(p)})
	}
	f.pos += int64(len(p))
	return len(p), nil
}

func (n *memNode) write(w write) {
	n.writes = append(n.writes, w)
	n.data = w.apply(n.data)
}

// apply returns data after the write, in the same memory where it fits.
func (w write) apply(data []byte) []byte {
	if w.bytes == nil {
		return resize(data, w.off)
	}
	if end := w.off + int64(len(w.bytes)); end > int64(len(data)) {
		data = resize(data, end)
	}
	copy(data[w.off:], w.bytes)
	return data
}

func resize(data []byte, size int64) []byte {
	if size <= int64(len(data)) {
		return data[:size]
	}
	old := len(data)
	data = slices.Grow(data, int(size)-old)[:size]
	clear(data[old:])
	return data
}

func (f *memFile) Seek(offset int64, whence int) (int64, error) {
	defer f.mem.mu.Unlock()
	if err := f.begin("seek", false); err != nil {
		return 0, err
	}
	switch whence {
	case io.SeekCurrent:
		offset += f.pos
	case io.SeekEnd:
		offset += int64(len(f.node.data))
	}
	if offset < 0 {
		return 0, pathError("seek", f.name, fs.ErrInvalid)
	}
	f.pos = offset
	return offset, nil
}

func (f *memFile) Close() error {
	f.mem.mu.Lock()
	defer f.mem.mu.Unlock()
	if f.closed {
		return pathError("close", f.name, fs.ErrClosed)
	}
	f.closed = true
	return nil
}

func (f *memFile) Sync() error {
	defer f.mem.mu.Unlock()
	if err := f.begin("sync", false); err != nil {
		return err
	}
	for _, w := range f.node.writes {
		f.node.synced = w.apply(f.node.synced)
	}
	f.node.writes = nil
	return nil
}

func (f *memFile) Truncate(size int64) error {
	defer f.mem.mu.Unlock()
	if err := f.begin("truncate", true); err != nil {
		return err
	}
	if size != int64(len(f.node.data)) {
		f.node.write(write{off: size})
	}
	return nil
}

func (f *memFile) Stat() (fs.FileInfo, error) {
	f.mem.mu.Lock()
	defer f.mem.mu.Unlock()
	return infoOf(path.Base(clean(f.name)), f.node), nil
}
