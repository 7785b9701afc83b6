package record_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/google/go-cmp/cmp"

	"github.com/tidemill/tidemill/batch"
	"github.com/tidemill/tidemill/internal/optest"
	"github.com/tidemill/tidemill/internal/record"
)

type place struct {
	City string
	Zip  int
}

type userID int64

type base struct{ Seq int64 }

type order struct {
	base
	UserID  userID
	Name    string `tidemill:"customer"`
	Amount  float64
	Paid    bool
	At      time.Time
	Note    record.Optional[string]
	Home    place
	Work    record.Optional[place]
	Ignored []int `tidemill:"-"`
}

func TestStructsBecomeColumnsAndComeBack(t *testing.T) {
	codec, err := record.For[order]()
	if err != nil {
		t.Fatal(err)
	}
	want := "seq BIGINT, user_id BIGINT, customer TEXT, amount DOUBLE, paid BOOLEAN, at TIMESTAMP, note TEXT, home_city TEXT, home_zip BIGINT, " +
		"work_valid BOOLEAN, work_city TEXT, work_zip BIGINT"
	if got := columns(codec.Schema()); got != want {
		t.Fatalf("columns:\nwant %s\ngot  %s", want, got)
	}
	at := time.Date(2026, 5, 1, 12, 0, 0, 250_000_000, time.UTC)
	orders := []order{
		{base: base{1}, UserID: 7, Name: "ada", Amount: 1.5, Paid: true, At: at, Note: record.Some("x"), Home: place{"Ulm", 89073}},
		{base: base{2}, Name: "", At: time.Unix(0, 0).UTC(), Work: record.Some(place{"Köln", 50667})},
		{base: base{3}, Name: strings.Repeat("long ", 100), At: at, Note: record.Some("")},
	}
	pool := batch.NewPool(0)
	f := batch.NewFrame(pool, codec.Schema())
	for range 2 { // again in the same memory
		codec.Write(f, orders)
		rows := codec.NewRows()
		for _, tt := range []struct {
			sel  []int32
			want []order
		}{{nil, orders}, {[]int32{0, 2}, []order{orders[0], orders[2]}}, {[]int32{}, nil}} {
			rows.Read(batch.Batch{Rows: f.Rows(), Sel: tt.sel}, fail(t))
			if diff := cmp.Diff(tt.want, append([]order(nil), rows.Values...), cmp.AllowUnexported(order{}, base{})); diff != "" {
				t.Errorf("selection %v (-want +got):\n%s", tt.sel, diff)
			}
		}
		rows.Reset()
		rows.Add(batch.Batch{Rows: f.Rows(), Sel: []int32{1}}, fail(t))
		rows.Add(batch.Batch{Rows: f.Rows(), Sel: []int32{0}}, fail(t))
		if len(rows.Values) != 2 || rows.Values[0].Seq != 2 || rows.Values[1].Seq != 1 {
			t.Errorf("added rows: %v", rows.Values)
		}
	}
	f.Release()
	if pool.Used() != 0 {
		t.Errorf("%d bytes are left", pool.Used())
	}
}

func TestValuesThatAreReadOutliveTheBatch(t *testing.T) {
	codec, err := record.For[string]()
	if err != nil {
		t.Fatal(err)
	}
	f := batch.NewFrame(batch.NewPool(0), codec.Schema())
	codec.Write(f, []string{"first", "second"})
	rows := codec.NewRows()
	rows.Read(batch.Batch{Rows: f.Rows()}, fail(t))
	kept := rows.Values[1]
	codec.Own(&kept)
	codec.Write(f, []string{"FIRST", "SECOND"})
	if rows.Values[0] != "first" || kept != "second" {
		t.Errorf("texts changed with the batch: %q, %q", rows.Values[0], kept)
	}
	f.Release()
}

func TestNullWhereAFieldCannotBeIsABadRow(t *testing.T) {
	type row struct {
		N int64
		K record.Optional[string]
	}
	codec, err := record.For[row]()
	if err != nil {
		t.Fatal(err)
	}
	f, err := batch.Parse(batch.NewPool(0), codec.Schema(), "1 null\nnull a\n3 b\n")
	if err != nil {
		t.Fatal(err)
	}
	defer f.Release()
	var bad []string
	rows := codec.NewRows()
	rows.Read(batch.Batch{Rows: f.Rows()}, func(row int32, why string) { bad = append(bad, fmt.Sprint(row, " ", why)) })
	if got := fmt.Sprint(rows.Values, rows.At); got != "[{1 { false}} {3 {b true}}] [0 2]" {
		t.Errorf("rows: %s", got)
	}
	if want := []string{"1 column n is NULL, a field of record_test.row that is no Optional can't be"}; !cmp.Equal(want, bad) {
		t.Errorf("bad rows: %q", bad)
	}
}

func TestTypesThatAreNoRows(t *testing.T) {
	for _, tt := range []struct {
		name string
		err  error
		want string
	}{
		{name: "a slice", err: errOf[struct{ A []int }](), want: "field A: []int can't be a column"},
		{name: "a map alone", err: errOf[map[string]int](), want: "map[string]int can't be a column"},
		{name: "a pointer below", err: errOf[struct{ A struct{ B *int } }](), want: "field A.B: *int can't be a column"},
		{name: "a field that is not exported", err: errOf[struct{ a int }](), want: "field a: it is not exported"},
		{name: "two fields with one name", err: errOf[struct {
			A int
			B int `tidemill:"A"`
		}](), want: `has two columns "A"`},
		{name: "an unknown option", err: errOf[struct {
			A int `tidemill:"a,nil"`
		}](), want: `field A: unknown option "nil"`},
		{name: "event on a number", err: errOf[struct {
			A int `tidemill:"a,event"`
		}](), want: "field A: the option event is for time.Time"},
		{name: "no columns", err: errOf[struct{}](), want: "has no field that is a column"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if tt.err == nil || !strings.Contains(tt.err.Error(), tt.want) {
				t.Errorf("error: want %q in it, got %v", tt.want, tt.err)
			}
		})
	}
}

func errOf[T any]() error {
	_, err := record.For[T]()
	return err
}

func TestRowsOfOtherColumnsAreRefused(t *testing.T) {
	codec, err := record.For[place]()
	if err != nil {
		t.Fatal(err)
	}
	value, err := record.For[int64]()
	if err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct {
		name, schema string
		check        func(*arrow.Schema) error
		want         string
	}{
		{name: "the same columns", schema: "CITY TEXT, zip BIGINT", check: codec.Check},
		{name: "another name", schema: "town TEXT, zip BIGINT", check: codec.Check, want: `column 1 is "town", that of record_test.place is "city"`},
		{name: "another type", schema: "city TEXT, zip TEXT", check: codec.Check, want: `column "zip" is TEXT, that of record_test.place is BIGINT`},
		{name: "a column more", schema: "city TEXT, zip BIGINT, n BIGINT", check: codec.Check, want: "record_test.place has 2 columns, the rows have 3"},
		{name: "a value of any name", schema: "n BIGINT", check: value.Check},
	} {
		t.Run(tt.name, func(t *testing.T) {
			got := ""
			if err := tt.check(optest.MustSchema(tt.schema)); err != nil {
				got = err.Error()
			}
			if got != tt.want {
				t.Errorf("error: want %q, got %q", tt.want, got)
			}
		})
	}
}

func fail(t *testing.T) func(int32, string) {
	return func(row int32, why string) { t.Errorf("row %d is bad: %s", row, why) }
}

func columns(s *arrow.Schema) string {
	var all []string
	for _, f := range s.Fields() {
		all = append(all, f.Name+" "+batch.TypeName(f.Type))
	}
	return strings.Join(all, ", ")
}
