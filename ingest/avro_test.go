package ingest_test

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/apache/arrow-go/v18/arrow"

	"github.com/tidemill/tidemill/batch"
	"github.com/tidemill/tidemill/ingest"
)

// fieldsOf makes columns of "name TYPE" texts.
func fieldsOf(t testing.TB, columns ...string) (fields []arrow.Field) {
	t.Helper()
	for _, c := range columns {
		name, text, _ := strings.Cut(c, " ")
		dtype, err := batch.ParseType(text)
		if err != nil {
			t.Fatal(err)
		}
		fields = append(fields, arrow.Field{Name: name, Type: dtype, Nullable: true})
	}
	return fields
}

var avroColumns = []string{
	"id BIGINT", "n INT", "name TEXT", "x DOUBLE", "f DOUBLE", "ok BOOLEAN", "at TIMESTAMP", "ms TIMESTAMP", "day DATE", "price DECIMAL(10,2)",
	"suit TEXT", "tags ARRAY<TEXT>", "at2 STRUCT<a BIGINT, b TEXT>",
}

var avroRows = []string{
	`0 null null 0.0 0.5 true 2026-03-01T09:00:00.17Z 2026-03-01T09:00:00.17Z 2026-03-01 0.00 HEARTS [] {"a":0,"b":"SPADES"}`,
	`1 -1 "é" 0.5 0.5 false 2026-03-01T09:00:00.170001Z null 2026-03-02 -123.45 SPADES ["a"] {"a":1,"b":"SPADES"}`,
	`2 -2 "éé" 1.0 0.5 null 2026-03-01T09:00:00.170002Z 2026-03-01T09:00:00.17Z 2026-03-03 -246.90 HEARTS ["a",null] {"a":2,"b":"SPADES"}`,
	`3 null "ééé" 1.5 0.5 false 2026-03-01T09:00:00.170003Z 2026-03-01T09:00:00.17Z 2026-03-04 -370.35 SPADES [] {"a":3,"b":"SPADES"}`,
	`4 -4 null 2.0 0.5 true 2026-03-01T09:00:00.170004Z 2026-03-01T09:00:00.17Z 2026-03-05 -493.80 HEARTS ["a"] {"a":4,"b":"SPADES"}`,
	`5 -5 "ééééé" 2.5 0.5 false 2026-03-01T09:00:00.170005Z 2026-03-01T09:00:00.17Z 2026-03-06 -617.25 SPADES ["a",null] {"a":5,"b":"SPADES"}`,
	`6 null "éééééé" 3.0 0.5 true 2026-03-01T09:00:00.170006Z 2026-03-01T09:00:00.17Z 2026-03-07 -740.70 HEARTS [] {"a":6,"b":"SPADES"}`,
}

// TestAvroFilesOfFastavro reads files of all codecs, of one block and of several, from every row.
func TestAvroFilesOfFastavro(t *testing.T) {
	for _, codec := range []string{"null", "deflate", "bzip2", "snappy", "zstandard"} {
		for start := range len(avroRows) + 1 {
			t.Run(fmt.Sprintf("%s from row %d", codec, start), func(t *testing.T) {
				got, err := readColumns(t, mustFormat(t, "avro"), "testdata/columns/"+codec+".avro", fieldsOf(t, avroColumns...), int64(start))
				if err != nil {
					t.Fatal(err)
				}
				want := ""
				for _, row := range avroRows[start:] {
					want += row + "\n"
				}
				if got.rows != want {
					t.Errorf("got\n%swant\n%s", got.rows, want)
				}
				if got.end.Upto.Pos != 7 || !got.end.Ended {
					t.Errorf("position %+v", got.end)
				}
			})
		}
	}
}

// TestRowsOfAJournal encodes blocks of files and decodes them again.
func TestRowsOfAJournal(t *testing.T) {
	for _, tt := range []struct {
		format, file string
		columns      []arrow.Field
	}{
		{"AVRO", "null.avro", fieldsOf(t, avroColumns...)},
		{"ARROW", "file.arrow", fieldsOf(t, "id BIGINT", "small TINYINT", "word TEXT", "at TIMESTAMP", "f FLOAT")},
	} {
		t.Run(tt.format, func(t *testing.T) {
			f, mem := mustFormat(t, tt.format), newPool(t)
			source := mustOpen(t, "file:testdata/columns/"+tt.file, f, ingest.OpenSpec{})
			defer source.Close()
			decode := func(b *ingest.Block) string {
				spec := ingest.DecodeSpec{Declared: tt.columns, Mem: mem}
				for i := range tt.columns {
					spec.Used = append(spec.Used, i)
				}
				d, err := f.NewDecoder(spec)
				if err != nil {
					t.Fatal(err)
				}
				defer d.Close()
				rows, err := d.Decode(t.Context(), b, func(bad ingest.BadRow) { t.Error(bad) })
				if err != nil {
					t.Fatal(err)
				}
				return batch.Format(rows)
			}
			blocks := ingest.NewBlockPool(mem)
			send := func(_ context.Context, b *ingest.Block) error {
				want := decode(b)
				encoded, err := ingest.EncodeRows(mem, b.Rows)
				if err != nil {
					return err
				}
				b.Free()
				again := blocks.New(0)
				defer again.Free()
				if err := again.SetRows(mem, encoded); err != nil {
					return err
				}
				if got := decode(again); got != want || got == "" {
					t.Errorf("got\n%swant\n%s", got, want)
				}
				if err := again.SetRows(mem, encoded[:len(encoded)/2]); err == nil {
					t.Error("half of the bytes are taken for all")
				}
				return nil
			}
			if err := source.Open(t.Context(), nil, func(ingest.SplitEvent) {}); err != nil {
				t.Fatal(err)
			}
			w := ingest.NewBlockWriter(ingest.WriterSpec{
				Format: f, Blocks: blocks, Send: send, Now: func() batch.Time { return 0 }, Wanted: ingest.Wanted{Columns: tt.columns},
			})
			if err := source.Read(t.Context(), 0, w); err != nil {
				t.Fatal(err)
			}
			w.Close()
		})
	}
}

func TestAvroFilesThatCannotBeRead(t *testing.T) {
	whole, err := os.ReadFile("testdata/columns/null.avro")
	if err != nil {
		t.Fatal(err)
	}
	text := string(whole)
	for _, tt := range []struct{ name, content, want string }{
		{"text", "id,name\n", "format AVRO: no object container file: it does not begin with Obj and 1"},
		{"a header that is cut", text[:40], "format AVRO: unexpected EOF"},
		{"another codec", strings.Replace(text, "avro.codec\x08null", "avro.codec\x08gzip", 1), `format AVRO: codec "gzip" is not known: null, deflate, snappy, zstandard and bzip2 are`},
		{"a schema that is no JSON", strings.Replace(text, `{"type"`, `["type"`, 1), "format AVRO: schema: invalid character ':' after array element"},
		{"a type that is unknown", strings.Replace(text, `"double"`, `"dauble"`, 1), `format AVRO: schema: field "x": type "dauble" is unknown`},
		{"a block that is cut", text[:len(text)-30], "behind row 0: format AVRO: block 1: unexpected EOF"},
		{"a block with another mark", text[:len(text)-1] + "g", "behind row 0: format AVRO: block 1: damaged: no mark of the file's blocks behind it"},
		{"columns that are not read", text, `column "m": its type null can't be read: list the other columns`},
	} {
		t.Run(tt.name, func(t *testing.T) {
			path := filepath.Join(writeFiles(t, "a.avro", tt.content), "a.avro")
			columns := fieldsOf(t, "id BIGINT")
			if strings.HasPrefix(tt.name, "columns") {
				columns = nil
			}
			_, err := readColumns(t, mustFormat(t, "AVRO"), path, columns, 0)
			if err == nil || !strings.HasPrefix(err.Error(), "read "+path+": "+tt.want) {
				t.Errorf("got  %v\nwant %s", err, tt.want)
			}
		})
	}
}

// FuzzAvro changes bytes of files: whatever they say, there is no panic, and no memory is left.
func FuzzAvro(f *testing.F) {
	for _, name := range []string{"null", "deflate", "snappy"} {
		whole, err := os.ReadFile("testdata/columns/" + name + ".avro")
		if err != nil {
			f.Fatal(err)
		}
		for i := range 12 {
			f.Add(whole, i*len(whole)/12, byte(i)*20+1)
		}
	}
	f.Fuzz(func(t *testing.T, whole []byte, at int, change byte) {
		if len(whole) == 0 {
			return
		}
		whole = append([]byte(nil), whole...)
		whole[uint(at)%uint(len(whole))] ^= change
		path := filepath.Join(writeFiles(t, "a", string(whole)), "a")
		_, _ = readColumns(t, mustFormat(t, "AVRO"), path, fieldsOf(t, avroColumns...), 0)
		_, _ = readColumns(t, mustFormat(t, "AVRO"), path, fieldsOf(t, "tags ARRAY<TEXT>"), 3)
	})
}
