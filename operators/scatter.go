package operators

import (
	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/arrow/memory"

	"github.com/tidemill/tidemill/batch"
	"github.com/tidemill/tidemill/operators/expr"
)

// scatter holds rows of a pane of a partial by shard, as they came: their keys and the arguments of the aggregates. Absorb then adds
// the rows of a shard to its groups at once. It serves where groups are so many that the tables of a partial are in no cache, so
// that each row would cost two misses, and be looked up again when its group is absorbed; the groups of one shard are in the
// second cache still. It is used by one goroutine at a time, but for reads of different shards.
type scatter struct {
	mem    memory.Allocator
	key    arrow.DataType
	types  []arrow.DataType // of the columns that the arguments need
	column []int            // per aggregate, the column of its argument, -1 for count(*)
	shards [NumShards]scattered
	rows   int

	// Scratch of a batch.
	shardOf []uint8
	order   []int32
	text    []byte // canonical bytes of a long key
}

// scattered has the rows of one shard.
type scattered struct {
	rows int
	key  *batch.Column // nil until there are rows
	cols []*batch.Column
	args []arrow.Array // per aggregate, what accumulators are given
}

const (
	// maxScattered is how many bytes of rows a partial holds, about what its tables take for a million texts. What comes then goes
	// to the tables.
	maxScattered = 160 << 20
	// probeEvery is after how many intervals whose rows were scattered one begins with the tables again, to find out whether there
	// are still that many groups.
	probeEvery = 16
	// sparseGroups is how many groups an interval must have had, more than one for two rows, so that the next one is scattered: the
	// groups of fewer are in a cache all the time.
	sparseGroups = 4096
)

var (
	// scatterGroups is how many groups a table has from which on rows are scattered: slots and records are 5 MiB, which a core's
	// second cache is not. Of 1 M integers, 24 M rows/s are added by tables and 60 M/s scattered (BenchmarkKeyed, AMD EPYC, 2026-11).
	// Tests lower it.
	scatterGroups = 64 << 10
	// minScatterRows is how many rows a batch must have, so that it pays to go through all shards for it. Tests lower it.
	minScatterRows = 512
)

// newScatter returns a scatter for rows of one key, nil if they can't be scattered: keys must be stored as BIGINT, TIMESTAMP or
// TEXT, arguments in eight bytes.
func newScatter(mem memory.Allocator, keys []arrow.DataType, aggs []AggSpec) *scatter {
	if len(keys) != 1 {
		return nil
	}
	s := &scatter{mem: mem, key: keys[0], column: make([]int, len(aggs))}
	switch s.key.ID() {
	case arrow.INT64, arrow.TIMESTAMP, arrow.STRING:
	default:
		return nil
	}
	columns := make(map[int]int) // of the input
	for i, a := range aggs {
		s.column[i] = -1
		if a.Arg == nil {
			continue
		}
		if a.isOrdered() || len(a.More) > 0 {
			return nil
		}
		switch a.Arg.Type.ID() {
		case arrow.INT64, arrow.TIMESTAMP, arrow.FLOAT64:
		default:
			return nil
		}
		if at, ok := columns[a.Arg.Column]; ok && a.Arg.Kind == expr.ColumnKind {
			s.column[i] = at
			continue
		}
		s.column[i] = len(s.types)
		s.types = append(s.types, a.Arg.Type)
		if a.Arg.Kind == expr.ColumnKind {
			columns[a.Arg.Column] = s.column[i]
		}
	}
	return s
}

// takes says whether rows with these keys can be scattered: a dictionary has few.
func (s *scatter) takes(key arrow.Array) bool {
	_, isDictionary := key.(*array.Dictionary)
	return !isDictionary
}

// add adds n rows, those of sel or the first ones, and returns about how many bytes they take.
func (s *scatter) add(key arrow.Array, args []arrow.Array, sel []int32, n int) (size int) {
	s.shardOf = batch.GrowSlice(s.mem, s.shardOf, n)
	switch a := key.(type) {
	case *array.String:
		size = s.shardTexts(a, sel, s.shardOf) + 4*n
	default:
		size = 8 * n
		tag := intTag
		if key.DataType().ID() == arrow.TIMESTAMP {
			tag = timeTag
		}
		shardInts(tag, key, sel, s.shardOf)
	}
	var ends [NumShards + 1]int32
	for _, shard := range s.shardOf {
		ends[shard+1]++
	}
	for shard := range NumShards {
		ends[shard+1] += ends[shard]
	}
	s.order = batch.GrowSlice(s.mem, s.order, n)
	next := ends
	for k, shard := range s.shardOf {
		s.order[next[shard]] = int32(rowOf(sel, k))
		next[shard]++
	}
	for shard := range s.shards {
		if rows := s.order[ends[shard]:ends[shard+1]]; len(rows) > 0 {
			s.addTo(&s.shards[shard], key, args, rows)
		}
	}
	s.rows += n
	return size + 8*n*len(s.types)
}

func (s *scatter) addTo(to *scattered, key arrow.Array, args []arrow.Array, rows []int32) {
	if to.key == nil {
		to.key = batch.NewColumn(s.mem, s.key)
		to.args = make([]arrow.Array, len(s.column))
		for _, t := range s.types {
			to.cols = append(to.cols, batch.NewColumn(s.mem, t))
		}
	}
	to.rows += len(rows)
	to.key.AppendArray(key, 0, rows)
	done := 0
	for i, at := range s.column {
		if at == done { // else count(*), or there already for another aggregate
			to.cols[at].AppendArray(args[i], 0, rows)
			done++
		}
	}
}

// shardInts sets shards to those of the rows of a BIGINT or TIMESTAMP key.
func shardInts(tag byte, key arrow.Array, sel []int32, shards []uint8) {
	values := batch.Int64s(key)
	switch {
	case key.NullN() > 0:
		null := uint8(ShardOf([]byte{nullTag}))
		for k := range shards {
			if i := rowOf(sel, k); key.IsNull(i) {
				shards[k] = null
			} else {
				shards[k] = uint8(hashWord(tag, uint64(values[i])) >> shardShift)
			}
		}
	case sel == nil:
		for k, v := range values[:len(shards)] {
			shards[k] = uint8(hashWord(tag, uint64(v)) >> shardShift)
		}
	default:
		for k, i := range sel[:len(shards)] {
			shards[k] = uint8(hashWord(tag, uint64(values[i])) >> shardShift)
		}
	}
}

// shardTexts sets shards to those of the rows of a TEXT key, and returns how many bytes of text they have.
func (s *scatter) shardTexts(key *array.String, sel []int32, shards []uint8) (size int) {
	offsets, text, hasNulls := key.ValueOffsets(), textOf(key), key.NullN() > 0
	null := uint8(ShardOf([]byte{nullTag}))
	for k := range shards {
		i := rowOf(sel, k)
		if hasNulls && key.IsNull(i) {
			shards[k] = null
			continue
		}
		start, end := int(offsets[i]), int(offsets[i+1])
		size += end - start
		if n := end - start; n >= minTextWord && n <= maxTextWord {
			a, b := shortWords(text, start, n)
			shards[k] = uint8(hashText(a, b, uint64(n)) >> shardShift)
			continue
		}
		s.text = appendTextKey(s.text[:0], text[start:end])
		shards[k] = uint8(ShardOf(s.text))
	}
	return size
}

// reset forgets the rows. Memory is kept if there were any.
func (s *scatter) reset() {
	if s.rows == 0 {
		s.close()
		return
	}
	for i := range s.shards {
		sh := &s.shards[i]
		if sh.key == nil {
			continue
		}
		sh.rows = 0
		sh.key.Reset(0)
		for _, c := range sh.cols {
			c.Reset(0)
		}
	}
	s.rows = 0
}

// close releases all memory.
func (s *scatter) close() {
	for i := range s.shards {
		sh := &s.shards[i]
		if sh.key == nil {
			continue
		}
		sh.key.Release()
		for _, c := range sh.cols {
			c.Release()
		}
		*sh = scattered{}
	}
	batch.FreeSlice(s.mem, s.shardOf)
	batch.FreeSlice(s.mem, s.order)
	s.shardOf, s.order, s.rows = nil, nil, 0
}

// columns returns the rows of a shard: their keys, and per aggregate its argument, valid until more are added.
func (s *scatter) columns(shard int) (keys, args []arrow.Array, rows int) {
	from := &s.shards[shard]
	if from.rows == 0 {
		return nil, nil, 0
	}
	for i, at := range s.column {
		if at >= 0 {
			from.args[i] = from.cols[at].Array()
		}
	}
	return []arrow.Array{from.key.Array()}, from.args, from.rows
}

// addScattered adds the rows of one shard to a pane of the state, and returns how many they are.
func (a *aggregate) addScattered(sh *shard, to *pane, from *scatter, index int) (rows int64) {
	keys, args, n := from.columns(index)
	sh.groups = batch.GrowSlice(a.mem, sh.groups, n)
	to.loosen()
	to.table.lookup(keys, nil, sh.groups)
	to.grow()
	to.add(args, nil, sh.groups)
	to.total += int64(n)
	a.markChanged(to, sh.groups)
	a.dirty.Store(true)
	return int64(n)
}
