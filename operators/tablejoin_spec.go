package operators

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/apache/arrow-go/v18/arrow"

	"github.com/tidemill/tidemill/batch"
	"github.com/tidemill/tidemill/operators/expr"
)

// TableJoinSpec joins each row of a stream with the rows of a table that have its keys, none of them NULL, and for which Residual
// is true. The table is no stream: it is what it is when the row comes, and no row waits for it. So the join keeps no state, and
// times and watermarks of the stream stay as they are.
type TableJoinSpec struct {
	// Kind is InnerJoin, LeftJoin, SemiJoin or AntiJoin.
	Kind JoinKind
	// Table is the name that Env.Table knows the table by.
	Table string
	// Input is the schema of the stream.
	Input *arrow.Schema
	// Declared are all columns of the table, and Used the indices of those that are read, increasing.
	Declared []arrow.Field
	Used     []int
	// Keys are expressions over the stream, equal in number, at least one, and types to TableKeys: indices in Used, all different.
	Keys      []*expr.Spec
	TableKeys []int
	// Residual is over the columns of the stream, then the used ones of the table; nil: true.
	Residual *expr.Spec
	// Output has the columns that come out, as indices into those of the stream, then the used ones of the table. A SemiJoin and
	// an AntiJoin have columns of the stream only.
	Output []int
}

// Columns returns the schema of the used columns of the table.
func (s *TableJoinSpec) Columns() *arrow.Schema {
	fields := make([]arrow.Field, len(s.Used))
	for i, c := range s.Used {
		fields[i] = arrow.Field{Name: s.Declared[c].Name, Type: s.Declared[c].Type, Nullable: true}
	}
	return arrow.NewSchema(fields, nil)
}

// KeySchema returns the schema of the key columns of the table.
func (s *TableJoinSpec) KeySchema() *arrow.Schema {
	columns := s.Columns()
	fields := make([]arrow.Field, len(s.TableKeys))
	for i, k := range s.TableKeys {
		fields[i] = columns.Field(k)
	}
	return arrow.NewSchema(fields, nil)
}

// Schema returns the schema of the rows that come out. Names are made unique.
func (s *TableJoinSpec) Schema() *arrow.Schema {
	columns := s.Columns()
	fields := make([]arrow.Field, len(s.Output))
	for i, c := range s.Output {
		if n := s.Input.NumFields(); c >= n {
			fields[i] = columns.Field(c - n)
		} else {
			fields[i] = s.Input.Field(c)
		}
	}
	return arrow.NewSchema(uniqueNames(fields), nil)
}

// String returns the line of EXPLAIN.
func (s *TableJoinSpec) String() string {
	columns := s.Columns()
	names := make([]string, columns.NumFields())
	for i, f := range columns.Fields() {
		names[i] = f.Name
	}
	keys := make([]string, len(s.Keys))
	for i, k := range s.Keys {
		keys[i] = k.String() + " = " + names[s.TableKeys[i]]
	}
	text := fmt.Sprintf("%s join table %s [%s] on [%s]", s.Kind, s.Table, strings.Join(names, ", "), strings.Join(keys, ", "))
	if s.Residual != nil {
		text += " and " + s.Residual.String()
	}
	return text
}

// validate reports all that is wrong with the spec.
func (s *TableJoinSpec) validate() error {
	var errs []error
	if s.Kind == RightJoin || s.Kind == FullJoin {
		errs = append(errs, fmt.Errorf("table join: %s: a %s join would give rows of the table, which is no stream", s.Table, s.Kind))
	}
	if len(s.Keys) == 0 || len(s.Keys) != len(s.TableKeys) {
		return errors.Join(append(errs, fmt.Errorf("table join: %s: keys are needed, as many as of the table: %d and %d", s.Table, len(s.Keys), len(s.TableKeys)))...)
	}
	columns := s.Columns()
	for i, k := range s.Keys {
		if f := columns.Field(s.TableKeys[i]); !isKeyType(k.Type) || batch.TypeName(k.Type) != batch.TypeName(f.Type) {
			errs = append(errs, fmt.Errorf("table join: %s: cannot join on %s = %s: %s and %s", s.Table, k, f.Name, batch.TypeName(k.Type), batch.TypeName(f.Type)))
		}
	}
	return errors.Join(errs...)
}

// isLeftOnly says whether only rows of the stream come out, each once at most.
func (s *TableJoinSpec) isLeftOnly() bool { return s.Kind == SemiJoin || s.Kind == AntiJoin }

// needTable marks what the join of a table needs of its input, given what is needed of it.
func (p *pruner) needTable(n *Node, s *TableJoinSpec) {
	from := p.needed[n.Inputs[0]]
	mark := func(c int) {
		if c < len(from) {
			from[c] = true
		}
	}
	for i, c := range s.Output {
		if p.needed[n.ID][i] {
			mark(c)
		}
	}
	exprs := s.Keys
	if s.Residual != nil {
		exprs = append(slices.Clip(exprs), s.Residual)
	}
	for _, e := range exprs {
		for _, c := range expr.Columns(e) {
			mark(c)
		}
	}
}

// pruneTable returns s over the pruned input of n in out, without the columns that nobody needs, be they of the table or not.
func (p *pruner) pruneTable(n *Node, s *TableJoinSpec, out *Plan) *TableJoinSpec {
	left := p.moved[n.Inputs[0]]
	isUsed := make([]bool, len(s.Used))
	mark := func(c int) {
		if c >= len(left) {
			isUsed[c-len(left)] = true
		}
	}
	for i, c := range s.Output {
		if p.needed[n.ID][i] {
			mark(c)
		}
	}
	if s.Residual != nil {
		for _, c := range expr.Columns(s.Residual) {
			mark(c)
		}
	}
	for _, k := range s.TableKeys {
		isUsed[k] = true
	}
	kept := *s
	kept.Input = out.Nodes[n.Inputs[0]].Schema
	kept.Used, kept.Keys, kept.TableKeys, kept.Output = nil, nil, nil, nil
	right := make([]int, len(s.Used))
	for i, c := range s.Used {
		if isUsed[i] {
			right[i] = len(kept.Used)
			kept.Used = append(kept.Used, c)
		}
	}
	numLeft := kept.Input.NumFields()
	moved := func(c int) int {
		if c < len(left) {
			return left[c]
		}
		return numLeft + right[c-len(left)]
	}
	for i, c := range s.Output {
		if p.needed[n.ID][i] {
			kept.Output = append(kept.Output, moved(c))
		}
	}
	for i, k := range s.Keys {
		kept.Keys = append(kept.Keys, expr.Remap(k, moved))
		kept.TableKeys = append(kept.TableKeys, right[s.TableKeys[i]])
	}
	if s.Residual != nil {
		kept.Residual = expr.Remap(s.Residual, moved)
	}
	return &kept
}
