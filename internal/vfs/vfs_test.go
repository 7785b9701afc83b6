package vfs_test

import (
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/tidemill/tidemill/internal/vfs"
)

func mustWrite(t *testing.T, f vfs.File, text string) {
	t.Helper()
	if _, err := f.Write([]byte(text)); err != nil {
		t.Fatal(err)
	}
}

func must(t *testing.T, errs ...error) {
	t.Helper()
	if err := errors.Join(errs...); err != nil {
		t.Fatal(err)
	}
}

func read(t *testing.T, fsys vfs.FS, name string) string {
	t.Helper()
	f, err := fsys.Open(name)
	if errors.Is(err, fs.ErrNotExist) {
		return "missing"
	}
	must(t, err)
	b, err := io.ReadAll(f)
	must(t, err, f.Close())
	return string(b)
}

func list(t *testing.T, fsys vfs.FS, dir string) string {
	t.Helper()
	entries, err := fsys.ReadDir(dir)
	must(t, err)
	var names []string
	for _, e := range entries {
		names = append(names, e.Name())
	}
	return strings.Join(names, " ")
}

// TestFileSystemsAgree runs the same operations on the real file system and on the one in memory.
func TestFileSystemsAgree(t *testing.T) {
	for _, tt := range []struct {
		name string
		fs   vfs.FS
		dir  string
	}{
		{name: "real", fs: vfs.OS, dir: t.TempDir()},
		{name: "memory", fs: vfs.NewMem(), dir: "/tmp/x"},
		{name: "memory under a failing one", fs: vfs.FailNth(vfs.NewMem(), 0, nil), dir: "/tmp/x"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			dir := filepath.Join(tt.dir, "a", "b")
			path := func(name string) string { return filepath.Join(dir, name) }
			must(t, tt.fs.MkdirAll(dir), tt.fs.MkdirAll(dir))
			f, err := tt.fs.Create(path("one"))
			must(t, err)
			mustWrite(t, f, "hello")
			_, err = f.Seek(1, io.SeekStart)
			must(t, err)
			mustWrite(t, f, "a")
			must(t, f.Truncate(4), f.Sync(), f.Close(), tt.fs.SyncDir(dir))
			f, err = tt.fs.OpenAppend(path("one"))
			must(t, err)
			mustWrite(t, f, "!")
			info, err := f.Stat()
			must(t, err, f.Close())
			if info.Size() != 5 || info.Name() != "one" {
				t.Errorf("stat: %d bytes, %q", info.Size(), info.Name())
			}
			if err := f.Close(); !errors.Is(err, fs.ErrClosed) {
				t.Errorf("second close: %v", err)
			}
			if got := read(t, tt.fs, path("one")); got != "hall!" {
				t.Errorf("read %q", got)
			}
			f, err = tt.fs.Open(path("one"))
			must(t, err)
			buf := make([]byte, 4)
			if n, err := f.ReadAt(buf, 3); n != 2 || err != io.EOF || string(buf[:n]) != "l!" {
				t.Errorf("read at: %d, %v, %q", n, err, buf[:n])
			}
			if _, err := f.Write(buf); err == nil {
				t.Error("write to a file opened for reading")
			}
			must(t, f.Close(), tt.fs.Rename(path("one"), path("two")))
			if got := list(t, tt.fs, dir); got != "two" {
				t.Errorf("list: %q", got)
			}
			if err := tt.fs.Remove(dir); err == nil {
				t.Error("a directory that is not empty was removed")
			}
			for _, err := range []error{tt.fs.Remove(path("one")), tt.fs.Rename(path("one"), path("x")), second(tt.fs.Stat(path("one"))), second(tt.fs.Open(path("no/where")))} {
				if !errors.Is(err, fs.ErrNotExist) {
					t.Errorf("missing file: %v", err)
				}
			}
			must(t, tt.fs.RemoveAll(path("one")), tt.fs.Remove(path("two")), tt.fs.RemoveAll(filepath.Join(tt.dir, "a")))
			lock, err := tt.fs.Lock(filepath.Join(tt.dir, "LOCK"))
			must(t, err)
			var locked *vfs.LockedError
			if _, err := tt.fs.Lock(filepath.Join(tt.dir, "LOCK")); !errors.As(err, &locked) {
				t.Errorf("second lock: %v", err)
			} else if tt.name == "real" && locked.PID != os.Getpid() {
				t.Errorf("second lock: pid %d", locked.PID)
			}
			must(t, lock.Close())
			lock, err = tt.fs.Lock(filepath.Join(tt.dir, "LOCK"))
			must(t, err, lock.Close())
		})
	}
}

func second[T any](_ T, err error) error { return err }

func TestCrashLosesWhatWasNotSynced(t *testing.T) {
	outcomes := map[string]bool{}
	for seed := range uint64(200) {
		m := vfs.NewMem()
		must(t, m.MkdirAll("/d"), m.SyncDir("/"))
		f, err := m.Create("/d/kept")
		must(t, err)
		mustWrite(t, f, "synced")
		must(t, f.Sync(), m.SyncDir("/d"))
		mustWrite(t, f, " torn")
		g, err := m.Create("/d/new")
		must(t, err)
		mustWrite(t, g, "x")
		must(t, m.Rename("/d/new", "/d/renamed"))
		after := m.Crash(seed)
		kept := read(t, after, "/d/kept")
		if kept != "synced torn"[:min(len(kept), len("synced torn"))] || len(kept) < len("synced") {
			t.Fatalf("seed %d: %q", seed, kept)
		}
		if again := read(t, m.Crash(seed), "/d/kept"); again != kept {
			t.Fatalf("seed %d: %q, then %q", seed, kept, again)
		}
		if got := read(t, m, "/d/kept"); got != "synced torn" {
			t.Fatalf("the crashed file system was changed: %q", got)
		}
		outcomes["bytes "+kept] = true
		outcomes["names "+list(t, after, "/d")] = true
	}
	for _, want := range []string{"bytes synced", "bytes synced to", "bytes synced torn", "names kept", "names kept new", "names kept renamed"} {
		if !outcomes[want] {
			t.Errorf("never seen: %s", want)
		}
	}
	if outcomes["names kept new renamed"] {
		t.Error("a rename was seen halfway")
	}
}

func TestCrashScattersSectors(t *testing.T) {
	for seed := range uint64(200) {
		m := vfs.NewMem()
		f, err := m.Create("/f")
		must(t, err, m.SyncDir("/"))
		mustWrite(t, f, strings.Repeat("x", 2048))
		if got := read(t, m.Crash(seed), "/f"); strings.HasSuffix(got, "x") && strings.Contains(got, "\x00") {
			return // a later sector is there, an earlier one is not
		}
	}
	t.Error("sectors never came out of order")
}

func TestFailingFailsTheNthOperation(t *testing.T) {
	errDisk := errors.New("disk")
	for _, tt := range []struct {
		name  string
		spec  vfs.FailSpec
		want  string // e for an error, . for none, of: create, write, write, sync
		bytes string
	}{
		{name: "none", spec: vfs.FailSpec{}, want: "....", bytes: "abcdefgh"},
		{name: "the first", spec: vfs.FailSpec{Nth: 1}, want: "e", bytes: "missing"},
		{name: "one write", spec: vfs.FailSpec{Nth: 2}, want: ".e..", bytes: "efgh"},
		{name: "one torn write", spec: vfs.FailSpec{Nth: 3, Torn: true}, want: "..e.", bytes: "abcdef"},
		{name: "all from one on", spec: vfs.FailSpec{Nth: 2, Forever: true}, want: ".eee", bytes: ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			tt.spec.Err = errDisk
			m := vfs.NewMem()
			failing := vfs.NewFailing(m, tt.spec)
			got := ""
			note := func(err error) {
				if err != nil && err != errDisk {
					t.Error(err)
				}
				got += map[bool]string{true: "e", false: "."}[err != nil]
			}
			f, err := failing.Create("/f")
			note(err)
			if err == nil {
				for _, text := range []string{"abcd", "efgh"} {
					_, err := f.Write([]byte(text))
					note(err)
				}
				note(f.Sync())
			}
			if got != tt.want || failing.Ops() != int64(len(tt.want)) || failing.Failed() != (tt.spec.Nth > 0) {
				t.Errorf("got %s, want %s, %d operations", got, tt.want, failing.Ops())
			}
			if b := read(t, m, "/f"); b != tt.bytes {
				t.Errorf("file has %q, want %q", b, tt.bytes)
			}
		})
	}
}

func TestFullDiskTakesWhatFitsUntilItIsLifted(t *testing.T) {
	full := vfs.NewFull(vfs.NewMem(), 6)
	f, err := full.Create("/f")
	must(t, err)
	mustWrite(t, f, "abcd")
	if n, err := f.Write([]byte("efgh")); n != 2 || !errors.Is(err, syscall.ENOSPC) {
		t.Errorf("write: %d, %v", n, err)
	}
	if n, err := f.Write([]byte("x")); n != 0 || !errors.Is(err, syscall.ENOSPC) {
		t.Errorf("write: %d, %v", n, err)
	}
	full.Lift()
	mustWrite(t, f, "gh")
	if got := read(t, full, "/f"); got != "abcdefgh" {
		t.Errorf("read %q", got)
	}
}
