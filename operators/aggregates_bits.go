package operators

import (
	"github.com/apache/arrow-go/v18/arrow"

	"github.com/tidemill/tidemill/batch"
)

// bitwise is bit_and, bit_or and bit_xor. Its word is that of bit_and inverted, so that 0 stands for no value.
type bitwise struct {
	always
	presence
	at int
	fn string
}

var _ accumulator = (*bitwise)(nil)

func (b *bitwise) words() int { return 1 }

func (b *bitwise) bind(rec *records, at int) { b.rec, b.at = rec, at }

func (b *bitwise) grow(int) {}

func (b *bitwise) add(arg arrow.Array, rows, groups []int32) {
	rows, groups = b.valid(arg, rows, groups)
	if len(groups) == 0 {
		return
	}
	values := batch.Int64s(arg)
	for k, g := range groups {
		b.take(g, b.coded(values[rowOf(rows, k)]))
	}
}

// coded turns a value into its word and back.
func (b *bitwise) coded(v int64) int64 {
	if b.fn == "bit_and" {
		return ^v
	}
	return v
}

func (b *bitwise) take(g int32, v int64) {
	word := &b.rec.words[int(g)*b.rec.width+b.at]
	if b.fn == "bit_xor" {
		*word ^= v
	} else {
		*word |= v
	}
}

func (b *bitwise) merge(src accumulator, ids, groups []int32) {
	from := src.(*bitwise)
	for k, id := range ids {
		b.take(groups[k], from.rec.words[int(id)*b.rec.width+b.at])
	}
	b.presence.merge(&from.presence, ids, groups)
}

// subtract takes out what merge added, which xor does once more.
func (b *bitwise) subtract(src accumulator, ids, groups []int32) {
	from := src.(*bitwise)
	for k, id := range ids {
		b.take(groups[k], from.rec.words[int(id)*b.rec.width+b.at])
	}
	b.presence.subtract(&from.presence, ids, groups)
}

func (b *bitwise) canSubtract() bool { return b.fn == "bit_xor" }

func (b *bitwise) result(col *batch.Column, ids []int32) {
	for _, id := range ids {
		if b.n(id) == 0 {
			col.AppendNull()
		} else {
			col.AppendInt64(b.coded(b.rec.words[int(id)*b.rec.width+b.at]))
		}
	}
}

func (b *bitwise) state() []arrow.Field {
	return []arrow.Field{{Name: "value", Type: batch.BigInt}, {Name: "count", Type: batch.BigInt}}
}

func (b *bitwise) save(cols []*batch.Column, ids []int32) {
	b.result(cols[0], ids)
	for _, id := range ids {
		cols[1].AppendInt64(b.n(id))
	}
}

func (b *bitwise) load(cols []arrow.Array, rows, groups []int32) {
	values, counts := batch.Int64s(cols[0]), batch.Int64s(cols[1])
	for k, g := range groups {
		i := rowOf(rows, k)
		b.setN(g, counts[i])
		word := &b.rec.words[int(g)*b.rec.width+b.at]
		*word = 0
		if counts[i] > 0 {
			*word = b.coded(values[i])
		}
	}
}
