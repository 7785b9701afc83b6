package operators

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/memory"

	"github.com/tidemill/tidemill/batch"
	"github.com/tidemill/tidemill/operators/expr"
)

// AggregateNames returns the names of the aggregate functions. SQL has more names for some of them.
func AggregateNames() []string {
	return []string{
		"any_value", "approx_count_distinct", "approx_percentile", "avg", "bit_and", "bit_or", "bit_xor", "collect_list", "collect_set", "corr",
		"count", "covar_pop", "covar_samp", "first", "histogram_numeric", "kurtosis", "last", "listagg", "max", "max_by", "min", "min_by", "mode",
		"percentile", "percentile_disc", "regr_avgx", "regr_avgy", "regr_count", "regr_intercept", "regr_r2", "regr_slope", "regr_sxx",
		"regr_sxy", "regr_syy", "skewness", "stddev_pop", "stddev_samp", "sum", "var_pop", "var_samp",
	}
}

// What Accuracy, Error and Bins are where they are 0.
const (
	// DefaultAccuracy is Spark's of approx_percentile.
	DefaultAccuracy = 10000
	// DefaultError is Spark's of approx_count_distinct.
	DefaultError = 0.05
	// smallestError makes a HyperLogLog of 2^18 registers.
	smallestError = 0.0022
)

func isListFunc(fn string) bool { return fn == "collect_list" || fn == "listagg" }

// isPercentile says whether fn takes places.
func isPercentile(fn string) bool {
	return fn == "percentile" || fn == "percentile_disc" || fn == "approx_percentile"
}

// exprs returns the expressions of the aggregate.
func (a *AggSpec) exprs() []*expr.Spec {
	var exprs []*expr.Spec
	for _, e := range append([]*expr.Spec{a.Arg, a.By, a.Only}, a.More...) {
		if e != nil {
			exprs = append(exprs, e)
		}
	}
	return exprs
}

// Computes says whether a is the same as other, but for the name.
func (a *AggSpec) Computes(other *AggSpec) bool {
	x, y := *a, *other
	x.Name, y.Name = "", ""
	return x.String() == y.String() && slices.EqualFunc(x.exprs(), y.exprs(), expr.Equal)
}

// remapped returns the aggregate with other expressions.
func (a *AggSpec) remapped(to func(*expr.Spec) *expr.Spec) AggSpec {
	kept := *a
	for _, e := range [...]**expr.Spec{&kept.Arg, &kept.By, &kept.Only} {
		if *e != nil {
			*e = to(*e)
		}
	}
	kept.More = slices.Clone(a.More)
	for i := range kept.More {
		kept.More[i] = to(kept.More[i])
	}
	return kept
}

// String returns the aggregate as SQL: sum(price) AS total.
func (a AggSpec) String() string {
	arg := "*"
	if a.Arg != nil {
		arg = a.Arg.String()
	}
	for _, more := range a.More {
		arg += ", " + more.String()
	}
	if a.Distinct {
		arg = "DISTINCT " + arg
	}
	switch {
	case a.By != nil && isByFunc(a.Func):
		arg += ", " + a.By.String()
	case a.By != nil:
		arg += " by " + a.By.String()
	case a.isOrdered() && !a.ByValue:
		arg += " by arrival"
	}
	if a.Descending {
		arg += " descending"
	}
	if a.Only != nil {
		arg += " where " + a.Only.String()
	}
	if p := a.params(); p != "" {
		arg += ", " + p
	}
	return fmt.Sprintf("%s(%s) AS %s", a.Func, arg, a.Name)
}

// params returns the constants of the aggregate, "" if it has none.
func (a *AggSpec) params() string {
	var parts []string
	for _, p := range a.Places {
		parts = append(parts, strconv.FormatFloat(p, 'g', -1, 64))
	}
	if a.IsArray {
		parts = []string{"[" + strings.Join(parts, ", ") + "]"}
	}
	switch {
	case a.Func == "approx_percentile":
		parts = append(parts, strconv.FormatInt(a.accuracy(), 10))
	case a.Func == "approx_count_distinct" && a.Error != 0:
		parts = append(parts, strconv.FormatFloat(a.Error, 'g', -1, 64))
	case a.Func == "histogram_numeric":
		parts = append(parts, strconv.Itoa(a.Bins))
	case a.Func == "listagg" && a.Delimiter != "":
		parts = append(parts, strconv.Quote(a.Delimiter))
	}
	return strings.Join(parts, ", ")
}

// detail returns what the state of the aggregate depends on besides its function and arguments.
func (a *AggSpec) detail() string {
	var parts []string
	switch a.Func {
	case "approx_percentile":
		parts = append(parts, "bits "+strconv.Itoa(roundedBits(a.accuracy())))
	case "approx_count_distinct":
		parts = append(parts, "precision "+strconv.Itoa(sketchPrecision(a.relativeError())))
	}
	if a.Only != nil {
		parts = append(parts, "where "+a.Only.String())
	}
	return strings.Join(parts, ", ")
}

func (a *AggSpec) accuracy() int64 {
	if a.Accuracy == 0 {
		return DefaultAccuracy
	}
	return a.Accuracy
}

func (a *AggSpec) relativeError() float64 {
	if a.Error == 0 {
		return DefaultError
	}
	return a.Error
}

// check says what is wrong with the arguments.
func (a *AggSpec) check() error {
	_, err := a.ResultType()
	return err
}

// ResultType returns the type of the aggregate, or what is wrong with its arguments.
func (a *AggSpec) ResultType() (arrow.DataType, error) {
	if a.User != nil {
		return a.User.Result, nil
	}
	if err := a.checkOrder(); err != nil {
		return nil, err
	}
	if err := a.checkParams(); err != nil {
		return nil, err
	}
	if a.Arg == nil {
		return ResultType(a.Func, nil)
	}
	t := plainType(a.Arg)
	wrong := func(want string) error {
		return fmt.Errorf("function %s takes %s, got (%s)", a.Func, want, batch.TypeName(a.Arg.Type))
	}
	for _, e := range append([]*expr.Spec{a.Arg}, a.More...) {
		if t := plainType(e); a.keepsBag() && t.ID() != arrow.NULL && !isKeyType(t) {
			return nil, fmt.Errorf("function %s compares values, which it can't of type %s", a.Func, batch.TypeName(t))
		}
	}
	switch {
	case momentDegrees[a.Func] > 0, slices.Contains(pairFuncs, a.Func):
		for _, e := range append([]*expr.Spec{a.Arg}, a.More...) {
			if id := e.Type.ID(); id != arrow.FLOAT64 && id != arrow.NULL {
				return nil, wrong("DOUBLE")
			}
		}
		if a.Func == "regr_count" {
			return batch.BigInt, nil
		}
		return batch.Double, nil
	case isPercentile(a.Func), a.Func == "histogram_numeric":
		switch {
		case t.ID() == arrow.NULL:
			t = batch.Double
		case t.ID() != arrow.INT64 && t.ID() != arrow.FLOAT64 && (a.Func != "approx_percentile" || t.ID() != arrow.TIMESTAMP):
			return nil, wrong("a number")
		}
		if a.Func == "histogram_numeric" {
			return arrow.ListOf(arrow.StructOf(
				arrow.Field{Name: "x", Type: t, Nullable: true}, arrow.Field{Name: "y", Type: batch.Double, Nullable: true})), nil
		}
		if a.Func == "percentile" || a.Func == "percentile_disc" {
			t = batch.Double
		}
		if a.IsArray {
			t = arrow.ListOf(t)
		}
		return t, nil
	}
	switch a.Func {
	case "bit_and", "bit_or", "bit_xor":
		if id := t.ID(); id != arrow.INT64 && id != arrow.NULL {
			return nil, wrong("(BIGINT)")
		}
		return batch.BigInt, nil
	case "approx_count_distinct":
		if t.ID() != arrow.NULL && !isKeyType(t) {
			return nil, fmt.Errorf("function %s compares values, which it can't of type %s", a.Func, batch.TypeName(t))
		}
		return batch.BigInt, nil
	case "mode":
		return t, nil
	case "collect_list", "collect_set":
		return arrow.ListOf(t), nil
	case "listagg":
		if t.ID() != arrow.STRING && t.ID() != arrow.NULL {
			return nil, wrong("(TEXT)")
		}
		return batch.Text, nil
	}
	return ResultType(a.Func, a.Arg.Type)
}

// plainType returns the type of the values of e.
func plainType(e *expr.Spec) arrow.DataType {
	if d, ok := e.Type.(*arrow.DictionaryType); ok {
		return d.ValueType
	}
	return e.Type
}

// keepsBag says whether the aggregate keeps the values of a group.
func (a *AggSpec) keepsBag() bool {
	return a.Distinct || isPercentile(a.Func) || a.Func == "mode" || a.Func == "collect_set" || a.Func == "histogram_numeric"
}

// checkParams says what is wrong with the number of arguments, and with constants.
func (a *AggSpec) checkParams() error {
	more := 0
	if slices.Contains(pairFuncs, a.Func) {
		more = 1
	}
	switch {
	case a.Arg == nil && (a.Distinct || len(a.More) > 0):
		return fmt.Errorf("function %s of DISTINCT takes an argument, got *", a.Func)
	case len(a.More) != more && (a.Func != "count" || !a.Distinct):
		return fmt.Errorf("function %s takes %d arguments, got %d", a.Func, 1+more, 1+len(a.More))
	case a.Distinct && (a.isOrdered() && !isListFunc(a.Func) || more > 0):
		return fmt.Errorf("function %s takes no DISTINCT", a.Func)
	case isPercentile(a.Func) != (len(a.Places) > 0), a.IsArray && !isPercentile(a.Func), !a.IsArray && len(a.Places) > 1:
		return fmt.Errorf("function %s: want places of percentiles, and these of percentiles alone", a.Func)
	case slices.ContainsFunc(a.Places, func(p float64) bool { return !(p >= 0 && p <= 1) }):
		return fmt.Errorf("function %s: a place is between 0 and 1, got %v", a.Func, a.Places)
	case a.Accuracy < 0:
		return fmt.Errorf("function %s: accuracy must be positive: %d", a.Func, a.Accuracy)
	case a.Error != 0 && !(a.Error >= smallestError && a.Error <= 0.39):
		return fmt.Errorf("function %s: the error must be between %v and 0.39, got %v", a.Func, smallestError, a.Error)
	case a.Func == "histogram_numeric" && a.Bins < 2:
		return errors.New("function histogram_numeric takes 2 bins or more")
	}
	return nil
}

// newOther returns the accumulator of an aggregate that is none of those of newAccumulator, nil for these.
func newOther(mem memory.Allocator, a *AggSpec) accumulator {
	types := []arrow.DataType{plainType(a.Arg)}
	for _, more := range a.More {
		types = append(types, plainType(more))
	}
	switch {
	case a.Func == "count" && a.Distinct:
		return &distinctCount{newBagged(mem, types)}
	case a.Func == "collect_set", a.Func == "collect_list" && a.Distinct:
		return &valueSet{newBagged(mem, types)}
	case a.Distinct:
		return newDistinctOf(mem, a, types)
	case momentDegrees[a.Func] > 0:
		return &moments{fn: a.Func, degree: momentDegrees[a.Func]}
	case slices.Contains(pairFuncs, a.Func):
		return &pairs{fn: a.Func}
	case isPercentile(a.Func):
		return &percentile{
			bagged: newBagged(mem, types), fn: a.Func, places: a.Places, isArray: a.IsArray, isDescending: a.Descending, accuracy: a.accuracy(),
			rounded: batch.NewColumn(mem, types[0]),
		}
	case isListFunc(a.Func):
		return newValueList(mem, a, types[0])
	}
	switch a.Func {
	case "bit_and", "bit_or", "bit_xor":
		return &bitwise{fn: a.Func}
	case "approx_count_distinct":
		return newSketch(mem, a.relativeError())
	case "mode":
		return &mode{bagged: newBagged(mem, types), isDescending: a.Descending}
	case "histogram_numeric":
		return &histogram{bagged: newBagged(mem, types), bins: a.Bins}
	}
	return nil
}

// stateOf returns the columns that the state of an aggregate is kept in.
func stateOf(a *AggSpec) []arrow.Field {
	mem := batch.NewPool(0)
	acc := newAccumulator(mem, a)
	if acc == nil {
		return nil
	}
	acc.bind(&records{mem: mem}, 0)
	defer acc.close()
	return acc.state()
}

// hasDetailsOf says whether the state of both depends on the same.
func (a *aggregateMeaning) hasDetailsOf(other *aggregateMeaning) bool {
	return a.Distinct == other.Distinct && a.Detail == other.Detail && slices.Equal(a.More, other.More)
}

// isWidened says whether state of BIGINT can become one of DOUBLE: it has columns of numbers, no lists of them.
func (a *aggregateMeaning) isWidened() bool {
	return !slices.ContainsFunc(a.state(), func(f arrow.Field) bool { return f.Type.ID() == arrow.LIST })
}

// tupleArray is the arguments of an aggregate that has several. It is valid as long as the batch.
type tupleArray struct {
	arrow.Array
	more []arrow.Array
}

// tupleExpr computes a tupleArray.
type tupleExpr struct {
	expr.Expr
	more   []expr.Expr
	result tupleArray
}

// newArgument returns an instance of the argument of an aggregate.
func newArgument(mem memory.Allocator, a *AggSpec) (expr.Expr, error) {
	specs := []*expr.Spec{a.Arg}
	switch {
	case a.isOrdered() && a.By != nil:
		specs = append(specs, a.By)
	case a.isOrdered() && a.Only != nil:
		specs = append(specs, a.Only)
	}
	exprs, err := newExprs(mem, append(specs, a.More...))
	if err != nil {
		return nil, err
	}
	switch {
	case a.isOrdered():
		o := &orderedExpr{Expr: exprs[0], mem: mem}
		o.order.rec = &records{mem: mem}
		switch {
		case a.By != nil:
			o.by = exprs[1]
		case a.Only != nil:
			o.only, o.kept = exprs[1], batch.NewColumn(mem, batch.Boolean)
		}
		return o, nil
	case len(a.More) > 0:
		return &tupleExpr{Expr: exprs[0], more: exprs[1:], result: tupleArray{more: make([]arrow.Array, len(a.More))}}, nil
	}
	return exprs[0], nil
}

// Eval returns the arguments of in. They are borrowed until the next Eval.
func (t *tupleExpr) Eval(ctx context.Context, in batch.Batch, bad expr.BadRow) (arrow.Array, error) {
	var err error
	if t.result.Array, err = t.Expr.Eval(ctx, in, bad); err != nil {
		return nil, err
	}
	for i, e := range t.more {
		if t.result.more[i], err = e.Eval(ctx, in, bad); err != nil {
			return nil, err
		}
	}
	return &t.result, nil
}

// Close releases all memory.
func (t *tupleExpr) Close() {
	t.Expr.Close()
	closeExprs(t.more)
}
