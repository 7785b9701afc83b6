package checkpoint_test

import (
	"encoding/binary"
	"errors"
	"hash/crc32"
	"io"
	"path/filepath"
	"strings"
	"testing"

	"github.com/tidemill/tidemill/batch"
	"github.com/tidemill/tidemill/checkpoint"
	"github.com/tidemill/tidemill/internal/vfs"
)

// smallJob makes a checkpoint with every kind of frame in it, and returns its files.
func smallJob(t testing.TB) map[string][]byte {
	t.Helper()
	mem := vfs.NewMem()
	l := mustOpen(t, mem, dir, checkpoint.Options{JournalFileBytes: 300})
	mustAppend(t, l, entry("a", 0, false), entry("a", 1, false), entry("a", 2, false))
	if err := l.Journal().Sync(); err != nil {
		t.Fatal(err)
	}
	mustSave(t, l, words("t"), true, "x 1 1 1\ny 1 1 1\n", "")
	mustSave(t, l, words("u"), false, "x 1 1 1\n", "")
	decide(t, l)
	mustAppend(t, l, entry("a", 3, false))
	mustSave(t, l, words("t"), false, "x 1 2 2\n", "y 1\n")
	decide(t, l)
	mustClose(t, l)
	files := map[string][]byte{}
	for _, d := range []string{dir, filepath.Join(dir, "journal")} {
		entries, err := mem.ReadDir(d)
		if err != nil {
			t.Fatal(err)
		}
		for _, e := range entries {
			if !e.IsDir() {
				files[filepath.Join(d, e.Name())] = readFile(t, mem, filepath.Join(d, e.Name()))
			}
		}
	}
	return files
}

func readFile(t testing.TB, fs vfs.FS, name string) []byte {
	t.Helper()
	f, err := fs.Open(name)
	if err != nil {
		t.Fatal(err)
	}
	b, err := io.ReadAll(f)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// memWith returns a file system with files in it.
func memWith(t testing.TB, files map[string][]byte) *vfs.Mem {
	t.Helper()
	mem := vfs.NewMem()
	for name, b := range files {
		if err := mem.MkdirAll(filepath.Dir(name)); err != nil {
			t.Fatal(err)
		}
		f, err := mem.Create(name)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := f.Write(b); err != nil {
			t.Fatal(err)
		}
	}
	return mem
}

// outcome opens a checkpoint and returns all that is in it, or the error.
func outcome(t testing.TB, fs vfs.FS) (string, error) {
	t.Helper()
	pool := batch.NewPool(0)
	l, err := checkpoint.Open(fs, dir, checkpoint.Options{Mem: pool})
	if err != nil {
		return "", err
	}
	defer mustClose(t, l)
	var all strings.Builder
	if l.Last() != nil {
		all.WriteString("commit " + string(rune('0'+l.Last().Commit)) + "\n")
	}
	for _, table := range []string{"t", "u"} {
		rows, err := stateOf(t, l, table)
		if err != nil {
			return "", err
		}
		all.WriteString(table + "\n" + rows)
	}
	if pool.Used() != 0 {
		t.Fatalf("%d bytes in use", pool.Used())
	}
	return all.String() + replayed(t, l, at(0)), nil
}

func TestAFlippedBitIsFoundOrHarmless(t *testing.T) {
	files := smallJob(t)
	want, err := outcome(t, memWith(t, files))
	if err != nil || !strings.HasPrefix(want, "commit 2\nt\n0: x 1 2 2.0\nu\n") || strings.Count(want, "lines/a") != 4 {
		t.Fatalf("%v\n%s", err, want)
	}
	found, flips := 0, 0
	for name, original := range files {
		if strings.HasSuffix(name, "LOCK") {
			continue
		}
		for i := range original {
			for _, bit := range []byte{1, 0x80} {
				original[i] ^= bit
				report, verr := checkpoint.Verify(memWith(t, files), dir)
				got, err := outcome(t, memWith(t, files))
				original[i] ^= bit
				flips++
				isNoticed := verr != nil || len(report.Faults) > 0
				if !isNoticed {
					for _, f := range report.Files {
						isNoticed = isNoticed || f.Loose > 0
					}
				}
				if !isNoticed {
					t.Fatalf("%s, byte %d: verify found nothing", name, i)
				}
				if err != nil {
					if !errors.Is(err, checkpoint.ErrCorrupt) {
						t.Fatalf("%s, byte %d: %v", name, i, err)
					}
					found++
					continue
				}
				// The last entry of the journal was not synced: it looks torn.
				isTorn := strings.Contains(name, "journal") && strings.HasPrefix(want, got)
				if got != want && !isTorn {
					t.Fatalf("%s, byte %d, bit %d: got:\n%s\nwant:\n%s", name, i, bit, got, want)
				}
			}
		}
	}
	t.Logf("%d flips, %d refused", flips, found)
}

func TestAShorterFileIsFound(t *testing.T) {
	files := smallJob(t)
	for name, original := range files {
		if !strings.Contains(name, "state-") {
			continue
		}
		for n := range original {
			files[name] = original[:n]
			if _, err := outcome(t, memWith(t, files)); !errors.Is(err, checkpoint.ErrCorrupt) {
				t.Fatalf("%s cut to %d bytes: %v", name, n, err)
			}
			if report, err := checkpoint.Verify(memWith(t, files), dir); err != nil || len(report.Faults) == 0 {
				t.Fatalf("%s cut to %d bytes: verify: %v, %+v", name, n, err, report)
			}
		}
		files[name] = original
		delete(files, name)
		if report, err := checkpoint.Verify(memWith(t, files), dir); err != nil || len(report.Faults) == 0 {
			t.Fatalf("%s removed: verify: %v, %+v", name, err, report)
		}
		files[name] = original
	}
}

func TestANewerFormatIsRefused(t *testing.T) {
	files := smallJob(t)
	for name, b := range files {
		if strings.HasSuffix(name, "LOCK") {
			continue
		}
		binary.LittleEndian.PutUint32(b[8:], 3)
		binary.LittleEndian.PutUint32(b[20:], crc32.Checksum(b[:20], crc32.MakeTable(crc32.Castagnoli)))
		_, err := outcome(t, memWith(t, files))
		if !errors.Is(err, checkpoint.ErrVersion) ||
			!strings.Contains(err.Error(), "written by format 3, this binary reads 1: upgrade the binary or start with an empty directory") {
			t.Errorf("%s: %v", name, err)
		}
		binary.LittleEndian.PutUint32(b[8:], 1)
		binary.LittleEndian.PutUint32(b[20:], crc32.Checksum(b[:20], crc32.MakeTable(crc32.Castagnoli)))
	}
}

func TestImagesWithoutRecordsAreAFault(t *testing.T) {
	files := smallJob(t)
	for name := range files {
		if strings.Contains(name, "records-") {
			delete(files, name)
		}
	}
	if _, err := outcome(t, memWith(t, files)); !errors.Is(err, checkpoint.ErrCorrupt) {
		t.Error(err)
	}
}

// FuzzOpen opens directories with any bytes in them: no panic, and no error that is not about corruption.
func FuzzOpen(f *testing.F) {
	files := smallJob(f)
	var records, segment, journal []byte
	for name, b := range files {
		switch {
		case strings.Contains(name, "records-"):
			records = b
		case strings.Contains(name, "state-"):
			segment = b
		case strings.Contains(name, ".jnl"):
			journal = b
		}
	}
	f.Add(records, segment, journal)
	f.Add(records[:40], segment, []byte{})
	f.Fuzz(func(t *testing.T, records, segment, journal []byte) {
		mem := memWith(t, map[string][]byte{
			filepath.Join(dir, "records-0000000001.log"):    fixCRCs(records),
			filepath.Join(dir, "state-0000000001.seg"):      fixCRCs(segment),
			filepath.Join(dir, "journal", "0000000001.jnl"): fixCRCs(journal),
		})
		if _, err := checkpoint.Verify(mem, dir); err != nil && !errors.Is(err, checkpoint.ErrVersion) {
			t.Fatal(err)
		}
		_, err := outcome(t, mem)
		if err != nil && !errors.Is(err, checkpoint.ErrCorrupt) && !errors.Is(err, checkpoint.ErrVersion) && !strings.Contains(err.Error(), "file does not exist") {
			t.Fatal(err)
		}
	})
}

// fixCRCs makes the CRCs of a file right, as far as its frames can be followed, so that the fuzzer gets behind them. Those of Arrow
// messages are left: arrow-go allocates what a forged schema asks for, and nothing but their CRCs keeps altered ones from it.
func fixCRCs(file []byte) []byte {
	const header = 24
	table := crc32.MakeTable(crc32.Castagnoli)
	b := append([]byte(nil), file...)
	if len(b) < header {
		return b
	}
	binary.LittleEndian.PutUint32(b[20:], crc32.Checksum(b[:20], table))
	for rest := b[header:]; len(rest) >= header; {
		n := int(binary.LittleEndian.Uint32(rest))
		if n > len(rest)-header {
			break
		}
		if !strings.ContainsRune("YZUD", rune(rest[4])) {
			binary.LittleEndian.PutUint32(rest[16:], crc32.Checksum(rest[header:header+n], table))
		}
		binary.LittleEndian.PutUint32(rest[20:], crc32.Checksum(rest[:20], table))
		rest = rest[header+n:]
	}
	return b
}
