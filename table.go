package tidemill

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/tidemill/tidemill/batch"
	"github.com/tidemill/tidemill/ingest"
	"github.com/tidemill/tidemill/operators"
	"github.com/tidemill/tidemill/sql"
)

// tableSpec is a CREATE TABLE.
type tableSpec struct {
	def    *sql.TableDef
	lookup *lookupSpec // nil for files
	// open makes a source that reads the table once more.
	open func() (sourceSpec, error)
	// onChange says that the table is read again when a file of it has changed, every that it is after a time; 0: never.
	onChange bool
	every    time.Duration
}

// newTable makes the spec of a table, opening nothing.
func (c *Context) newTable(def *sql.TableDef) (tableSpec, error) {
	spec := tableSpec{def: def}
	if strings.HasPrefix(def.URI, lookupScheme) {
		lookup, err := c.newLookup(def)
		spec.lookup = lookup
		return spec, err
	}
	source := &sql.SourceDef{Name: def.Name, URI: def.URI, Format: def.Format, Columns: def.Columns, Options: make(map[string]string), Pos: def.Pos}
	var errs []error
	for key, value := range def.Options {
		switch key {
		case "refresh":
			if spec.onChange = strings.EqualFold(value, "on change"); spec.onChange {
				continue
			}
			d, err := sql.ParseInterval(value)
			if err != nil || d <= 0 {
				errs = append(errs, fmt.Errorf("option refresh: want 'on change', or a time such as '10 minutes', got %q", value))
			}
			spec.every = d
		case "follow", "max_rows_per_interval", "idle", "journal", "max_ahead":
			errs = append(errs, fmt.Errorf("option %s is for streams: a table is read as a whole", key))
		default:
			source.Options[key] = value
		}
	}
	if !strings.HasPrefix(def.URI, "file:") {
		return spec, errors.Join(append(errs, fmt.Errorf("table %q: what it is, is unknown: write file:PATH or lookup:NAME", def.URI))...)
	}
	spec.open = func() (sourceSpec, error) { return c.newSource(source) }
	if _, err := spec.open(); err != nil {
		errs = append(errs, err)
	}
	return spec, errors.Join(errs...)
}

// tables are what the joins of a job with tables read. The engine refreshes them between two intervals, while nobody reads.
type tables struct {
	specs   map[string]tableSpec
	reads   []*tableRun
	lookups []*lookupRun
	clock   Clock
	bad     func(source, split string, row ingest.BadRow)
	// failsOnBad says that a bad row ends the job.
	failsOnBad bool
	// memory reports that the job has outgrown its budget.
	memory func() error
}

// tableRun is the table of one join, with the columns that the join uses.
type tableRun struct {
	tableSpec
	node    *nodeRun
	join    *operators.TableJoinSpec
	table   operators.Table
	version string // of the files that were read
	readAt  time.Time
}

// reader opens the table of a node of the plan.
func (t *tables) reader(n *nodeRun, join *operators.TableJoinSpec) (operators.TableReader, error) {
	for _, r := range t.reads {
		if r.node == n {
			return r.table.NewReader(), nil
		}
	}
	spec, known := t.specs[join.Table]
	if !known {
		return nil, fmt.Errorf("table %q is unknown", join.Table)
	}
	if spec.lookup != nil {
		return t.lookupReader(spec.lookup, n, join)
	}
	r := &tableRun{tableSpec: spec, node: n, join: join}
	t.reads = append(t.reads, r)
	return r.table.NewReader(), nil
}

// lookupReader returns a reader for a node, whose workers share a cache.
func (t *tables) lookupReader(spec *lookupSpec, n *nodeRun, join *operators.TableJoinSpec) (operators.TableReader, error) {
	for _, r := range t.lookups {
		if r.node == n {
			return r.newReader(), nil
		}
	}
	r, err := newLookupRun(spec, n, join, t.clock)
	if err != nil {
		return nil, err
	}
	t.lookups = append(t.lookups, r)
	return r.newReader(), nil
}

// refresh reads the tables that were not read yet, and those that are due again.
func (t *tables) refresh(ctx context.Context) error {
	for _, r := range t.reads {
		isDue, version, err := r.isDue(t.clock.Now())
		if err == nil && isDue {
			err = t.read(ctx, r, version)
		}
		if err != nil {
			return fmt.Errorf("table %s: %w", r.join.Table, err)
		}
	}
	return nil
}

// isDue says whether the table is to be read, and the version of its files before that: one that changes meanwhile is read again.
func (r *tableRun) isDue(now time.Time) (isDue bool, version string, err error) {
	isFirst := r.readAt.IsZero()
	switch {
	case isFirst:
	case r.onChange:
	default:
		return r.every > 0 && !now.Before(r.readAt.Add(r.every)), "", nil
	}
	if r.onChange {
		if version, err = ingest.FilesVersion(r.def.URI); err != nil {
			return false, "", err
		}
	}
	return isFirst || version != r.version, version, nil
}

// read replaces the rows of a table by those that its files have now. Bad rows are counted as those of a source are.
func (t *tables) read(ctx context.Context, r *tableRun, version string) error {
	spec, err := r.open()
	if err != nil {
		return err
	}
	rows := operators.NewTableVersion(r.node.account, r.join)
	decoder, err := spec.format.NewDecoder(ingest.DecodeSpec{Declared: r.join.Declared, Used: r.join.Used, Mem: r.node.account})
	if err != nil {
		rows.Close()
		return err
	}
	err = t.readSplits(ctx, r, spec, decoder, rows)
	decoder.Close()
	if err = errors.Join(err, spec.source.Close()); err != nil {
		rows.Close()
		return err
	}
	rows.Seal()
	r.table.Replace(rows)
	r.version, r.readAt = version, t.clock.Now()
	return t.memory()
}

func (t *tables) readSplits(ctx context.Context, r *tableRun, spec sourceSpec, decoder ingest.Decoder, rows *operators.TableVersion) error {
	var splits []ingest.SplitEvent
	if err := spec.source.Open(ctx, nil, func(ev ingest.SplitEvent) { splits = append(splits, ev) }); err != nil {
		return err
	}
	blocks := ingest.NewBlockPool(r.node.account)
	for _, split := range splits {
		var badErr error
		bad := func(row ingest.BadRow) {
			t.bad(r.def.Name, split.Name, row)
			if t.failsOnBad && badErr == nil {
				badErr = fmt.Errorf("bad row: %s: %s", split.Name, DescribeBadRow(row))
			}
		}
		w := ingest.NewBlockWriter(ingest.WriterSpec{
			Split: split.Split, Source: r.def.Name, Name: split.Name, Format: spec.format, Blocks: blocks, Bad: bad,
			Now: func() batch.Time { return batch.TimeOf(t.clock.Now()) },
			Send: func(ctx context.Context, b *ingest.Block) error {
				found, err := decoder.Decode(ctx, b, bad)
				if err == nil {
					err = rows.Add(found)
				}
				if err == nil {
					err = t.memory()
				}
				if err == nil {
					b.Free()
				}
				return err
			},
		})
		err := spec.source.Read(ctx, split.Split, w)
		w.Close()
		if err = errors.Join(err, badErr); err != nil {
			return err
		}
	}
	return nil
}

// close releases the rows of all tables. Nobody reads any more.
func (t *tables) close() {
	for _, r := range t.reads {
		r.table.Replace(nil)
	}
	for _, r := range t.lookups {
		r.cache.Close()
	}
}
