package ingest_test

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/tidemill/tidemill/batch"
	"github.com/tidemill/tidemill/ingest"
)

// readRate reads a rate source until ctx or the source ends, with a limit per interval unless it is 0, and returns the rows, a line each.
func readRate(ctx context.Context, t *testing.T, source ingest.Source, after map[string]ingest.Position, limit int64) (rows string, end ingest.Position, blocks []int64) {
	t.Helper()
	var text strings.Builder
	var w *ingest.BlockWriter
	var limiter *ingest.Limiter
	if limit > 0 {
		interval := uint64(0)
		limiter = ingest.NewLimiter(limit, func() { interval++; go w.SetInterval(interval, 0) })
	}
	err := source.Open(ctx, after, func(event ingest.SplitEvent) {
		position := after[event.Name]
		position.Upto = event.Start
		w = ingest.NewBlockWriter(ingest.WriterSpec{
			Start: position, Blocks: ingest.NewBlockPool(newPool(t)), Limiter: limiter,
			Now: func() batch.Time { return batch.TimeOf(time.Now()) },
			Send: func(_ context.Context, b *ingest.Block) error {
				if b.NumRows != b.Rows.NumRows() {
					t.Errorf("%d rows, want %d", b.Rows.NumRows(), b.NumRows)
				}
				blocks = append(blocks, b.NumRows)
				if limiter != nil && b.Interval != uint64(len(blocks)-1) {
					t.Errorf("block %d is of interval %d", len(blocks)-1, b.Interval)
				}
				text.WriteString(batch.Format(batch.Batch{Rows: b.Rows}))
				b.Free()
				return nil
			},
		})
	})
	if err != nil {
		t.Fatal(err)
	}
	defer source.Close()
	if w == nil {
		return "", end, nil
	}
	defer w.Close()
	if err := source.Read(ctx, 0, w); err != nil && ctx.Err() == nil {
		t.Fatal(err)
	}
	return text.String(), w.Position(), blocks
}

func TestRateSource(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		spec := ingest.OpenSpec{Mem: newPool(t)}
		source := mustOpen(t, "rate:", nil, spec, "rows_per_second", "3")
		if source.Bounded() || !source.Replayable() {
			t.Error("a rate is not bounded, but can be replayed")
		}
		if columns, err := source.(ingest.ColumnSource).Columns(); err != nil || fmt.Sprint(columns[0].Name, columns[1].Name) != "timestampvalue" {
			t.Errorf("columns %v, %v", columns, err)
		}
		ctx, cancel := context.WithTimeout(t.Context(), 999*time.Millisecond)
		defer cancel()
		got, position, _ := readRate(ctx, t, source, nil, 0)
		want := "2000-01-01T00:00:00Z 0\n2000-01-01T00:00:00.333333Z 1\n2000-01-01T00:00:00.666666Z 2\n"
		if got != want {
			t.Errorf("got\n%swant\n%s", got, want)
		}
		// The rows of the time in between come at once, with their own timestamps.
		time.Sleep(time.Second)
		source = mustOpen(t, "rate:", nil, spec, "rows_per_second", "3", "rows", "6")
		got, position, blocks := readRate(t.Context(), t, source, map[string]ingest.Position{"rate": position}, 0)
		want = "2000-01-01T00:00:01Z 3\n2000-01-01T00:00:01.333333Z 4\n2000-01-01T00:00:01.666666Z 5\n"
		if got != want || len(blocks) != 1 || !position.Ended || position.Rows != 6 {
			t.Errorf("got\n%swant\n%sblocks %d, position %+v", got, want, blocks, position)
		}
		if got, _, _ := readRate(t.Context(), t, mustOpen(t, "rate:", nil, spec, "rows", "6"), map[string]ingest.Position{"rate": position}, 0); got != "" {
			t.Errorf("after the end came %s", got)
		}
	})
}

func TestRateSourceKeepsUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		source := mustOpen(t, "rate:", nil, ingest.OpenSpec{Mem: newPool(t)}, "rows_per_second", "1000000", "rows", "100001")
		began := time.Now()
		_, position, blocks := readRate(t.Context(), t, source, nil, 0)
		if took := time.Since(began); took != 100*time.Millisecond || position.Rows != 100001 {
			t.Errorf("%d rows took %v, in %d blocks", position.Rows, took, len(blocks))
		}
	})
}

func TestRateSourceAsFastAsPossible(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		source := mustOpen(t, "rate:", nil, ingest.OpenSpec{Mem: newPool(t)}, "rows_per_second", "0", "rows", "20000")
		_, position, blocks := readRate(t.Context(), t, source, nil, 0)
		if fmt.Sprint(blocks) != "[8192 8192 3616]" || position.Rows != 20000 {
			t.Errorf("blocks %v, position %+v", blocks, position)
		}
	})
}

func TestRateSourceWithinALimit(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		source := mustOpen(t, "rate:", nil, ingest.OpenSpec{Mem: newPool(t)}, "rows_per_second", "0", "rows", "20")
		_, position, blocks := readRate(t.Context(), t, source, nil, 7)
		if fmt.Sprint(blocks) != "[7 7 6]" || position.Rows != 20 {
			t.Errorf("blocks %v, position %+v", blocks, position)
		}
	})
}
