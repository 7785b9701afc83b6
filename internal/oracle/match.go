package oracle

import (
	"errors"
	"slices"

	"github.com/tidemill/tidemill/batch"
	"github.com/tidemill/tidemill/operators"
)

// matchRow is a row of a partition, with what references take from it.
type matchRow struct {
	at     batch.Time
	values []any
}

// matcher searches one partition by trying everything in the order that the pattern prefers.
type matcher struct {
	spec *operators.MatchSpec
	rows []matchRow // from the first row of the match on
	vars []int      // of the rows so far
	err  error
}

// matchRows finds the matches of all partitions.
func matchRows(spec *operators.MatchSpec, in []row, counts *Counts) ([]row, error) {
	partitions := map[string][]matchRow{}
	keysOf := map[string][]any{}
	for _, r := range in {
		keys, err := evalAll(spec.PartitionBy, r.values)
		var values []any
		if err == nil {
			values, err = evalAll(spec.Values, r.values)
		}
		at, hasTime := r.values[spec.Time.Column].(batch.Time)
		if errors.Is(err, errBad) || err == nil && !hasTime {
			counts.Bad++
			continue
		}
		if err != nil {
			return nil, err
		}
		if at < r.watermark {
			counts.Late++
			continue
		}
		id := keyText(keys)
		if len(partitions[id]) == 0 {
			keysOf[id] = keys
		}
		partitions[id] = append(partitions[id], matchRow{at, values})
	}
	var out []row
	for id, rows := range partitions {
		slices.SortStableFunc(rows, func(a, b matchRow) int { return compare(a.at, b.at) })
		for len(rows) > 0 {
			m := &matcher{spec: spec, rows: rows}
			isMatch := m.try(spec.Pattern, func() bool { return true })
			if m.err != nil {
				return nil, m.err
			}
			if !isMatch {
				rows = rows[1:]
				continue
			}
			measures, err := evalAll(spec.Measures, m.references())
			switch {
			case errors.Is(err, errBad):
				counts.Bad++
			case err != nil:
				return nil, err
			default:
				out = append(out, row{append(slices.Clone(keysOf[id]), measures...), batch.MinTime})
			}
			rows = rows[m.passed():]
		}
	}
	return out, nil
}

// try matches a pattern and then what follows it, with as many repetitions as is preferred.
func (m *matcher) try(p *operators.Pattern, then func() bool) bool {
	var repeat func(done int) bool
	repeat = func(done int) bool {
		again := func() bool {
			if p.Max >= 0 && done >= p.Max {
				return false
			}
			return m.once(p, func() bool { return repeat(done + 1) })
		}
		leave := func() bool { return done >= p.Min && then() }
		if p.IsLazy && done >= p.Min {
			return leave() || again()
		}
		return again() || leave()
	}
	return repeat(0)
}

// once matches one repetition.
func (m *matcher) once(p *operators.Pattern, then func() bool) bool {
	switch {
	case len(p.Parts) == 0:
		return m.take(p.Var, then)
	case p.IsAny:
		return slices.ContainsFunc(p.Parts, func(part *operators.Pattern) bool { return m.try(part, then) })
	}
	var inOrder func(parts []*operators.Pattern) bool
	inOrder = func(parts []*operators.Pattern) bool {
		if len(parts) == 0 {
			return then()
		}
		return m.try(parts[0], func() bool { return inOrder(parts[1:]) })
	}
	return inOrder(p.Parts)
}

// take takes the next row as a variable.
func (m *matcher) take(v int, then func() bool) bool {
	n := len(m.vars)
	if m.err != nil || n == len(m.rows) || m.spec.Within > 0 && m.rows[n].at >= m.rows[0].at.Sub(-m.spec.Within) {
		return false
	}
	m.vars = append(m.vars, v)
	if condition := m.spec.Define[v]; condition != nil {
		holds, err := isTrue(condition, m.references())
		if err != nil && !errors.Is(err, errBad) {
			m.err = err
		}
		if err != nil || !holds {
			m.vars = m.vars[:n]
			return false
		}
	}
	if then() {
		return true
	}
	m.vars = m.vars[:n]
	return false
}

// references returns the values of MatchSpec.Navs for the rows so far.
func (m *matcher) references() []any {
	var all []any
	for _, nav := range m.spec.Navs {
		var of []any
		for i, v := range m.vars {
			if nav.Var < 0 || nav.Var == v {
				if nav.Value < 0 {
					of = append(of, true)
				} else {
					of = append(of, m.rows[i].values[nav.Value])
				}
			}
		}
		switch {
		case nav.Func != "first" && nav.Func != "last":
			spec := operators.AggSpec{Func: nav.Func}
			if nav.Value >= 0 {
				spec.Arg = m.spec.Values[nav.Value]
			}
			v, err := aggregateOf(spec, slices.DeleteFunc(of, func(v any) bool { return v == nil }), &Counts{})
			if err != nil && !errors.Is(err, errBad) {
				m.err = err
			}
			all = append(all, v) // NULL where it can't be computed
		case nav.Offset >= len(of):
			all = append(all, nil)
		case nav.Func == "first":
			all = append(all, of[nav.Offset])
		default:
			all = append(all, of[len(of)-1-nav.Offset])
		}
	}
	return all
}

// passed returns how many rows the search goes on after.
func (m *matcher) passed() int {
	switch m.spec.After {
	case operators.SkipPastLastRow:
		return len(m.vars)
	case operators.SkipToFirst:
		return max(1, slices.Index(m.vars, m.spec.AfterVar))
	case operators.SkipToLast:
		for i, v := range slices.Backward(m.vars) {
			if v == m.spec.AfterVar {
				return max(1, i)
			}
		}
	case operators.SkipToNextRow:
	}
	return 1
}
