//go:build linux

package checkpoint_test

import (
	"os"
	"path/filepath"
	"slices"
	"syscall"
	"testing"
	"time"

	"github.com/tidemill/tidemill/checkpoint"
	"github.com/tidemill/tidemill/internal/vfs"
)

// BenchmarkJournal writes 100 MB in blocks of 256 KiB, makes them durable and drops them, as a job does in a second at 100 MB/s:
// by the journal, and by write(2) and fdatasync(2) alone. cpu-ms is per 100 MB, so that 100 is 10 % of a core at that rate.
func BenchmarkJournal(b *testing.B) {
	const block, blocks = 256 << 10, 381
	e := entry("a", 0, false)
	e.Bytes = make([]byte, block)
	for i := range e.Bytes {
		e.Bytes[i] = byte(i * 31)
	}
	measure := func(b *testing.B, second func()) {
		b.SetBytes(block * blocks)
		var wall, cpu []time.Duration
		for b.Loop() {
			from, fromCPU := time.Now(), processorTime(b)
			second()
			wall, cpu = append(wall, time.Since(from)), append(cpu, processorTime(b)-fromCPU)
		}
		b.ReportMetric(median(wall).Seconds()*1e3, "wall-ms")
		b.ReportMetric(median(cpu).Seconds()*1e3, "cpu-ms")
	}
	b.Run("journal", func(b *testing.B) {
		l := mustOpen(b, vfs.OS, b.TempDir(), checkpoint.Options{})
		defer mustClose(b, l)
		measure(b, func() {
			for range blocks {
				if err := l.Journal().Append(e); err != nil {
					b.Fatal(err)
				}
			}
			if err := l.Journal().Sync(); err != nil {
				b.Fatal(err)
			}
			if err := l.Journal().Truncate(at(1 << 40)); err != nil {
				b.Fatal(err)
			}
		})
	})
	b.Run("write and fdatasync", func(b *testing.B) {
		path := filepath.Join(b.TempDir(), "raw")
		measure(b, func() {
			f, err := os.Create(path)
			if err != nil {
				b.Fatal(err)
			}
			for range blocks {
				if _, err := f.Write(e.Bytes); err != nil {
					b.Fatal(err)
				}
			}
			if err := syscall.Fdatasync(int(f.Fd())); err != nil {
				b.Fatal(err)
			}
			if err := f.Close(); err != nil {
				b.Fatal(err)
			}
			if err := os.Remove(path); err != nil {
				b.Fatal(err)
			}
		})
	})
}

// processorTime returns the processor time that the process has used.
func processorTime(b *testing.B) time.Duration {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		b.Fatal(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

func median(all []time.Duration) time.Duration {
	slices.Sort(all)
	return all[len(all)/2]
}
