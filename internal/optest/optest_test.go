package optest_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"

	"github.com/tidemill/tidemill/batch"
	"github.com/tidemill/tidemill/internal/optest"
	"github.com/tidemill/tidemill/operators"
)

// recorder is a testing.TB that keeps what is reported.
type recorder struct {
	testing.TB

	errors []string
}

func (r *recorder) Helper() {}

func (r *recorder) Errorf(format string, args ...any) {
	r.errors = append(r.errors, fmt.Sprintf(format, args...))
}

// fault is a mistake planted in an operator of this file.
type fault string

// evens passes rows whose n is even, calls odd ones bad from 100 on, and NULL rows nothing.
type evens struct {
	env   operators.Env
	fault fault

	schema *arrow.Schema
	view   *batch.View
	sel    []int32
	kept   arrow.Array
	marks  int
	scrap  []byte
}

var evensSchema = optest.MustSchema("n BIGINT, word TEXT")

func newEvens(f fault) func(operators.Env) (operators.Operator, error) {
	return func(env operators.Env) (operators.Operator, error) {
		e := &evens{env: env, fault: f, schema: evensSchema, scrap: env.Mem.Allocate(100)}
		if f == "wrong schema" {
			e.schema = optest.MustSchema("n BIGINT, other TEXT")
		}
		e.view = batch.NewView(evensSchema)
		return e, nil
	}
}

func (e *evens) Schema() *arrow.Schema { return e.schema }

func (e *evens) BeginInterval(batch.Interval) error { return nil }

func (e *evens) Process(ctx context.Context, _ int, in batch.Batch, emit batch.Emit) error {
	if err := ctx.Err(); err != nil {
		if e.fault == "hides the cancelled context" {
			return errors.New("stopped")
		}
		return err
	}
	if e.kept != nil {
		batch.Format(batch.Batch{Rows: e.view})
		in.Rows = e.view
	}
	if e.fault == "keeps the input" && e.kept == nil {
		e.kept = in.Rows.Column(0)
		e.view.Set(0, in.Rows.Column(0))
		e.view.Set(1, in.Rows.Column(1))
		e.view.SetRows(in.NumRows())
		return nil
	}
	n := in.Rows.Column(0).(*array.Int64)
	e.sel = e.sel[:0]
	for i := range in.NumRows() {
		if in.Sel != nil && !contains(in.Sel, i) && e.fault != "looks at dead rows" {
			continue
		}
		switch {
		case n.IsNull(i) && e.fault != "ignores validity":
		case n.Value(i)%2 == 0:
			e.sel = append(e.sel, int32(i))
		case n.Value(i) >= 100:
			e.env.Bad(&in.Origin, int32(i), "odd and large")
		}
	}
	if len(e.sel) == 0 && e.fault != "emits nothing" {
		return nil
	}
	if e.fault == "unsorted selection" && len(e.sel) > 1 {
		e.sel[0], e.sel[1] = e.sel[1], e.sel[0]
	}
	if e.fault == "changes the input" {
		n.Int64Values()[0] = 4
	}
	if e.fault == "reads text without dictionary" {
		_ = in.Rows.Column(1).(*array.String)
	}
	if e.fault == "ignores the offset" {
		data := n.Data()
		whole := array.NewData(data.DataType(), data.Len(), data.Buffers(), nil, -1, 0)
		in.Rows, _ = array.NewRecordBatch(evensSchema, []arrow.Array{array.NewInt64Data(whole), in.Rows.Column(1)}, int64(in.NumRows())), 0
	}
	err := emit(batch.Batch{Rows: in.Rows, Sel: e.sel, Origin: in.Origin})
	switch {
	case err != nil && e.fault == "swallows the error of emit":
		return nil
	case err != nil && e.fault == "wraps the error of emit":
		return fmt.Errorf("evens: %w", err)
	case err != nil && e.fault == "leaks after an error":
		e.scrap = nil
	case err != nil && e.fault == "goes on after an error":
		_ = emit(batch.Batch{Rows: in.Rows, Sel: e.sel, Origin: in.Origin})
	}
	return err
}

func contains(sel []int32, i int) bool {
	for _, s := range sel {
		if int(s) == i {
			return true
		}
	}
	return false
}

func (e *evens) EndInterval(_ context.Context, in []batch.Time, _ batch.Emit) (batch.Time, error) {
	if e.fault == "watermark goes back" {
		e.marks++
		return batch.MaxTime - batch.Time(e.marks), nil
	}
	return in[0], nil
}

func (e *evens) Close() {
	if e.fault != "leaks" {
		e.env.Mem.Free(e.scrap)
	}
}

func TestRunPassesRightOperator(t *testing.T) {
	optest.Run(t, evensCase(""))
}

func TestRunFindsPlantedFaults(t *testing.T) {
	for _, tt := range []struct {
		name fault
		want string
	}{
		{name: "keeps the input", want: "panic: runtime error"},
		{name: "wrong schema", want: "schema is not Schema()"},
		{name: "looks at dead rows", want: "bad row that is not live"},
		{name: "ignores validity", want: "-want +got"},
		{name: "emits nothing", want: "no live row"},
		{name: "unsorted selection", want: "selection is not increasing"},
		{name: "changes the input", want: "input batch was changed"},
		{name: "reads text without dictionary", want: "panic: interface conversion"},
		{name: "ignores the offset", want: "-want +got"},
		{name: "swallows the error of emit", want: "emit was called again"},
		{name: "wraps the error of emit", want: "back unchanged"},
		{name: "leaks after an error", want: "still in use after Close"},
		{name: "goes on after an error", want: "emit was called again"},
		{name: "hides the cancelled context", want: "want context.Canceled"},
		{name: "watermark goes back", want: "watermark of EndInterval went back"},
		{name: "leaks", want: "still in use after Close"},
	} {
		t.Run(string(tt.name), func(t *testing.T) {
			expectReport(t, evensCase(tt.name), tt.want)
		})
	}
}

func TestRunComparesBadRowsAndRows(t *testing.T) {
	c := evensCase("")
	c.WantBad = nil
	expectReport(t, c, "bad rows")
	c = evensCase("")
	c.Want = "2 b\n4 d\n---\n"
	expectReport(t, c, "rows of interval 1 of 4")
	c = evensCase("")
	c.WantLate = 1
	expectReport(t, c, "late rows: want 1, got 0")
	c = evensCase("")
	c.Skip = map[optest.Axis]string{optest.AxisColumns: ""}
	expectReport(t, c, "without a reason")
}

func expectReport(t *testing.T, c optest.Case, want string) {
	t.Helper()
	r := &recorder{}
	optest.Run(r, c)
	if len(r.errors) != 1 || !strings.Contains(r.errors[0], want) {
		t.Errorf("want one report with %q, got %d: %s", want, len(r.errors), strings.Join(r.errors, "\n"))
	}
}

func evensCase(f fault) optest.Case {
	return optest.Case{
		New:     newEvens(f),
		Schemas: []*arrow.Schema{evensSchema},
		In: `
			1 a
			2 b
			null c
			4 "d e"
			4 null
			---
			101 x
			---
			---
			103 ü
			6 löschen
			7 g
			8 h
			10 i
		`,
		Want:    "2 b\n4 \"d e\"\n4 null\n---\n---\n---\n6 \"löschen\"\n8 h\n10 i",
		WantBad: []string{"odd and large", "odd and large"},
	}
}
