package oracle

import (
	"fmt"
	"math"
	"slices"
	"strings"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"

	"github.com/tidemill/tidemill/batch"
	"github.com/tidemill/tidemill/operators"
)

// tolerance is the relative difference at which DOUBLEs are the same, as DESIGN.md has it for aggregates.
const tolerance = 1e-12

// AppendRows appends the live rows of b to dst, as values of their own.
func AppendRows(dst [][]any, b batch.Batch) [][]any {
	for k := range b.NumLive() {
		i := k
		if b.Sel != nil {
			i = int(b.Sel[k])
		}
		row := make([]any, b.Rows.NumCols())
		for c, col := range b.Rows.Columns() {
			row[c] = value(col, i)
		}
		dst = append(dst, row)
	}
	return dst
}

// value returns row i of a column as the oracle has it.
func value(col arrow.Array, i int) any {
	if col.IsNull(i) {
		return nil
	}
	switch a := col.(type) {
	case *array.Boolean:
		return a.Value(i)
	case *array.Int64:
		return a.Value(i)
	case *array.Float64:
		return a.Value(i)
	case *array.Timestamp:
		return batch.Time(a.Value(i))
	case *array.String:
		return strings.Clone(a.Value(i))
	case *array.Dictionary:
		return value(a.Dictionary(), a.GetValueIndex(i))
	case *array.List:
		list := []any{}
		from, to := a.ValueOffsets(i)
		for j := from; j < to; j++ {
			list = append(list, value(a.ListValues(), int(j)))
		}
		return list
	}
	panic(fmt.Sprintf("oracle: no values of %s", col.DataType()))
}

// Diff returns what rows are missing, and which are too many, "" if want and got are the same. Rows may be in any order unless
// ordered; DOUBLEs may differ by 1e-12 of their size; -0 is 0.
func Diff(want, got [][]any, ordered bool) string {
	if !ordered {
		want, got = sorted(want), sorted(got)
	}
	var text strings.Builder
	w, g := 0, 0
	for w < len(want) || g < len(got) {
		switch {
		case w < len(want) && g < len(got) && sameRow(want[w], got[g]):
			w, g = w+1, g+1
			continue
		case g == len(got) || w < len(want) && (ordered || compareRows(want[w], got[g]) < 0):
			fmt.Fprintf(&text, "- %s\n", rowText(want[w]))
			w++
		default:
			fmt.Fprintf(&text, "+ %s\n", rowText(got[g]))
			g++
		}
	}
	return text.String()
}

func sorted(rows [][]any) [][]any {
	rows = slices.Clone(rows)
	slices.SortStableFunc(rows, compareRows)
	return rows
}

// compareRows orders rows by what is no DOUBLE first, so that rows that differ in rounding are in the same place.
func compareRows(a, b []any) int {
	for _, isDouble := range []bool{false, true} {
		for i := range min(len(a), len(b)) {
			_, aDouble := a[i].(float64)
			_, bDouble := b[i].(float64)
			if (aDouble || bDouble) != isDouble {
				continue
			}
			if c := compareValues(a[i], b[i]); c != 0 {
				return c
			}
		}
	}
	return len(a) - len(b)
}

func compareValues(a, b any) int {
	if a == nil || b == nil || fmt.Sprintf("%T", a) != fmt.Sprintf("%T", b) {
		return strings.Compare(fmt.Sprintf("%T", a), fmt.Sprintf("%T", b))
	}
	if _, isList := a.([]any); isList {
		return strings.Compare(rowText(a.([]any)), rowText(b.([]any)))
	}
	return compare(a, b)
}

func sameRow(a, b []any) bool { return slices.EqualFunc(a, b, sameValue) }

func sameValue(a, b any) bool {
	x, xDouble := a.(float64)
	y, yDouble := b.(float64)
	if !xDouble || !yDouble {
		return compareValues(a, b) == 0
	}
	return compare(x, y) == 0 || math.Abs(x-y) <= tolerance*max(math.Abs(x), math.Abs(y)) && !math.IsInf(x-y, 0)
}

func rowText(row []any) string {
	cells := make([]string, len(row))
	for i, v := range row {
		switch v := v.(type) {
		case nil:
			cells[i] = "null"
		case string:
			cells[i] = fmt.Sprintf("%q", v)
		case float64:
			cells[i] = string(batch.AppendDouble(nil, v))
		default:
			cells[i] = fmt.Sprint(v)
		}
	}
	return strings.Join(cells, " ")
}

// Accepted returns why a plan may rightly give other rows than the oracle's, "" if it may not.
func Accepted(counts Counts, mode operators.Mode) string {
	switch {
	case counts.Fragile:
		return "a sum of DOUBLEs cancels: its first digits depend on the order in which partials are merged"
	case counts.Overflows && mode != operators.Append:
		return "a sum of BIGINTs may fit at the end of one interval and not at that of another"
	}
	return ""
}

// LastByKey returns, in an updating result, the last row of each key, in the order in which keys first came.
func LastByKey(rows [][]any, keys []int) [][]any {
	places := map[string]int{}
	var last [][]any
	for _, row := range rows {
		var values []any
		for _, k := range keys {
			values = append(values, row[k])
		}
		id := keyText(values)
		if at, ok := places[id]; ok {
			last[at] = row
			continue
		}
		places[id] = len(last)
		last = append(last, row)
	}
	return last
}
