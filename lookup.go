package tidemill

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/dgraph-io/ristretto/v2"

	"github.com/tidemill/tidemill/batch"
	"github.com/tidemill/tidemill/operators"
	"github.com/tidemill/tidemill/sql"
)

// Lookup finds rows by key outside of the job: in a map, a database, a service. A stream is joined with it through
// CREATE TABLE … FROM 'lookup:NAME'.
type Lookup interface {
	// Find returns the rows of each key: the i-th of what it returns has those of the i-th of keys, none where there is none. A key
	// has a value for each column of by, a row one for each column of columns. Values of keys are bool, int64, float64, string or
	// time.Time; those of rows may also be nil, int and []byte. keys are all different, none is NULL. It is called from several
	// workers at once, each time for the keys of a batch that are in no cache. An error is tried again, with growing pauses, and then
	// ends the job.
	Find(ctx context.Context, by, columns []string, keys [][]any) ([][][]any, error)
}

// Lookup gives a look-up the name that CREATE TABLE … FROM 'lookup:NAME' has.
func (c *Context) Lookup(name string, l Lookup) {
	if c.lookups == nil {
		c.lookups = make(map[string]Lookup)
	}
	c.lookups[name] = l
}

const (
	lookupScheme = "lookup:"

	// The defaults of a table that is looked up. They are choices, not measurements.
	lookupTTL         = time.Minute
	lookupNegativeTTL = 10 * time.Second
	lookupCacheRows   = 100_000

	// lookupTries and lookupPause bound what a look-up that fails is tried again: after 0.1, 0.2, 0.4 and 0.8 s.
	lookupTries = 5
	lookupPause = 100 * time.Millisecond
)

// lookupSpec is a CREATE TABLE over a look-up.
type lookupSpec struct {
	lookup           Lookup
	ttl, negativeTTL time.Duration
	cacheRows        int64
}

// newLookup makes the spec of a table that is looked up.
func (c *Context) newLookup(def *sql.TableDef) (*lookupSpec, error) {
	name := strings.TrimPrefix(def.URI, lookupScheme)
	spec := &lookupSpec{lookup: c.lookups[name], ttl: lookupTTL, negativeTTL: lookupNegativeTTL, cacheRows: lookupCacheRows}
	var errs []error
	if spec.lookup == nil {
		errs = append(errs, fmt.Errorf("look-up %q is unknown: a Go program names one with Context.Lookup", name))
	}
	if def.Format != "" {
		errs = append(errs, errors.New("a look-up has no FORMAT"))
	}
	for key, value := range def.Options {
		switch key {
		case "ttl", "negative_ttl":
			d, err := sql.ParseInterval(value)
			if err != nil || d < 0 {
				errs = append(errs, fmt.Errorf("option %s: want a time such as '1 minute', or '0 seconds' to keep nothing, got %q", key, value))
			}
			if key == "ttl" {
				spec.ttl = d
			} else {
				spec.negativeTTL = d
			}
		case "cache_rows":
			n, err := strconv.ParseInt(value, 10, 64)
			if err != nil || n < 1 {
				errs = append(errs, fmt.Errorf("option cache_rows: want a number of rows from 1 on, got %q", value))
			}
			spec.cacheRows = n
		default:
			errs = append(errs, fmt.Errorf("option %q is unknown: a look-up has ttl, negative_ttl and cache_rows", key))
		}
	}
	return spec, errors.Join(errs...)
}

// lookupRun is the look-up of one join, with a cache that all workers share. The cache is lossy and drops what it likes: what it
// drops is looked up again.
type lookupRun struct {
	*lookupSpec
	node  *nodeRun
	join  *operators.TableJoinSpec
	clock Clock
	cache *ristretto.Cache[string, *lookupEntry]
}

// lookupEntry is what was found for a key.
type lookupEntry struct {
	rows  [][]any
	until time.Time
}

func newLookupRun(spec *lookupSpec, n *nodeRun, join *operators.TableJoinSpec, clock Clock) (*lookupRun, error) {
	cache, err := ristretto.NewCache(&ristretto.Config[string, *lookupEntry]{
		NumCounters: 10 * spec.cacheRows, MaxCost: spec.cacheRows, BufferItems: 64, IgnoreInternalCost: true,
	})
	if err != nil {
		return nil, fmt.Errorf("cache: %w", err)
	}
	return &lookupRun{lookupSpec: spec, node: n, join: join, clock: clock, cache: cache}, nil
}

// newReader returns what one worker looks up with.
func (r *lookupRun) newReader() operators.TableReader {
	l := &lookupReader{
		run: r, keys: batch.NewFrame(r.node.account, r.join.KeySchema()), rows: batch.NewFrame(r.node.account, r.join.Columns()),
	}
	for _, f := range r.join.KeySchema().Fields() {
		l.by = append(l.by, f.Name)
	}
	for _, f := range r.join.Columns().Fields() {
		l.columns = append(l.columns, f.Name)
	}
	return l
}

// lookupReader looks up keys, first in the cache.
type lookupReader struct {
	run         *lookupRun
	by, columns []string

	// Of the last Find.
	keys, rows *batch.Frame
	key        []byte
	found      [][][]any
	missing    []int // keys that are not in the cache
	names      []string
	wanted     [][]any
}

var _ operators.TableReader = (*lookupReader)(nil)

// Find looks the keys up.
func (l *lookupReader) Find(ctx context.Context, keys *operators.TableKeys, from, to []int32) (*batch.Frame, error) {
	l.keys.Reset(0)
	keys.AppendTo(l.keys.Columns)
	l.keys.SetRows(keys.Len())
	l.fromCache(keys.Len())
	if len(l.missing) > 0 {
		if err := l.lookUp(ctx); err != nil {
			return nil, fmt.Errorf("look up in %s: %w", l.run.join.Table, err)
		}
	}
	l.rows.Reset(0)
	for _, c := range l.rows.Columns {
		c.AppendNull()
	}
	n := 1
	for k, rows := range l.found {
		from[k] = int32(n)
		for _, row := range rows {
			if len(row) != len(l.columns) {
				return nil, fmt.Errorf("look up in %s: a row has %d values, there are %d columns", l.run.join.Table, len(row), len(l.columns))
			}
			for i, c := range l.rows.Columns {
				if err := appendGo(c, row[i]); err != nil {
					return nil, fmt.Errorf("look up in %s: column %q: %w", l.run.join.Table, l.columns[i], err)
				}
			}
			n++
		}
		to[k] = int32(n)
	}
	l.rows.SetRows(n)
	return l.rows, nil
}

// fromCache sets found to what the cache has for the keys, and missing to the others.
func (l *lookupReader) fromCache(n int) {
	l.found, l.missing, l.names, l.wanted = l.found[:0], l.missing[:0], l.names[:0], l.wanted[:0]
	columns, now := l.keys.Rows().Columns(), l.run.clock.Now()
	for k := range n {
		l.key = l.key[:0]
		for _, c := range columns {
			l.key = operators.AppendKey(l.key, c, k)
		}
		name := string(l.key)
		if e, ok := l.run.cache.Get(name); ok && now.Before(e.until) {
			l.found = append(l.found, e.rows)
			continue
		}
		key := make([]any, len(columns))
		for i, c := range columns {
			key[i] = goValue(c, k)
		}
		l.found = append(l.found, nil)
		l.missing, l.names, l.wanted = append(l.missing, k), append(l.names, name), append(l.wanted, key)
	}
}

// lookUp asks for what is missing, and keeps what it is told.
func (l *lookupReader) lookUp(ctx context.Context) error {
	var rows [][][]any
	var err error
	for try := range lookupTries {
		if try > 0 {
			if waitErr := l.run.clock.Wait(ctx, l.run.clock.Now().Add(lookupPause<<(try-1))); waitErr != nil {
				return waitErr
			}
		}
		if rows, err = l.ask(ctx); err == nil || ctx.Err() != nil {
			break
		}
	}
	if err != nil {
		return err
	}
	now := l.run.clock.Now()
	for i, k := range l.missing {
		l.found[k] = rows[i]
		ttl := l.run.ttl
		if len(rows[i]) == 0 {
			ttl = l.run.negativeTTL
		}
		if ttl > 0 {
			l.run.cache.Set(l.names[i], &lookupEntry{rows[i], now.Add(ttl)}, int64(max(1, len(rows[i]))))
		}
	}
	return nil
}

// ask calls the look-up once. A panic is an error.
func (l *lookupReader) ask(ctx context.Context) (rows [][][]any, err error) {
	defer func() {
		if r := recover(); r != nil {
			err = fmt.Errorf("the look-up panics: %v", r)
		}
	}()
	rows, err = l.run.lookup.Find(ctx, l.by, l.columns, l.wanted)
	if err == nil && len(rows) != len(l.wanted) {
		err = fmt.Errorf("the look-up has rows for %d keys, %d were asked for", len(rows), len(l.wanted))
	}
	return rows, err
}

// Close releases the rows.
func (l *lookupReader) Close() {
	l.keys.Release()
	l.rows.Release()
}

// goValue returns a value of a column that is not NULL.
func goValue(arr arrow.Array, i int) any {
	switch a := arr.(type) {
	case interface{ Value(int) bool }:
		return a.Value(i)
	case interface{ Value(int) int64 }:
		return a.Value(i)
	case interface{ Value(int) float64 }:
		return a.Value(i)
	case interface{ Value(int) arrow.Timestamp }:
		return batch.Time(a.Value(i)).Go()
	case interface{ Value(int) string }:
		return strings.Clone(a.Value(i))
	}
	return nil
}

// appendGo adds a value to a column.
func appendGo(c *batch.Column, v any) error {
	if v == nil {
		c.AppendNull()
		return nil
	}
	switch c.Type().ID() {
	case arrow.INT64:
		switch v := v.(type) {
		case int64:
			c.AppendInt64(v)
			return nil
		case int:
			c.AppendInt64(int64(v))
			return nil
		}
	case arrow.FLOAT64:
		switch v := v.(type) {
		case float64:
			c.AppendFloat64(v)
			return nil
		case int64:
			c.AppendFloat64(float64(v))
			return nil
		case int:
			c.AppendFloat64(float64(v))
			return nil
		}
	case arrow.STRING:
		switch v := v.(type) {
		case string:
			c.AppendString(v)
			return nil
		case []byte:
			c.AppendText(v)
			return nil
		}
	case arrow.BOOL:
		switch v := v.(type) {
		case bool:
			c.AppendBool(v)
			return nil
		case int64: // of databases that have no other
			c.AppendBool(v != 0)
			return nil
		}
	case arrow.TIMESTAMP:
		if t, ok := v.(time.Time); ok {
			c.AppendInt64(int64(batch.TimeOf(t)))
			return nil
		}
	}
	return fmt.Errorf("want %s, got %T", batch.TypeName(c.Type()), v)
}
