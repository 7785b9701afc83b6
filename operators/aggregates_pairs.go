package operators

import (
	"math"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"

	"github.com/tidemill/tidemill/batch"
)

// pairs is covariance, correlation and the line of regression of two numbers, y and x, over the rows in which neither is NULL:
// how many there are, both means, and the sums of the products of the distances from them. It computes as moments does.
type pairs struct {
	always
	rec *records
	at  int
	fn  string
}

// The words of a pairs.
const (
	pairsWord = 0
	yMeanWord = 2*iota - 1
	xMeanWord
	yyWord
	xxWord
	xyWord
	endOfPairs
)

// pairFuncs are the functions of a pairs.
var pairFuncs = []string{
	"corr", "covar_pop", "covar_samp", "regr_avgx", "regr_avgy", "regr_count", "regr_intercept", "regr_r2", "regr_slope", "regr_sxx",
	"regr_sxy", "regr_syy",
}

var _ accumulator = (*pairs)(nil)

func (p *pairs) words() int { return endOfPairs }

func (p *pairs) bind(rec *records, at int) { p.rec, p.at = rec, at }

func (p *pairs) grow(int) {}

func (p *pairs) row(g int32) []int64 {
	from := int(g)*p.rec.width + p.at
	return p.rec.words[from : from+endOfPairs]
}

func (p *pairs) add(arg arrow.Array, rows, groups []int32) {
	in := arg.(*tupleArray)
	y, okY := in.Array.(*array.Float64)
	x, okX := in.more[0].(*array.Float64)
	if !okY || !okX {
		return // of type NULL
	}
	ys, xs, hasNulls := y.Float64Values(), x.Float64Values(), y.NullN() > 0 || x.NullN() > 0
	for k, g := range groups {
		if i := rowOf(rows, k); !hasNulls || y.IsValid(i) && x.IsValid(i) {
			p.addPair(p.row(g), ys[i], xs[i])
		}
	}
}

func (p *pairs) addPair(row []int64, y, x float64) {
	row[pairsWord]++
	n := float64(row[pairsWord])
	yMean, xMean := wideAt(row[yMeanWord:]), wideAt(row[xMeanWord:])
	dy, dx := wide{y, 0}.minus(yMean), wide{x, 0}.minus(xMean)
	yPart, xPart := dy.over(n), dx.over(n)
	putWide(row[yMeanWord:], yMean.plus(yPart))
	putWide(row[xMeanWord:], xMean.plus(xPart))
	for _, s := range [...]struct {
		at   int
		a, b wide
	}{{yyWord, dy, yPart}, {xxWord, dx, xPart}, {xyWord, dx, yPart}} {
		putWide(row[s.at:], wideAt(row[s.at:]).plus(s.a.times(s.b).scaled(n-1)))
	}
}

func (p *pairs) merge(src accumulator, ids, groups []int32) {
	from := src.(*pairs)
	for k, id := range ids {
		mergePairs(p.row(groups[k]), from.row(id))
	}
}

func mergePairs(to, from []int64) {
	if from[pairsWord] == 0 {
		return
	}
	if to[pairsWord] == 0 {
		copy(to, from)
		return
	}
	a, b := float64(to[pairsWord]), float64(from[pairsWord])
	to[pairsWord] += from[pairsWord]
	yMean, xMean := wideAt(to[yMeanWord:]), wideAt(to[xMeanWord:])
	dy, dx := wideAt(from[yMeanWord:]).minus(yMean), wideAt(from[xMeanWord:]).minus(xMean)
	yPart, xPart := dy.over(a+b), dx.over(a+b)
	putWide(to[yMeanWord:], yMean.plus(yPart.scaled(b)))
	putWide(to[xMeanWord:], xMean.plus(xPart.scaled(b)))
	for _, s := range [...]struct {
		at   int
		a, b wide
	}{{yyWord, dy, yPart}, {xxWord, dx, xPart}, {xyWord, dx, yPart}} {
		sum := wideAt(to[s.at:]).plus(wideAt(from[s.at:]))
		putWide(to[s.at:], sum.plus(s.a.times(s.b).scaled(a).scaled(b)))
	}
}

// subtract is never called: it would leave the rounding of what was taken out.
func (p *pairs) subtract(accumulator, []int32, []int32) {}

func (p *pairs) canSubtract() bool { return false }

func (p *pairs) result(col *batch.Column, ids []int32) {
	for _, id := range ids {
		row := p.row(id)
		if p.fn == "regr_count" {
			col.AppendInt64(row[pairsWord])
		} else if v, ok := p.value(row); ok {
			col.AppendFloat64(v)
		} else {
			col.AppendNull()
		}
	}
}

// value returns the result, which is NULL where there are too few pairs, or no line goes through them.
func (p *pairs) value(row []int64) (v float64, ok bool) {
	n := float64(row[pairsWord])
	if n == 0 {
		return 0, false
	}
	yMean, xMean := wideAt(row[yMeanWord:]), wideAt(row[xMeanWord:])
	yy, xx, xy := wideAt(row[yyWord:]).double(), wideAt(row[xxWord:]).double(), wideAt(row[xyWord:]).double()
	xy = withoutNoise(xy, math.Sqrt(xx*yy))
	switch p.fn {
	case "covar_pop":
		return xy / n, true
	case "covar_samp":
		return xy / (n - 1), n > 1
	case "corr":
		return xy / math.Sqrt(xx*yy), n > 1 && xx != 0 && yy != 0
	case "regr_avgx":
		return withoutNoise(xMean.double(), math.Sqrt(xx/n)), true
	case "regr_avgy":
		return withoutNoise(yMean.double(), math.Sqrt(yy/n)), true
	case "regr_sxx":
		return xx, true
	case "regr_syy":
		return yy, true
	case "regr_sxy":
		return xy, true
	case "regr_slope":
		return xy / xx, xx != 0
	case "regr_intercept":
		return yMean.minus(xMean.scaled(xy / xx)).double(), xx != 0
	}
	if yy == 0 { // regr_r2: a line that is level goes through all points
		return 1, xx != 0
	}
	return xy * xy / (xx * yy), xx != 0
}

func (p *pairs) state() []arrow.Field {
	fields := []arrow.Field{{Name: "count", Type: batch.BigInt}}
	for _, name := range []string{"mean_y", "mean_x", "yy", "xx", "xy"} {
		fields = append(fields, arrow.Field{Name: name, Type: batch.Double}, arrow.Field{Name: name + "_rest", Type: batch.Double})
	}
	return fields
}

func (p *pairs) save(cols []*batch.Column, ids []int32) {
	for _, id := range ids {
		saveWords(cols, p.row(id))
	}
}

func (p *pairs) load(cols []arrow.Array, rows, groups []int32) {
	for k, g := range groups {
		loadWords(cols, rowOf(rows, k), p.row(g))
	}
}

func (p *pairs) reset() {}

func (p *pairs) close() {}
