package oracle

import (
	"fmt"
	"math"
	"math/big"
	"slices"

	"github.com/tidemill/tidemill/operators"
)

// differentOf returns the different ones of values, in ascending order.
func differentOf(values []any) []any {
	sorted := slices.Clone(values)
	slices.SortFunc(sorted, compare)
	return slices.CompactFunc(sorted, func(a, b any) bool { return compare(a, b) == 0 })
}

// otherAggregate computes, of values that are not NULL and at least one, what is made of all of them at once.
func otherAggregate(spec operators.AggSpec, values []any, counts *Counts) (any, error) {
	switch spec.Func {
	case "bit_and", "bit_or", "bit_xor":
		all := values[0].(int64)
		for _, v := range values[1:] {
			switch spec.Func {
			case "bit_and":
				all &= v.(int64)
			case "bit_or":
				all |= v.(int64)
			default:
				all ^= v.(int64)
			}
		}
		return all, nil
	case "var_pop", "var_samp":
		return variance(spec.Func == "var_samp", values, counts), nil
	case "mode":
		var best any
		most := 0
		for _, v := range differentOf(values) {
			n := 0
			for _, w := range values {
				if compare(v, w) == 0 {
					n++
				}
			}
			if n > most {
				best, most = v, n
			}
		}
		return best, nil
	case "percentile":
		sorted := slices.Clone(values)
		slices.SortFunc(sorted, compare)
		number := func(i float64) float64 {
			if v, ok := sorted[int(i)].(int64); ok {
				return float64(v)
			}
			return sorted[int(i)].(float64)
		}
		at := spec.Places[0] * float64(len(sorted)-1)
		below, above := math.Floor(at), math.Ceil(at)
		if low, high := number(below), number(above); below != above && low != high {
			return (above-at)*low + (at-below)*high, nil
		}
		return number(below), nil
	}
	return nil, fmt.Errorf("oracle knows no aggregate %q", spec.Func)
}

// variance returns that of numbers, computed exactly and rounded once.
func variance(isSample bool, values []any, counts *Counts) any {
	n := int64(len(values))
	if isSample && n == 1 {
		return nil
	}
	exact := func(v float64) *big.Float { return new(big.Float).SetPrec(5000).SetFloat64(v) }
	sum, squares := exact(0), exact(0)
	for _, v := range values {
		x := v.(float64)
		if math.IsNaN(x) || math.IsInf(x, 0) {
			return math.NaN()
		}
		// Squares, and what rounding takes from them, must be doubles.
		counts.Fragile = counts.Fragile || math.Abs(x) > 1e150 || x != 0 && math.Abs(x) < 1e-100
		sum.Add(sum, exact(x))
		squares.Add(squares, exact(0).Mul(exact(x), exact(x)))
	}
	m2 := exact(0).Sub(squares, exact(0).Quo(exact(0).Mul(sum, sum), exact(float64(n))))
	size, _ := squares.Float64()
	if v, _ := m2.Float64(); v < 1e-16*size {
		counts.Fragile = true
	}
	if isSample {
		n--
	}
	v, _ := m2.Quo(m2, exact(float64(n))).Float64()
	return v
}
