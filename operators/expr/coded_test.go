package expr_test

import (
	"fmt"
	"testing"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/arrow/memory"
	"github.com/google/go-cmp/cmp"

	"github.com/tidemill/tidemill/batch"
	"github.com/tidemill/tidemill/operators/expr"
)

// newCodes returns a dictionary with indices of a type; row i has entry 7*i of them all, turned over.
func newCodes(index arrow.DataType, rows int, entries ...string) arrow.Array {
	mem := memory.NewGoAllocator()
	texts := array.NewStringBuilder(mem)
	for _, e := range entries {
		if e == "NULL" {
			texts.AppendNull()
		} else {
			texts.Append(e)
		}
	}
	dtype := &arrow.DictionaryType{IndexType: index, ValueType: arrow.BinaryTypes.String}
	indices := array.NewBuilder(mem, index)
	for i := range rows {
		if err := indices.AppendValueFromString(fmt.Sprint(7 * i % len(entries))); err != nil {
			panic(err)
		}
	}
	return array.NewDictionaryArray(dtype, indices.NewArray(), texts.NewArray())
}

// TestExpressionsOverDictionaries computes expressions over batches of dictionaries, one after the other with one instance, and over the
// same rows as plain TEXT.
func TestExpressionsOverDictionaries(t *testing.T) {
	schema := mustSchema("k BIGINT, s TEXT, u TEXT")
	batches := []arrow.Array{
		newCodes(arrow.PrimitiveTypes.Int32, 50, "12", "7", "-3"),
		newCodes(arrow.PrimitiveTypes.Int32, 50, "7", "12"), // other entries at the same place
		newCodes(arrow.PrimitiveTypes.Int8, 50, "1", "2", "3", "4"),
		newCodes(arrow.PrimitiveTypes.Int16, 50, "1", "2", "3", "4"),
		newCodes(arrow.PrimitiveTypes.Uint8, 50, "1", "2", "3", "4"),
		newCodes(arrow.PrimitiveTypes.Uint16, 50, "1", "2", "3", "4"),
		newCodes(arrow.PrimitiveTypes.Uint32, 50, "1", "2", "3", "4"),
		newCodes(arrow.PrimitiveTypes.Int32, 50, "12", "NULL", "-3"),
		newCodes(arrow.PrimitiveTypes.Int32, 50, "12", "x", "-3", "NaN"),
		newCodes(arrow.PrimitiveTypes.Int32, 4, "12", "7", "-3"),
		array.NewSlice(newCodes(arrow.PrimitiveTypes.Int32, 60, "12", "7", "é"), 7, 57),
	}
	for _, text := range []string{
		`(substring s 1 1)`, `(concat s "-" s)`, `(cast BIGINT s)`, `(cast DOUBLE s)`, `(length s)`, `(= s "12")`, `(like s "1%")`,
		`(and (= s "12") (> k 10))`, `(or (= s "7") (= u "12"))`, `(concat (upper s) u)`, `(coalesce s "none")`, `(if (= s "7") null s)`, `(is_null s)`,
		`(in s "7" "-3")`, `(not (= s "7"))`, `(nullif s "12")`, `(timestamp_millis (length s))`,
	} {
		t.Run(text, func(t *testing.T) {
			pool := batch.NewPool(0)
			spec := mustSpec(schema, text)
			e, err := expr.New(pool, spec)
			if err != nil {
				t.Fatal(err)
			}
			for n, dictionary := range batches {
				for _, sel := range [][]int32{nil, {1, 2, 3, 5, 8, 13, 21, 34}} {
					if len(sel) > dictionary.Len() {
						continue
					}
					f := batch.NewFrame(pool, schema)
					f.Reset(dictionary.Len())
					f.Columns[1].Reset(0)
					for i := range dictionary.Len() {
						f.Columns[0].Int64s()[i] = int64(i)
						f.Columns[2].SetString(i, fmt.Sprint(i))
						f.Columns[1].AppendRow(dictionary, i)
					}
					in := batch.Batch{Rows: f.Rows(), Sel: sel}
					want := codedRows(t, spec, e, in)
					coded := batch.NewView(schema)
					for i := range 3 {
						coded.Set(i, in.Rows.Column(i))
					}
					coded.Set(1, dictionary)
					coded.SetRows(dictionary.Len())
					in.Rows = coded
					if diff := cmp.Diff(want, codedRows(t, spec, e, in)); diff != "" {
						t.Errorf("batch %d, rows %v: (-plain +dictionary)\n%s", n, sel, diff)
					}
					f.Release()
				}
			}
			e.Close()
			if used := pool.Used(); used != 0 {
				t.Errorf("%d bytes are in use after Close", used)
			}
		})
	}
}

// codedRows returns the value of each live row, or why it is bad, and, of predicates, which rows are selected.
func codedRows(t *testing.T, spec *expr.Spec, e expr.Expr, in batch.Batch) (rows []string) {
	t.Helper()
	whys := make(map[int32]string)
	bad := func(row int32, why string) { whys[row] = why }
	arr, err := e.Eval(t.Context(), in, bad)
	if err != nil {
		t.Fatal(err)
	}
	for k := range in.NumLive() {
		i := k
		if in.Sel != nil {
			i = int(in.Sel[k])
		}
		rows = append(rows, fmt.Sprintf("%d: %s %s", i, batch.AppendValue(nil, arr, i), whys[int32(i)]))
	}
	if spec.Type.ID() == arrow.BOOL {
		p, err := expr.NewPredicate(batch.NewPool(0), spec)
		if err != nil {
			t.Fatal(err)
		}
		defer p.Close()
		sel, err := p.Select(t.Context(), in, nil, bad)
		if err != nil {
			t.Fatal(err)
		}
		rows = append(rows, fmt.Sprint(sel))
	}
	return rows
}
