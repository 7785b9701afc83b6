package optest_test

import (
	"context"
	"maps"
	"slices"
	"testing"

	"github.com/apache/arrow-go/v18/arrow"

	"github.com/tidemill/tidemill/batch"
	"github.com/tidemill/tidemill/internal/optest"
	"github.com/tidemill/tidemill/operators"
)

// counter counts rows per word, and emits the counts when the watermark is at its end. Rows before their watermark are late.
type counter struct {
	env   operators.Env
	fault fault

	shards  [operators.NumShards]map[string]int64
	dirty   [operators.NumShards]map[string]bool
	own     *counterPartial
	retired int64
}

type counterPartial struct {
	op     *counter
	counts map[string]int64
	sealed bool
}

var (
	counterIn    = optest.MustSchema("at TIMESTAMP event, word TEXT")
	counterState = optest.MustSchema("word TEXT, n BIGINT")
)

func newCounter(f fault) func(operators.Env) (operators.Operator, error) {
	return func(env operators.Env) (operators.Operator, error) {
		c := &counter{env: env, fault: f}
		c.own = c.NewPartial().(*counterPartial)
		for i := range c.shards {
			c.shards[i], c.dirty[i] = map[string]int64{}, map[string]bool{}
		}
		return c, nil
	}
}

func (c *counter) Schema() *arrow.Schema { return counterState }

func (c *counter) BeginInterval(batch.Interval) error { return nil }

func (c *counter) Process(ctx context.Context, _ int, in batch.Batch, _ batch.Emit) error {
	return c.own.Add(ctx, in)
}

func (c *counter) NewPartial() operators.Partial {
	return &counterPartial{op: c, counts: map[string]int64{}}
}

func (p *counterPartial) Add(_ context.Context, in batch.Batch) error {
	times := batch.Int64s(in.Rows.Column(0))
	for k := range in.NumLive() {
		i := k
		if in.Sel != nil {
			i = int(in.Sel[k])
		}
		mark := in.Origin.RowWatermark(i)
		if p.op.fault == "ignores row watermarks" {
			mark = in.Origin.Watermark
		}
		if batch.Time(times[i]) < mark {
			p.op.env.Late(1)
			continue
		}
		p.counts[string(batch.AppendValue(nil, in.Rows.Column(1), i))]++
	}
	return nil
}

func (p *counterPartial) Seal() { p.sealed = true }

func (p *counterPartial) Reset() {
	if p.op.fault != "partials keep rows" {
		clear(p.counts)
	}
	p.sealed = false
}

func (p *counterPartial) Close() {}

func (c *counter) Absorb(_ context.Context, shard int, p operators.Partial) error {
	for word, n := range p.(*counterPartial).counts {
		if len(word) == shard {
			c.shards[shard][word] += n
			if shard != 1 || c.fault != "forgets a change" {
				c.dirty[shard][word] = true
			}
		}
	}
	return nil
}

func (c *counter) EndInterval(ctx context.Context, in []batch.Time, emit batch.Emit) (batch.Time, error) {
	for shard := range c.shards {
		if err := c.Absorb(ctx, shard, c.own); err != nil {
			return 0, err
		}
	}
	c.own.Reset()
	if in[0] != batch.MaxTime {
		return in[0], nil
	}
	frame := batch.NewFrame(c.env.Mem, counterState)
	defer frame.Release()
	for shard, words := range c.shards {
		for _, word := range slices.Sorted(maps.Keys(words)) {
			frame.Columns[0].AppendString(word)
			frame.Columns[1].AppendInt64(words[word])
			c.retired += words[word]
			c.dirty[shard][word] = c.fault != "keeps deleted keys"
			delete(words, word)
		}
	}
	frame.SetRows(frame.Columns[0].Len())
	if frame.Len() == 0 {
		return in[0], nil
	}
	return in[0], emit(batch.Batch{Rows: frame.Rows()})
}

func (c *counter) StateTables() []operators.StateTable {
	return []operators.StateTable{{Name: "counter/words", Schema: counterState, Keys: []int{0}, Version: 1}}
}

func (c *counter) Snapshot(
	_ context.Context, full bool, put func(string, int, arrow.RecordBatch, arrow.RecordBatch) error,
) error {
	upserts := batch.NewFrame(c.env.Mem, counterState)
	deleted := batch.NewFrame(c.env.Mem, optest.MustSchema("word TEXT"))
	defer upserts.Release()
	defer deleted.Release()
	for shard, words := range c.shards {
		upserts.Reset(0)
		deleted.Reset(0)
		for word, n := range words {
			if full || c.dirty[shard][word] {
				upserts.Columns[0].AppendString(word)
				upserts.Columns[1].AppendInt64(n)
			}
		}
		for word, isDirty := range c.dirty[shard] {
			if _, ok := words[word]; !full && isDirty && !ok {
				deleted.Columns[0].AppendString(word)
			}
		}
		upserts.SetRows(upserts.Columns[0].Len())
		deleted.SetRows(deleted.Columns[0].Len())
		if err := put("counter/words", shard, upserts.Rows(), deleted.Rows()); err != nil {
			return err
		}
		clear(c.dirty[shard])
	}
	return nil
}

func (c *counter) Restore(_ context.Context, _ string, shard int, rows arrow.RecordBatch) error {
	if c.fault == "restores the last call only" {
		clear(c.shards[shard])
	}
	for i := range int(rows.NumRows()) {
		c.shards[shard][string(batch.AppendValue(nil, rows.Column(0), i))] = batch.Int64s(rows.Column(1))[i]
	}
	return nil
}

func (c *counter) Stats() operators.StateStats {
	s := operators.StateStats{Retired: c.retired}
	for _, words := range c.shards {
		for _, n := range words {
			s.Rows += n
		}
	}
	if c.fault == "loses rows in the ledger" {
		s.Retired = 0
	}
	return s
}

func (c *counter) Close() {}

func counterCase(f fault) optest.Case {
	return optest.Case{
		New:       newCounter(f),
		Schemas:   []*arrow.Schema{counterIn},
		EventTime: []int{0},
		Delay:     1_000_000_000,
		In: `
			2026-01-01T00:00:10Z a
			2026-01-01T00:00:10Z bb
			2026-01-01T00:00:09Z cc
			2026-01-01T00:00:08Z late
			# split 1
			2026-01-01T00:00:01Z a
			---
			---
			2026-01-01T00:00:02Z b
			2026-01-01T00:00:01Z a
			# split 0
			2026-01-01T00:00:05Z late
		`,
		Want:     "---\n---\na 3\nb 1\nbb 1\ncc 1",
		WantLate: 2,
	}
}

func TestRunPassesRightKeyedOperator(t *testing.T) {
	optest.Run(t, counterCase(""))
}

func TestRunFindsPlantedFaultsOfState(t *testing.T) {
	for _, tt := range []struct {
		name fault
		want string
	}{
		{name: "partials keep rows", want: "rows held and retired"},
		{name: "forgets a change", want: "changes do not add up"},
		{name: "keeps deleted keys", want: "changes do not add up"},
		{name: "restores the last call only", want: "another state"},
		{name: "loses rows in the ledger", want: "rows held and retired"},
		{name: "ignores row watermarks", want: "rows"},
	} {
		t.Run(string(tt.name), func(t *testing.T) {
			expectReport(t, counterCase(tt.name), tt.want)
		})
	}
}
