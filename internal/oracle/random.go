package oracle

import (
	"fmt"
	"math"
	"math/rand/v2"
	"time"

	"github.com/apache/arrow-go/v18/arrow"

	"github.com/tidemill/tidemill/batch"
	"github.com/tidemill/tidemill/operators/expr"
)

// random makes values and expressions from a seed.
type random struct {
	*rand.Rand

	tame bool // DOUBLEs are finite and neither huge nor tiny
}

func newRandom(rng *rand.Rand) *random {
	return &random{Rand: rng, tame: rng.IntN(3) > 0}
}

// chance is true with a probability of percent.
func (r *random) chance(percent int) bool { return r.IntN(100) < percent }

func pick[T any](r *random, from []T) T { return from[r.IntN(len(from))] }

var scalarTypes = []arrow.DataType{batch.Boolean, batch.BigInt, batch.Double, batch.Text, batch.Timestamp}

// texts are short and few, so that groups form, with some of every kind that casts, matches and formats may stumble over.
var texts = []string{
	"a", "b", "ab", "A", "a b c", "b,c;a", "", " ", "  x ", "ä", "日本", "straße", "ÀÉ", "null", "NULL", "12", "-7", "+3", "1.5",
	"1e3", "9223372036854775808", "NaN", "true", "No", "2026-01-02 03:04:05", "2026-02-30", "1969-12-31T23:59:59.5Z", `\`, `a\b`,
	"%", "a_c", `say "hi"`, "two\nlines", "x,y", "🜁🜂", "e\u0301", "\t1 ",
}

var bigInts = []int64{
	math.MinInt64, math.MaxInt64, math.MinInt64 + 1, 1 << 53, 1<<53 + 1, -1, 1_000_000_007, 4_000_000_000,
}

var doubles = []float64{
	math.NaN(), math.Inf(1), math.Inf(-1), math.Copysign(0, -1), 0, math.MaxFloat64, math.SmallestNonzeroFloat64, 1e15, -1e300, 1 << 53,
	9.223372036854775807e18,
}

// value returns a value of a type, NULL now and then.
func (r *random) value(t arrow.DataType) any {
	if r.chance(10) {
		return nil
	}
	return r.constant(t)
}

// constant returns a value that is not NULL.
func (r *random) constant(t arrow.DataType) any {
	switch t.ID() {
	case arrow.BOOL:
		return r.chance(50)
	case arrow.INT64:
		switch {
		case r.chance(5):
			return pick(r, bigInts)
		case r.chance(60):
			return r.Int64N(6)
		}
		return r.Int64N(2001) - 1000
	case arrow.FLOAT64:
		switch {
		case r.chance(10) && !r.tame:
			return pick(r, doubles)
		case r.chance(4):
			return math.Copysign(0, -1)
		case r.chance(50):
			return float64(r.IntN(9)-2) / 2
		}
		return math.Round((r.Float64()*2000-1000)*1000) / 1000
	case arrow.STRING:
		if r.chance(60) {
			return texts[r.IntN(6)]
		}
		return pick(r, texts)
	case arrow.TIMESTAMP:
		switch {
		case r.chance(10):
			return batch.TimeOf(time.Date(1900+r.IntN(250), time.Month(1+r.IntN(12)), 1+r.IntN(28), 0, 0, 0, 0, time.UTC))
		case r.chance(20):
			return batch.Time(r.Int64N(4_000_000_000_000_000) - 1_000_000_000_000_000)
		}
		return start + batch.Time(r.Int64N(60)*1_000_000)
	}
	panic(fmt.Sprintf("oracle: no values of %s", t))
}

// start is the least event time of most data.
var start = batch.TimeOf(time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC))

// RandomExpression returns a schema, rows of it, and an expression over it.
func RandomExpression(rng *rand.Rand) (schema *arrow.Schema, rows [][]any, s *expr.Spec) {
	r := newRandom(rng)
	r.tame = false
	var fields []arrow.Field
	for i, t := range scalarTypes {
		fields = append(fields, field(fmt.Sprintf("x%d", i), t), field(fmt.Sprintf("y%d", i), t))
	}
	for range 1 + r.IntN(20) {
		var row []any
		for _, f := range fields {
			row = append(row, r.value(f.Type))
		}
		rows = append(rows, row)
	}
	schema = arrow.NewSchema(fields, nil)
	return schema, rows, r.expression(schema, pick(r, append([]arrow.DataType{batch.TextList}, scalarTypes...)), 1+r.IntN(4))
}

// expression returns an expression of a type over the columns of a schema, with calls nested at most depth deep.
func (r *random) expression(schema *arrow.Schema, t arrow.DataType, depth int) *expr.Spec {
	if depth > 0 && r.chance(80) {
		for range 5 {
			if s := r.call(schema, t, depth); s != nil {
				return s
			}
		}
	}
	var columns []int
	for i, f := range schema.Fields() {
		if arrow.TypeEqual(f.Type, t) {
			columns = append(columns, i)
		}
	}
	if len(columns) > 0 && r.chance(85) {
		return expr.Column(schema, pick(r, columns))
	}
	if t.ID() == arrow.LIST {
		return r.list(r.expression(schema, batch.Text, 0))
	}
	return r.literal(t)
}

// list returns a list of texts made from a text.
func (r *random) list(text *expr.Spec) *expr.Spec {
	s, err := expr.Call("split", text, expr.Literal(pick(r, patterns)))
	if err != nil {
		panic(err)
	}
	return s
}

func (r *random) literal(t arrow.DataType) *expr.Spec {
	switch t.ID() {
	case arrow.NULL:
		return expr.Literal(nil)
	case arrow.LIST:
		return r.list(r.literal(batch.Text))
	}
	if r.chance(4) {
		if s, err := expr.Cast(expr.Literal(nil), t); err == nil {
			return s
		}
	}
	return expr.Literal(r.constant(t))
}

var (
	patterns = []string{" ", ",", "", "[,; ]", "b+", "a|c", ";", "[^a-z]", `\s+`, "[^b]+", "ä"}
	likes    = []string{"a%", "%b", "%b%", "a_c", "_", "%", "", `\%`, "a b%", "%ä%", `a\_c`, "%a%b%", "__"}
	units    = []string{"year", "quarter", "month", "week", "day", "hour", "minute", "second", "MILLISECOND", "microsecond"}
)
