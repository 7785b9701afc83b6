package checkpoint

import (
	"context"
	"maps"
	"slices"

	"github.com/apache/arrow-go/v18/arrow"
)

// compact rewrites the live rows of all tables into one new segment and retires the others, which stay until the record that
// refers to the new one is durable. All saved frames are on disk when it is called.
func (l *Log) compact(ctx context.Context) error {
	old := l.segments
	l.segments = nil
	l.newSegment()
	for _, name := range slices.Sorted(maps.Keys(l.tables)) {
		t := l.tables[name]
		frames := t.frames
		t.frames = nil
		t.begin()
		if err := l.describe(t, tableHeader{Full: true}); err != nil {
			return err
		}
		err := l.readImage(ctx, t, frames, 1, func(shard int, rows arrow.RecordBatch) error {
			return l.saveRows(ctx, t, frameHeader{kind: upsertFrame, shard: uint16(shard), flags: baseFlag}, rows)
		})
		if err != nil {
			return err
		}
	}
	for _, s := range old {
		l.retire(s)
	}
	return l.syncSegments()
}
