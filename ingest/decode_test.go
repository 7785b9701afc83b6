package ingest_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/apache/arrow-go/v18/arrow"

	"github.com/tidemill/tidemill/batch"
	"github.com/tidemill/tidemill/ingest"
)

// decodeCase is an input, and the rows and bad rows that it gives however it is cut into blocks.
type decodeCase struct {
	name    string
	options map[string]string
	columns string // as in DDL
	used    []int  // nil: all
	in      string
	want    string
	bad     string // `line offset column: why`, a line each
}

func parseColumns(t testing.TB, ddl string) []arrow.Field {
	t.Helper()
	var fields []arrow.Field
	for _, column := range strings.Split(ddl, ", ") {
		name, typeName, _ := strings.Cut(column, " ")
		dtype, err := batch.ParseType(typeName)
		if err != nil {
			t.Fatalf("column %q: %v", column, err)
		}
		fields = append(fields, arrow.Field{Name: name, Type: dtype, Nullable: true})
	}
	return fields
}

func mustNewFormat(t testing.TB, name string, options map[string]string) ingest.Format {
	t.Helper()
	f, err := ingest.NewFormat(name, options)
	if err != nil {
		t.Fatal(err)
	}
	return f
}

func mustDecoder(t testing.TB, f ingest.Format, spec ingest.DecodeSpec) ingest.Decoder {
	t.Helper()
	if spec.Used == nil {
		spec.Used = []int{}
		for i := range spec.Declared {
			spec.Used = append(spec.Used, i)
		}
	}
	d, err := f.NewDecoder(spec)
	if err != nil {
		t.Fatal(err)
	}
	return d
}

// withSlack returns text as the bytes of a block. What is behind them looks like more of the same, to find who reads it.
func withSlack(text string) []byte {
	behind := strings.Repeat("\",1\n\"9}", batch.Slack)
	return []byte(text + behind)[:len(text)]
}

// cutBlocks cuts in into blocks of the given number of records, framing step bytes at a time.
func cutBlocks(f ingest.Format, in string, records int64, step int) []*ingest.Block {
	var blocks []*ingest.Block
	var header []byte
	framer := f.NewFramer()
	start, pos := 0, 0 // of the block, of what was framed
	var rows, lines, firstLine int64
	if f.HasHeader() {
		for ; pos < len(in) && header == nil; pos++ {
			if _, n, l := framer.Frame([]byte(in[pos : pos+1])); n > 0 {
				header, start, firstLine = []byte(in[:pos+1]), pos+1, l
			}
		}
	}
	add := func(end int) {
		blocks = append(blocks, &ingest.Block{
			Seq: uint64(len(blocks)), From: ingest.Offset{Pos: int64(start)}, To: ingest.Offset{Pos: int64(end)},
			FirstLine: firstLine, NumRows: rows, Header: header, Bytes: withSlack(in[start:end]),
		})
		start, rows = end, 0
		firstLine += lines
		lines = 0
	}
	for pos < len(in) {
		chunk := in[pos:min(pos+step, len(in))]
		end, n, l := framer.Frame([]byte(chunk))
		pos += len(chunk)
		rows, lines = rows+n, lines+l
		if end == 0 {
			continue
		}
		cut := pos - len(chunk) + end
		if rows >= records {
			add(cut)
		}
	}
	// What is left: whole records, and one without end.
	framer.Reset()
	end, _, _ := framer.Frame([]byte(in[start:]))
	if start+end < len(in) {
		rows++
	}
	if rows > 0 {
		add(len(in))
	}
	return blocks
}

// decodeBlocks returns the rows of the blocks and the bad ones.
func decodeBlocks(t testing.TB, d ingest.Decoder, blocks []*ingest.Block) (rows, bad string) {
	t.Helper()
	for _, b := range blocks {
		before := string(b.Bytes)
		decoded, err := d.Decode(t.Context(), b, func(r ingest.BadRow) {
			bad += fmt.Sprintf("%d %d %s: %s\n", r.Line, r.Offset, r.Column, r.Why)
		})
		if err != nil {
			t.Fatal(err)
		}
		if decoded.NumRows() != int(b.NumRows) {
			t.Fatalf("block of %d records gave %d rows", b.NumRows, decoded.NumRows())
		}
		rows += batch.Format(decoded)
		if string(b.Bytes) != before {
			t.Fatal("the block was changed")
		}
	}
	return rows, bad
}

func runDecodeCases(t *testing.T, format string, cases []decodeCase) {
	t.Helper()
	for _, tt := range cases {
		t.Run(tt.name, func(t *testing.T) {
			f := mustNewFormat(t, format, tt.options)
			for _, records := range []int64{1, 2, 3, 1 << 30} {
				for _, step := range []int{1, 2, 7} {
					pool := batch.NewPool(0)
					d := mustDecoder(t, f, ingest.DecodeSpec{Declared: parseColumns(t, tt.columns), Used: tt.used, Mem: pool})
					rows, bad := decodeBlocks(t, d, cutBlocks(f, tt.in, records, step))
					d.Close()
					if rows != tt.want {
						t.Fatalf("blocks of %d records: rows:\n%swant:\n%s", records, rows, tt.want)
					}
					if bad != tt.bad {
						t.Fatalf("blocks of %d records: bad rows:\n%swant:\n%s", records, bad, tt.bad)
					}
					if pool.Used() != 0 {
						t.Fatalf("%d bytes in use after Close", pool.Used())
					}
				}
			}
		})
	}
}
