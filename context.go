// Package tidemill is a stream processor in one process: live input is cut into intervals, each interval becomes Arrow record
// batches, vectorised operators run over them, and results are committed exactly once.
//
// A Context runs one job, described in SQL or as DStreams:
//
//	job, err := tidemill.New(tidemill.Config{})
//	lines := job.Source("lines", "tcp://127.0.0.1:9999", tidemill.SourceOptions{Format: "TEXT"})
//	words := lines.Select("explode(split(value, ' ')) AS word", "arrival_time")
//	words.Window("arrival_time", 30*time.Second, 10*time.Second).GroupBy("word").Agg("count(*) AS n").Print()
//	err = job.Start(ctx)
//	err = job.Wait()
package tidemill

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"maps"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/apache/arrow-go/v18/arrow"

	"github.com/tidemill/tidemill/batch"
	"github.com/tidemill/tidemill/checkpoint"
	"github.com/tidemill/tidemill/egress"
	"github.com/tidemill/tidemill/ingest"
	"github.com/tidemill/tidemill/operators"
	"github.com/tidemill/tidemill/operators/expr"
	"github.com/tidemill/tidemill/sql"
)

// Context is one job. Its methods are safe for concurrent use once it is started; before that one goroutine describes the job.
type Context struct {
	cfg  Config
	pool *batch.Pool

	// The description.
	script  []string
	views   int                  // made by DStream
	steps   map[string]*sql.Step // made by Step, by name
	kinds   map[string]int       // operations with state so far, by kind
	faults  []error              // of DStreams
	isCheck bool                 // nothing may be opened
	// ownSinks and ownSources are those that the caller made, by URI.
	ownSinks   map[string]egress.Sink
	ownSources map[string]ingest.Source

	// What the script says, once it is bound.
	isBound bool
	bindErr error
	plan    *operators.Plan
	sources []sourceSpec
	sinks   []sinkSpec
	tables  map[string]tableSpec // by name
	lookups map[string]Lookup    // by name, named before the script is bound

	functions  map[string]*expr.UserFunc           // by name
	aggregates map[string]*operators.UserAggregate // by name

	engine   *engine
	stopOnce sync.Once
	done     chan struct{}
	err      error
}

// New returns a job without sources and sinks. It starts nothing. The error reports all faults of cfg.
func New(cfg Config) (*Context, error) {
	if err := cfg.Validate(); err != nil {
		return nil, err
	}
	cfg = cfg.withDefaults()
	return &Context{
		cfg: cfg, pool: batch.NewPool(cfg.MemoryBytes), done: make(chan struct{}),
	}, nil
}

func (c *Context) now() batch.Time { return batch.TimeOf(c.cfg.Clock.Now()) }

// NewCheck returns a job that can be described and checked, and not started: it opens nothing, not even to infer columns.
func NewCheck(cfg Config) (*Context, error) {
	c, err := New(cfg)
	if err == nil {
		c.isCheck = true
	}
	return c, err
}

// SQL adds the statements of a script to the job: sources, views, and a sink for each CREATE SINK and each SELECT. Names are
// resolved by Check and Start. A mistake is a *sql.Error, several are sql.Errors.
func (c *Context) SQL(text string) error {
	check := text
	if strings.Contains(text, "${") { // which SET of an earlier call may have given a value
		check = c.text() + "\n;\n" + text
	}
	if _, err := sql.ParseWith(check, c.cfg.Parameters); err != nil {
		return err
	}
	c.add(text)
	return nil
}

// text returns the script of the job.
func (c *Context) text() string { return strings.Join(c.script, "\n;\n") }

// add adds a statement to the script of the job.
func (c *Context) add(statement string) {
	c.script = append(c.script, strings.TrimRight(statement, "; \t\r\n"))
	c.isBound = false
}

// bind makes the plan of the script: sources and sinks, not opened yet, and nodes. It does so once for a script.
func (c *Context) bind() error {
	if c.isBound {
		return c.bindErr
	}
	c.isBound, c.bindErr = true, nil
	c.plan, c.sources, c.sinks, c.tables = nil, nil, nil, make(map[string]tableSpec)
	if c.bindErr = errors.Join(c.faults...); c.bindErr == nil {
		c.bindErr = c.bindScript()
	}
	return c.bindErr
}

func (c *Context) bindScript() error {
	script, err := sql.ParseWith(c.text(), c.cfg.Parameters)
	if err != nil {
		return err
	}
	opts := sql.BindOptions{Steps: c.steps, Functions: c.functions, Aggregates: c.aggregates, Lateness: c.cfg.Lateness, FromStart: c.cfg.Align == "start"}
	if c.cfg.Mode != "" {
		mode, err := parseMode(c.cfg.Mode)
		if err != nil {
			return err
		}
		opts.Mode = &mode
	}
	job, err := sql.Bind(script, catalog{c}, opts)
	if err != nil {
		return err
	}
	var faults sql.Errors
	for _, def := range job.Sources {
		spec, err := c.newSource(def)
		if err != nil {
			faults = append(faults, c.faultsAt(def.Pos, err)...)
			continue
		}
		c.sources = append(c.sources, spec)
	}
	for _, def := range job.Tables {
		spec, err := c.newTable(def)
		if err != nil {
			faults = append(faults, c.faultsAt(def.Pos, err)...)
		}
		c.tables[def.Name] = spec
	}
	for _, def := range job.Sinks {
		sink, err := c.newSink(def, job.Plan.Nodes[def.Node].Schema)
		if err != nil {
			faults = append(faults, c.faultsAt(def.Pos, err)...)
			continue
		}
		c.sinks = append(c.sinks, sinkSpec{name: def.Name, sink: sink, mode: def.Mode.String(), node: def.Node})
	}
	if len(faults) > 0 {
		return faults
	}
	c.plan = job.Plan
	return operators.Validate(job.Plan)
}

func (c *Context) newSink(def *sql.SinkDef, schema *arrow.Schema) (egress.Sink, error) {
	if own := c.ownSinks[def.URI]; own != nil {
		return own, nil
	}
	format := def.Format
	if def.URI == "" && format == "" {
		format = c.cfg.Output
	}
	uri, options := def.URI, def.Options
	if c.cfg.SinkDir != "" && !strings.HasPrefix(uri, "blackhole:") {
		if format = strings.ToUpper(format); format == "" || format == "TABLE" {
			format = "CSV"
		}
		uri, options = "file:"+filepath.Join(c.cfg.SinkDir, def.Name), maps.Clone(options)
		delete(options, "header")
		delete(options, "compression")
	}
	return egress.Open(uri, format, options, egress.OpenSpec{
		FS: c.cfg.FS, Stdout: c.cfg.Stdout, Mem: c.pool, Schema: schema, Formats: c.cfg.FileFormats,
	})
}

func parseMode(name string) (operators.Mode, error) {
	for _, m := range []operators.Mode{operators.Append, operators.Update, operators.Complete} {
		if m.String() == name {
			return m, nil
		}
	}
	return 0, fmt.Errorf("mode must be append, update or complete: %q", name)
}

// faultsAt returns what is wrong with a source or sink as faults of the script at its name, one for each error that err joins.
func (c *Context) faultsAt(pos sql.Pos, err error) sql.Errors {
	if joined, ok := err.(interface{ Unwrap() []error }); ok {
		var all sql.Errors
		for _, e := range joined.Unwrap() {
			all = append(all, c.faultsAt(pos, e)...)
		}
		return all
	}
	lines := strings.Split(c.text(), "\n")
	return sql.Errors{{Pos: pos, Msg: err.Error(), Line: strings.TrimSuffix(lines[pos.Line-1], "\r")}}
}

// newSource makes the source of a definition, opening nothing. Options that the engine knows are taken out, those of the format
// go to it, and the rest must be the source's.
func (c *Context) newSource(def *sql.SourceDef) (sourceSpec, error) {
	spec := sourceSpec{name: def.Name, isJournal: true}
	format := def.Format
	if format == "" {
		format = formatOf(def.URI)
	}
	rest := make(map[string]string)
	formatOptions := make(map[string]string)
	isFormatOption := make(map[string]bool)
	for _, name := range ingest.FormatOptions(format, c.cfg.Formats...) {
		isFormatOption[name] = true
	}
	var errs []error
	for key, value := range def.Options {
		switch {
		case key == "max_rows_per_interval":
			n, err := strconv.ParseInt(value, 10, 64)
			if err != nil || n < 1 {
				errs = append(errs, fmt.Errorf("option max_rows_per_interval: want a positive number, got %q", value))
			}
			spec.limit = n
		case key == "idle":
			d, err := sql.ParseInterval(value)
			if err != nil || d <= 0 {
				errs = append(errs, fmt.Errorf("option idle: want a time such as '10 seconds', got %q", value))
			}
			spec.idle = d
		case key == "max_ahead":
			d, err := parseMaxAhead(value)
			if err != nil {
				errs = append(errs, fmt.Errorf("option max_ahead: %w", err))
			}
			spec.maxAhead = d
		case key == "journal":
			on, err := parseSwitch(value)
			if err != nil {
				errs = append(errs, fmt.Errorf("option journal: %w", err))
			}
			spec.isJournal = on
		case isFormatOption[key]:
			formatOptions[key] = value
		case !slices.Contains(ingest.SourceOptions(), key) && expr.Nearest(key, ingest.FormatOptions(format, c.cfg.Formats...)) != "":
			formatOptions[key] = value // which says what may be meant
		default:
			rest[key] = value
		}
	}
	if format != "" {
		f, err := ingest.NewFormat(format, formatOptions, c.cfg.Formats...)
		if err != nil {
			errs = append(errs, err)
			if f, err = ingest.NewFormat("TEXT", nil); err != nil { // so that options are checked none the less
				return spec, err
			}
		}
		spec.format = f
	}
	if own := c.ownSources[def.URI]; own != nil {
		for key := range rest {
			errs = append(errs, fmt.Errorf("option %q is unknown: the source was made in Go", key))
		}
		spec.source = own
		return spec, errors.Join(errs...)
	}
	source, err := ingest.Open(def.URI, rest, spec.format, ingest.OpenSpec{Mem: c.pool, Now: c.now, Stdin: c.cfg.Stdin})
	if err != nil {
		errs = append(errs, err)
	}
	spec.source = source
	return spec, errors.Join(errs...)
}

// formatOf guesses the format of a file by its name, "" for anything else.
func formatOf(uri string) string {
	path, isFile := strings.CutPrefix(uri, "file:")
	if !isFile {
		return ""
	}
	switch filepath.Ext(path) {
	case ".gz", ".zst", ".bz2", ".lz4", ".s2", ".sz":
		path = strings.TrimSuffix(path, filepath.Ext(path))
	}
	switch filepath.Ext(path) {
	case ".txt", ".log", ".text":
		return "TEXT"
	case ".csv":
		return "CSV"
	case ".json", ".ndjson", ".jsonl":
		return "JSON"
	case ".arrow", ".arrows", ".feather":
		return "ARROW"
	case ".msgpack", ".mpk":
		return "MSGPACK"
	case ".avro":
		return "AVRO"
	case ".parquet", ".pq":
		return "PARQUET"
	}
	return ""
}

// parseMaxAhead returns how far ahead of its arrival a row may be, neverAhead for off.
func parseMaxAhead(value string) (time.Duration, error) {
	if value == "off" {
		return neverAhead, nil
	}
	d, err := sql.ParseInterval(value)
	if err != nil || d <= 0 {
		return 0, fmt.Errorf("want a time such as '1 hour', or off, got %q", value)
	}
	return d, nil
}

func parseSwitch(value string) (bool, error) {
	switch value {
	case "on", "true":
		return true, nil
	case "off", "false":
		return false, nil
	}
	return false, fmt.Errorf("want on or off, got %q", value)
}

// Plan returns the plan of the job.
func (c *Context) Plan() (*operators.Plan, error) {
	if err := c.Check(); err != nil {
		return nil, err
	}
	return c.pushDown(operators.Prune(c.plan)), nil
}

// Check reports all mistakes of the description so far. It opens nothing, but sources whose columns are inferred.
func (c *Context) Check() error { return c.bind() }

// CheckRepeatable is Check, and reports sources that a second run could not read again from their start to their end.
func (c *Context) CheckRepeatable() error {
	if err := c.Check(); err != nil {
		return err
	}
	var errs []error
	for _, s := range c.sources {
		switch {
		case !s.source.Replayable():
			errs = append(errs, fmt.Errorf("source %s can't be read twice: put what it sends into a file", s.name))
		case !s.source.Bounded():
			errs = append(errs, fmt.Errorf("source %s never ends: leave out what makes it wait for more", s.name))
		}
	}
	return errors.Join(errs...)
}

// Start opens checkpoint, sinks and sources, and begins the first interval. It returns when the job runs; ctx ends it. The error
// reports all mistakes of the description; nothing was opened then.
func (c *Context) Start(ctx context.Context) error {
	if c.engine != nil {
		return errors.New("start: the job was started before")
	}
	if c.isCheck {
		return errors.New("start: the job was made to be checked only")
	}
	plan, err := c.Plan()
	if err != nil {
		return fmt.Errorf("start: %w", err)
	}
	e := newEngine(c.cfg, c.pool, plan, c.sinks)
	e.tables.specs = c.tables
	if err := e.open(ctx, c.sources); err != nil {
		return err
	}
	c.engine = e
	go func() {
		defer close(c.done)
		c.err = errors.Join(e.run(ctx), e.close())
	}()
	return nil
}

// Wait returns when the job is done, with its first error.
func (c *Context) Wait() error {
	<-c.done
	return c.err
}

// Done is closed when the job is done.
func (c *Context) Done() <-chan struct{} { return c.done }

// Stop ends the job gracefully: the running interval is finished and committed. It returns at once; Wait tells when that is done.
// Windows that are still open stay in the checkpoint.
func (c *Context) Stop() {
	if c.engine != nil {
		c.stopOnce.Do(func() { close(c.engine.stop) })
	}
}

// Status returns what the job told at the end of its last interval.
func (c *Context) Status() Status {
	if c.engine == nil {
		return Status{}
	}
	c.engine.statusMu.Lock()
	defer c.engine.statusMu.Unlock()
	return c.engine.status
}

// BadRows returns what is known of bad rows, by source.
func (c *Context) BadRows() []BadRows {
	if c.engine == nil {
		return nil
	}
	return c.engine.bad.list()
}

func newEngine(cfg Config, pool *batch.Pool, plan *operators.Plan, sinks []sinkSpec) *engine {
	e := &engine{
		cfg: cfg, plan: plan, sinks: sinks, pool: pool, splits: make(map[int32]*splitRun),
		queue:  newWorkQueue(cfg.Workers),
		cutNow: make(chan struct{}, 1), check: make(chan struct{}, 1),
		stop: make(chan struct{}), opened: make(chan struct{}),
		nextTick: make(chan time.Time, 1), ticked: make(chan time.Time),
	}
	e.blocks = ingest.NewBlockPool(e.pool)
	e.commits = newCommitter(e)
	e.bad = newBadRows(func(_ string, err error) {
		if cfg.FailOnBadRow && e.cancel != nil {
			e.fail(err)
		}
	})
	e.tables = &tables{clock: cfg.Clock, bad: e.bad.report, memory: e.checkMemory, failsOnBad: cfg.FailOnBadRow}
	return e
}

// open builds the operators and brings back what the checkpoint has. It starts nothing.
func (e *engine) open(ctx context.Context, sources []sourceSpec) (err error) {
	opened := 0
	defer func() {
		if err != nil {
			err = errors.Join(err, e.closeSinks(opened), e.closeState())
		}
	}()
	//nolint:contextcheck // constants are computed once, without a context: nothing in that waits
	if e.graph, err = newGraph(e.plan, e.pool, e.cfg.Workers, graphEnv{e.bad.ofOperator(e.splitOf), e.tables.reader}); err != nil {
		return err
	}
	if err := e.tables.refresh(ctx); err != nil {
		return err
	}
	for _, s := range sources {
		e.sources = append(e.sources, newSourceRun(e, s, e.graph.scan(s.name)))
	}
	for _, c := range e.graph.chains {
		w, err := newWorker(e, c)
		if err != nil {
			return err
		}
		e.workers = append(e.workers, w)
	}
	if err := e.openCheckpoint(ctx); err != nil {
		return err
	}
	if err := e.openSinks(ctx); err != nil {
		return err
	}
	opened = len(e.sinks)
	return nil
}

// openCheckpoint opens the log, if there is one, and begins where its last record ends.
func (e *engine) openCheckpoint(ctx context.Context) error {
	start := e.tickAfter(e.now()) - e.interval()
	e.record = checkpoint.Record{Job: newJobID(), ZeroTime: int64(start), Tokens: make(map[string][]byte)}
	e.running = batch.Interval{ID: 1, Start: start, End: start + e.interval(), Zero: start}
	e.lastCommit = e.cfg.Clock.Now()
	if e.cfg.Checkpoint == "" {
		return nil
	}
	log, err := checkpoint.Open(e.cfg.FS, e.cfg.Checkpoint, checkpoint.Options{
		Compression: compressions[e.cfg.Compression], Mem: e.pool, JournalFileBytes: min(64<<20, max(e.cfg.JournalBytes/4, 1<<10)),
		Check: e.checkPlan,
	})
	if err != nil {
		return err
	}
	e.log = log
	last := log.Last()
	if last == nil {
		// The job's id is durable before a sink stages files under it: a restart would not know them as its own.
		e.record.Last = checkpoint.Interval{Start: int64(start), End: int64(start)}
		return log.Decide(ctx, e.record)
	}
	e.record = *last
	e.running.ID, e.running.Zero = last.Last.ID+1, batch.Time(last.ZeroTime)
	e.running.Start = max(batch.Time(last.Last.End), 0)
	e.running.End = max(e.running.Start+1, start+e.interval())
	e.commits.done.Store(last.Commit)
	for _, s := range e.sources {
		s.restore(last)
	}
	return e.restoreState(ctx)
}

var compressions = map[string]checkpoint.Compression{
	"s2": checkpoint.S2, "zstd": checkpoint.Zstd, "none": checkpoint.Uncompressed,
}

func newJobID() string {
	var id [8]byte
	rand.Read(id[:]) // never fails, as its documentation says
	return hex.EncodeToString(id[:])
}

// close releases everything that run left, after it.
func (e *engine) close() error {
	return errors.Join(e.closeSinks(len(e.sinks)), e.closeState())
}

func (e *engine) closeState() error {
	for _, w := range e.workers {
		w.close()
	}
	if e.graph != nil {
		e.graph.close()
	}
	e.tables.close()
	if e.log != nil {
		return e.log.Close()
	}
	return nil
}

// MemoryHeld returns the bytes that the job's allocator has handed out and not got back: 0 after Wait, or there is a leak.
func (c *Context) MemoryHeld() int64 { return c.pool.Used() }
