package tidemill

import (
	"context"
	"fmt"
)

// MapLookup finds rows in a Go map: of each key its row, by column. It is for tables with one key column, and is not to be written
// to while a job runs. K is bool, int64, float64, string or time.Time, like the column.
type MapLookup[K comparable] map[K]map[string]any

var _ Lookup = MapLookup[int64](nil)

// Find takes the values of columns from the rows; one that a row does not have is NULL, but for the key itself.
func (m MapLookup[K]) Find(_ context.Context, by, columns []string, keys [][]any) ([][][]any, error) {
	if len(by) != 1 {
		return nil, fmt.Errorf("a map has one key, the join has %d: %v", len(by), by)
	}
	found := make([][][]any, len(keys))
	for i, key := range keys {
		k, ok := key[0].(K)
		if !ok {
			return nil, fmt.Errorf("the key %s is a %T, the map has keys of type %T", by[0], key[0], k)
		}
		row, ok := m[k]
		if !ok {
			continue
		}
		values := make([]any, len(columns))
		for c, name := range columns {
			v, has := row[name]
			if !has && name == by[0] {
				v = k
			}
			values[c] = v
		}
		found[i] = [][]any{values}
	}
	return found, nil
}
