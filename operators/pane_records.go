package operators

import (
	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/arrow/memory"

	"github.com/tidemill/tidemill/batch"
)

// records holds a row of words per group, so that all that a row of input changes is next to each other, in one cache line where
// there are up to eight words: with a slice per word, a million groups cost a cache miss each. Word 0 is the number of rows, the
// others belong to the accumulators, which get them from newAccumulators. All words of a new group are 0.
//
// count(*), sum(BIGINT): a width of 2, and group 3 has its rows in words[6] and its sum in words[7].
type records struct {
	mem   memory.Allocator
	width int
	words []int64
}

// grow makes records up to that of group n-1.
func (r *records) grow(n int) { r.words = growZero(r.mem, r.words, n*r.width) }

func (r *records) len() int { return len(r.words) / r.width }

func (r *records) rows(g int32) int64 { return r.words[int(g)*r.width] }

// count adds a row to each of groups.
func (r *records) count(groups []int32) {
	words, width := r.words, r.width
	for _, g := range groups {
		words[int(g)*width]++
	}
}

// gather sets values to a word of groups.
func (r *records) gather(word int, groups []int32, values []int64) {
	words, width := r.words, r.width
	values = values[:len(groups)]
	for k, g := range groups {
		values[k] = words[int(g)*width+word]
	}
}

// nullEmpty makes the last values of a column NULL that are of groups without rows.
func (r *records) nullEmpty(col *batch.Column, groups []int32) {
	words, width, from := r.words, r.width, col.Len()-len(groups)
	for k, g := range groups {
		if words[int(g)*width] == 0 {
			col.SetNull(from + k)
		}
	}
}

// numLive returns how many of groups have rows.
func (r *records) numLive(groups []int32) (n int) {
	words, width := r.words, r.width
	for _, g := range groups {
		if words[int(g)*width] != 0 {
			n++
		}
	}
	return n
}

// appendLive appends the groups that have rows to ids.
func (r *records) appendLive(mem memory.Allocator, ids []int32) []int32 {
	at := len(ids)
	ids = batch.GrowSlice(mem, ids, at+r.len())
	for g, k := int32(0), 0; k < len(r.words); g, k = g+1, k+r.width {
		ids[at] = g
		if r.words[k] != 0 {
			at++
		}
	}
	return ids[:at]
}

// merge adds the rows of ids of src to groups.
func (r *records) merge(src *records, ids, groups []int32) {
	words, from, width := r.words, src.words, r.width
	for k, id := range ids {
		words[int(groups[k])*width] += from[int(id)*width]
	}
}

// subtract takes out what merge added.
func (r *records) subtract(src *records, ids, groups []int32) {
	words, from, width := r.words, src.words, r.width
	for k, id := range ids {
		words[int(groups[k])*width] -= from[int(id)*width]
	}
}

// presence counts, for an aggregate of an argument, the values that are not NULL: the rows of a group less its NULLs. As long as
// there is no NULL it costs nothing.
type presence struct {
	rec   *records
	nulls []int64 // per group; groups behind its end have none

	validRows, validGroups []int32 // scratch
}

// valid leaves NULLs of arr out of rows and groups, and counts them. Where there are none it returns both as they are. What it
// returns is valid until the next call.
func (p *presence) valid(arr arrow.Array, rows, groups []int32) (validRows, validGroups []int32) {
	isDense, isVoid := arr.NullN() == 0, arr.DataType().ID() == arrow.NULL
	if d, ok := arr.(*array.Dictionary); ok {
		isDense = isDense && d.Dictionary().NullN() == 0
	}
	if isDense && !isVoid {
		return rows, groups
	}
	mem := p.rec.mem
	p.validRows = batch.GrowSlice(mem, p.validRows, max(len(groups), 1))[:0] // nil would mean all rows
	p.validGroups = batch.GrowSlice(mem, p.validGroups, max(len(groups), 1))[:0]
	p.nulls = growZero(mem, p.nulls, p.rec.len())
	for k, g := range groups {
		if i := rowOf(rows, k); isVoid || isNull(arr, i) {
			p.nulls[g]++
		} else {
			p.validRows = append(p.validRows, int32(i))
			p.validGroups = append(p.validGroups, g)
		}
	}
	return p.validRows, p.validGroups
}

// isNull says whether value i is NULL, which that of a dictionary may be in two ways.
func isNull(arr arrow.Array, i int) bool {
	if arr.IsNull(i) {
		return true
	}
	d, ok := arr.(*array.Dictionary)
	return ok && d.Dictionary().IsNull(d.GetValueIndex(i))
}

// n returns the number of values of a group.
func (p *presence) n(g int32) int64 {
	if int(g) < len(p.nulls) {
		return p.rec.rows(g) - p.nulls[g]
	}
	return p.rec.rows(g)
}

// setN makes n the number of values of a group, whose number of rows is set.
func (p *presence) setN(g int32, n int64) {
	if nulls := p.rec.rows(g) - n; nulls != 0 || int(g) < len(p.nulls) {
		p.nulls = growZero(p.rec.mem, p.nulls, p.rec.len())
		p.nulls[g] = nulls
	}
}

func (p *presence) merge(src *presence, ids, groups []int32) {
	if len(src.nulls) == 0 {
		return
	}
	p.nulls = growZero(p.rec.mem, p.nulls, p.rec.len())
	for k, id := range ids {
		if int(id) < len(src.nulls) {
			p.nulls[groups[k]] += src.nulls[id]
		}
	}
}

func (p *presence) subtract(src *presence, ids, groups []int32) {
	for k, id := range ids {
		if int(id) < len(src.nulls) {
			p.nulls[groups[k]] -= src.nulls[id]
		}
	}
}

func (p *presence) reset() { p.nulls = shrink(p.rec.mem, p.nulls) }

func (p *presence) close() {
	batch.FreeSlice(p.rec.mem, p.nulls)
	batch.FreeSlice(p.rec.mem, p.validRows)
	batch.FreeSlice(p.rec.mem, p.validGroups)
	p.nulls, p.validRows, p.validGroups = nil, nil, nil
}
