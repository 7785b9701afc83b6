package operators

import (
	"math"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/arrow/memory"

	"github.com/tidemill/tidemill/batch"
	"github.com/tidemill/tidemill/batch/decimal"
	"github.com/tidemill/tidemill/internal/invariants"
)

// columnSource says where a column of migrated rows comes from.
type columnSource struct {
	kind columnKind
	from [2]int // columns of the stored rows
}

type columnKind uint8

const (
	copyColumn columnKind = iota
	zeroColumn            // of an aggregate that starts from now
	nullColumn
	lastTimeColumn // batch.MaxTime
	intToDouble
	sumToDouble  // of the lower and the upper half of a sum
	restToDouble // what rounding takes from that
)

// StateMigration gives stored rows the form that an operator keeps them in. It is used by one goroutine at a time.
type StateMigration struct {
	change *StateChange

	// Scratch of one call of Migrate.
	rows   *batch.Frame // columns that are made; others are those of the stored rows
	view   *batch.View
	shards [NumShards][]int32
	moved  *batch.Frame
	key    []byte
}

// NewMigration returns what makes rows of the wanted table. The change must not be refused.
func (c *StateChange) NewMigration(mem memory.Allocator) *StateMigration {
	return &StateMigration{
		change: c, rows: batch.NewFrame(mem, c.want.Schema), view: batch.NewView(c.want.Schema), moved: batch.NewFrame(mem, c.want.Schema),
	}
}

// Migrate calls put with the rows of one shard, in the form of the wanted table and under the shard that they have there. put
// borrows them. An error of put is returned unchanged.
func (m *StateMigration) Migrate(shard int, rows arrow.RecordBatch, put func(shard int, rows arrow.RecordBatch) error) error {
	n := int(rows.NumRows())
	for i, source := range m.change.columns {
		if source.kind == copyColumn {
			m.view.Set(i, rows.Column(source.from[0]))
			continue
		}
		col := m.rows.Columns[i]
		col.Reset(0)
		fillColumn(col, source, rows, n)
		m.view.Set(i, col.Array())
	}
	m.view.SetRows(n)
	if m.change.Fate != Rebuilt {
		return put(shard, m.view)
	}
	for s := range m.shards {
		m.shards[s] = m.shards[s][:0]
	}
	keys := m.change.want.Keys
	if m.change.want.Schema.Field(keys[0]).Name == "start" { // the time of a pane is not part of what chooses the shard
		keys = keys[1:]
	}
	for i := range n {
		m.key = m.key[:0]
		for _, k := range keys {
			m.key = AppendKey(m.key, m.view.Column(k), i)
		}
		s := ShardOf(m.key)
		m.shards[s] = append(m.shards[s], int32(i))
	}
	for s, sel := range m.shards {
		if len(sel) == 0 {
			continue
		}
		m.moved.Reset(0)
		m.moved.AppendBatch(batch.Batch{Rows: m.view, Sel: sel})
		if err := put(s, m.moved.Rows()); err != nil {
			return err
		}
	}
	return nil
}

// fillColumn appends n values that are made of the stored rows.
func fillColumn(col *batch.Column, source columnSource, rows arrow.RecordBatch, n int) {
	switch source.kind {
	case zeroColumn:
		for range n {
			switch col.Type().ID() {
			case arrow.FLOAT64:
				col.AppendFloat64(0)
			case arrow.DECIMAL128:
				col.AppendDecimal(decimal.Num{})
			default:
				col.AppendInt64(0)
			}
		}
	case nullColumn:
		for range n {
			col.AppendNull()
		}
	case lastTimeColumn:
		for range n {
			col.AppendInt64(int64(batch.MaxTime))
		}
	case intToDouble:
		from := rows.Column(source.from[0]).(*array.Int64)
		for i := range n {
			if from.IsNull(i) {
				col.AppendNull()
			} else {
				col.AppendFloat64(float64(from.Value(i)))
			}
		}
	case sumToDouble, restToDouble:
		low, high := batch.Int64s(rows.Column(source.from[0])), batch.Int64s(rows.Column(source.from[1]))
		for i := range n {
			sum, rest := widenSum(uint64(low[i]), high[i])
			if source.kind == restToDouble {
				sum = rest
			}
			col.AppendFloat64(sum)
		}
	default:
		panic(invariants.Failf("migrate: column of kind %d", source.kind))
	}
}

// widenSum returns high*2^64 + low as a double and what rounding took from it (the two-sum of Knuth). Both halves of low are
// exact; the upper half of a sum of fewer than 2^53 values of 63 bits is too.
func widenSum(low uint64, high int64) (sum, rest float64) {
	if high == int64(low)>>63 { // it fits 64 bits
		v := int64(low)
		return twoSum(float64(v>>32)*(1<<32), float64(uint32(v)))
	}
	sum, rest = twoSum(math.Ldexp(float64(high), 64), float64(low>>32)*(1<<32))
	sum, more := twoSum(sum, float64(uint32(low)))
	return sum, rest + more
}

func twoSum(a, b float64) (sum, rest float64) {
	sum = a + b
	bPart := sum - a
	return sum, (a - (sum - bPart)) + (b - bPart)
}

// Close releases all memory.
func (m *StateMigration) Close() {
	m.rows.Release()
	m.moved.Release()
}
