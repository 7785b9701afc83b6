package sql

import (
	"errors"
	"time"

	"github.com/tidemill/tidemill/operators"
)

// times are the options of a sink that say when windows close and come out, and where late rows go. They hold for the windowed
// aggregates of its query, also for those in views, which are then its own.
type times struct {
	sink     ident
	lateness time.Duration
	early    time.Duration  // as in AggregateSpec
	given    map[string]Pos // options that are given

	late       string // URI, "" for nowhere
	lateFormat string

	// aggregates are those whose rows may be late, with what they read; updating is the number of those with windows that update.
	aggregates []lateInput
	updating   int
}

// lateInput is an aggregate with what it reads.
type lateInput struct {
	in   *relation
	spec *operators.AggregateSpec
}

var errNotPositive = errors.New("not positive")

// sinkTimes takes the options lateness, early, late and late_format out of a sink's, nil if it has none of them.
func (b *binder) sinkTimes(st *createSink, def *SinkDef) *times {
	t := &times{sink: st.name, lateness: b.opts.Lateness, given: make(map[string]Pos), lateFormat: "JSON"}
	for _, o := range st.options {
		switch o.key.text {
		case "lateness":
			d, err := parseInterval(o.value)
			if err != nil || d < 0 {
				b.fault(o.key.at, "option lateness: want a time such as '1 minute', got %q", o.value)
			}
			t.lateness = max(d, 0)
		case "early":
			d, err := parseInterval(o.value)
			if o.value == "off" {
				d, err = operators.NeverEarly, nil
			} else if d <= 0 {
				err = errNotPositive
			}
			if err != nil {
				b.fault(o.key.at, "option early: want a time such as '10 seconds', or off, got %q", o.value)
				d = operators.NeverEarly
			}
			t.early = d
		case "late":
			t.late = o.value
			if t.late == "" {
				b.fault(o.key.at, "option late: want the address of a sink, such as 'file:late/'")
			}
		case "late_format":
			t.lateFormat = asciiUpper(o.value)
		default:
			continue
		}
		t.given[o.key.text] = o.key.at
		delete(def.Options, o.key.text)
	}
	if len(t.given) == 0 {
		return nil
	}
	if at, given := t.given["late_format"]; given && t.late == "" {
		b.fault(at, "option late_format says how late rows are written: say where, with late = 'file:late/'")
	}
	return t
}

// setTimes gives the aggregate the times of its sink, nil for those of the script. Only rows that come from a source can be late:
// the result of another aggregate comes in the order of its windows.
func (a *aggregation) setTimes(t *times) {
	if t != nil && a.spec.Window != nil && a.spec.Mode == operators.Update {
		a.spec.Early = t.early
		t.updating++
	}
	if a.spec.Window == nil || timeKind(a.windowTime) != operators.TimeEvent || a.in.aggregated {
		return
	}
	a.spec.Window.Lateness = a.b.opts.Lateness
	if t != nil {
		a.spec.Window.Lateness = t.lateness
		t.aggregates = append(t.aggregates, lateInput{a.in, a.beforeSets()})
	}
}

// lateSink returns the sink for the late rows of another one, nil if it has none. It reports times that have no effect.
func (b *binder) lateSink(of *SinkDef, t *times) *SinkDef {
	for _, option := range []string{"lateness", "late"} {
		if at, given := t.given[option]; given && len(t.aggregates) == 0 {
			b.fault(at, "option %s: no row is late for this query, since it has no window over a column with a WATERMARK", option)
			return nil
		}
	}
	if at, given := t.given["early"]; given && t.updating == 0 {
		b.fault(at, "option early says how often a window comes out before its end, which is only so in mode update, and with GROUP BY window(…): "+
			"this query has mode %s", of.Mode)
		return nil
	}
	if t.late == "" {
		return nil
	}
	if len(t.aggregates) > 1 {
		b.fault(t.given["late"], "option late: this query has %d windowed aggregates, and late rows of one are none of the other: "+
			"make a sink of each", len(t.aggregates))
		return nil
	}
	def := &SinkDef{
		Name: of.Name + ".late", URI: t.late, Format: t.lateFormat, Mode: operators.Append, Options: map[string]string{}, Pos: of.Pos,
	}
	n := ident{at: t.given["late"], text: def.Name}
	if !b.claim(n) {
		return nil
	}
	b.sinks[asciiLower(n.text)] = n
	from := t.aggregates[0]
	late := *from.in
	late.node = b.node("", operators.LateOf(from.spec), b.schema(from.in), from.in.node)
	r := b.visible(&late)
	def.Node = b.node("", &operators.OutputSpec{Sink: def.Name, Mode: operators.Append}, b.schema(r), r.node)
	return def
}
