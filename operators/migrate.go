package operators

import (
	"fmt"
	"slices"
	"strings"

	"github.com/apache/arrow-go/v18/arrow"

	"github.com/tidemill/tidemill/batch"
	"github.com/tidemill/tidemill/operators/expr"
)

// Fate says what a start does with stored state.
type Fate uint8

// The fates, from the best to the worst.
const (
	// Kept state goes on as it is.
	Kept Fate = iota
	// Migrated state is given other columns, row by row.
	Migrated
	// Rebuilt state is divided into shards anew.
	Rebuilt
	// Refused state can't be used: the start ends before anything changes.
	Refused
)

// String returns the fate in lower case.
func (f Fate) String() string { return [...]string{"kept", "migrated", "rebuilt", "refused"}[f] }

// StateChange says what becomes of a stored table in an operator that keeps it otherwise, or in the same way.
type StateChange struct {
	Fate Fate
	// Why has a sentence for each difference, none where there is no difference.
	Why []string
	// IsSame says that rows can be added to the stored table. If not, the next Snapshot must be a full one.
	IsSame bool

	have, want *StateTable
	columns    []columnSource // of want
}

// StateTables returns the tables that the operator of n will keep, nil if it keeps none.
func StateTables(n *Node) []StateTable {
	switch s := n.Spec.(type) {
	case *AggregateSpec:
		return aggregateTables(n.Name, s)
	case *MatchSpec:
		return matchTables(n.Name, s)
	case *JoinSpec:
		return joinTables(n.Name, s)
	case *CustomSpec:
		if s.Tables != nil {
			return s.Tables(n.Name)
		}
	case *DedupSpec:
		return dedupTables(n.Name, s)
	case *OverSpec:
		return overTables(n.Name, s, n.Schema)
	}
	return nil
}

// CompareState says what becomes of the stored table have in an operator that keeps want, which has the same name.
//
// An aggregate is found again by what it computes, sum(price), not by its name; one that is new starts from now, but where
// another one keeps what it needs: avg(x) and count(x) are made of sum(x), count(*) of the rows of a group. BIGINT may become
// DOUBLE. Keys may be renamed, and change their order. The window must be the same, but for a lateness that is shorter. What is above the aggregate, such as a
// filter, is not compared: rows that were counted stay counted.
func CompareState(have, want *StateTable) *StateChange {
	c := &StateChange{have: have, want: want}
	c.IsSame = have.Version == want.Version && have.Meaning == want.Meaning && slices.Equal(have.Keys, want.Keys) && have.Schema.Equal(want.Schema)
	switch {
	case c.IsSame:
		c.copyColumns()
		return c
	case have.Version != want.Version:
		c.refuse("it was kept in version %d, this binary knows %d", have.Version, want.Version)
		return c
	case have.Meaning == "":
		c.compareColumns()
		return c
	case have.Meaning == want.Meaning && !isAggregateMeaning(have.Meaning):
		c.compareKept()
		return c
	case !isAggregateMeaning(have.Meaning) || !isAggregateMeaning(want.Meaning):
		c.refuse("it is the state of %s, this job has %s here", have.Meaning, want.Meaning)
		return c
	}
	was, err := decodeMeaning(have.Meaning)
	if err != nil {
		c.refuse("%s", err)
		return c
	}
	is, err := decodeMeaning(want.Meaning)
	if err != nil {
		c.refuse("%s", err)
		return c
	}
	if was.Kind != "" || is.Kind != "" {
		c.compareKinds(was, is)
		return c
	}
	if !c.compareWindows(was.Window, is.Window) {
		return c
	}
	if strings.HasSuffix(want.Name, progressTable) {
		c.compareColumns()
		return c
	}
	c.columns = append(c.columns, c.copyOf("start"))
	c.compareKeys(was.Keys, is.Keys)
	if strings.HasSuffix(want.Name, sessionsTable) {
		c.columns = append(c.columns, c.copyOf("end"))
	}
	c.columns = append(c.columns, c.copyOf("rows"))
	if strings.HasSuffix(want.Name, windowsTable) {
		c.columns = append(c.columns, c.copyOf("owned"))
	}
	c.compareChanged()
	c.compareAggregates(was.Aggregates, is.Aggregates)
	if c.Fate != Refused {
		c.check()
	}
	return c
}

func (c *StateChange) refuse(format string, args ...any) { c.note(Refused, format, args...) }

// note adds a reason. One that refuses stands alone with its like: the others don't matter then.
func (c *StateChange) note(fate Fate, format string, args ...any) {
	if fate < c.Fate && c.Fate == Refused {
		return
	}
	if fate == Refused && c.Fate != Refused {
		c.Why = nil
	}
	c.Fate = max(c.Fate, fate)
	c.Why = append(c.Why, fmt.Sprintf(format, args...))
}

// copyColumns takes all columns as they are.
func (c *StateChange) copyColumns() {
	for i := range c.want.Schema.NumFields() {
		c.columns = append(c.columns, columnSource{kind: copyColumn, from: [2]int{i}})
	}
}

// compareColumns compares tables of which nothing else is known.
func (c *StateChange) compareColumns() {
	same := func(a, b arrow.Field) bool {
		return a.Name == b.Name && batch.TypeName(a.Type) == batch.TypeName(b.Type)
	}
	if !slices.EqualFunc(c.have.Schema.Fields(), c.want.Schema.Fields(), same) || !slices.Equal(c.have.Keys, c.want.Keys) {
		c.refuse("it has columns (%s), this job keeps (%s), and the version that wrote it did not note what they mean: run the job as it was",
			schemaText(c.have.Schema), schemaText(c.want.Schema))
		return
	}
	c.copyColumns()
}

func (c *StateChange) compareWindows(was, is *windowMeaning) bool {
	if was == nil && is == nil {
		return true
	}
	same := was != nil && is != nil
	if same {
		other := *was
		other.Lateness = is.Lateness
		same = other == *is
	}
	switch {
	case !same:
		c.refuse("rows were divided into %s, this job has %s: what was counted can't be divided again", was, is)
	case is.Lateness > was.Lateness:
		c.refuse("lateness was %s, is %s: windows that have closed, and whose rows are gone, would open again",
			durationText(micros(was.Lateness)), durationText(micros(is.Lateness)))
	case is.Lateness < was.Lateness:
		c.note(Migrated, "lateness was %s, is %s: windows close earlier", durationText(micros(was.Lateness)), durationText(micros(is.Lateness)))
	}
	return c.Fate != Refused
}

// copyOf takes a column of the same name.
func (c *StateChange) copyOf(name string) columnSource {
	at := c.have.Schema.FieldIndices(name)
	if len(at) == 0 {
		c.refuse("it has no column %s", name)
		return columnSource{}
	}
	return columnSource{kind: copyColumn, from: [2]int{at[0]}}
}

// compareChanged takes when groups changed last, which is kept for early results only. Groups of which that is not known have not
// come out.
func (c *StateChange) compareChanged() {
	had, has := c.have.Schema.HasField(changedColumn), c.want.Schema.HasField(changedColumn)
	switch {
	case had && has:
		c.columns = append(c.columns, c.copyOf(changedColumn))
	case has:
		c.note(Migrated, "early results are new")
		c.columns = append(c.columns, columnSource{kind: lastTimeColumn})
	case had:
		c.note(Migrated, "there are no early results any more")
	}
}

// compareKeys finds each key among those that were, by its expression.
func (c *StateChange) compareKeys(was, is []keyMeaning) {
	used := make([]bool, len(was))
	isMoved := false
	for i, k := range is {
		at := -1
		for j, old := range was {
			if !used[j] && old.Expr == k.Expr && (at < 0 || old.Name == k.Name) {
				at = j
			}
		}
		if at < 0 {
			c.refuseKey(was, k)
			continue
		}
		used[at] = true
		isMoved = isMoved || at != i
		old := was[at]
		if old.Type != k.Type {
			c.refuse("key %s was %s, is %s: groups that were apart could become one", k.Name, old.Type, k.Type)
		}
		if old.Name != k.Name {
			c.note(Migrated, "key %s is renamed to %s", old.Name, k.Name)
		}
		c.columns = append(c.columns, c.copyOf("key."+old.Name))
	}
	for j, old := range was {
		if !used[j] {
			c.refuse("key %s is gone: groups that were apart would become one", old.Name)
		}
	}
	if isMoved {
		c.note(Rebuilt, "the order of the keys changed")
	}
}

func (c *StateChange) refuseKey(was []keyMeaning, k keyMeaning) {
	for _, old := range was {
		if old.Name == k.Name {
			c.refuse("key %s was %s, is %s", k.Name, old.Expr, k.Expr)
			return
		}
	}
	c.refuse("key %s is new: of rows that were counted it is not known", k.Name)
}

// compareAggregates finds for each aggregate where its state comes from.
func (c *StateChange) compareAggregates(was, is []aggregateMeaning) {
	used := make([]bool, len(was))
	for i := range is {
		a := &is[i]
		if at := findAggregate(was, used, a); at >= 0 {
			used[at] = true
			c.goOn(&was[at], a)
			continue
		}
		c.begin(was, a)
	}
	for j := range was {
		if !used[j] {
			c.note(Migrated, "%s, %s, is dropped", was[j].Name, &was[j])
		}
	}
}

// findAggregate returns the index of the aggregate that computes the same, -1 if there is none. One that has the same name, or
// else was not found before, is preferred.
func findAggregate(was []aggregateMeaning, used []bool, a *aggregateMeaning) int {
	best, bestRank := -1, 0
	for j := range was {
		old := &was[j]
		if old.Func != a.Func || old.Arg != a.Arg || old.By != a.By || !old.hasDetailsOf(a) {
			continue
		}
		rank := 1
		if !used[j] {
			rank = 2
		}
		if old.Name == a.Name {
			rank = 3
		}
		if rank > bestRank {
			best, bestRank = j, rank
		}
	}
	return best
}

// goOn takes the state of old for a, which computes the same.
func (c *StateChange) goOn(old, a *aggregateMeaning) {
	if old.Name != a.Name {
		c.note(Migrated, "%s, %s, is renamed to %s", old.Name, old, a.Name)
	}
	switch {
	case !slices.Equal(old.State, a.State):
		c.refuse("%s: %s kept %s, keeps %s", a.Name, a, strings.Join(old.State, ", "), strings.Join(a.State, ", "))
	case old.Type == a.Type && slices.Equal(old.MoreTypes, a.MoreTypes) || a.Func == "count" && !a.Distinct:
		for _, f := range a.state() {
			c.columns = append(c.columns, c.copyOf(old.Name+"."+f.Name))
		}
	case old.Type == "BIGINT" && a.Type == "DOUBLE" && a.isWidened():
		c.note(Migrated, "%s: %s is widened from BIGINT to DOUBLE", a.Name, a)
		for _, f := range a.state() {
			c.columns = append(c.columns, c.widened(old.Name, f.Name))
		}
	default:
		c.refuse("%s: %s was of %s, is of %s", a.Name, a, old.Type, a.Type)
	}
}

// widened returns where column name of the state of a DOUBLE comes from in the state of a BIGINT.
func (c *StateChange) widened(old, name string) columnSource {
	switch name {
	case "value": // of min and max
		return columnSource{kind: intToDouble, from: c.copyOf(old + ".value").from}
	case "sum":
		return columnSource{kind: sumToDouble, from: [2]int{c.copyOf(old + ".low").from[0], c.copyOf(old + ".high").from[0]}}
	case "compensation":
		return columnSource{kind: restToDouble, from: [2]int{c.copyOf(old + ".low").from[0], c.copyOf(old + ".high").from[0]}}
	case "count":
		return c.copyOf(old + ".count")
	}
	return columnSource{kind: zeroColumn} // of values that are not finite
}

// begin finds state for an aggregate that nothing computed so far.
func (c *StateChange) begin(was []aggregateMeaning, a *aggregateMeaning) {
	if a.Arg == "" {
		c.note(Migrated, "%s, %s, is new: it is made of the rows that groups have", a.Name, a)
		return
	}
	if at := slices.IndexFunc(was, func(old aggregateMeaning) bool { return a.isPartOf(&old) }); at >= 0 {
		c.note(Migrated, "%s, %s, is new: it is made of what %s keeps", a.Name, a, &was[at])
		for _, f := range a.state() {
			c.columns = append(c.columns, c.copyOf(was[at].Name+"."+f.Name))
		}
		return
	}
	if at := slices.IndexFunc(was, func(old aggregateMeaning) bool { return a.Name == old.Name }); at >= 0 {
		c.refuse("%s was %s, is %s: give it another name to start it from now", a.Name, &was[at], a)
		return
	}
	c.note(Migrated, "%s, %s, is new: it starts from now", a.Name, a)
	for _, f := range a.state() {
		kind := zeroColumn
		if f.Type.ID() == arrow.LIST || a.State != nil || a.Func == "min" || a.Func == "max" || isOrderedFunc(a.Func) {
			kind = nullColumn
		}
		c.columns = append(c.columns, columnSource{kind: kind})
	}
}

// isPartOf says whether what old keeps is enough for a.
func (a *aggregateMeaning) isPartOf(old *aggregateMeaning) bool {
	isSum := func(fn string) bool { return fn == "sum" || fn == "avg" }
	return old.Arg == a.Arg && old.Type == a.Type && isSum(old.Func) && (isSum(a.Func) || a.Func == "count") &&
		!old.Distinct && !a.Distinct
}

// state returns the columns that the state of the aggregate is kept in, without its name before them.
func (a *aggregateMeaning) state() []arrow.Field {
	switch {
	case a.Arg == "":
		return nil
	case a.State != nil:
		return columnsOfTexts(a.State)
	}
	typed := func(name string) *expr.Spec {
		if t, err := batch.ParseType(name); err == nil {
			return &expr.Spec{Type: t}
		}
		return &expr.Spec{Type: arrow.Null} // others are only counted
	}
	spec := &AggSpec{Func: a.Func, Arg: typed(a.Type), Distinct: a.Distinct}
	for _, t := range a.MoreTypes {
		spec.More = append(spec.More, typed(t))
	}
	return stateOf(spec)
}

// check finds what the meanings of the tables do not tell: columns that are missing or of another type. Without a check, a table
// that was altered would be read as something else.
func (c *StateChange) check() {
	if len(c.columns) != c.want.Schema.NumFields() {
		c.refuse("its columns (%s) are not those of what it says that they mean", schemaText(c.have.Schema))
		return
	}
	for i, source := range c.columns {
		want, have := c.want.Schema.Field(i), c.have.Schema.Field(source.from[0])
		if source.kind == copyColumn && batch.TypeName(want.Type) != batch.TypeName(have.Type) {
			c.refuse("column %s: want %s, got %s", have.Name, batch.TypeName(want.Type), batch.TypeName(have.Type))
		}
	}
}
