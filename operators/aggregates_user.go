package operators

import (
	"slices"
	"strings"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/memory"

	"github.com/tidemill/tidemill/batch"
	"github.com/tidemill/tidemill/operators/expr"
)

// UserAggregate is an aggregate that is Go code of a program.
type UserAggregate struct {
	// Name is how SQL calls it, in lower case.
	Name string
	// Params are the types of the arguments, at least one, and Result that of what it gives.
	Params []arrow.DataType
	Result arrow.DataType
	// State has the columns that intermediate results are kept in.
	State []arrow.Field
	// TakesNull says that rows with NULL may count.
	TakesNull bool
	// New makes an instance, which one goroutine at a time uses.
	New func(mem memory.Allocator) UserAccumulator
}

// UserAccumulator has the intermediate results of groups that are numbered from 0.
type UserAccumulator interface {
	// Grow tells that there are groups up to n-1. New ones are empty.
	Grow(n int)
	// Add adds row rows[k] of the arguments, or row k where rows is nil, to group groups[k]. It borrows all of them. TEXT may be a
	// dictionary.
	Add(args []arrow.Array, rows, groups []int32)
	// Merge adds groups ids of src, which is of the same type, to groups.
	Merge(src UserAccumulator, ids, groups []int32)
	// Fault says why the result of a group can't be given, "" if it can.
	Fault(id int32) string
	// Result appends the results of groups ids, which have no fault, to col.
	Result(col *batch.Column, ids []int32)
	// Save appends groups ids to the columns of State, and Load replaces groups by what Save wrote to rows; NULLs are an empty group.
	Save(cols []*batch.Column, ids []int32)
	Load(cols []arrow.Array, rows, groups []int32)
	// Reset forgets all groups, and Close releases all memory.
	Reset()
	Close()
}

// Arguments returns args as what the aggregate takes, converted as those of a function are.
func (u *UserAggregate) Arguments(args []*expr.Spec) ([]*expr.Spec, error) {
	call, err := (&expr.UserFunc{Name: u.Name, Params: u.Params, Result: u.Result}).Call(args...)
	if err != nil {
		return nil, err
	}
	return call.Args, nil
}

// columnTexts returns the columns of the state as a meaning has them.
func (u *UserAggregate) columnTexts() []string {
	texts := make([]string, len(u.State))
	for i, f := range u.State {
		texts[i] = f.Name + " " + batch.TypeName(f.Type)
	}
	return texts
}

// columnsOfTexts is the inverse of columnTexts. A type that nobody knows any more is NULL, which is no column's.
func columnsOfTexts(texts []string) []arrow.Field {
	fields := make([]arrow.Field, len(texts))
	for i, text := range texts {
		name, typeName, _ := strings.Cut(text, " ")
		t, err := batch.ParseType(typeName)
		if err != nil {
			t = arrow.Null
		}
		fields[i] = arrow.Field{Name: name, Type: t, Nullable: true}
	}
	return fields
}

// userAccumulator is the accumulator of a UserAggregate.
type userAccumulator struct {
	of   *UserAggregate
	code UserAccumulator
	args []arrow.Array
}

var _ accumulator = (*userAccumulator)(nil)

func newUserAccumulator(mem memory.Allocator, u *UserAggregate) accumulator {
	return &userAccumulator{of: u, code: u.New(mem), args: make([]arrow.Array, len(u.Params))}
}

func (a *userAccumulator) words() int { return 0 }

func (a *userAccumulator) bind(*records, int) {}

func (a *userAccumulator) grow(n int) { a.code.Grow(n) }

func (a *userAccumulator) add(arg arrow.Array, rows, groups []int32) {
	a.args[0] = arg
	if t, ok := arg.(*tupleArray); ok {
		a.args[0] = t.Array
		copy(a.args[1:], t.more)
	}
	if slices.ContainsFunc(a.args, func(arr arrow.Array) bool { return arr.DataType().ID() == arrow.NULL }) {
		return
	}
	a.code.Add(a.args, rows, groups)
}

func (a *userAccumulator) merge(src accumulator, ids, groups []int32) {
	a.code.Merge(src.(*userAccumulator).code, ids, groups)
}

// subtract is never called: what code added, it can't take out.
func (a *userAccumulator) subtract(accumulator, []int32, []int32) {}

func (a *userAccumulator) canSubtract() bool { return false }

func (a *userAccumulator) fault(id int32) string { return a.code.Fault(id) }

func (a *userAccumulator) canFail() bool { return true }

func (a *userAccumulator) result(col *batch.Column, ids []int32) { a.code.Result(col, ids) }

func (a *userAccumulator) state() []arrow.Field { return a.of.State }

func (a *userAccumulator) save(cols []*batch.Column, ids []int32) { a.code.Save(cols, ids) }

func (a *userAccumulator) load(cols []arrow.Array, rows, groups []int32) {
	a.code.Load(cols, rows, groups)
}

func (a *userAccumulator) reset() { a.code.Reset() }

func (a *userAccumulator) close() { a.code.Close() }
