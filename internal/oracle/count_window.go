package oracle

import (
	"errors"
	"slices"

	"github.com/tidemill/tidemill/batch"
	"github.com/tidemill/tidemill/operators"
)

// aggregateCounts numbers the rows of each group in their order, and makes a window of every so many.
func aggregateCounts(spec *operators.AggregateSpec, in []row, counts *Counts) ([]row, error) {
	w := spec.Window
	rows := map[string][][]any{}
	keysOf := map[string][]any{}
	for _, r := range in {
		keys, args, err := keysAndArgs(spec, r)
		if errors.Is(err, errBad) {
			counts.Bad++
			continue
		}
		if err != nil {
			return nil, err
		}
		id := keyText(keys)
		if len(rows[id]) == 0 {
			keysOf[id] = keys
		}
		rows[id] = append(rows[id], args)
	}
	var out []row
	for id, all := range rows {
		for start := int64(0); start < int64(len(all)); start += w.RowSlide {
			end := min(start+w.Rows, int64(len(all)))
			g := &group{keys: keysOf[id], args: all[start:end]}
			values, err := g.result(spec, counts)
			if errors.Is(err, errBad) {
				counts.Bad++
				continue
			}
			if err != nil {
				return nil, err
			}
			out = append(out, row{slices.Concat([]any{start, end}, values[2:]), batch.MinTime})
		}
	}
	return out, nil
}
