package tidemill_test

import (
	"path"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/arrow/memory"
	"github.com/google/go-cmp/cmp"

	"github.com/tidemill/tidemill"
	"github.com/tidemill/tidemill/internal/vfs"
)

// tradeBatches are record batches whose columns are a dictionary, numbers that are converted, and times.
func tradeBatches(t *testing.T) (*arrow.Schema, []arrow.RecordBatch) {
	t.Helper()
	schema := arrow.NewSchema([]arrow.Field{
		{Name: "symbol", Type: &arrow.DictionaryType{IndexType: arrow.PrimitiveTypes.Int8, ValueType: arrow.BinaryTypes.String}, Nullable: true},
		{Name: "Price", Type: arrow.PrimitiveTypes.Int32, Nullable: true},
		{Name: "at", Type: &arrow.TimestampType{Unit: arrow.Millisecond}},
		{Name: "note", Type: arrow.BinaryTypes.LargeString},
	}, nil)
	var batches []arrow.RecordBatch
	for _, rows := range []string{
		`[{"symbol": "AAA", "Price": 3, "at": "2026-01-01 00:00:01", "note": "x"}, {"symbol": "BBB", "Price": 4, "at": "2026-01-01 00:00:02", "note": ""}]`,
		`[{"symbol": "BBB", "Price": 5, "at": "2026-01-01 00:00:05", "note": ""}, {"symbol": null, "Price": null, "at": "2026-01-01 00:00:12", "note": ""}]`,
	} {
		b, _, err := array.RecordFromJSON(memory.NewGoAllocator(), schema, strings.NewReader(rows))
		if err != nil {
			t.Fatal(err)
		}
		batches = append(batches, b)
	}
	return schema, batches
}

const sumsOfTrades = `SELECT window.start, symbol, count(*) AS n, sum(price) AS total FROM trades GROUP BY window(at, '10 seconds'), symbol ORDER BY symbol`

func TestRecordBatchesAreASource(t *testing.T) {
	schema, batches := tradeBatches(t)
	for _, tt := range []struct{ name, columns, query, want string }{
		{name: "all columns as they are", query: "SELECT * FROM trades", want: `symbol,Price,at,note
AAA,3,2026-01-01T00:00:01Z,x
BBB,4,2026-01-01T00:00:02Z,""
BBB,5,2026-01-01T00:00:05Z,""
,,2026-01-01T00:00:12Z,""
`},
		{name: "some columns by name, in another order", columns: "price BIGINT, twice AS price * 2, SYMBOL TEXT", query: "SELECT symbol, twice FROM trades WHERE symbol = 'BBB'", want: `SYMBOL,twice
BBB,8
BBB,10
`},
		{
			name: "windows over a watermark", columns: "at TIMESTAMP, symbol TEXT, price BIGINT, WATERMARK FOR at AS at - INTERVAL '1 second'", query: sumsOfTrades,
			want: `start,symbol,n,total
2026-01-01T00:00:00Z,AAA,1,3
2026-01-01T00:00:00Z,BBB,2,9
2026-01-01T00:00:10Z,,1,
`,
		},
	} {
		t.Run(tt.name, func(t *testing.T) {
			var out lockedBuffer
			job := newJob(t, tidemill.Config{Stdout: &out, Workers: 1})
			if _, err := job.FromRecordBatches("trades", schema, batches, tidemill.SourceOptions{Columns: tt.columns}); err != nil {
				t.Fatal(err)
			}
			if err := job.SQL(tt.query); err != nil {
				t.Fatal(err)
			}
			if err := ends(t, job); err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(tt.want, out.String()); diff != "" {
				t.Errorf("(-want +got)\n%s", diff)
			}
			checkLedger(t, job.Status())
		})
	}
}

func TestRecordBatchesThatCannotBeRead(t *testing.T) {
	schema := arrow.NewSchema([]arrow.Field{{Name: "n", Type: arrow.PrimitiveTypes.Uint64}}, nil)
	job := newJob(t, tidemill.Config{})
	_, err := job.FromRecordBatches("numbers", schema, nil, tidemill.SourceOptions{})
	want := `source numbers: record batches: column "n": its type uint64 can't be read: list the other columns`
	if err == nil || err.Error() != want {
		t.Errorf("got %v, want %s", err, want)
	}

	schema, batches := tradeBatches(t)
	for _, tt := range []struct{ name, columns, option, want string }{
		{
			name: "a column that there is not", columns: "prize BIGINT",
			want: `decode source trades: split batches: offset 0: column "prize" is missing: did you mean Price? possible are symbol, Price, at, note`,
		},
		{
			name: "a column of another type", columns: "price TEXT",
			want: `decode source trades: split batches: offset 0: column "price" is INT here, declared TEXT`,
		},
		{name: "an option", option: "follow", want: `option "follow" is unknown: the source was made in Go`},
	} {
		t.Run(tt.name, func(t *testing.T) {
			job := newJob(t, tidemill.Config{Workers: 1, Stdout: &lockedBuffer{}}) // of several, any may fail first
			o := tidemill.SourceOptions{Columns: tt.columns}
			if tt.option != "" {
				o.Options = map[string]string{tt.option: "true"}
			}
			trades, err := job.FromRecordBatches("trades", schema, batches, o)
			if err != nil {
				t.Fatal(err)
			}
			trades.Print()
			err = job.Check()
			if err == nil {
				err = ends(t, job)
			}
			if err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("got  %v\nwant %s", err, tt.want)
			}
		})
	}
}

// TestRecordBatchesGoOnAfterARestart stops a job after its first interval, and starts it again over the same batches.
func TestRecordBatchesGoOnAfterARestart(t *testing.T) {
	schema, batches := tradeBatches(t)
	var many []arrow.RecordBatch
	for range 100 {
		many = append(many, batches...)
	}
	fs := vfs.NewMem()
	for _, isFirst := range []bool{true, false} {
		var job *tidemill.Context
		job = newJob(t, tidemill.Config{
			FS: fs, Checkpoint: crashState, CommitEvery: 1, OnStatus: func(s tidemill.Status) {
				if isFirst && s.Interval.ID == 1 {
					job.Stop()
				}
			},
		})
		trades, err := job.FromRecordBatches("trades", schema, many, tidemill.SourceOptions{Options: map[string]string{"max_rows_per_interval": "1"}})
		if err != nil {
			t.Fatal(err)
		}
		trades.Select("symbol", "price").To("out", "file:"+crashOut+"/trades", tidemill.SinkOptions{Format: "CSV"})
		if err := ends(t, job); err != nil {
			t.Fatal(err)
		}
		if rows := job.Status().RowsIn; isFirst && rows >= 4 {
			t.Fatalf("the first run read all %d rows", rows)
		}
	}
	lines := sinkLines(t, fs, path.Join(crashOut, "trades"))
	slices.Sort(lines)
	var want []string
	for _, line := range []string{",", "AAA,3", "BBB,4", "BBB,5"} {
		want = append(want, slices.Repeat([]string{line}, 100)...)
	}
	if diff := cmp.Diff(want, lines); diff != "" {
		t.Errorf("(-want +got)\n%s", diff)
	}
}

// eventBatches makes e of record batches of 37 events each, whose users are a dictionary of each batch.
func eventBatches(t *testing.T, job *tidemill.Context, cut int) {
	t.Helper()
	users := &arrow.DictionaryType{IndexType: arrow.PrimitiveTypes.Int16, ValueType: arrow.BinaryTypes.String}
	schema := arrow.NewSchema([]arrow.Field{{Name: "n", Type: arrow.PrimitiveTypes.Int8}, {Name: "user", Type: users}, {Name: "at", Type: &arrow.TimestampType{Unit: arrow.Microsecond}}}, nil)
	var batches []arrow.RecordBatch
	for rows := range slices.Chunk(disordered(11, 1000)[0], 37) {
		b := array.NewRecordBuilder(memory.NewGoAllocator(), schema)
		for _, r := range rows {
			b.Field(0).(*array.Int8Builder).Append(int8(r.n))
			must(t, b.Field(1).(*array.BinaryDictionaryBuilder).AppendString(r.user))
			b.Field(2).(*array.TimestampBuilder).Append(arrow.Timestamp(r.at.UnixMicro()))
		}
		batches = append(batches, b.NewRecordBatch())
	}
	_, err := job.FromRecordBatches("e", schema, batches, tidemill.SourceOptions{
		Columns: "at TIMESTAMP, user TEXT, n BIGINT, WATERMARK FOR at AS at - INTERVAL '1 second'",
		Options: map[string]string{"max_rows_per_interval": strconv.Itoa(cut)},
	})
	must(t, err)
}
