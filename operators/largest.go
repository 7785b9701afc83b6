package operators

import (
	"fmt"
	"slices"
	"strconv"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/memory"

	"github.com/tidemill/tidemill/batch"
)

// Skewed is a Stateful operator that keeps rows, of one key more than of another.
type Skewed interface {
	Stateful
	// LargestKeys returns the keys with the most rows, the largest first, each with its rows: (u1): 48210 rows. There are up to three.
	// It is called between intervals, and costs a look at each row.
	LargestKeys() []string
}

var (
	_ Skewed = (*join)(nil)
	_ Skewed = (*over)(nil)
	_ Skewed = (*match)(nil)
)

const (
	// numLargest is how many keys LargestKeys returns.
	numLargest = 3
	// maxKeyText is how many bytes of a key it shows.
	maxKeyText = 60
)

// largestKeys returns the keys of a table with the largest counts, which there is one of for each.
func largestKeys(mem memory.Allocator, table groupTable, types []arrow.DataType, rows []int) []string {
	if len(types) == 0 {
		return nil
	}
	var ids []int32
	for g, n := range rows {
		if n == 0 || len(ids) == numLargest && n <= rows[ids[numLargest-1]] {
			continue
		}
		at, _ := slices.BinarySearchFunc(ids, n, func(id int32, n int) int {
			if rows[id] >= n {
				return -1
			}
			return 1
		})
		ids = slices.Insert(ids, at, int32(g))
		ids = ids[:min(len(ids), numLargest)]
	}
	fields := make([]arrow.Field, len(types))
	for i, t := range types {
		fields[i] = arrow.Field{Name: strconv.Itoa(i), Type: t, Nullable: true}
	}
	f := batch.NewFrame(mem, arrow.NewSchema(fields, nil))
	defer f.Release()
	table.appendKeys(f.Columns, ids)
	f.SetRows(len(ids))
	texts := make([]string, len(ids))
	for i, id := range ids {
		text := []byte("(")
		for k, col := range f.Rows().Columns() {
			if k > 0 {
				text = append(text, ", "...)
			}
			from := len(text)
			text = batch.AppendValue(text, col, i)
			if len(text)-from > maxKeyText {
				text = append(text[:from+maxKeyText], "…"...)
			}
		}
		texts[i] = fmt.Sprintf("%s): %d rows", text, rows[id])
	}
	return texts
}

// LargestKeys counts the rows of both sides.
func (j *join) LargestKeys() []string {
	rows := make([]int, j.keys.len())
	for i := range j.sides {
		s := &j.sides[i]
		for row, g := range s.group {
			if s.marks[row]&rowGone == 0 {
				rows[g]++
			}
		}
	}
	return largestKeys(j.mem, j.keys, keyTypes(j.spec.LeftKeys), rows)
}

// LargestKeys counts the rows of partitions.
func (o *over) LargestKeys() []string {
	rows := make([]int, o.keys.len())
	for _, g := range o.kept.group[:o.rows.Len()] {
		rows[g]++
	}
	return largestKeys(o.mem, o.keys, o.types, rows)
}

// LargestKeys counts the rows of partitions.
func (m *match) LargestKeys() []string {
	rows := make([]int, m.table.len())
	for g := range m.parts {
		rows[g] = len(m.parts[g].rows)
	}
	return largestKeys(m.mem, m.table, keyTypes(m.spec.PartitionBy), rows)
}
