package parquet

import (
	"cmp"
	"strings"

	"github.com/apache/arrow-go/v18/parquet/metadata"
	"github.com/apache/arrow-go/v18/parquet/schema"

	"github.com/tidemill/tidemill/batch"
	"github.com/tidemill/tidemill/ingest"
)

// mayMatch says whether a row group may have a row within all bounds, by the least and the largest value of its columns.
func (r *reader) mayMatch(group *metadata.RowGroupMetaData) bool {
	for _, bound := range r.spec.Bounds {
		for i := range r.rows.Manifest.Fields {
			f := &r.rows.Manifest.Fields[i]
			if !strings.EqualFold(f.Field.Name, bound.Column) || len(f.Children) > 0 {
				continue
			}
			chunk, err := group.ColumnChunk(f.ColIndex)
			if err != nil {
				continue // who reads the column reports it
			}
			if isSet, err := chunk.StatsSet(); err != nil || !isSet {
				continue
			}
			stats, err := chunk.Statistics()
			if err == nil && stats != nil && !isWithin(stats, group.NumRows(), bound) {
				return false
			}
		}
	}
	return true
}

// isWithin says whether a column may have a value within a bound. It does not look at what it does not know for certain.
func isWithin(stats metadata.TypedStatistics, rows int64, bound ingest.Bound) bool {
	if stats.HasNullCount() && stats.NullCount() == rows {
		return false
	}
	if !stats.HasMinMax() {
		return true
	}
	logical := stats.Descr().LogicalType()
	switch s := stats.(type) {
	case *metadata.Int32Statistics:
		if v, ok := bound.Value.(int64); ok && isSigned(logical) {
			return overlaps(int64(s.Min()), int64(s.Max()), v, bound.Op)
		}
	case *metadata.Int64Statistics:
		switch v := bound.Value.(type) {
		case int64:
			if isSigned(logical) {
				return overlaps(s.Min(), s.Max(), v, bound.Op)
			}
		case batch.Time:
			if t, ok := logical.(schema.TimestampLogicalType); ok {
				return timesOverlap(s.Min(), s.Max(), t.TimeUnit(), v, bound.Op)
			}
		}
	case *metadata.Float32Statistics:
		if v, ok := bound.Value.(float64); ok {
			return overlaps(float64(s.Min()), float64(s.Max()), v, bound.Op)
		}
	case *metadata.Float64Statistics:
		if v, ok := bound.Value.(float64); ok {
			return overlaps(s.Min(), s.Max(), v, bound.Op)
		}
	case *metadata.ByteArrayStatistics:
		if v, ok := bound.Value.(string); ok && logical.Equals(schema.StringLogicalType{}) {
			return overlaps(string(s.Min()), string(s.Max()), v, bound.Op)
		}
	}
	return true
}

// isSigned says whether integers are plain: no dates, decimals, times, or numbers without sign.
func isSigned(t schema.LogicalType) bool {
	if i, ok := t.(schema.IntLogicalType); ok {
		return i.IsSigned()
	}
	return t == nil || t.Equals(schema.NoLogicalType{}) || t.Equals(schema.UnknownLogicalType{})
}

// timesOverlap compares times of a unit in microseconds; nanoseconds are rounded down, as when they are read.
func timesOverlap(low, high int64, unit schema.TimeUnitType, v batch.Time, op string) bool {
	switch unit {
	case schema.TimeUnitMillis:
		const most = 1<<63 - 1
		if low < -most/1000 || high > most/1000 {
			return true
		}
		low, high = low*1000, high*1000
	case schema.TimeUnitNanos:
		low, high = floorDiv(low, 1000), floorDiv(high, 1000)
	case schema.TimeUnitMicros:
	default:
		return true
	}
	return overlaps(low, high, int64(v), op)
}

func floorDiv(a, b int64) int64 {
	q := a / b
	if a%b < 0 {
		q--
	}
	return q
}

// overlaps says whether some value from low to high compares with v as op says. With NaN among them it may.
func overlaps[T cmp.Ordered](low, high, v T, op string) bool {
	if _, isFloat := any(v).(float64); isFloat && (isNaN(low) || isNaN(high) || isNaN(v)) {
		return true
	}
	switch op {
	case "=":
		return low <= v && v <= high
	case "<":
		return low < v
	case "<=":
		return low <= v
	case ">":
		return high > v
	case ">=":
		return high >= v
	}
	return true
}

// isNaN says whether x is NaN, the one value that is not equal to itself.
func isNaN[T cmp.Ordered](x T) bool {
	other := x
	return x != other
}
