package oracle

import (
	"errors"
	"slices"
	"time"

	"github.com/tidemill/tidemill/batch"
	"github.com/tidemill/tidemill/operators"
)

// maxGap is the first gap, in microseconds, that makes a row bad.
const maxGap = 1 << 57

// sessionRow is a row with the time that it takes.
type sessionRow struct {
	start, end batch.Time
	args       []any
}

// aggregateSessions groups all rows by keys, puts those of a key in order of time, and cuts them where a row begins after the end of
// all before it.
func aggregateSessions(spec *operators.AggregateSpec, in []row, counts *Counts) ([]row, error) {
	rows := map[string][]sessionRow{}
	keysOf := map[string][]any{}
	var order []string
	for _, r := range in {
		keys, args, err := keysAndArgs(spec, r)
		at, isIn := batch.Time(0), false
		gap := batch.Time(0)
		if err == nil {
			at, gap, isIn, err = sessionSpan(spec.Window, r)
		}
		switch {
		case errors.Is(err, errBad):
			counts.Bad++
			continue
		case err != nil:
			return nil, err
		case !isIn:
			counts.Filtered++
			continue
		case !spec.Window.Arrival && at < r.watermark.Sub(spec.Window.Lateness):
			counts.Late++
			continue
		}
		id := keyText(keys)
		if keysOf[id] == nil {
			order = append(order, id)
			keysOf[id] = append([]any{}, keys...)
		}
		rows[id] = append(rows[id], sessionRow{at, at + gap, args})
	}
	var groups []*group
	for _, id := range order {
		slices.SortStableFunc(rows[id], func(a, b sessionRow) int { return compare(a.start, b.start) })
		var g *group
		for _, r := range rows[id] {
			if g == nil || r.start > g.window[1] {
				g = &group{window: [2]batch.Time{r.start, r.end}, keys: keysOf[id]}
				groups = append(groups, g)
			}
			g.window[1] = max(g.window[1], r.end)
			g.args = append(g.args, r.args)
		}
	}
	return results(spec, groups, counts)
}

// sessionSpan returns the time and the gap of a row, and whether it is in any session.
func sessionSpan(w *operators.WindowSpec, r row) (at, gap batch.Time, isIn bool, err error) {
	v, err := eval(w.Time, r.values)
	if err != nil {
		return 0, 0, false, err
	}
	size := any(int64(w.Size / time.Microsecond))
	if w.Gap != nil {
		if size, err = eval(w.Gap, r.values); err != nil {
			return 0, 0, false, err
		}
	}
	if v == nil || size != nil && size.(int64) >= maxGap {
		return 0, 0, false, errBad
	}
	if size == nil || size.(int64) <= 0 {
		return 0, 0, false, nil
	}
	return v.(batch.Time), batch.Time(size.(int64)), true, nil
}
