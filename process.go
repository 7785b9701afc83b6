package tidemill

import (
	"fmt"
	"iter"
	"time"

	"github.com/apache/arrow-go/v18/arrow"

	"github.com/tidemill/tidemill/batch"
	"github.com/tidemill/tidemill/operators"
)

// ProcessSpec says how rows are processed per key.
type ProcessSpec[K comparable, In, Out any] struct {
	// Key returns the key of a row.
	Key func(row In) K
	// EventTime returns the time of a row. The stream must be of rows with a watermark. Rows before their own watermark are dropped
	// and counted as late; the others wait until the watermark has passed them, and are handled in order of time, so that results
	// depend neither on intervals nor on which split was read first. nil: rows are handled in order of (split, row) as they come, and
	// there is no event time.
	EventTime func(row In) time.Time
	// New makes a processor, and declares its state in ks. It is called several times, also to look at the declarations alone: what
	// it makes must be the same each time.
	New func(ks *KeyedState) Processor[K, In, Out]
}

// Processor handles the rows and timers of keys. One goroutine at a time uses it; what outlives a call is in its declared state. A call
// changes the state of its key only.
type Processor[K comparable, In, Out any] interface {
	// Row handles a row of the key of c. After a panic the row is bad, and the state is as it was before the call.
	Row(c *Call[K, Out], row In)
	// Timer handles a timer that the key of c has set, and that is gone now. A panic stops the job.
	Timer(c *Call[K, Out], kind TimeKind, at time.Time)
}

// Call is the key and the time that a Processor is called for. It is valid until the call ends.
type Call[K comparable, Out any] struct {
	store   *keyedStore[K]
	out     *emitter[Out]
	isEnd   bool
	isTimer bool
	firing  batch.Time // of isTimer in event time
}

// Key returns the key of the row or timer.
func (c *Call[K, Out]) Key() K { return c.store.of[c.store.slot] }

// Emit puts a row out.
func (c *Call[K, Out]) Emit(row Out) { c.out.emit(row) }

// Now returns the time of a kind. That of EventTime is the zero time where rows have none.
func (c *Call[K, Out]) Now(kind TimeKind) time.Time {
	if c.store.now[kind] == batch.MinTime {
		return time.Time{}
	}
	return c.store.now[kind].Go()
}

// SetTimer has Timer called for the key. In event time that is once all rows before at have been handled, before those of that time;
// in processing time at the end of the first interval for which that is not before at. A time that is over already is handled next,
// in processing time one that a timer sets in the next interval. A key has at most one timer for each kind and time; it may have many.
//
// Timers in event time fire at the end of the input, too, however far away they are: see AtEnd.
func (c *Call[K, Out]) SetTimer(kind TimeKind, at time.Time) {
	t := batch.TimeOf(at)
	if kind == EventTime {
		if !c.store.hasEventTime {
			panic("timer in event time: the rows have none: set EventTime")
		}
		if c.isTimer && t <= c.firing {
			panic(fmt.Sprintf("timer in event time: set to %s by a timer of %s: it must be after that", t, c.firing))
		}
	}
	c.store.setTimer(kind, t)
}

// DeleteTimer removes a timer of the key, if there is one.
func (c *Call[K, Out]) DeleteTimer(kind TimeKind, at time.Time) {
	c.store.deleteTimer(kind, batch.TimeOf(at))
}

// Timers returns the times of the key's timers of a kind, in order. None may be set or deleted meanwhile.
func (c *Call[K, Out]) Timers(kind TimeKind) iter.Seq[time.Time] {
	return func(yield func(time.Time) bool) {
		for _, t := range c.store.slots[c.store.slot].timers {
			if t.kind == kind && !yield(t.at.Go()) {
				return
			}
		}
	}
}

// AtEnd says that the input has ended, so that what is left is handled at once. A timer that always sets the next one must stop then.
func (c *Call[K, Out]) AtEnd() bool { return c.isEnd }

// Process calls a Processor with the rows of each key, and returns what it emits. State and timers survive restarts, with any number of
// workers; see Named.
func Process[K comparable, In, Out any](s Stream[In], spec ProcessSpec[K, In, Out]) Stream[Out] {
	return processStep(s, processParts[K, In, Out]{kind: "process", name: nameOf("process", spec.New), spec: spec})
}

// processParts are a ProcessSpec and what the operations that are made of it do besides.
type processParts[K comparable, In, Out any] struct {
	kind, name string
	spec       ProcessSpec[K, In, Out]
	// perInterval makes the processor an intervalProcessor.
	perInterval bool
}

// intervalProcessor is a Processor that is told of intervals, too. Its state is kept in order of keys.
type intervalProcessor[K comparable, Out any] interface {
	// begin and end precede and follow all rows of an interval; isDue says that rows could have come in it. end runs before timers.
	begin(r *processState[K, Out]) error
	end(r *processState[K, Out], isDue bool)
	// after follows what expires.
	after(r *processState[K, Out])
}

// declared returns the state that New declares.
func (p *processParts[K, In, Out]) declared() (ks *KeyedState, proc Processor[K, In, Out], err error) {
	defer func() {
		if cause := recover(); cause != nil {
			err = fmt.Errorf("%s: New panics: %v", p.name, cause)
		}
	}()
	ks = &KeyedState{hasEventTime: p.spec.EventTime != nil}
	proc = p.spec.New(ks)
	if err := ks.err(); err != nil {
		return nil, nil, fmt.Errorf("%s: %w", p.name, err)
	}
	return ks, proc, nil
}

// processStep adds the step, in the tail.
func processStep[K comparable, In, Out any](s Stream[In], parts processParts[K, In, Out]) Stream[Out] {
	c := s.rows.c
	tick := batch.Time(c.cfg.Interval.Microseconds())
	out := codecOf[Out](c)
	keys := codecOf[K](c)
	rows, state := c.addStep(c.stateName(parts.kind), []DStream{s.rows}, func(in []*arrow.Schema) (operators.Spec, *arrow.Schema, error) {
		if err := s.codec.Check(in[0]); err != nil {
			return nil, nil, err
		}
		ks, _, err := parts.declared()
		if err != nil {
			return nil, nil, err
		}
		tables := func(name string) []operators.StateTable {
			all := keyedTables(name, ks, keys.Fields("key"))
			if parts.spec.EventTime != nil {
				all = append(all, waitingTable(name, s.codec.Fields("row")))
			}
			return all
		}
		return &operators.CustomSpec{Text: parts.name, Tables: tables, New: func(n *operators.Node, env operators.Env) (operators.Operator, error) {
			ks, proc, err := parts.declared()
			if err != nil {
				return nil, err
			}
			all := tables(n.Name)
			p := &process[K, In, Out]{
				name: parts.name, schema: n.Schema, env: env, spec: parts.spec, proc: proc, tables: all, in: s.codec.NewRows(), slide: batch.Time(s.slide.Microseconds()), tick: tick,
				processState: processState[K, Out]{store: newKeyedStore(ks, keys, all[:len(ks.vars)+1]), emitter: newEmitter(env, out)},
			}
			p.call = Call[K, Out]{store: p.store, out: &p.emitter}
			if parts.perInterval {
				p.intervals = proc.(intervalProcessor[K, Out])
				p.store.keepsOrder = true
			}
			if parts.spec.EventTime != nil {
				p.waiting = &waitingRows[K, In]{codec: s.codec, table: &all[len(all)-1]}
			}
			return p, nil
		}}, out.Schema(), nil
	})
	return Stream[Out]{rows: rows, codec: out, slide: s.slide, state: state}
}

// waitingTable describes rows that wait for the watermark.
func waitingTable(name string, row []arrow.Field) operators.StateTable {
	fields := append([]arrow.Field{
		{Name: "number", Type: batch.BigInt}, {Name: "time", Type: batch.Timestamp}, {Name: "split", Type: batch.BigInt},
	}, row...)
	return operators.StateTable{
		Name: name + "/" + rowsName, Schema: arrow.NewSchema(fields, nil), Keys: []int{0}, Version: 1,
		Meaning: operators.MeaningOfCode("rows that wait for the watermark"),
	}
}
