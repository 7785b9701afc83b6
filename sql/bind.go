package sql

import (
	"maps"
	"slices"
	"strings"

	"github.com/apache/arrow-go/v18/arrow"

	"github.com/tidemill/tidemill/batch"
	"github.com/tidemill/tidemill/operators"
	"github.com/tidemill/tidemill/operators/expr"
)

// arrivalTime is the hidden column of every source: when the row came in.
const arrivalTime = "arrival_time"

// Bind resolves the names and types of a script and makes its plan, in which each source is read once, however many queries use
// it. Its error is an Errors with all faults that it found.
func Bind(s *Script, catalog Catalog, opts BindOptions) (*Job, error) {
	b := newBinder(s.text)
	b.catalog, b.opts = catalog, opts
	job := &Job{}
	for i, st := range s.statements {
		b.later = s.statements[i+1:]
		switch st := st.(type) {
		case *createSource:
			b.source(st)
		case *createTable:
			b.createTable(st)
		case *createView:
			b.view(st)
		case *createSink:
			job.add(b.sink(st)...)
		case *bareQuery:
			job.add(b.bare(st))
		case *setParameter:
		}
	}
	if len(job.Sinks) == 0 && len(b.faults.list) == 0 {
		b.faults.add(s.end, "the script has no result: add a SELECT or CREATE SINK … AS SELECT")
	}
	if err := b.faults.err(); err != nil {
		return nil, err
	}
	return b.finish(job)
}

func (j *Job) add(sinks ...*SinkDef) {
	for _, s := range sinks {
		if s != nil {
			j.Sinks = append(j.Sinks, s)
		}
	}
}

// binder turns statements into nodes of a plan. Where a part has a fault, it is recorded, and nil stands for the part.
type binder struct {
	catalog Catalog
	opts    BindOptions
	faults  *faults

	nodes   []*operators.Node
	scope   *scope             // of the script
	sources map[int]*SourceDef // by node
	tables  map[int]*TableDef  // by node that joins it
	sinks   map[string]ident   // by name in lower case
	selects int                // bare queries so far
	stateOf map[string]int     // stateful nodes so far, by owner
	later   []statement        // for hints about names that are created too late
	sizes   map[*expr.Spec]int // number of parts of bound expressions
	making  []*table           // steps that are being bound, outermost first
}

func newBinder(text string) *binder {
	return &binder{
		faults: &faults{text: text}, scope: &scope{tables: make(map[string]*table)}, sources: make(map[int]*SourceDef), tables: make(map[int]*TableDef),
		sinks: make(map[string]ident), stateOf: make(map[string]int), sizes: make(map[*expr.Spec]int),
	}
}

// scope is the names that FROM may have.
type scope struct {
	outer  *scope
	tables map[string]*table // by name in lower case
}

// table is a source, a table, a view or a name of WITH.
type table struct {
	name ident

	// def is set for what CREATE TABLE makes, and nothing below.
	def *TableDef

	// query or step, and the scope, are set for what is no source; owner is how its state is called. isView says that sinks share it.
	query  *query
	step   *Step
	scope  *scope
	owner  string
	isView bool

	// bound has what the table is in each mode that was asked for; a nil entry is one with a fault. A source has one entry.
	bound map[request]*relation
}

// request is what a query is asked to be: the mode that it is to have, and the times of the sink that asks, nil for those of the
// script.
type request struct {
	mode  int8 // an operators.Mode, or modeAsDefault
	times *times
}

// modeAsDefault lets the query choose: append where it can, update otherwise.
const modeAsDefault = -1

// asDefault asks for nothing.
var asDefault = request{mode: modeAsDefault}

func requestOf(m operators.Mode) request { return request{mode: int8(m)} }

// withMode returns r for another mode.
func (r request) withMode(m int8) request { return request{mode: m, times: r.times} }

// relation is the rows of a node, as a SELECT sees them.
type relation struct {
	node    int
	columns []column
	// aggregated says that an aggregate of the given mode made the rows; mode is Append without one.
	aggregated bool
	mode       operators.Mode
	// windowEnd is the index of the column that tells windows apart, -1 if there is none.
	windowEnd int
	// keys are the columns that identify a row of an updating result, each with others that would do in its place; nil: none.
	keys [][]int
}

// column is one column of a relation; its type is in the node's schema.
type column struct {
	name      string // "" if it can't be named
	qualifier string
	hidden    bool // not in *
	merged    bool // USING made one of it and of another: it is known under its qualifier only
}

func (b *binder) fault(at Pos, format string, args ...any) { b.faults.add(at, format, args...) }

// node adds a node to the plan and returns its ID.
func (b *binder) node(name string, spec operators.Spec, schema *arrow.Schema, inputs ...int) int {
	id := len(b.nodes)
	b.nodes = append(b.nodes, &operators.Node{ID: id, Name: name, Inputs: inputs, Spec: spec, Schema: schema})
	return id
}

func (b *binder) schema(r *relation) *arrow.Schema { return b.nodes[r.node].Schema }

// claim records a name that a statement creates, and reports one that is taken. Sources, views and sinks share their names,
// because state is called after views and sinks.
func (b *binder) claim(n ident) bool {
	key := asciiLower(n.text)
	var at Pos
	if t := b.scope.tables[key]; t != nil {
		at = t.name.at
	} else if s, taken := b.sinks[key]; taken {
		at = s.at
	} else {
		return true
	}
	b.fault(n.at, "the name %q is taken: it was created on line %d", n.text, at.Line)
	return false
}

func (b *binder) view(st *createView) {
	if !b.claim(st.name) {
		return
	}
	t := &table{name: st.name, query: st.query, scope: b.scope, owner: st.name.text, isView: true, bound: make(map[request]*relation)}
	b.tableAs(t, asDefault) // before the name is known: a view can't read itself
	b.scope.tables[asciiLower(st.name.text)] = t
}

// sink binds a CREATE SINK, and with it the sink of its late rows, nil if there is none.
func (b *binder) sink(st *createSink) []*SinkDef {
	ok := b.claim(st.name)
	def := &SinkDef{Name: st.name.text, URI: st.uri, Format: st.format.text, Options: st.optionMap(), Pos: st.name.at}
	ask := b.defaultRequest()
	for _, o := range st.options {
		if o.key.text != "mode" {
			continue
		}
		delete(def.Options, "mode")
		m, found := modeNamed(o.value)
		if !found {
			b.fault(o.key.at, "unknown mode %q: there are append, update and complete", o.value)
			ok = false
		}
		ask = requestOf(m)
	}
	if ok {
		b.sinks[asciiLower(st.name.text)] = st.name
	}
	ask.times = b.sinkTimes(st, def)
	out := b.output(def, st.query, ask)
	if out == nil || ask.times == nil {
		return []*SinkDef{out}
	}
	return []*SinkDef{out, b.lateSink(out, ask.times)}
}

// bare binds a query that is printed.
func (b *binder) bare(st *bareQuery) *SinkDef {
	b.selects++
	n := ident{at: st.query.at, text: "select" + itoa(b.selects)}
	if !b.claim(n) {
		return nil
	}
	b.sinks[n.text] = n
	return b.output(&SinkDef{Name: n.text, Options: map[string]string{}, Pos: st.query.at}, st.query, b.defaultRequest())
}

func (b *binder) defaultRequest() request {
	if b.opts.Mode != nil {
		return requestOf(*b.opts.Mode)
	}
	return asDefault
}

func modeNamed(s string) (operators.Mode, bool) {
	for _, m := range []operators.Mode{operators.Append, operators.Update, operators.Complete} {
		if asciiLower(s) == m.String() {
			return m, true
		}
	}
	return operators.Append, false
}

// output binds the query of a sink and adds the node that feeds it.
func (b *binder) output(def *SinkDef, q *query, ask request) *SinkDef {
	r := b.query(&queryContext{scope: b.scope, owner: def.Name, ask: ask, last: true}, q)
	if r == nil {
		return nil
	}
	if !r.aggregated && ask.mode == int8(operators.Complete) {
		b.fault(q.at, "mode complete gives all groups of an aggregate again and again: this query has no aggregate: use append")
		return nil
	}
	r = b.visible(r)
	def.Mode = r.mode
	out := &operators.OutputSpec{Sink: def.Name, Mode: r.mode}
	if r.mode != operators.Append {
		for _, k := range r.keys {
			out.Keys = append(out.Keys, k[0])
		}
	}
	def.Node = b.node("", out, b.schema(r), r.node)
	return def
}

// visible returns r without hidden columns.
func (b *binder) visible(r *relation) *relation {
	if !slices.ContainsFunc(r.columns, func(c column) bool { return c.hidden }) {
		return r
	}
	var outs []output
	for i, c := range r.columns {
		if !c.hidden {
			outs = append(outs, output{spec: expr.Column(b.schema(r), i), name: c.name})
		}
	}
	return b.project(r, outs, false)
}

// finish leaves out the nodes that feed no sink, and asks the plan's own check.
func (b *binder) finish(job *Job) (*Job, error) {
	used := make([]bool, len(b.nodes))
	for _, s := range job.Sinks {
		used[s.Node] = true
	}
	for i, v := range slices.Backward(b.nodes) {
		for _, in := range v.Inputs {
			used[in] = used[in] || used[i]
		}
	}
	job.Plan = &operators.Plan{}
	newID := make([]int, len(b.nodes))
	for i, n := range b.nodes {
		if !used[i] {
			continue
		}
		if def := b.sources[i]; def != nil {
			job.Sources = append(job.Sources, def)
		}
		if def := b.tables[i]; def != nil && !slices.Contains(job.Tables, def) {
			job.Tables = append(job.Tables, def)
		}
		newID[i] = len(job.Plan.Nodes)
		n.ID = newID[i]
		for k, in := range n.Inputs {
			n.Inputs[k] = newID[in]
		}
		job.Plan.Nodes = append(job.Plan.Nodes, n)
	}
	job.Plan = operators.Prune(job.Plan)
	for _, n := range job.Plan.Nodes {
		if out, ok := n.Spec.(*operators.OutputSpec); ok {
			for _, s := range job.Sinks {
				if s.Name == out.Sink {
					s.Node = n.ID
				}
			}
		}
	}
	return job, operators.Validate(job.Plan)
}

// stateName returns the name of the next stateful node of an owner: hot.aggregate, then hot.aggregate2.
func (b *binder) stateName(owner string) string {
	return b.stateNameOf(owner, "aggregate")
}

// lookup returns the table that FROM names.
func (b *binder) lookup(sc *scope, n ident) *table {
	key := asciiLower(n.text)
	var names []string
	for s := sc; s != nil; s = s.outer {
		if t := s.tables[key]; t != nil {
			return t
		}
		for _, t := range s.tables {
			names = append(names, t.name.text)
		}
	}
	if st := b.opts.Steps[key]; st != nil {
		t := &table{name: n, step: st, scope: b.scope, owner: st.State, bound: make(map[request]*relation)}
		b.scope.tables[key] = t
		return t
	}
	slices.Sort(names)
	near := expr.Nearest(n.text, names)
	switch at := b.createdLater(key); {
	case at.Line > 0:
		b.fault(n.at, "unknown table %q: it is created later, on line %d: move it up", n.text, at.Line)
	case slices.Contains(slices.Collect(maps.Keys(b.sinks)), key):
		b.fault(n.at, "%q is a sink: FROM takes a source, a view or a query in brackets", n.text)
	case near != "":
		b.fault(n.at, "unknown table %q: did you mean %q?", n.text, near)
	case len(names) == 0:
		b.fault(n.at, "unknown table %q: no source or view is created before", n.text)
	default:
		b.fault(n.at, "unknown table %q: there are %s", n.text, firstOf(names))
	}
	return nil
}

func (b *binder) createdLater(key string) Pos {
	for _, st := range b.later {
		switch st := st.(type) {
		case *createSource:
			if asciiLower(st.name.text) == key {
				return st.name.at
			}
		case *createTable:
			if asciiLower(st.name.text) == key {
				return st.name.at
			}
		case *createView:
			if asciiLower(st.name.text) == key {
				return st.name.at
			}
		}
	}
	return Pos{}
}

// maxListed bounds lists of names in messages.
const maxListed = 12

func firstOf(names []string) string {
	if len(names) > maxListed {
		return strings.Join(names[:maxListed], ", ") + ", …"
	}
	return strings.Join(names, ", ")
}

// typeName is batch.TypeName.
func typeName(t arrow.DataType) string { return batch.TypeName(t) }
