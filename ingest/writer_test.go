package ingest_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/tidemill/tidemill/batch"
	"github.com/tidemill/tidemill/ingest"
)

// withHeader are the options of CSV with a header.
var withHeader = map[string]string{"header": "true"}

// lineFormat returns a format to cut records with.
func lineFormat(t testing.TB, name string, options map[string]string) ingest.Format {
	t.Helper()
	f, err := ingest.NewFormat(name, options)
	if err != nil {
		t.Fatal(err)
	}
	return f
}

// newPool returns a pool that must be empty when the test ends.
func newPool(t testing.TB) *batch.Pool {
	pool := batch.NewPool(0)
	t.Cleanup(func() {
		if used := pool.Used(); used != 0 {
			t.Errorf("%d bytes of the pool are still in use", used)
		}
	})
	return pool
}

// writerLog notes what a writer sends, as text.
type writerLog struct {
	lines []string
	now   batch.Time
}

func (l *writerLog) spec(t testing.TB, f ingest.Format) ingest.WriterSpec {
	return ingest.WriterSpec{
		Name: "s", Format: f, Blocks: ingest.NewBlockPool(newPool(t)),
		Now: func() batch.Time { l.now++; return l.now },
		Bad: func(bad ingest.BadRow) {
			l.lines = append(l.lines, fmt.Sprintf("bad line %d offset %d %s: %.12q", bad.Line, bad.Offset, bad.Why, bad.Raw))
		},
		Send: func(_ context.Context, b *ingest.Block) error {
			line := fmt.Sprintf("interval %d bytes %d-%d row %d line %d: %d rows %d lines %q",
				b.Interval, b.From.Pos, b.To.Pos, b.FirstRow, b.FirstLine, b.NumRows, b.NumLines, b.Bytes)
			if b.Header != nil {
				line += fmt.Sprintf(" header %q", b.Header)
			}
			if b.From.Tag != "" {
				line += " in " + b.From.Tag
			}
			l.lines = append(l.lines, line)
			if cap(b.Bytes)-len(b.Bytes) < batch.Slack {
				t.Errorf("slack of %d bytes", cap(b.Bytes)-len(b.Bytes))
			}
			b.Free()
			return nil
		},
	}
}

func TestBlockWriter(t *testing.T) {
	text := lineFormat(t, "TEXT", nil)
	csv := lineFormat(t, "CSV", withHeader)
	tests := []struct {
		name      string
		format    ingest.Format
		start     ingest.Position
		maxRecord int
		limit     int64
		do        string // a line each: a quoted string is written; else what is to be done
		want      string
	}{
		{
			name: "end sends what is there, and a last record without line end is a record", format: text,
			do:   `"a\nbc\nd" end position`,
			want: `interval 0 bytes 0-6 row 0 line 0: 3 rows 2 lines "a\nbc\nd"; position 6 rows 3 lines 2 ended`,
		},
		{name: "an empty split has no block", format: text, do: `end position`, want: `position 0 rows 0 lines 0 ended`},
		{
			name: "a cut takes whole records and leaves the unfinished one", format: text,
			do: `"a\nb" cut position interval "b\n" cut end`,
			want: `interval 0 bytes 0-2 row 0 line 0: 1 rows 1 lines "a\n"; position 2 rows 1 lines 1;
				interval 1 bytes 2-5 row 1 line 1: 1 rows 1 lines "bb\n"`,
		},
		{name: "a cut without whole records sends nothing", format: text, do: `"a" cut cut interval cut`, want: ``},
		{
			name: "a byte order mark that comes in pieces is dropped and counted in offsets", format: text,
			do: `"\xef" "\xbb" "\xbf" "a\n" end position`, want: `interval 0 bytes 3-5 row 0 line 0: 1 rows 1 lines "a\n"; position 5 rows 1 lines 1 ended`,
		},
		{
			name: "half a byte order mark is data", format: text, do: `"\xef" "\xbb" end`,
			want: `interval 0 bytes 0-2 row 0 line 0: 1 rows 0 lines "\xef\xbb"`,
		},
		{
			name: "a byte order mark is looked for at the start only", format: text, start: ingest.Position{Upto: ingest.Offset{Pos: 9}, Rows: 2, Lines: 4},
			do: `"\xef\xbb\xbf\n" end`, want: `interval 0 bytes 9-13 row 2 line 4: 1 rows 1 lines "\ufeff\n"`,
		},
		{
			name: "a header is no row, but a line, and goes with every block", format: csv,
			do: `"\xef\xbb\xbfa," "\"b\nc\"\n" position "1,2\n" cut "3,4" end`,
			want: `position 11 rows 0 lines 2; interval 0 bytes 11-15 row 0 line 2: 1 rows 1 lines "1,2\n" header "a,\"b\nc\"\n";
				interval 0 bytes 15-18 row 1 line 3: 1 rows 0 lines "3,4" header "a,\"b\nc\"\n"`,
		},
		{
			name: "a header without rows ends the split without blocks", format: csv, do: `"a,b" end position`,
			want: `position 3 rows 0 lines 1 ended`,
		},
		{
			name: "a record that is too long is one bad row, whatever it is read in", format: text, maxRecord: 4,
			do: `"1234\n12345\n12\n" end position`,
			want: `bad line 1 offset 0 record longer than 4 bytes: "1234\n"; bad line 2 offset 5 record longer than 4 bytes: "12345\n";
				interval 0 bytes 11-14 row 2 line 2: 1 rows 1 lines "12\n"; position 14 rows 3 lines 3 ended`,
		},
		{
			name: "a record that is too long is dropped as it comes", format: text, maxRecord: 4,
			do: `"1\n" "123" "45678" position "9" "\nx" cut end position`,
			want: `interval 0 bytes 0-2 row 0 line 0: 1 rows 1 lines "1\n"; bad line 2 offset 2 record longer than 4 bytes: "12345678";
				position 10 rows 1 lines 1; interval 0 bytes 12-13 row 2 line 2: 1 rows 0 lines "x"; position 13 rows 3 lines 2 ended`,
		},
		{
			name: "a record that is too long may be the last", format: text, maxRecord: 4, do: `"12345" end position`,
			want: `bad line 1 offset 0 record longer than 4 bytes: "12345"; position 5 rows 1 lines 0 ended`,
		},
		{
			name: "quoted line ends are in the record that is too long", format: lineFormat(t, "CSV", nil), maxRecord: 4,
			do: `"\"1\n2\n3\n\"" "\n1,2\n" end position`,
			want: `bad line 1 offset 0 record longer than 4 bytes: "\"1\n2\n"; interval 0 bytes 9-13 row 1 line 4: 1 rows 1 lines "1,2\n";
				position 13 rows 2 lines 5 ended`,
		},
		{
			name: "an abort makes the unfinished record a bad row", format: text, do: `"a\nbc" abort position "d\n" end position`,
			want: `interval 0 bytes 0-2 row 0 line 0: 1 rows 1 lines "a\n"; bad line 2 offset 2 gone: "bc"; position 4 rows 2 lines 1;
				interval 0 bytes 4-6 row 2 line 1: 1 rows 1 lines "d\n"; position 6 rows 3 lines 2 ended`,
		},
		{name: "an abort between records is nothing", format: text, do: `"a\n" cut abort position`, want: `interval 0 bytes 0-2 row 0 line 0: 1 rows 1 lines "a\n"; position 2 rows 1 lines 1`},
		{
			name: "a finished record does not go on", format: text, do: `"a" finish "b\n" end`,
			want: `interval 0 bytes 0-1 row 0 line 0: 1 rows 0 lines "a"; interval 0 bytes 1-3 row 1 line 0: 1 rows 1 lines "b\n"`,
		},
		{
			name: "another file starts at 0 with a header of its own", format: csv, do: `"a\n1" rotate "b\n2\n" end position`,
			want: `interval 0 bytes 2-3 row 0 line 1: 1 rows 0 lines "1" header "a\n"; interval 0 bytes 2-4 row 1 line 1: 1 rows 1 lines "2\n" header "b\n" in next;
				position 4 rows 2 lines 2 next ended`,
		},
		{
			name: "a limit of one row makes blocks of one row and intervals of one block", format: text, limit: 1,
			do: `"a\nb\nc" end position`,
			want: `interval 0 bytes 0-2 row 0 line 0: 1 rows 1 lines "a\n"; full; interval 1 bytes 2-4 row 1 line 1: 1 rows 1 lines "b\n";
				full; interval 2 bytes 4-5 row 2 line 2: 1 rows 0 lines "c"; position 5 rows 3 lines 2 ended`,
		},
		{
			name: "a limit counts what was cut", format: text, limit: 3,
			do: `"a\nb\n" cut "c\nd\n" cut interval end`,
			want: `interval 0 bytes 0-4 row 0 line 0: 2 rows 2 lines "a\nb\n"; interval 0 bytes 4-6 row 2 line 2: 1 rows 1 lines "c\n"; full;
				interval 1 bytes 6-8 row 3 line 3: 1 rows 1 lines "d\n"`,
		},
		{
			name: "a limit counts records, not line ends", format: lineFormat(t, "CSV", nil), limit: 2,
			do:   `"\"1\n\"\n2\n\"3\n\n\"\n4\n" end`,
			want: `interval 0 bytes 0-7 row 0 line 0: 2 rows 3 lines "\"1\n\"\n2\n"; full; interval 1 bytes 7-15 row 2 line 3: 2 rows 4 lines "\"3\n\n\"\n4\n"`,
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				log := &writerLog{}
				spec := log.spec(t, tt.format)
				spec.Start, spec.MaxRecord = tt.start, tt.maxRecord
				interval := uint64(0)
				var w *ingest.BlockWriter
				if tt.limit > 0 {
					spec.Limiter = ingest.NewLimiter(tt.limit, func() {
						log.lines = append(log.lines, "full")
						interval++
						go w.SetInterval(interval, 0)
					})
				}
				w = ingest.NewBlockWriter(spec)
				defer w.Close()
				do := func(op string) (err error) {
					switch op {
					case "cut":
						return w.Cut(t.Context())
					case "interval":
						interval++
						w.SetInterval(interval, 0)
					case "end":
						return w.End(t.Context())
					case "finish":
						return w.FinishRecord(t.Context())
					case "abort":
						return w.Abort(t.Context(), "gone")
					case "rotate":
						return w.Rotate(t.Context(), "next")
					case "position":
						p := w.Position()
						line := fmt.Sprintf("position %d rows %d lines %d", p.Upto.Pos, p.Rows, p.Lines)
						if p.Upto.Tag != "" {
							line += " " + p.Upto.Tag
						}
						if p.Ended {
							line += " ended"
						}
						log.lines = append(log.lines, line)
					default:
						data, err := strconv.Unquote(op)
						if err != nil {
							t.Fatalf("%s: %v", op, err)
						}
						return w.Write(t.Context(), []byte(data))
					}
					return nil
				}
				for _, op := range strings.Fields(tt.do) {
					if err := do(op); err != nil {
						t.Fatalf("%s: %v", op, err)
					}
				}
				want := strings.Join(strings.FieldsFunc(strings.ReplaceAll(tt.want, "\t", ""), func(r rune) bool { return r == '\n' }), "")
				got := strings.Join(log.lines, ";")
				if clean := strings.ReplaceAll(want, "; ", ";"); got != clean {
					t.Errorf("got\n%s\nwant\n%s", strings.ReplaceAll(got, ";", "\n"), strings.ReplaceAll(clean, ";", "\n"))
				}
			})
		})
	}
}

func TestBlockWriterStopsWhereItCanNotSend(t *testing.T) {
	full := errors.New("full")
	spec := ingest.WriterSpec{
		Format: lineFormat(t, "TEXT", nil), Blocks: ingest.NewBlockPool(newPool(t)), Now: func() batch.Time { return 0 },
		Send: func(context.Context, *ingest.Block) error { return full },
	}
	w := ingest.NewBlockWriter(spec)
	defer w.Close()
	if err := w.Write(t.Context(), []byte("a\n")); err != nil {
		t.Fatal(err)
	}
	for range 2 {
		if err := w.Cut(t.Context()); err != full {
			t.Errorf("cut: %v", err)
		}
	}
	if err := w.Write(t.Context(), []byte("b\n")); err != full {
		t.Errorf("write: %v", err)
	}
}

func TestBlockWriterWaitingForAnIntervalEndsWithItsContext(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		log := &writerLog{}
		spec := log.spec(t, lineFormat(t, "TEXT", nil))
		spec.Limiter = ingest.NewLimiter(1, func() {})
		w := ingest.NewBlockWriter(spec)
		defer w.Close()
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan error)
		go func() { done <- w.Write(ctx, []byte("a\nb\n")) }()
		synctest.Wait()
		cancel()
		if err := <-done; !errors.Is(err, context.Canceled) {
			t.Errorf("got %v", err)
		}
	})
}

func TestArrivalIsNeverBeforeTheInterval(t *testing.T) {
	var arrivals []batch.Time
	now := batch.Time(5)
	spec := ingest.WriterSpec{
		Format: lineFormat(t, "TEXT", nil), Blocks: ingest.NewBlockPool(newPool(t)), Now: func() batch.Time { return now },
		Send: func(_ context.Context, b *ingest.Block) error {
			arrivals = append(arrivals, b.Arrival)
			b.Free()
			return nil
		},
	}
	w := ingest.NewBlockWriter(spec)
	for _, start := range []batch.Time{3, 9} {
		w.SetInterval(uint64(start), start)
		if err := w.Write(t.Context(), []byte("a\n")); err != nil {
			t.Fatal(err)
		}
		if err := w.Cut(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	w.Close()
	if fmt.Sprint(arrivals) != "[1970-01-01T00:00:00.000005Z 1970-01-01T00:00:00.000009Z]" {
		t.Errorf("arrivals %v", arrivals)
	}
}

func TestBlockWriterAllocatesNothingPerBlock(t *testing.T) {
	spec := ingest.WriterSpec{
		Format: lineFormat(t, "TEXT", nil), Blocks: ingest.NewBlockPool(newPool(t)), Now: func() batch.Time { return 0 },
		Send: func(_ context.Context, b *ingest.Block) error { b.Free(); return nil },
	}
	w := ingest.NewBlockWriter(spec)
	defer w.Close()
	text := bytes.Repeat([]byte("0123456789abcde\n"), 1<<14)
	allocs := testing.AllocsPerRun(100, func() {
		if err := w.Write(t.Context(), text); err != nil {
			t.Fatal(err)
		}
		if err := w.Cut(t.Context()); err != nil {
			t.Fatal(err)
		}
	})
	if allocs > 0 {
		t.Errorf("%v allocations per 256 KiB", allocs)
	}
}

func BenchmarkBlockWriter(b *testing.B) {
	text := bytes.Repeat([]byte("0123456789abcde\n"), 1<<14)
	for _, piece := range []int{1, 1500, 64 << 10, 256 << 10} {
		b.Run(fmt.Sprintf("piece=%d", piece), func(b *testing.B) {
			spec := ingest.WriterSpec{
				Format: lineFormat(b, "TEXT", nil), Blocks: ingest.NewBlockPool(newPool(b)), Now: func() batch.Time { return 0 },
				Send: func(_ context.Context, b *ingest.Block) error { b.Free(); return nil },
			}
			w := ingest.NewBlockWriter(spec)
			defer w.Close()
			b.SetBytes(int64(len(text)))
			for b.Loop() {
				for rest := text; len(rest) > 0; {
					n := min(piece, len(rest))
					if err := w.Write(b.Context(), rest[:n]); err != nil {
						b.Fatal(err)
					}
					rest = rest[n:]
				}
			}
		})
	}
}
