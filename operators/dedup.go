package operators

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/apache/arrow-go/v18/arrow"

	"github.com/tidemill/tidemill/batch"
	"github.com/tidemill/tidemill/operators/expr"
)

// DedupSpec passes the first of the rows with equal Keys on, in the order in which they come, and drops the others. NULL equals
// NULL.
type DedupSpec struct {
	Keys     []*expr.Spec
	KeyNames []string
	// Time is a column with a watermark, by which keys are forgotten; nil: they are kept for ever, and no row is late.
	Time *expr.Spec
	// Arrival says that Time is arrival_time: no row is late, and the end of the interval is the watermark.
	Arrival bool
	// Within is how long after the time of its first row a key is known: a later row is a first one again. A negative one says
	// that Time is one of Keys, so that a key is known until the watermark has passed its time, and that time may be NULL.
	Within time.Duration
}

// String returns the line of EXPLAIN.
func (s *DedupSpec) String() string {
	text := "distinct on [" + namedText(s.Keys, s.KeyNames) + "]"
	switch {
	case s.Time == nil:
		return text + ", keys kept for ever"
	case s.Within < 0:
		return text + ", keys kept until the watermark passes " + s.Time.String()
	}
	return text + ", keys kept for " + durationText(s.Within) + " of " + s.Time.String()
}

// exprs returns the expressions over the input.
func (s *DedupSpec) exprs() []*expr.Spec {
	exprs := slices.Clone(s.Keys)
	if s.Time != nil {
		exprs = append(exprs, s.Time)
	}
	return exprs
}

// remapped returns the spec over an input whose columns moved.
func (s *DedupSpec) remapped(remap func(*expr.Spec) *expr.Spec) *DedupSpec {
	kept := *s
	kept.Keys = make([]*expr.Spec, len(s.Keys))
	for i, k := range s.Keys {
		kept.Keys[i] = remap(k)
	}
	if s.Time != nil {
		kept.Time = remap(s.Time)
	}
	return &kept
}

func (s *DedupSpec) validate(name string) error {
	var errs []error
	switch {
	case len(s.Keys) == 0:
		errs = append(errs, fmt.Errorf("%s: distinct: no keys: what makes rows equal is not said", name))
	case len(s.Keys) != len(s.KeyNames):
		errs = append(errs, fmt.Errorf("%s: distinct: %d keys, %d key names", name, len(s.Keys), len(s.KeyNames)))
	case s.Within > 0 && s.Within%time.Microsecond != 0:
		errs = append(errs, fmt.Errorf("%s: distinct: the time that keys are kept must be whole microseconds: %s", name, s.Within))
	}
	for _, k := range s.Keys {
		if !isKeyType(k.Type) {
			errs = append(errs, fmt.Errorf("%s: distinct: values of %s can't be compared: it is %s", name, k, batch.TypeName(k.Type)))
		}
	}
	return errors.Join(errs...)
}

// dedup knows the keys that had a row. A row that is late, or that comes while its key is known, is dropped. A key is known for
// rows up to its last time: that of its first row plus spec.Within. What it does with a row depends on times of rows alone, so
// that it does not matter when keys are really forgotten: this is done for many at a time, when half of them are not needed.
//
// Memory grows with the number of keys. A lookup is O(1).
type dedup struct {
	stateless
	name   string
	spec   *DedupSpec
	env    Env
	keys   []expr.Expr
	time   expr.Expr // nil if there is none
	types  []arrow.DataType
	tables []StateTable

	// State.
	mem      *meter
	known    groupTable
	last     []int64 // by group, the last time that the key is known at
	bound    batch.Time
	farthest int64 // the largest of last
	tidyAt   int   // number of keys from which on it is worth looking for those that are not needed
	retired  int64
	numSaved int     // keys that a Snapshot has had: those before this one
	changed  []int32 // of these, those whose last time is another since, some of them twice
	gone     *batch.Frame

	// Scratch.
	interval batch.Interval
	bad      badRows
	sel      []int32
	onTime   []int32
	first    []int32
	keyArrs  []arrow.Array
	groups   []int32
	saver    rowSaver
}

var _ Stateful = (*dedup)(nil)

// minTidy is how many keys are left alone, however old. The value is a choice, not a measurement. Tests lower it.
var minTidy = 4096

// NewDedup returns the operator for spec. Its state is kept under name.
func NewDedup(name string, spec *DedupSpec, schema *arrow.Schema, env Env) (Operator, error) {
	if err := spec.validate(name); err != nil {
		return nil, err
	}
	d := &dedup{
		stateless: stateless{schema}, name: name, spec: spec, env: env, types: keyTypes(spec.Keys), tables: dedupTables(name, spec),
		mem: &meter{Allocator: env.Mem}, bound: batch.MinTime, farthest: int64(batch.MinTime), tidyAt: minTidy,
		keyArrs: make([]arrow.Array, len(spec.Keys)),
	}
	d.bad.init(env)
	var err error
	if d.keys, err = newExprs(env.Mem, spec.Keys); err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	if spec.Time != nil {
		if d.time, err = expr.New(env.Mem, spec.Time); err != nil {
			closeExprs(d.keys)
			return nil, fmt.Errorf("%s: %w", name, err)
		}
	}
	d.known = newGroupTable(d.mem, d.types, wideRoom)
	d.gone = batch.NewFrame(d.mem, d.tables[0].KeySchema())
	return d, nil
}

// BeginInterval notes the interval.
func (d *dedup) BeginInterval(iv batch.Interval) error {
	d.interval = iv
	return nil
}

// Process passes the rows on whose keys are not known.
func (d *dedup) Process(ctx context.Context, _ int, in batch.Batch, emit batch.Emit) error {
	d.bad.begin(&in)
	var times []int64
	var timeArr arrow.Array
	var err error
	if d.time != nil {
		if timeArr, err = d.time.Eval(ctx, in, d.bad.note); err != nil {
			return err
		}
		times = batch.Int64s(timeArr)
		d.checkTimes(&in, timeArr)
	}
	for i, e := range d.keys {
		if d.keyArrs[i], err = e.Eval(ctx, in, d.bad.note); err != nil {
			return err
		}
	}
	sel := d.withoutLate(&in, d.bad.narrow(&in, &d.sel), timeArr)
	n := in.NumRows()
	if sel != nil {
		n = len(sel)
	}
	if n == 0 {
		return nil
	}
	before := d.known.len()
	d.groups = batch.GrowSlice(d.mem, d.groups, n)
	d.known.lookup(d.keyArrs, sel, d.groups)
	if times == nil {
		d.firsts(sel, int32(before))
	} else {
		d.firstsInTime(sel, timeArr, times, int32(before))
	}
	d.retired += int64(n - (d.known.len() - before))
	if len(d.first) == 0 {
		return nil
	}
	return emit(batch.Batch{Rows: in.Rows, Sel: d.first, Origin: in.Origin})
}

// checkTimes tells of rows without a time, where keys are known for a time after it.
func (d *dedup) checkTimes(in *batch.Batch, times arrow.Array) {
	if d.spec.Within < 0 || times.NullN() == 0 {
		return
	}
	for k := range in.NumLive() {
		if i := rowOf(in.Sel, k); times.IsNull(i) {
			d.bad.add(int32(i), "distinct: time is NULL")
		}
	}
}

// withoutLate returns the rows of sel that are not before their watermark.
func (d *dedup) withoutLate(in *batch.Batch, sel []int32, times arrow.Array) []int32 {
	if times == nil || d.spec.Arrival || in.Origin.Watermarks == nil {
		return sel
	}
	values := batch.Int64s(times)
	n := in.NumRows()
	if sel != nil {
		n = len(sel)
	}
	kept := d.onTime[:0]
	for k := range n {
		i := rowOf(sel, k)
		if batch.Time(values[i]) >= in.Origin.RowWatermark(i) || times.IsNull(i) {
			kept = append(kept, int32(i))
		}
	}
	d.onTime = kept
	if late := n - len(kept); late > 0 && d.env.Late != nil {
		d.env.Late(late)
	}
	if kept == nil { // nil would mean all rows
		kept = []int32{}
	}
	return kept
}

// firsts sets d.first to the first rows of the groups from before on. Groups are numbered in the order in which they appear.
func (d *dedup) firsts(sel []int32, before int32) {
	d.first = d.first[:0]
	for k, g := range d.groups {
		if g == before {
			d.first = append(d.first, int32(rowOf(sel, k)))
			before++
		}
	}
}

// firstsInTime is firsts where a key is known for a time only.
func (d *dedup) firstsInTime(sel []int32, arr arrow.Array, times []int64, before int32) {
	d.first = d.first[:0]
	d.last = batch.GrowSlice(d.mem, d.last, d.known.len())
	within, hasNulls := max(d.spec.Within, 0), arr.NullN() > 0
	for k, g := range d.groups {
		i := rowOf(sel, k)
		if g < before && times[i] <= d.last[g] {
			continue
		}
		last := int64(batch.Time(times[i]).Sub(-within))
		if hasNulls && arr.IsNull(i) {
			if g < before {
				continue
			}
			last = int64(batch.MaxTime)
		}
		if g == before {
			before++
		} else if int(g) < d.numSaved {
			d.changed = batch.AppendSlice(d.mem, d.changed, g)
		}
		d.last[g], d.farthest = last, max(d.farthest, last)
		d.first = append(d.first, int32(i))
	}
}

// EndInterval forgets keys that no row can have any more, and passes the watermark of the input on.
func (d *dedup) EndInterval(_ context.Context, in []batch.Time, _ batch.Emit) (batch.Time, error) {
	watermark := minTime(in)
	if d.time == nil {
		return watermark, nil
	}
	bound := watermark
	if d.spec.Arrival && watermark != batch.MaxTime {
		bound = d.interval.End
	}
	if bound > d.bound {
		d.bound = bound
		if d.known.len() >= d.tidyAt || int64(bound) > d.farthest || bound == batch.MaxTime {
			d.tidy()
		}
	}
	return watermark, nil
}

// tidy makes the table anew without keys that are not needed, if these are half of all. It costs O(keys), at most once for a
// quarter of them that is new.
func (d *dedup) tidy() {
	n := d.known.len()
	if n == 0 {
		return
	}
	live := batch.MakeSlice[int32](d.mem, n)[:0]
	dead := batch.MakeSlice[int32](d.mem, n)[:0]
	saved := 0
	for id, last := range d.last[:n] {
		switch {
		case batch.Time(last) >= d.bound:
			live = append(live, int32(id))
			if id < d.numSaved {
				saved++
			}
		case id < d.numSaved:
			dead = append(dead, int32(id))
		}
	}
	if len(live) <= n/2 {
		d.known.appendKeys(d.gone.Columns, dead)
		d.gone.SetRows(d.gone.Len() + len(dead))
		d.keep(live, saved)
		n = len(live)
	}
	d.tidyAt = max(minTidy, n+n/4)
	batch.FreeSlice(d.mem, live)
	batch.FreeSlice(d.mem, dead)
}

// keep leaves only the keys live, of which a Snapshot has had the first saved.
func (d *dedup) keep(live []int32, saved int) {
	d.retired += int64(d.known.len() - len(live))
	moved := batch.MakeSlice[int32](d.mem, d.known.len())
	for id := range moved {
		moved[id] = -1
	}
	known := newGroupTable(d.mem, d.types, wideRoom)
	last := batch.MakeSlice[int64](d.mem, len(live))
	groups := batch.MakeSlice[int32](d.mem, len(live))
	known.lookupFrom(d.known, live, true, groups)
	for k, id := range live {
		moved[id], last[groups[k]] = groups[k], d.last[id]
	}
	changed := d.changed[:0]
	for _, id := range d.changed {
		if moved[id] >= 0 {
			changed = append(changed, moved[id])
		}
	}
	d.known.close()
	batch.FreeSlice(d.mem, d.last)
	batch.FreeSlice(d.mem, groups)
	batch.FreeSlice(d.mem, moved)
	d.known, d.last, d.changed, d.numSaved = known, last, changed, saved
}

// Stats says how much state there is.
func (d *dedup) Stats() StateStats {
	n := int64(d.known.len())
	return StateStats{
		Rows: n, Retired: d.retired, Groups: n, Unsaved: n - int64(d.numSaved) + int64(len(d.changed)), Bytes: d.mem.used.Load(),
	}
}

// Close releases all memory.
func (d *dedup) Close() {
	closeExprs(d.keys)
	if d.time != nil {
		d.time.Close()
	}
	d.known.close()
	d.gone.Release()
	d.saver.close(d.mem)
	batch.FreeSlice(d.mem, d.last)
	batch.FreeSlice(d.mem, d.changed)
	batch.FreeSlice(d.mem, d.groups)
	d.last, d.changed, d.groups = nil, nil, nil
}
