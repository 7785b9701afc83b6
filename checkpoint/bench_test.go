package checkpoint_test

import (
	"context"
	"fmt"
	"testing"

	"github.com/apache/arrow-go/v18/arrow"

	"github.com/tidemill/tidemill/batch"
	"github.com/tidemill/tidemill/checkpoint"
	"github.com/tidemill/tidemill/internal/vfs"
)

const benchKeys = 1_000_000

var countTable = checkpoint.Table{Name: "counts", Keys: []int{0}, Schema: arrow.NewSchema([]arrow.Field{
	{Name: "word", Type: batch.Text}, {Name: "sum", Type: batch.BigInt}, {Name: "count", Type: batch.BigInt},
}, nil)}

// countRows returns rows with the keys from, from+step, …: text of 8 bytes and two integers.
func countRows(pool *batch.Pool, from, n, step int) *batch.Frame {
	f := batch.NewFrame(pool, countTable.Schema)
	for i := range n {
		key := uint64(from+i*step) * 0x9E3779B97F4A7C15
		f.Columns[0].AppendString(fmt.Sprintf("%08x", uint32(key>>32)))
		f.Columns[1].AppendInt64(int64(key >> 40))
		f.Columns[2].AppendInt64(int64(i % 1000))
	}
	f.SetRows(n)
	return f
}

var compressions = []checkpoint.Compression{checkpoint.S2, checkpoint.Zstd, checkpoint.Uncompressed}

// BenchmarkFullImage saves and decides 1M keys in one image, on the real disk.
func BenchmarkFullImage(b *testing.B) {
	pool := batch.NewPool(0)
	rows := countRows(pool, 0, benchKeys, 1)
	for _, c := range compressions {
		b.Run("compression="+c.String(), func(b *testing.B) {
			l := mustOpen(b, vfs.OS, b.TempDir(), checkpoint.Options{Compression: c, Mem: pool})
			defer mustClose(b, l)
			b.SetBytes(28 * benchKeys)
			b.ReportAllocs()
			for b.Loop() {
				if err := l.Save(context.Background(), countTable, 0, true, rows.Rows(), nil); err != nil {
					b.Fatal(err)
				}
				decide(b, l)
			}
			b.ReportMetric(float64(l.Tables()[0].Bytes)/(1<<20), "MiB")
		})
	}
}

// BenchmarkDelta saves and decides 50K changed keys in 64 shards; the rewriting of dead space is not part of it.
func BenchmarkDelta(b *testing.B) {
	pool := batch.NewPool(0)
	var shards []*batch.Frame
	for s := range 64 {
		shards = append(shards, countRows(pool, s, benchKeys/20/64, 64))
	}
	l := mustOpen(b, vfs.OS, b.TempDir(), checkpoint.Options{CompactBytes: 1 << 40, Mem: pool})
	defer mustClose(b, l)
	b.ReportAllocs()
	for b.Loop() {
		for s, rows := range shards {
			if err := l.Save(context.Background(), countTable, s, false, rows.Rows(), nil); err != nil {
				b.Fatal(err)
			}
		}
		decide(b, l)
	}
}

// BenchmarkRestore reads a full image of 1M keys in 64 shards, with and without ten deltas of 5 % behind it.
func BenchmarkRestore(b *testing.B) {
	for _, deltas := range []int{0, 10} {
		b.Run(fmt.Sprintf("deltas=%d", deltas), func(b *testing.B) {
			pool := batch.NewPool(0)
			l := mustOpen(b, vfs.OS, b.TempDir(), checkpoint.Options{Mem: pool, CompactBytes: 1 << 40})
			defer mustClose(b, l)
			for s := range 64 {
				rows := countRows(pool, s, benchKeys/64, 64)
				if err := l.Save(context.Background(), countTable, s, true, rows.Rows(), nil); err != nil {
					b.Fatal(err)
				}
				rows.Release()
			}
			decide(b, l)
			for d := range deltas {
				for s := range 64 {
					rows := countRows(pool, s+64*d*benchKeys/20/64, benchKeys/20/64, 64)
					if err := l.Save(context.Background(), countTable, s, false, rows.Rows(), nil); err != nil {
						b.Fatal(err)
					}
					rows.Release()
				}
				decide(b, l)
			}
			b.ReportAllocs()
			for b.Loop() {
				n := int64(0)
				err := l.Restore(context.Background(), countTable.Name, func(_ int, rows arrow.RecordBatch) error {
					n += rows.NumRows()
					return nil
				})
				if err != nil || n < benchKeys-64 {
					b.Fatal(n, err)
				}
			}
		})
	}
}

// BenchmarkJournalAppend appends blocks of 64 KiB.
func BenchmarkJournalAppend(b *testing.B) {
	l := mustOpen(b, vfs.OS, b.TempDir(), checkpoint.Options{})
	defer mustClose(b, l)
	e := entry("a", 0, false)
	e.Bytes = make([]byte, 64<<10)
	b.SetBytes(64 << 10)
	b.ReportAllocs()
	for i := 0; b.Loop(); i++ {
		if err := l.Journal().Append(e); err != nil {
			b.Fatal(err)
		}
		if i%256 == 255 {
			if err := l.Journal().Sync(); err != nil {
				b.Fatal(err)
			}
			if err := l.Journal().Truncate(at(1 << 40)); err != nil {
				b.Fatal(err)
			}
		}
	}
}
