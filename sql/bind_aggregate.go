package sql

import (
	"slices"

	"github.com/apache/arrow-go/v18/arrow"

	"github.com/tidemill/tidemill/batch"
	"github.com/tidemill/tidemill/operators"
	"github.com/tidemill/tidemill/operators/expr"
)

// aggregateAliases has other names of aggregates, and those that others compute.
var aggregateAliases = map[string]string{
	"any": "max", "array_agg": "collect_list", "bool_and": "min", "bool_or": "max", "count_if": "count", "every": "min", "first_value": "first",
	"last_value": "last", "mean": "avg", "median": "percentile", "percentile_approx": "approx_percentile", "percentile_cont": "percentile",
	"some": "max", "std": "stddev_samp", "stddev": "stddev_samp", "string_agg": "listagg", "variance": "var_samp",
}

// isAggregateName says whether fn, in lower case, is an aggregate of SQL.
func isAggregateName(fn string) bool {
	return aggregateAliases[fn] != "" || slices.Contains(operators.AggregateNames(), fn)
}

// isAggregateName says whether fn, in lower case, is an aggregate of SQL or of the program.
func (b *binder) isAggregateName(fn string) bool {
	return isAggregateName(fn) || b.opts.Aggregates[fn] != nil
}

// goesByTime has the aggregates that go by the time of the window.
var goesByTime = map[string]bool{"first": true, "last": true, "any_value": true, "collect_list": true, "listagg": true}

// ofBooleans has the aggregates that take a condition.
var ofBooleans = map[string]bool{"any": true, "bool_and": true, "bool_or": true, "count_if": true, "every": true, "some": true}

// ofDoubles says whether an aggregate computes with DOUBLEs only.
func ofDoubles(fn string) bool {
	switch fn {
	case "var_pop", "var_samp", "stddev_pop", "stddev_samp", "skewness", "kurtosis", "corr", "covar_pop", "covar_samp", "regr_avgx", "regr_avgy",
		"regr_count", "regr_intercept", "regr_r2", "regr_slope", "regr_sxx", "regr_sxy", "regr_syy":
		return true
	}
	return false
}

// ignoresDistinct has the aggregates that are the same of the different values.
var ignoresDistinct = map[string]bool{
	"min": true, "max": true, "bit_and": true, "bit_or": true, "approx_count_distinct": true, "collect_set": true,
}

// aggregateBinder binds one call of an aggregate.
type aggregateBinder struct {
	b     *binder
	input *exprBinder
	c     *call
	args  []node
	agg   operators.AggSpec
}

// aggregateCall binds an aggregate over the rows that it counts, but for its FILTER.
func (b *binder) aggregateCall(input *exprBinder, c *call) (operators.AggSpec, bool) {
	a := &aggregateBinder{b: b, input: input, c: c, args: c.args}
	if u := b.opts.Aggregates[c.fn]; u != nil {
		return a.user(u)
	}
	if a.agg.Func = aggregateAliases[c.fn]; a.agg.Func == "" {
		a.agg.Func = c.fn
	}
	a.agg.Distinct = c.distinct && !ignoresDistinct[a.agg.Func]
	if !a.within() || !a.params() || !a.arguments() {
		return a.agg, false
	}
	var err error
	if a.agg.Type, err = a.agg.ResultType(); err != nil {
		b.fault(c.at, "%v", err)
		return a.agg, false
	}
	return a.agg, true
}

// user binds an aggregate of the program.
func (a *aggregateBinder) user(u *operators.UserAggregate) (operators.AggSpec, bool) {
	if a.c.distinct || a.c.star || len(a.c.within) > 0 {
		return a.agg, a.fault("%s is of the program: it takes no *, DISTINCT and WITHIN GROUP", a.c.fn)
	}
	if a.c.filter != nil && u.TakesNull {
		return a.agg, a.fault("%s counts NULLs, so that FILTER can't leave rows out: filter in a query in brackets", a.c.fn)
	}
	specs, ok := a.input.bindAll(a.args)
	if !ok {
		return a.agg, false
	}
	specs, err := u.Arguments(specs)
	if err != nil {
		return a.agg, a.fault("%v", err)
	}
	return operators.AggSpec{Func: u.Name, Arg: specs[0], More: specs[1:], User: u, Type: u.Result}, true
}

func (a *aggregateBinder) fault(format string, args ...any) bool {
	a.b.fault(a.c.at, format, args...)
	return false
}

// within binds WITHIN GROUP, which gives percentile_cont, percentile_disc and mode their argument, and listagg its order.
func (a *aggregateBinder) within() bool {
	c := a.c
	needs := c.fn == "percentile_cont" || c.fn == "percentile_disc"
	if len(c.within) == 0 {
		if needs {
			return a.fault("%s needs an order: %s(0.5) WITHIN GROUP (ORDER BY x)", c.fn, c.fn)
		}
		return true
	}
	if len(c.within) > 1 {
		return a.fault("%s: WITHIN GROUP has one order", c.fn)
	}
	o := c.within[0]
	if o.nullsFirst == o.descending {
		return a.fault("not supported: NULLS FIRST and NULLS LAST in WITHIN GROUP")
	}
	a.agg.Descending = o.descending
	switch {
	case needs:
		a.args = append([]node{o.expr}, c.args...)
	case c.fn == "mode" && len(c.args) == 0:
		a.args = []node{o.expr}
	case a.agg.Func == "listagg":
		if len(c.args) > 0 && textOf(o.expr) == textOf(c.args[0]) {
			a.agg.ByValue = true
			return true
		}
		if c.distinct {
			return a.fault("%s(DISTINCT x) is ordered by x", c.fn)
		}
		a.agg.By = a.input.bind(o.expr)
		return a.agg.By != nil
	default:
		return a.fault("%s has no WITHIN GROUP", c.fn)
	}
	return true
}

// params takes constants off the arguments.
func (a *aggregateBinder) params() bool {
	ok := true
	switch a.agg.Func {
	case "percentile", "percentile_disc", "approx_percentile":
		if a.c.fn == "median" {
			a.agg.Places = []float64{0.5}
			return true
		}
		if len(a.args) < 2 {
			return a.fault("%s takes a number and a place from 0 to 1, or an array of places", a.c.fn)
		}
		if a.agg.Func == "approx_percentile" && len(a.args) > 2 {
			accuracy, isNumber := numberOf(a.take())
			a.agg.Accuracy = int64(accuracy)
			ok = isNumber && accuracy >= 1 && accuracy == float64(a.agg.Accuracy) || a.fault("%s: the accuracy is a whole number from 1", a.c.fn)
		}
		ok = a.places(a.take()) && ok
	case "approx_count_distinct":
		if len(a.args) > 1 {
			var isNumber bool
			a.agg.Error, isNumber = numberOf(a.take())
			ok = isNumber || a.fault("%s: the error is a number", a.c.fn)
		}
	case "histogram_numeric":
		if len(a.args) < 2 {
			return a.fault("%s takes a number and how many bins there may be", a.c.fn)
		}
		bins, isNumber := numberOf(a.take())
		a.agg.Bins = int(bins)
		ok = isNumber && bins >= 2 && bins == float64(a.agg.Bins) || a.fault("%s: the number of bins is a whole number from 2", a.c.fn)
	case "listagg":
		if len(a.args) > 1 {
			l, isLiteral := a.take().(*literal)
			if isLiteral {
				a.agg.Delimiter, isLiteral = l.value.(string)
			}
			ok = isLiteral || a.fault("%s: what stands between the texts is a text", a.c.fn)
		}
	case "first", "last", "any_value":
		if len(a.args) > 1 {
			l, isLiteral := a.take().(*literal)
			ignores, isBool := false, false
			if isLiteral {
				ignores, isBool = l.value.(bool)
			}
			a.c.ignoreNulls = a.c.ignoreNulls || ignores
			ok = isBool || a.fault("%s: whether NULLs are passed over is TRUE or FALSE", a.c.fn)
		}
	}
	return ok
}

// take takes the last argument.
func (a *aggregateBinder) take() node {
	last := len(a.args) - 1
	n := a.args[last]
	a.args = a.args[:last]
	return n
}

// places takes a place, or an array of them.
func (a *aggregateBinder) places(n node) bool {
	list := []node{n}
	if c, ok := n.(*call); ok && c.fn == "array" && !c.hasAggregateParts() {
		list, a.agg.IsArray = c.args, true
	}
	for _, n := range list {
		place, ok := numberOf(n)
		if !ok || !(place >= 0 && place <= 1) {
			return a.fault("%s: a place is a number from 0 to 1, such as 0.5", a.c.fn)
		}
		a.agg.Places = append(a.agg.Places, place)
	}
	return len(list) > 0 || a.fault("%s: the array of places is empty", a.c.fn)
}

// numberOf returns a constant number.
func numberOf(n node) (float64, bool) {
	l, ok := n.(*literal)
	if !ok {
		return 0, false
	}
	switch v := expr.Convert(l.spec(), batch.Double).Value.(type) {
	case float64:
		return v, true
	default:
		return 0, false
	}
}

// arguments binds what is left of the arguments.
func (a *aggregateBinder) arguments() bool {
	c, fn := a.c, a.agg.Func
	if c.star {
		return !c.distinct || a.fault("count(DISTINCT *) is not supported: list the columns")
	}
	want := 1
	isPair := fn == "corr" || len(fn) > 5 && (fn[:5] == "covar" || fn[:5] == "regr_")
	if fn == "max_by" || fn == "min_by" || isPair {
		want = 2
	}
	switch {
	case fn == "count" && c.distinct && len(a.args) > 0:
	case len(a.args) == want:
	case want == 2 && !isPair:
		return a.fault("%s takes a value and what it is ordered by, got %d arguments", c.fn, len(a.args))
	case want == 2:
		return a.fault("%s takes two numbers, y and x, got %d arguments", c.fn, len(a.args))
	default:
		return a.fault("%s takes one argument, got %d", c.fn, len(a.args))
	}
	specs, ok := a.input.bindAll(a.args)
	if !ok {
		return false
	}
	for i, s := range specs {
		if s = a.converted(i, s); s == nil {
			return false
		}
		specs[i] = s
	}
	a.agg.Arg = specs[0]
	switch {
	case fn == "max_by" || fn == "min_by":
		a.agg.By = specs[1]
		return a.isOrder(a.args[1], a.agg.By)
	case c.fn == "count_if":
		a.agg.Arg = a.input.onlyWhere(c.at, specs[0], expr.Literal(true))
	case c.fn == "count" && len(specs) == 1 && !c.distinct && specs[0].Kind == expr.LiteralKind && specs[0].Value != nil:
		a.agg.Arg = nil // count(1) counts rows, as count(*) does
	default:
		a.agg.More = specs[1:]
	}
	return len(c.within) == 0 || fn != "listagg" || a.agg.By == nil || a.isOrder(c.within[0].expr, a.agg.By)
}

// converted returns argument i as the type that the aggregate takes.
func (a *aggregateBinder) converted(i int, s *expr.Spec) *expr.Spec {
	id := s.Type.ID()
	to := s.Type
	switch fn := a.agg.Func; {
	case ofBooleans[a.c.fn]:
		if id != arrow.BOOL && id != arrow.NULL {
			a.b.fault(a.args[i].place(), "%s takes a BOOLEAN, got %s", a.c.fn, typeName(s.Type))
			return nil
		}
		to = batch.Boolean
	case (fn == "sum" || fn == "avg") && s.Type == batch.Text, ofDoubles(fn) && isNumeric(s.Type), (fn == "percentile" || fn == "percentile_disc" || fn == "histogram_numeric") && id == arrow.DECIMAL128:
		to = batch.Double
	case fn == "listagg" && id != arrow.NULL:
		to = batch.Text
	case id == arrow.NULL && (ofDoubles(fn) || len(a.agg.Places) > 0 || a.agg.Bins > 0):
		to = batch.Double
	case id == arrow.NULL && (fn == "listagg" || fn == "mode" || fn == "collect_list" || fn == "collect_set"):
		to = batch.Text
	}
	if arrow.TypeEqual(to, s.Type) {
		return s
	}
	converted, err := expr.Cast(s, to)
	if err != nil {
		a.b.fault(a.args[i].place(), "%v", err)
		return nil
	}
	return converted
}

// isNumeric says whether a type is one of numbers.
func isNumeric(t arrow.DataType) bool {
	return t.ID() == arrow.INT64 || t.ID() == arrow.FLOAT64 || t.ID() == arrow.DECIMAL128
}

// isOrder says whether rows can be chosen in the order of s.
func (a *aggregateBinder) isOrder(n node, s *expr.Spec) bool {
	switch s.Type.ID() {
	case arrow.BOOL, arrow.INT64, arrow.FLOAT64, arrow.TIMESTAMP:
		return true
	}
	a.b.fault(n.place(), "%s is ordered by a BOOLEAN, BIGINT, DOUBLE or TIMESTAMP, got %s", a.c.fn, typeName(s.Type))
	return false
}

// onlyWhere returns s where a condition is true, and else NULL.
func (e *exprBinder) onlyWhere(at Pos, condition, s *expr.Spec) *expr.Spec {
	return e.make(at, "case", condition, s, expr.Literal(nil))
}

// filterAggregate leaves rows out for which FILTER is not true, and, with IGNORE NULLS, those whose argument is NULL.
func (e *exprBinder) filterAggregate(agg *operators.AggSpec, c *call) bool {
	var condition *expr.Spec
	if c.filter != nil {
		inner := *e
		inner.where = "FILTER"
		if condition = inner.boolean(c.filter); condition == nil {
			return false
		}
	}
	takesRow := agg.Func == "first" || agg.Func == "last" || agg.Func == "any_value"
	if c.ignoreNulls {
		if !takesRow {
			e.faults.add(c.at, "%s passes NULLs over anyway: IGNORE NULLS is for first, last and any_value", c.fn)
			return false
		}
		present := e.make(c.at, "is not null", agg.Arg)
		if condition == nil {
			condition = present
		} else {
			condition = e.make(c.at, "and", condition, present)
		}
	}
	switch {
	case condition == nil:
		return true
	case agg.Arg == nil:
		agg.Arg = e.onlyWhere(c.at, condition, expr.Literal(true))
		return agg.Arg != nil
	case takesRow && agg.By == nil:
		agg.Only = condition
		return true
	case takesRow || agg.Func == "max_by" || agg.Func == "min_by":
		agg.By = e.onlyWhere(c.at, condition, agg.By)
		return agg.By != nil
	}
	agg.Arg = e.onlyWhere(c.at, condition, agg.Arg)
	return agg.Arg != nil
}
