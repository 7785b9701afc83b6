package batch_test

import (
	"testing"

	"github.com/apache/arrow-go/v18/arrow"

	"github.com/tidemill/tidemill/batch"
)

func TestFrameAppendsRowsOfArraysThatEndWithTheirLastRow(t *testing.T) {
	pool := batch.NewPool(0)
	schema := arrow.NewSchema([]arrow.Field{{Name: "word", Type: batch.Text, Nullable: true}}, nil)
	from, err := batch.Parse(pool, schema, "a\nbb\nnull\nccc\n")
	if err != nil {
		t.Fatal(err)
	}
	to := batch.NewFrame(pool, schema)
	part := from.Rows().NewSlice(1, 4)
	for range 2 {
		to.AppendBatch(batch.Batch{Rows: part})
	}
	if got, want := batch.Format(batch.Batch{Rows: to.Rows()}), "bb\nnull\nccc\nbb\nnull\nccc\n"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
	part.Release()
	from.Release()
	to.Release()
	if pool.Used() != 0 {
		t.Errorf("%d bytes in use", pool.Used())
	}
}
