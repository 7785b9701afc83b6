package batch_test

import (
	"testing"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/google/go-cmp/cmp"

	"github.com/tidemill/tidemill/batch"
)

func TestAppendFromTakesRowsOfAnyTypeInAnyOrder(t *testing.T) {
	schema := arrow.NewSchema([]arrow.Field{
		{Name: "b", Type: batch.Boolean},
		{Name: "i", Type: batch.BigInt},
		{Name: "d", Type: batch.Double},
		{Name: "s", Type: batch.Text},
		{Name: "t", Type: batch.Timestamp},
	}, nil)
	pool := batch.NewPool(0)
	src, err := batch.Parse(pool, schema, `
true 1 1.5 "a longer text than fits into two vector registers" 2026-01-01T00:00:00Z
false null 2.5 b null
null 3 null null 2026-01-01T00:00:03Z`)
	if err != nil {
		t.Fatal(err)
	}
	dst := batch.NewFrame(pool, schema)
	for _, rows := range [][]int32{{2}, {}, {1, 0}, {2, 1}} {
		for i, c := range dst.Columns {
			c.AppendFrom(src.Columns[i], rows)
		}
	}
	for _, c := range dst.Columns {
		c.AppendNulls(1)
	}
	dst.SetRows(6)
	want := `null 3 null null 2026-01-01T00:00:03Z
false null 2.5 b null
true 1 1.5 "a longer text than fits into two vector registers" 2026-01-01T00:00:00Z
null 3 null null 2026-01-01T00:00:03Z
false null 2.5 b null
null null null null null
`
	if diff := cmp.Diff(want, batch.Format(batch.Batch{Rows: dst.Rows()})); diff != "" {
		t.Errorf("rows (-want +got):\n%s", diff)
	}
	src.Release()
	dst.Release()
	if used := pool.Used(); used != 0 {
		t.Errorf("%d bytes are still in use", used)
	}
}
