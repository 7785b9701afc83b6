package bench

import (
	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/arrow/memory"
)

// adRecordColumns are those of the events in record batches that the query uses: what it does not use costs nothing there.
const adRecordColumns = "ad_id TEXT, event_type TEXT, event_time TIMESTAMP, WATERMARK FOR event_time AS event_time - INTERVAL '1 second'"

const adRecordScript = `
CREATE VIEW result AS SELECT window.start AS start, substring(ad_id, 1, 8) AS campaign, count(*) AS n
  FROM rows WHERE event_type = 'view' GROUP BY window(event_time, '10 seconds'), substring(ad_id, 1, 8)`

// recordWorkloads read Arrow record batches that are in memory, through the public interface.
var recordWorkloads = []*Workload{
	{
		Name: "ysb-arrow", About: "Yahoo streaming benchmark from Arrow batches in memory, ids and types as TEXT", Rows: 8_000_000,
		Script: adRecordScript, records: func(rows int64) []arrow.RecordBatch { return adRecords(rows, false) }, recordColumns: adRecordColumns,
		loop: adRecordLoop, idiomatic: adRecordIdiomatic,
	},
	{
		Name: "ysb-arrow-codes", About: "the same, ids and types as dictionaries", Rows: 16_000_000,
		Script: adRecordScript, records: func(rows int64) []arrow.RecordBatch { return adRecords(rows, true) }, recordColumns: adRecordColumns,
		loop: adRecordLoop, idiomatic: adRecordIdiomatic,
	},
}

// adBatchRows is the number of rows of a record batch.
const adBatchRows = 1 << 16

// adRecords returns events as NewAdEvents makes them, with an id of 36 bytes, a type, and a time.
func adRecords(rows int64, isDictionary bool) (batches []arrow.RecordBatch) {
	events, mem := NewAdEvents(1, AdPlain), memory.NewGoAllocator()
	text := arrow.DataType(arrow.BinaryTypes.String)
	if isDictionary {
		text = &arrow.DictionaryType{IndexType: arrow.PrimitiveTypes.Int32, ValueType: text}
	}
	schema := arrow.NewSchema([]arrow.Field{
		{Name: "ad_id", Type: text}, {Name: "event_type", Type: text}, {Name: "event_time", Type: arrow.FixedWidthTypes.Timestamp_us},
	}, nil)
	ads, types := newTextColumn(mem, text, events.ads), newTextColumn(mem, text, eventTypes[:])
	for made := int64(0); made < rows; {
		n := min(rows-made, adBatchRows)
		times := array.NewTimestampBuilder(mem, arrow.FixedWidthTypes.Timestamp_us.(*arrow.TimestampType))
		times.Reserve(int(n))
		for range n {
			ads.add(events.rng.IntN(len(events.ads)))
			types.add(events.rng.IntN(len(eventTypes)))
			at := genStart.UnixMilli() + 50 + events.n/10 - events.rng.Int64N(51)
			events.n++
			times.Append(arrow.Timestamp(at * 1000))
		}
		batches = append(batches, array.NewRecordBatch(schema, []arrow.Array{ads.array(), types.array(), times.NewArray()}, n))
		made += n
	}
	return batches
}

// textColumn builds arrays of texts that are chosen by number, plain or as a dictionary that all arrays share.
type textColumn struct {
	dtype   arrow.DataType
	texts   []string
	plain   *array.StringBuilder
	codes   *array.Int32Builder
	entries arrow.Array
}

func newTextColumn(mem memory.Allocator, dtype arrow.DataType, texts []string) *textColumn {
	c := &textColumn{dtype: dtype, texts: texts, plain: array.NewStringBuilder(mem), codes: array.NewInt32Builder(mem)}
	if dtype.ID() == arrow.DICTIONARY {
		c.plain.AppendValues(texts, nil)
		c.entries = c.plain.NewArray()
	}
	return c
}

func (c *textColumn) add(i int) {
	if c.entries != nil {
		c.codes.Append(int32(i))
		return
	}
	c.plain.Append(c.texts[i])
}

func (c *textColumn) array() arrow.Array {
	if c.entries != nil {
		return array.NewDictionaryArray(c.dtype, c.codes.NewArray(), c.entries)
	}
	return c.plain.NewArray()
}

// adRecordLoop counts in a table of windows by campaign, which it finds by the eight characters as a number; of dictionaries it looks
// at each entry once.
func adRecordLoop(in stream) (func() Answer, error) {
	t := newTextTable()
	first := genStart.UnixMilli() / windowMillis
	var windows [][]int64 // of each window, by campaign
	var names []string
	campaigns := make(map[[8]byte]int)
	campaign := func(id string) int {
		key := [8]byte([]byte(id[:8]))
		c, ok := campaigns[key]
		if !ok {
			c = len(names)
			campaigns[key] = c
			names = append(names, id[:8])
		}
		return c
	}
	var key [16]byte
	for _, b := range in.records {
		times := b.Column(2).(*array.Timestamp).TimestampValues()
		window := func(i int) int { return int(int64(times[i])/(windowMillis*1000) - first) }
		switch ids := b.Column(0).(type) {
		case *array.String:
			types := b.Column(1).(*array.String)
			for i := range times {
				if types.Value(i)[0] != 'v' {
					continue
				}
				w := uint64(window(i))
				for k := range 8 {
					key[k] = byte(w >> (8 * k))
				}
				copy(key[8:], ids.Value(i)[:8])
				t.add(key[:], 1)
			}
		case *array.Dictionary:
			entries, kinds := ids.Dictionary().(*array.String), b.Column(1).(*array.Dictionary)
			ofCode := make([]int, entries.Len())
			for code := range ofCode {
				ofCode[code] = campaign(entries.Value(code))
			}
			isView := make([]bool, kinds.Dictionary().Len())
			for code := range isView {
				isView[code] = kinds.Dictionary().(*array.String).Value(code) == "view"
			}
			codes, typeCodes := ids.Indices().(*array.Int32).Int32Values(), kinds.Indices().(*array.Int32).Int32Values()
			for i := range times {
				if !isView[typeCodes[i]] {
					continue
				}
				w := window(i)
				for len(windows) <= w {
					windows = append(windows, make([]int64, len(names)))
				}
				windows[w][ofCode[codes[i]]]++
			}
		}
	}
	return func() Answer {
		var a Answer
		for key, n := range t.counts() {
			var w int64
			for i := range 8 {
				w |= int64(key[i]) << (8 * i)
			}
			a.add(windowStart(first+w) + "|" + key[8:] + "|" + whole(n))
		}
		for w, counts := range windows {
			for c, n := range counts {
				if n > 0 {
					a.add(windowStart(first+int64(w)) + "|" + names[c] + "|" + whole(n))
				}
			}
		}
		return a
	}, nil
}

// adRecordIdiomatic reads the columns by their accessors into a map.
func adRecordIdiomatic(in stream) (func() Answer, error) {
	type group struct {
		window   int64
		campaign string
	}
	counts := make(map[group]int64)
	text := func(column arrow.Array, i int) string {
		if d, ok := column.(*array.Dictionary); ok {
			return d.Dictionary().(*array.String).Value(d.GetValueIndex(i))
		}
		return column.(*array.String).Value(i)
	}
	for _, b := range in.records {
		times := b.Column(2).(*array.Timestamp)
		for i := range int(b.NumRows()) {
			if text(b.Column(1), i) == "view" {
				counts[group{int64(times.Value(i)) / (windowMillis * 1000), text(b.Column(0), i)[:8]}]++
			}
		}
	}
	return func() Answer {
		var a Answer
		for g, n := range counts {
			a.add(windowStart(g.window) + "|" + g.campaign + "|" + whole(n))
		}
		return a
	}, nil
}
