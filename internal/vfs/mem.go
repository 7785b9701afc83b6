package vfs

import (
	"errors"
	"io"
	"io/fs"
	"maps"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"
)

// Mem is a file system in memory that knows what a crash would leave of it: bytes that were synced, under names that were
// synced with SyncDir. It is safe for concurrent use.
type Mem struct {
	mu    sync.Mutex
	root  *memNode
	locks map[string]bool
}

// memNode is a file or a directory.
type memNode struct {
	isDir bool

	children map[string]*memNode
	durable  map[string]*memNode // what SyncDir made sure of
	names    []nameChange        // since SyncDir

	data   []byte
	synced []byte  // what Sync made sure of
	writes []write // since Sync
}

// nameChange is one change of a directory: name is now node, or gone if that is nil. A rename changes both names at once.
type nameChange struct {
	name  string
	node  *memNode
	other *nameChange
}

// write is one change of a file: bytes at an offset, or, if bytes is nil, its size cut to off.
type write struct {
	off   int64
	bytes []byte
}

var _ FS = (*Mem)(nil)

// NewMem returns an empty file system.
func NewMem() *Mem { return &Mem{root: newMemDir(), locks: map[string]bool{}} }

func newMemDir() *memNode {
	return &memNode{isDir: true, children: map[string]*memNode{}, durable: map[string]*memNode{}}
}

// clean makes a path start at the root.
func clean(name string) string { return path.Clean("/" + filepath.ToSlash(name)) }

// find returns a node. The caller holds mu.
func (m *Mem) find(op, name string) (*memNode, error) {
	node := m.root
	for _, part := range strings.Split(clean(name), "/") {
		if part == "" {
			continue
		}
		if !node.isDir {
			return nil, pathError(op, name, errors.New("not a directory"))
		}
		if node = node.children[part]; node == nil {
			return nil, pathError(op, name, fs.ErrNotExist)
		}
	}
	return node, nil
}

// findParent returns the directory that name is in, and its name there.
func (m *Mem) findParent(op, name string) (*memNode, string, error) {
	dir, base := path.Split(clean(name))
	if base == "" {
		return nil, "", pathError(op, name, fs.ErrInvalid)
	}
	parent, err := m.find(op, dir)
	if err != nil {
		return nil, "", pathError(op, name, fs.ErrNotExist)
	}
	if !parent.isDir {
		return nil, "", pathError(op, name, errors.New("not a directory"))
	}
	return parent, base, nil
}

func pathError(op, name string, err error) error { return &fs.PathError{Op: op, Path: name, Err: err} }

func (d *memNode) change(c nameChange) {
	d.names = append(d.names, c)
	apply(d.children, c)
}

func apply(names map[string]*memNode, c nameChange) {
	if c.node == nil {
		delete(names, c.name)
	} else {
		names[c.name] = c.node
	}
	if c.other != nil {
		apply(names, *c.other)
	}
}

// Create is FS.Create.
func (m *Mem) Create(name string) (File, error) {
	f, err := m.openWrite("create", name)
	if err != nil {
		return nil, err
	}
	return f, f.Truncate(0)
}

// OpenAppend is FS.OpenAppend.
func (m *Mem) OpenAppend(name string) (File, error) {
	f, err := m.openWrite("open", name)
	if err != nil {
		return nil, err
	}
	f.appends = true
	return f, nil
}

func (m *Mem) openWrite(op, name string) (*memFile, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	parent, base, err := m.findParent(op, name)
	if err != nil {
		return nil, err
	}
	node := parent.children[base]
	if node == nil {
		node = &memNode{}
		parent.change(nameChange{name: base, node: node})
	}
	if node.isDir {
		return nil, pathError(op, name, errors.New("is a directory"))
	}
	return &memFile{mem: m, node: node, name: name, writable: true}, nil
}

// Open is FS.Open.
func (m *Mem) Open(name string) (File, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	node, err := m.find("open", name)
	if err != nil {
		return nil, err
	}
	return &memFile{mem: m, node: node, name: name}, nil
}

// Rename is FS.Rename, within a directory or from one to another.
func (m *Mem) Rename(oldName, newName string) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	oldParent, oldBase, err := m.findParent("rename", oldName)
	if err != nil {
		return err
	}
	newParent, newBase, err := m.findParent("rename", newName)
	if err != nil {
		return err
	}
	node := oldParent.children[oldBase]
	if node == nil {
		return pathError("rename", oldName, fs.ErrNotExist)
	}
	if old := newParent.children[newBase]; old != nil && old.isDir && len(old.children) > 0 {
		return pathError("rename", newName, fs.ErrExist)
	}
	if oldParent == newParent {
		oldParent.change(nameChange{name: newBase, node: node, other: &nameChange{name: oldBase}})
		return nil
	}
	newParent.change(nameChange{name: newBase, node: node})
	oldParent.change(nameChange{name: oldBase})
	return nil
}

// Remove is FS.Remove.
func (m *Mem) Remove(name string) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	parent, base, err := m.findParent("remove", name)
	if err != nil {
		return err
	}
	node := parent.children[base]
	if node == nil {
		return pathError("remove", name, fs.ErrNotExist)
	}
	if len(node.children) > 0 {
		return pathError("remove", name, errors.New("directory not empty"))
	}
	parent.change(nameChange{name: base})
	return nil
}

// RemoveAll is FS.RemoveAll.
func (m *Mem) RemoveAll(name string) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	parent, base, err := m.findParent("remove", name)
	if err != nil || parent.children[base] == nil {
		return nil
	}
	parent.change(nameChange{name: base})
	return nil
}

// MkdirAll is FS.MkdirAll.
func (m *Mem) MkdirAll(name string) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	node := m.root
	for _, part := range strings.Split(clean(name), "/") {
		if part == "" {
			continue
		}
		next := node.children[part]
		if next == nil {
			next = newMemDir()
			node.change(nameChange{name: part, node: next})
		}
		if !next.isDir {
			return pathError("mkdir", name, errors.New("not a directory"))
		}
		node = next
	}
	return nil
}

// ReadDir is FS.ReadDir.
func (m *Mem) ReadDir(name string) ([]fs.DirEntry, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	node, err := m.find("readdir", name)
	if err != nil {
		return nil, err
	}
	if !node.isDir {
		return nil, pathError("readdir", name, errors.New("not a directory"))
	}
	var entries []fs.DirEntry
	for _, base := range slices.Sorted(maps.Keys(node.children)) {
		entries = append(entries, fs.FileInfoToDirEntry(infoOf(base, node.children[base])))
	}
	return entries, nil
}

// Stat is FS.Stat.
func (m *Mem) Stat(name string) (fs.FileInfo, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	node, err := m.find("stat", name)
	if err != nil {
		return nil, err
	}
	return infoOf(path.Base(clean(name)), node), nil
}

// SyncDir is FS.SyncDir.
func (m *Mem) SyncDir(name string) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	node, err := m.find("sync", name)
	if err != nil {
		return err
	}
	node.durable = maps.Clone(node.children)
	node.names = nil
	return nil
}

// Lock is FS.Lock. The lock is one of this Mem: a crash ends it.
func (m *Mem) Lock(name string) (io.Closer, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	name = clean(name)
	if m.locks[name] {
		return nil, &LockedError{Path: name}
	}
	m.locks[name] = true
	return &memLock{mem: m, name: name}, nil
}

type memLock struct {
	mem  *Mem
	name string
}

func (l *memLock) Close() error {
	l.mem.mu.Lock()
	defer l.mem.mu.Unlock()
	delete(l.mem.locks, l.name)
	return nil
}

type memInfo struct {
	name  string
	size  int64
	isDir bool
}

func infoOf(name string, node *memNode) memInfo {
	return memInfo{name: name, size: int64(len(node.data)), isDir: node.isDir}
}

func (i memInfo) Name() string       { return i.name }
func (i memInfo) Size() int64        { return i.size }
func (i memInfo) ModTime() time.Time { return time.Time{} }
func (i memInfo) IsDir() bool        { return i.isDir }
func (i memInfo) Sys() any           { return nil }

func (i memInfo) Mode() fs.FileMode {
	if i.isDir {
		return fs.ModeDir | 0o755
	}
	return 0o644
}
