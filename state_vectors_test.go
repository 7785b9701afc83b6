package tidemill_test

import (
	"fmt"
	"time"

	"github.com/tidemill/tidemill"
	"github.com/tidemill/tidemill/batch"
)

type countPair = tidemill.Pair[string, int64]

func addAll(_ batch.Interval, _ string, values []int64, state tidemill.Optional[int64]) tidemill.Optional[int64] {
	for _, n := range values {
		state.Value += n
	}
	return tidemill.Some(state.Value)
}

func updateSums(_ *vector, s, _ words) words {
	return pairText(tidemill.UpdateStateByKey(pairsOf(s), tidemill.UpdateSpec[string, int64, int64]{Update: addAll}))
}

func updateWithoutValues(_ *vector, s, _ words) words {
	return pairText(tidemill.UpdateStateByKey(pairsOf(s), tidemill.UpdateSpec[string, int64, int64]{
		Update: func(iv batch.Interval, key string, values []int64, state tidemill.Optional[int64]) tidemill.Optional[int64] {
			if len(values) == 0 {
				return tidemill.Optional[int64]{}
			}
			return addAll(iv, key, values, state)
		},
	}))
}

func updateInitial(_ *vector, s, _ words) words {
	return pairText(tidemill.UpdateStateByKey(pairsOf(s), tidemill.UpdateSpec[string, int64, int64]{
		Update: addAll, Initial: []countPair{{Key: "a", Value: 10}, {Key: "z", Value: 20}},
	}))
}

// countedBy keeps a count per key, and has row emit something of it.
func countedBy(s words, timeout time.Duration, row func(key string, n int64) string) tidemill.MappedStream[string, int64, string] {
	return tidemill.MapWithState(pairsOf(s), tidemill.StateSpec[string, int64, int64, string]{
		Timeout: timeout,
		Map: func(_ batch.Interval, key string, value tidemill.Optional[int64], state *tidemill.State[int64], emit func(string)) {
			if state.IsTimingOut() {
				emit(key + ":timeout")
				return
			}
			n := state.Option().Value + value.Value
			state.Update(n)
			emit(row(key, n))
		},
	})
}

func mapCounts(_ *vector, s, _ words) words {
	return countedBy(s, 0, func(_ string, n int64) string { return fmt.Sprint(n) }).Stream
}

func mapSnapshots(_ *vector, s, _ words) words {
	return pairText(countedBy(s, 0, func(string, int64) string { return "" }).StateSnapshots())
}

func mapTimeout(v *vector, s, _ words) words {
	return countedBy(s, v.size, func(key string, n int64) string { return fmt.Sprintf("%s:%d", key, n) }).Stream
}

func mapRemove(_ *vector, s, _ words) words {
	return tidemill.MapWithState(pairsOf(s), tidemill.StateSpec[string, int64, int64, string]{
		Map: func(_ batch.Interval, key string, value tidemill.Optional[int64], state *tidemill.State[int64], emit func(string)) {
			if !state.Exists() {
				state.Update(value.Value)
				return
			}
			state.Remove()
			emit(key)
		},
	}).Stream
}

// seen emits whether a word was seen before, as far as its state remembers.
type seen struct {
	at *tidemill.ValueState[time.Time]
}

func (p seen) Row(c *tidemill.Call[string, string], _ string) {
	if _, ok := p.at.Get(); ok {
		c.Emit(c.Key() + ":seen")
		return
	}
	p.at.Set(c.Now(tidemill.ProcessingTime))
	c.Emit(c.Key() + ":new")
}

func (p seen) Timer(*tidemill.Call[string, string], tidemill.TimeKind, time.Time) {}

func processTTL(v *vector, s, _ words) words {
	return tidemill.Process(s, tidemill.ProcessSpec[string, string, string]{
		Key: func(w string) string { return w },
		New: func(ks *tidemill.KeyedState) tidemill.Processor[string, string, string] {
			return seen{tidemill.NewValueState[time.Time](ks, "at", tidemill.TTL{After: v.size, OnRead: v.op == "processTTLOnRead"})}
		},
	})
}

// waiter emits the number of a key's rows some time after each row.
type waiter struct {
	after time.Duration
	rows  *tidemill.ListState[string]
}

func (p waiter) Row(c *tidemill.Call[string, string], w string) {
	p.rows.Append(w)
	c.SetTimer(tidemill.ProcessingTime, c.Now(tidemill.ProcessingTime).Add(p.after))
}

func (p waiter) Timer(c *tidemill.Call[string, string], _ tidemill.TimeKind, _ time.Time) {
	c.Emit(fmt.Sprintf("%s:%d", c.Key(), len(p.rows.All())))
}

func processTimer(v *vector, s, _ words) words {
	return tidemill.Process(s, tidemill.ProcessSpec[string, string, string]{
		Key: func(w string) string { return w },
		New: func(ks *tidemill.KeyedState) tidemill.Processor[string, string, string] {
			return waiter{v.size, tidemill.NewListState[string](ks, "seen", tidemill.TTL{})}
		},
	})
}
