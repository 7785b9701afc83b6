package tidemill

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/apache/arrow-go/v18/arrow"

	"github.com/tidemill/tidemill/batch"
	"github.com/tidemill/tidemill/checkpoint"
	"github.com/tidemill/tidemill/operators"
)

// Migration says what a start of the job from a checkpoint does with what is in there.
type Migration struct {
	// Dir is the directory, Job the id of the job that wrote it, Commit and End its last commit and the end of its time.
	Dir    string
	Job    string
	Commit uint64
	End    batch.Time
	// Changes has an entry per state table, then one per source, in order of name. It is empty where nothing was committed.
	Changes []Change
}

// Change says what becomes of one state table, or of the positions in one source.
type Change struct {
	// Name is that of the table, or "source " and that of the source.
	Name string
	// Fate is kept, migrated, rebuilt, new, dropped or refused.
	Fate string
	// Why has a sentence for each difference.
	Why []string
}

// The fates that operators know nothing of.
const (
	fateNew     = "new"
	fateDropped = "dropped"
)

// ErrRefused is in the error of a start whose plan does not fit the checkpoint.
var ErrRefused = errors.New("the job does not fit its checkpoint")

// Err returns an error with ErrRefused in it if anything is refused, nil otherwise.
func (m *Migration) Err() error {
	var errs []error
	for _, c := range m.Changes {
		if c.Fate == operators.Refused.String() {
			errs = append(errs, fmt.Errorf("  %s: %s", c.Name, strings.Join(c.Why, "; ")))
		}
	}
	if errs == nil {
		return nil
	}
	return errors.Join(append([]error{fmt.Errorf("checkpoint %s: %w, and nothing was changed", m.Dir, ErrRefused)}, errs...)...)
}

// migration is how the engine brings state back.
type migration struct {
	Migration
	tables map[string]*operators.StateChange // by name of the table
	drops  []string                          // tables that go with the first commit
}

// Against says what a start from the checkpoint in dir would do. It changes nothing, and works while another job uses dir.
func (c *Context) Against(dir string) (*Migration, error) {
	plan, err := c.Plan()
	if err != nil {
		return nil, err
	}
	if _, err := c.cfg.FS.Stat(dir); err != nil {
		return nil, fmt.Errorf("open checkpoint: %w", err)
	}
	log, err := checkpoint.OpenReadOnly(c.cfg.FS, dir, checkpoint.Options{})
	if err != nil {
		return nil, err
	}
	defer log.Close() //nolint:errcheck // nothing was written
	if log.Last() == nil {
		return &Migration{Dir: dir}, nil
	}
	return &compare(plan, dir, log.Last(), log.Tables(), c.sourceNames(), c.cfg.DropState).Migration, nil
}

func (c *Context) sourceNames() []string {
	var names []string
	for _, s := range c.sources {
		names = append(names, s.name)
	}
	return names
}

// compare says what becomes of what a checkpoint holds under a plan.
func compare(plan *operators.Plan, dir string, last *checkpoint.Record, stored []checkpoint.TableInfo, sources, drop []string) *migration {
	m := &migration{
		Migration: Migration{Dir: dir, Job: last.Job, Commit: last.Commit, End: batch.Time(last.Last.End)},
		tables:    make(map[string]*operators.StateChange),
	}
	wanted := make(map[string]operators.StateTable)
	for _, n := range plan.Nodes {
		for _, t := range operators.StateTables(n) {
			wanted[t.Name] = t
		}
	}
	isStored := make(map[string]bool)
	for i := range stored {
		isStored[operatorOf(stored[i].Name)] = true
		m.compareTable(&stored[i], wanted, drop)
	}
	for _, name := range slices.Sorted(maps.Keys(wanted)) {
		if !isStored[operatorOf(name)] {
			m.add(name, fateNew)
		}
	}
	m.compareSources(last, sources, drop)
	return m
}

func (m *migration) add(name, fate string, why ...string) {
	m.Changes = append(m.Changes, Change{Name: name, Fate: fate, Why: why})
}

// operatorOf returns the name of the operator that keeps a table.
func operatorOf(table string) string {
	if i := strings.LastIndexByte(table, '/'); i >= 0 {
		return table[:i]
	}
	return table
}

func (m *migration) compareTable(have *checkpoint.TableInfo, wanted map[string]operators.StateTable, drop []string) {
	name := have.Name
	stored := operators.StateTable{Name: name, Schema: have.Schema, Keys: have.Keys, Version: have.Version, Meaning: have.Meaning}
	var why []string
	if want, ok := wanted[name]; ok {
		change := operators.CompareState(&stored, &want)
		if change.Fate != operators.Refused {
			m.tables[name] = change
			m.add(name, change.Fate.String(), change.Why...)
			return
		}
		why = change.Why
	} else if strings.HasSuffix(name, "/progress") && m.tables[operatorOf(name)+"/panes"] != nil { // panes come before it
		m.drops = append(m.drops, name)
		m.add(name, fateDropped, "windows come out in another way, for which it is not needed")
		return
	} else {
		why = []string{missing(&stored, wanted)}
	}
	if slices.Contains(drop, name) || slices.Contains(drop, operatorOf(name)) {
		m.drops = append(m.drops, name)
		m.add(name, fateDropped, why...)
		return
	}
	m.add(name, operators.Refused.String(), append(why,
		"run the job as it was, start with an empty directory, or give it up with --drop-state "+operatorOf(name))...)
}

// missing says why a job does not keep a table.
func missing(have *operators.StateTable, wanted map[string]operators.StateTable) string {
	part := strings.TrimPrefix(have.Name, operatorOf(have.Name))
	for _, name := range slices.Sorted(maps.Keys(wanted)) {
		if operatorOf(name) == operatorOf(have.Name) {
			return "the operator does not keep it any more, since its window is another"
		}
	}
	for _, name := range slices.Sorted(maps.Keys(wanted)) {
		want := wanted[name]
		if strings.HasSuffix(name, part) && have.Meaning != "" && want.Meaning == have.Meaning {
			return fmt.Sprintf("the job has no operator of this name, but %s computes the same: state is found by the name of the sink", operatorOf(name))
		}
	}
	return "the job has no operator of this name"
}

// compareSources says which positions a start goes on from.
func (m *migration) compareSources(last *checkpoint.Record, sources, drop []string) {
	splits := make(map[string]int)
	for _, s := range last.Splits {
		splits[s.Source]++
	}
	for _, name := range slices.Sorted(maps.Keys(splits)) {
		switch {
		case slices.Contains(sources, name):
			m.add("source "+name, operators.Kept.String())
		case slices.Contains(drop, name):
			m.add("source "+name, fateDropped, "the job has no source of this name")
		default:
			m.add("source "+name, operators.Refused.String(), fmt.Sprintf("the job has no source of this name, and would forget how far it was read "+
				"(%d splits): name it as it was, or give it up with --drop-state %s", splits[name], name))
		}
	}
	for _, name := range slices.Sorted(slices.Values(sources)) {
		if _, ok := splits[name]; !ok {
			m.add("source "+name, fateNew)
		}
	}
}

// checkPlan compares the plan with the checkpoint, before anything changes.
func (e *engine) checkPlan(last *checkpoint.Record, stored []checkpoint.TableInfo) error {
	var names []string
	for _, s := range e.sources {
		names = append(names, s.name)
	}
	e.migration = compare(e.plan, e.cfg.Checkpoint, last, stored, names, e.cfg.DropState)
	if err := e.migration.Err(); err != nil {
		return err
	}
	for _, c := range e.migration.Changes {
		if c.Fate != operators.Kept.String() && c.Fate != fateNew {
			e.cfg.Log.Info("checkpoint: "+c.Fate, "state", c.Name, "why", strings.Join(c.Why, "; "))
		}
	}
	return nil
}

// restoreState gives the state tables of the last record to the operators of the same name.
func (e *engine) restoreState(ctx context.Context) error {
	for _, n := range e.graph.stateful() {
		op := n.tail.(operators.Stateful)
		for _, t := range op.StateTables() {
			change := e.migration.tables[t.Name]
			if change == nil {
				continue
			}
			if err := e.restoreTable(ctx, op, t.Name, change); err != nil {
				return fmt.Errorf("restore state: operator %s: %w", n.Name, err)
			}
			n.savesAll = n.savesAll || !change.IsSame
		}
		n.restoredRows = op.Stats().Rows + op.Stats().Retired
	}
	return nil
}

func (e *engine) restoreTable(ctx context.Context, op operators.Stateful, table string, change *operators.StateChange) error {
	restore := func(shard int, rows arrow.RecordBatch) error { return op.Restore(ctx, table, shard, rows) }
	if change.IsSame {
		workers := 1
		if _, ok := op.(operators.ShardedState); ok {
			workers = e.cfg.Workers
		}
		return e.log.RestoreShards(ctx, table, workers, restore)
	}
	m := change.NewMigration(e.pool)
	defer m.Close()
	return e.log.Restore(ctx, table, func(shard int, rows arrow.RecordBatch) error { return m.Migrate(shard, rows, restore) })
}
