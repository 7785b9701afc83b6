package batch_test

import (
	"bytes"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/arrow/ipc"

	"github.com/tidemill/tidemill/batch"
)

func allTypes() *arrow.Schema {
	types := columnTypes()
	var fields []arrow.Field
	for _, name := range []string{"boolean", "bigint", "double", "text", "timestamp", "list of text", "struct", "list of lists", "list of structs"} {
		fields = append(fields, arrow.Field{Name: name, Type: types[name], Nullable: true})
	}
	return arrow.NewSchema(fields, nil)
}

// fillFrame resets f to n random rows.
func fillFrame(f *batch.Frame, n int) {
	r := &rows{random: rand.New(rand.NewPCG(*seed, 2)), nulls: true}
	f.Reset(n)
	for _, c := range f.Columns {
		r.fill(c, n)
	}
}

// lines returns the rows of text that sel names, joined.
func lines(text string, sel []int32) string {
	all := strings.SplitAfter(text, "\n")
	var b strings.Builder
	for _, i := range sel {
		b.WriteString(all[i])
	}
	return b.String()
}

func TestFrameCollectsLiveRowsOfBatches(t *testing.T) {
	t.Logf("-seed %d", *seed)
	pool := newPool(t)
	from, to := batch.NewFrame(pool, allTypes()), batch.NewFrame(pool, allTypes())
	want := ""
	for n := range 40 {
		fillFrame(from, 10*n)
		in := batch.Batch{Rows: from.Rows()}
		all := batch.Format(in)
		if n%3 == 0 {
			want += all
		} else {
			in.Sel = []int32{}
			for i := n % 5; i < 10*n; i += 3 {
				in.Sel = append(in.Sel, int32(i))
			}
			want += lines(all, in.Sel)
		}
		to.AppendBatch(in)
	}
	if got := batch.Format(batch.Batch{Rows: to.Rows()}); got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
	if to.Len() != strings.Count(want, "\n") {
		t.Errorf("%d rows, want %d", to.Len(), strings.Count(want, "\n"))
	}
	from.Release()
	to.Release()
	if to.Len() != 0 {
		t.Errorf("%d rows after Release", to.Len())
	}
}

func TestFrameSlices(t *testing.T) {
	pool := newPool(t)
	f := batch.NewFrame(pool, allTypes())
	fillFrame(f, 200)
	all := batch.Format(batch.Batch{Rows: f.Rows()})
	for _, part := range [][2]int{{0, 200}, {0, 0}, {1, 65}, {63, 64}, {199, 200}, {200, 200}} {
		var sel []int32
		for i := part[0]; i < part[1]; i++ {
			sel = append(sel, int32(i))
		}
		s := f.Slice(part[0], part[1])
		if got := batch.Format(batch.Batch{Rows: s}); got != lines(all, sel) || s.NumRows() != int64(len(sel)) {
			t.Errorf("rows %d to %d: got %d\n%s", part[0], part[1], s.NumRows(), got)
		}
		for _, c := range s.Columns() {
			validate(t, c.DataType().String(), c)
		}
	}
	f.Release()
}

func TestFrameGivesRowsOutAgainWithoutAllocating(t *testing.T) {
	pool := newPool(t)
	schema := arrow.NewSchema([]arrow.Field{{Name: "n", Type: batch.BigInt}, {Name: "word", Type: batch.Text}}, nil)
	from, err := batch.Parse(pool, schema, strings.Repeat("1 one\nnull null\n", 500))
	if err != nil {
		t.Fatal(err)
	}
	to := batch.NewFrame(pool, schema)
	in := batch.Batch{Rows: from.Rows(), Sel: []int32{1, 2, 3, 999}}
	collect := func() {
		to.Reset(0)
		to.AppendBatch(in)
		to.AppendBatch(batch.Batch{Rows: in.Rows})
		if to.Rows().NumRows() != 1004 {
			t.Errorf("%d rows", to.Rows().NumRows())
		}
	}
	collect()
	if allocs := testing.AllocsPerRun(20, collect); allocs != 0 {
		t.Errorf("%v allocations", allocs)
	}
	from.Release()
	to.Release()
}

func TestExportOutlivesTheBatch(t *testing.T) {
	pool := newPool(t)
	f := batch.NewFrame(pool, allTypes())
	fillFrame(f, 100)
	in := batch.Batch{Rows: f.Rows(), Sel: []int32{0, 1, 50, 99}}
	want := batch.Format(in)
	rec, all := batch.Export(pool, in), batch.Export(pool, batch.Batch{Rows: f.Rows()})
	wantAll := batch.Format(batch.Batch{Rows: f.Rows()})
	f.Reset(100) // writes the memory again
	fillFrame(f, 90)
	f.Release()
	if got := batch.Format(batch.Batch{Rows: rec}); got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
	if got := batch.Format(batch.Batch{Rows: all}); got != wantAll {
		t.Errorf("got\n%s\nwant\n%s", got, wantAll)
	}
	rec.Release()
	all.Release()
}

func TestViewsOfDictionariesAreSlicedAndExported(t *testing.T) {
	pool := newPool(t)
	d := dictionary(t, pool, []string{"low", "null", "high"}, []int8{2, -1, 0, 1})
	for _, dtype := range []arrow.DataType{batch.Text, d.DataType()} { // the schema may name either type
		v := batch.NewView(arrow.NewSchema([]arrow.Field{{Name: "level", Type: dtype, Nullable: true}}, nil))
		v.Set(0, d)
		v.SetRows(4)
		if got := v.String(); got != "high\nnull\nlow\nnull" {
			t.Errorf("the view reads %q", got)
		}
		part := v.NewSlice(2, 4)
		if got := batch.Format(batch.Batch{Rows: part}); got != "low\nnull\n" || part.Schema().Field(0).Type.ID() != arrow.DICTIONARY {
			t.Errorf("its slice reads %q, of type %s", got, part.Schema().Field(0).Type)
		}
		part.Release()
		rec := batch.Export(pool, batch.Batch{Rows: v})
		if got := batch.Format(batch.Batch{Rows: rec}); got != "high\nnull\nlow\nnull\n" || rec.Column(0).DataType().ID() != arrow.STRING {
			t.Errorf("got %q as %s", got, rec.Column(0).DataType())
		}
		rec.Release()
	}
	d.Release()
}

func TestViewSliceIsAnOrdinaryRecordBatch(t *testing.T) {
	pool := newPool(t)
	f := batch.NewFrame(pool, allTypes())
	fillFrame(f, 100)
	for _, part := range [][2]int64{{0, 100}, {3, 67}, {64, 64}} {
		rec := f.Rows().NewSlice(part[0], part[1])
		want := batch.Format(batch.Batch{Rows: rec})
		var file bytes.Buffer
		w := ipc.NewWriter(&file, ipc.WithSchema(f.Schema()), ipc.WithAllocator(pool))
		if err := w.Write(rec); err != nil {
			t.Fatal(err)
		}
		if err := w.Close(); err != nil {
			t.Fatal(err)
		}
		r, err := ipc.NewReader(&file, ipc.WithAllocator(pool))
		if err != nil {
			t.Fatal(err)
		}
		if !r.Next() {
			t.Fatalf("nothing to read: %v", r.Err())
		}
		if got := batch.Format(batch.Batch{Rows: r.RecordBatch()}); got != want {
			t.Errorf("rows %d: read\n%s\nwant\n%s", part, got, want)
		}
		for _, c := range r.RecordBatch().Columns() {
			validate(t, "read "+c.DataType().String(), c)
		}
		r.Release()
		rec.Release()
	}
	f.Release()
}

func TestViewIsARecordBatch(t *testing.T) {
	pool := newPool(t)
	schema := arrow.NewSchema([]arrow.Field{{Name: "n", Type: batch.BigInt, Nullable: true}, {Name: "word", Type: batch.Text, Nullable: true}}, nil)
	f, err := batch.Parse(pool, schema, "1 one\n2 null\n")
	if err != nil {
		t.Fatal(err)
	}
	v := f.Rows()
	v.Retain()
	v.Release()
	v.Release()
	if v.NumRows() != 2 || v.NumCols() != 2 || v.ColumnName(1) != "word" || v.Schema() != schema || v.Column(0) != v.Columns()[0] {
		t.Errorf("%d rows, %d columns, %q", v.NumRows(), v.NumCols(), v.ColumnName(1))
	}
	if got := v.String(); got != "1 one\n2 null" {
		t.Errorf("String is %q", got)
	}
	text, err := v.MarshalJSON()
	if want := "[{\"n\":1,\"word\":\"one\"}\n,{\"n\":2,\"word\":null}\n]"; err != nil || string(text) != want {
		t.Errorf("MarshalJSON is %q, %v", text, err)
	}
	twice := array.NewSlice(v.Column(0), 0, 2)
	rec, err := v.SetColumn(0, twice)
	if err != nil {
		t.Fatal(err)
	}
	if got := batch.Format(batch.Batch{Rows: rec}); got != "1 one\n2 null\n" {
		t.Errorf("after SetColumn: %q", got)
	}
	rec.Release()
	twice.Release()
	f.Release()
}
