package checkpoint

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"slices"
)

// Drop removes a table with the commit that is being prepared. A table that is not known is no error.
func (l *Log) Drop(name string) error {
	if err := l.writable(); err != nil {
		return err
	}
	t := l.tables[name]
	if t == nil {
		return nil
	}
	l.beginCommit(false)
	t.begin()
	delete(l.tables, name)
	if err := l.describe(t, tableHeader{Dropped: true}); err != nil {
		return l.fail("drop table "+name, err)
	}
	return nil
}

// Decide commits: it makes the saved images durable, then r, and that is the decision. States of r is filled in. When it returns
// an error after the check of r, what is on disk is unknown, and the Log refuses everything but Close.
func (l *Log) Decide(ctx context.Context, r Record) error {
	if err := l.writable(); err != nil {
		return err
	}
	if err := ctx.Err(); err != nil {
		return err
	}
	if l.last != nil && (r.Commit <= l.last.Commit || r.Job != l.last.Job) {
		return fmt.Errorf("checkpoint %s: record of job %q, commit %d, does not follow job %q, commit %d",
			l.dir, r.Job, r.Commit, l.last.Job, l.last.Commit)
	}
	if l.changed {
		if err := l.syncSegments(); err != nil {
			return l.fail("write images", err)
		}
		if l.wantsCompaction() {
			if err := l.compact(ctx); err != nil {
				return l.fail("compact images", err)
			}
		}
		l.dropDeadSegments()
	}
	r.States = l.states(r.Commit)
	refs := make([]segmentRef, len(l.segments))
	for i, s := range l.segments {
		refs[i] = segmentRef{Number: s.number, Size: s.size}
	}
	payload, err := encodeRecord(&r, refs)
	if err != nil {
		return l.fail("write record", err)
	}
	if err := l.appendRecord(payload); err != nil {
		return l.fail("write record", err)
	}
	if l.last, _, err = decodeRecord(payload); err != nil {
		return l.fail("write record", err)
	}
	l.saves++
	l.changed = false
	l.removeGarbage()
	return nil
}

// states returns the commit that last changed each table.
func (l *Log) states(commit uint64) map[string]uint64 {
	states := make(map[string]uint64, len(l.tables))
	for name, t := range l.tables {
		switch {
		case t.savedIn == l.saves+1:
			states[name] = commit
		case l.last != nil:
			states[name] = l.last.States[name]
		}
	}
	return states
}

// syncSegments makes all saved frames durable.
func (l *Log) syncSegments() error {
	for _, s := range l.segments {
		if err := s.flush(l.fs); err != nil {
			return err
		}
		if s.isDirty {
			if err := s.file.Sync(); err != nil {
				return err
			}
			s.isDirty = false
		}
		if s.isNew {
			if err := l.fs.SyncDir(l.dir); err != nil {
				return err
			}
			s.isNew = false
		}
	}
	return nil
}

// dropDeadSegments takes segments without a live frame out of the record to come, from the oldest on: one that follows a live
// segment may hold the drop of a table, or the beginning of an image without rows, that is about rows in the older one.
func (l *Log) dropDeadSegments() {
	for len(l.segments) > 1 && l.segments[0].live == 0 {
		l.retire(l.segments[0])
		l.segments = slices.Delete(l.segments, 0, 1)
	}
}

// retire lets the next decision remove a segment.
func (l *Log) retire(s *segment) {
	l.garbage = append(l.garbage, s.fileName)
	if err := s.closeFile(); err != nil {
		s.file = nil // it was synced; nothing of it is needed any more
	}
}

// removeGarbage removes files that the decided record does not need. What can't be removed is tried again after the next one, and
// by the next Open.
func (l *Log) removeGarbage() {
	l.garbage = slices.DeleteFunc(l.garbage, func(path string) bool {
		err := l.fs.Remove(path)
		return err == nil || errors.Is(err, fs.ErrNotExist)
	})
}

// wantsCompaction says whether more than half of the space may be dead. What is certainly live is the last full images less the
// rows deleted since: every other row may have been overwritten.
func (l *Log) wantsCompaction() bool {
	var total, live int64
	for _, s := range l.segments {
		total += s.size
	}
	for t := range maps.Values(l.tables) {
		if t.baseRows > t.deleted {
			live += t.baseBytes - t.baseBytes/t.baseRows*t.deleted
		}
	}
	return total > 2*live && total > l.opts.CompactBytes
}
