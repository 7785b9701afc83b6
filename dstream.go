package tidemill

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/apache/arrow-go/v18/arrow"

	"github.com/tidemill/tidemill/batch"
	"github.com/tidemill/tidemill/egress"
	"github.com/tidemill/tidemill/ingest"
)

// DStream is a stream of rows over intervals. Its methods describe the next step and return it; expressions are SQL over the
// columns of the stream. Mistakes are reported by Check and Start. A DStream is immutable and may be used more than once: its
// rows are computed once for each use.
type DStream struct {
	c     *Context
	query query
}

// query is a SELECT in the making.
type query struct {
	items, from, where, group, order string
	// distinct is "" or DISTINCT with what belongs to it and a space.
	distinct string
	limit    int64 // -1: all
}

func (q query) String() string {
	s := "SELECT " + q.distinct + q.items + " FROM " + q.from
	if q.where != "" {
		s += " WHERE " + q.where
	}
	if q.group != "" {
		s += " GROUP BY " + q.group
	}
	if q.order != "" {
		s += " ORDER BY " + q.order
	}
	if q.limit >= 0 {
		s += fmt.Sprintf(" LIMIT %d", q.limit)
	}
	return s
}

// SourceOptions say how the bytes of a source become rows.
type SourceOptions struct {
	// Format is TEXT, CSV or JSON; left out for sources that have columns of their own, and for files whose name tells.
	Format string
	// Columns is the column list of CREATE SOURCE, such as
	// "ts BIGINT, user TEXT, at AS timestamp_millis(ts), WATERMARK FOR at AS at - INTERVAL '1 second'". Left out, TEXT has one
	// column, value, and columns of CSV and JSON are inferred from the first rows.
	Columns string
	// Options are those of WITH.
	Options map[string]string
}

// Source adds a source to the job and returns its rows. Besides its columns it has arrival_time, which Select must name to keep.
func (c *Context) Source(name, uri string, o SourceOptions) DStream {
	s := "CREATE SOURCE " + quoteName(name)
	if o.Columns != "" {
		s += " (" + o.Columns + ")"
	}
	c.add(s + " FROM " + quoteText(uri) + endOf(o.Format, o.Options))
	return c.Table(name)
}

// FromSource adds a source of the caller's to the job, as Source does. The job opens it once, and closes it.
func (c *Context) FromSource(name string, source ingest.Source, o SourceOptions) DStream {
	if c.ownSources == nil {
		c.ownSources = make(map[string]ingest.Source)
	}
	c.ownSources[ownScheme+name] = source
	return c.Source(name, ownScheme+name, o)
}

// FromRecordBatches adds a source whose rows are record batches in memory, of the schema given. They are retained while the job runs,
// and must not change meanwhile. The source ends behind them; a restart from a checkpoint needs the same batches again. o.Columns names
// those that are used, in any order, and computed ones; left out, all are. The error says which column has a type that can't be read:
// see ingest.NewRecords.
func (c *Context) FromRecordBatches(name string, schema *arrow.Schema, batches []arrow.RecordBatch, o SourceOptions) (DStream, error) {
	source, err := ingest.NewRecords(schema, batches)
	if err != nil {
		return DStream{}, fmt.Errorf("source %s: %w", name, err)
	}
	return c.FromSource(name, source, o), nil
}

// Table returns the rows of a source or view that was created by SQL or Source.
func (c *Context) Table(name string) DStream {
	return DStream{c: c, query: query{items: "*", from: quoteName(name), limit: -1}}
}

func endOf(format string, options map[string]string) string {
	s := ""
	if format != "" {
		s = " FORMAT " + format
	}
	if len(options) > 0 {
		var all []string
		for _, k := range slices.Sorted(maps.Keys(options)) {
			all = append(all, k+" = "+quoteText(options[k]))
		}
		s += " WITH (" + strings.Join(all, ", ") + ")"
	}
	return s
}

func quoteName(s string) string { return "`" + strings.ReplaceAll(s, "`", "``") + "`" }

func quoteText(s string) string {
	return "'" + strings.ReplaceAll(strings.ReplaceAll(s, `\`, `\\`), "'", "''") + "'"
}

// view makes the rows so far a table of their own, for a step that can't be part of the same SELECT.
func (s DStream) view() DStream {
	if s.query.items == "*" && s.query.distinct == "" && s.query.where == "" && s.query.order == "" && s.query.limit < 0 {
		return s
	}
	s.c.views++
	name := fmt.Sprintf("stream%d", s.c.views)
	s.c.add("CREATE VIEW " + quoteName(name) + " AS " + s.query.String())
	return s.c.Table(name)
}

// Cache makes the rows so far a table of their own: they are computed once, however many streams go on from it. It keeps nothing;
// Stream.Remember does.
func (s DStream) Cache() DStream { return s.view() }

// Select computes columns: "upper(word) AS w". explode(list) makes a row of each element.
func (s DStream) Select(exprs ...string) DStream {
	if s.query.items != "*" || s.query.order != "" || s.query.limit >= 0 {
		s = s.view()
	}
	s.query.items = strings.Join(exprs, ", ")
	return s
}

// Where keeps rows for which the condition is true.
func (s DStream) Where(condition string) DStream {
	if s.query.items != "*" || s.query.where != "" || s.query.order != "" || s.query.limit >= 0 {
		s = s.view()
	}
	s.query.where = condition
	return s
}

// Union adds the rows of another stream with the same columns.
func (s DStream) Union(other DStream) DStream {
	a, b := s.view(), other.view()
	s.c.views++
	name := fmt.Sprintf("stream%d", s.c.views)
	s.c.add(fmt.Sprintf("CREATE VIEW %s AS %s UNION ALL %s", quoteName(name), a.query, b.query))
	return s.c.Table(name)
}

// Grouped is a stream that is divided into groups, to be aggregated.
type Grouped struct {
	s      DStream
	window string
	keys   []string
}

// Window divides the rows into windows of a size, one every slide, by a TIMESTAMP column: arrival_time, or one with a watermark.
// For tumbling windows the slide is the size.
func (s DStream) Window(column string, size, slide time.Duration) Grouped {
	micros := func(d time.Duration) string { return "INTERVAL '" + microsText(d) + "'" }
	return Grouped{s: s, window: fmt.Sprintf("window(%s, %s, %s)", column, micros(size), micros(slide))}
}

// GroupBy divides the rows by keys, which are expressions.
func (s DStream) GroupBy(keys ...string) Grouped { return Grouped{s: s, keys: keys} }

// GroupBy divides the rows of each window by keys, which are expressions.
func (g Grouped) GroupBy(keys ...string) Grouped {
	g.keys = append(slices.Clone(g.keys), keys...)
	return g
}

// Agg computes aggregates for each group: "count(*) AS n". The result has the columns start and end of the window, if there is
// one, then the keys, then the aggregates.
func (g Grouped) Agg(exprs ...string) DStream {
	s := g.s.view()
	var items, group []string
	if g.window != "" {
		items = append(items, "window.start", "window.end")
		group = append(group, g.window)
	}
	items = append(append(items, g.keys...), exprs...)
	s.query.group = strings.Join(append(group, g.keys...), ", ")
	s.query.items = strings.Join(items, ", ")
	return s
}

// OrderBy orders the rows of each window, or of each interval where there is none: "n DESC".
func (s DStream) OrderBy(terms ...string) DStream {
	s.query.order = strings.Join(terms, ", ")
	return s
}

// Limit keeps the first n rows of each window, or of each interval where there is none.
func (s DStream) Limit(n int64) DStream {
	s.query.limit = n
	return s
}

// Print prints the rows on Config.Stdout.
func (s DStream) Print() { s.c.add(s.query.String()) }

// SinkOptions say how rows go into a sink.
type SinkOptions struct {
	Format string
	// Mode is append, update or complete; left out, append where a window closes, update for other aggregates.
	Mode string
	// Lateness is how long after the end of its windows a row still counts. The default is that of the Config.
	Lateness time.Duration
	// Early is how often a window comes out before its end in mode update, when something in it has changed; less than 0 means not at
	// all. The default is at the end of each interval.
	Early time.Duration
	// Late is the URI of a sink for rows that count for none of their windows; LateTo is one of the caller's. The default is none:
	// such rows are counted.
	Late   string
	LateTo egress.Sink
	// Options are those of WITH.
	Options map[string]string
}

// with returns the options of WITH, those that have fields among them.
func (o *SinkOptions) with() map[string]string {
	options := maps.Clone(o.Options)
	if options == nil {
		options = make(map[string]string)
	}
	if o.Mode != "" {
		options["mode"] = o.Mode
	}
	if o.Lateness != 0 {
		options["lateness"] = microsText(o.Lateness)
	}
	switch {
	case o.Early < 0:
		options["early"] = "off"
	case o.Early > 0:
		options["early"] = microsText(o.Early)
	}
	if o.Late != "" {
		options["late"] = o.Late
	}
	return options
}

// microsText returns a time as text of an INTERVAL.
func microsText(d time.Duration) string { return fmt.Sprintf("%d microseconds", d.Microseconds()) }

// To writes the rows into a sink: "file:out/".
func (s DStream) To(name, uri string, o SinkOptions) {
	options := o.with()
	if o.LateTo != nil {
		options["late"] = s.c.own(name+".late", o.LateTo)
	}
	s.c.add("CREATE SINK " + quoteName(name) + " INTO " + quoteText(uri) + endOf(o.Format, options) + " AS " + s.query.String())
}

// ToSink writes the rows into a sink of the caller's.
func (s DStream) ToSink(name string, sink egress.Sink) {
	s.To(name, s.c.own(name, sink), SinkOptions{})
}

// own keeps a sink of the caller's and returns its URI.
func (c *Context) own(name string, sink egress.Sink) string {
	if c.ownSinks == nil {
		c.ownSinks = make(map[string]egress.Sink)
	}
	c.ownSinks[ownScheme+name] = sink
	return ownScheme + name
}

// ownScheme begins the URI of a source or sink that the caller made.
const ownScheme = "go:"

// ForeachBatch calls fn with the rows of each interval, one call after the other, also when there are none. rows is valid until fn
// returns, longer if it is retained. After a restart, intervals behind the last commit come again: fn is called at least once for
// each row. An error of fn ends the job.
func (s DStream) ForeachBatch(name string, fn func(ctx context.Context, iv batch.Interval, rows arrow.RecordBatch) error) {
	s.ToSink(name, &foreachSink{c: s.c, fn: fn})
}

// foreachSink hands rows to a function.
type foreachSink struct {
	c  *Context
	fn func(ctx context.Context, iv batch.Interval, rows arrow.RecordBatch) error
}

var _ egress.Sink = (*foreachSink)(nil)

func (f *foreachSink) Open(context.Context, egress.Spec, uint64, egress.Token) error { return nil }

func (f *foreachSink) Write(ctx context.Context, iv batch.Interval, in batch.Batch) (err error) {
	rows := batch.Export(f.c.pool, in)
	defer rows.Release()
	defer func() {
		if r := recover(); r != nil {
			err = errors.Join(err, fmt.Errorf("function panics: %v", r))
		}
	}()
	return f.fn(ctx, iv, rows)
}

func (f *foreachSink) Prepare(context.Context, uint64) (egress.Token, error) { return nil, nil }

func (f *foreachSink) Commit(context.Context, uint64, egress.Token) error { return nil }

func (f *foreachSink) Close() error { return nil }
