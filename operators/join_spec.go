package operators

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/apache/arrow-go/v18/arrow"

	"github.com/tidemill/tidemill/batch"
	"github.com/tidemill/tidemill/operators/expr"
)

// JoinKind says which rows of a join come out.
type JoinKind uint8

// The kinds of joins.
const (
	// InnerJoin gives a row for each pair that matches.
	InnerJoin JoinKind = iota
	// LeftJoin is InnerJoin, and rows of the left input that match nothing, with NULLs.
	LeftJoin
	// RightJoin is InnerJoin, and rows of the right input that match nothing, with NULLs.
	RightJoin
	// FullJoin is LeftJoin and RightJoin together.
	FullJoin
	// SemiJoin gives the rows of the left input that match something, each once.
	SemiJoin
	// AntiJoin gives the rows of the left input that match nothing.
	AntiJoin
)

// String returns the kind as in SQL, in lower case.
func (k JoinKind) String() string {
	return [...]string{"inner", "left outer", "right outer", "full outer", "left semi", "left anti"}[k]
}

// JoinSpec joins two streams of rows. A left and a right row match if their keys are equal, none of them NULL, their times are
// as near as Time says, and Residual is true.
//
// Rows are kept until no row that is yet to come can match them: with Time that follows from the watermark of the other input,
// with PerInterval they go at the end of the interval, otherwise an InnerJoin keeps them for ever and no other kind exists.
type JoinSpec struct {
	Kind JoinKind
	// Inputs are the schemas of the left and of the right input.
	Inputs [2]*arrow.Schema
	// LeftKeys and RightKeys are equal in number, at least one, and types: expressions over the columns of the input each.
	LeftKeys, RightKeys []*expr.Spec
	// Time bounds how far the times of rows that match are apart; nil: they do not matter.
	Time *JoinTime
	// Residual is over the columns of the left input, then those of the right one; nil: true.
	Residual *expr.Spec
	// Output has the columns that come out, as indices into those of the left input, then those of the right one. A SemiJoin and
	// an AntiJoin have columns of the left input only.
	Output []int
	// PerInterval says that only rows of the same interval match. Time is then nil.
	PerInterval bool
	// AsOf says that each left row matches one right row at most: the latest one with its keys that is not after it by Time, which
	// then has no bounds and is no arrival time. Residual is asked of that row alone. Kind is InnerJoin or LeftJoin.
	AsOf bool
	// hasSplits says that the last column of each input is the SplitKey of its rows, which is kept.
	hasSplits bool
}

// JoinTime says that left time - right time is between Lower and Upper, both included. A row is late, and dropped, if its time is
// before its own watermark.
type JoinTime struct {
	// Left and Right are TIMESTAMP columns of the inputs whose values have a watermark, of the same kind.
	Left, Right int
	// Arrival says that the columns are arrival times: no row is late then.
	Arrival bool
	// Lower and Upper are whole microseconds. One that is not there, as HasLower and HasUpper say, does not bound.
	Lower, Upper       time.Duration
	HasLower, HasUpper bool
}

// RetiresLeft says whether rows of the left input are known, at some time, to match nothing that is yet to come.
func (s *JoinSpec) RetiresLeft() bool {
	return s.PerInterval || s.AsOf || s.Time != nil && s.Time.HasLower
}

// RetiresRight is RetiresLeft for the right input.
func (s *JoinSpec) RetiresRight() bool { return s.PerInterval || s.Time != nil && s.Time.HasUpper }

// String returns the line of EXPLAIN.
func (s *JoinSpec) String() string {
	keys := make([]string, len(s.LeftKeys))
	for i := range keys {
		keys[i] = s.LeftKeys[i].String() + " = " + s.RightKeys[i].String()
	}
	text := s.Kind.String() + " join on [" + strings.Join(keys, ", ") + "]"
	switch {
	case s.AsOf:
		text += fmt.Sprintf(" as of left column %d, the latest by right column %d", s.Time.Left, s.Time.Right)
	case s.Time != nil:
		text += " " + s.Time.String()
	}
	if s.Residual != nil {
		text += " and " + s.Residual.String()
	}
	switch {
	case s.AsOf:
		text += ", keeps one right row per key"
	case s.PerInterval:
		text += " per interval"
	case !s.RetiresLeft() && !s.RetiresRight():
		text += ", keeps all rows for ever"
	case !s.RetiresLeft():
		text += ", keeps all left rows for ever"
	case !s.RetiresRight():
		text += ", keeps all right rows for ever"
	}
	return text
}

// String returns the bounds as EXPLAIN shows them.
func (t *JoinTime) String() string {
	text := "within"
	if t.HasLower {
		text += " " + durationText(t.Lower) + " <="
	}
	text += fmt.Sprintf(" left column %d - right column %d", t.Left, t.Right)
	if t.HasUpper {
		text += " <= " + durationText(t.Upper)
	}
	return text
}

// validate reports all that is wrong with the spec of a join called name.
func (s *JoinSpec) validate(name string) error {
	var errs []error
	if len(s.LeftKeys) == 0 || len(s.LeftKeys) != len(s.RightKeys) {
		errs = append(errs, fmt.Errorf("%s: a join needs keys, as many on the left as on the right: %d and %d", name, len(s.LeftKeys), len(s.RightKeys)))
	} else {
		for i, l := range s.LeftKeys {
			if r := s.RightKeys[i]; !isKeyType(l.Type) || batch.TypeName(l.Type) != batch.TypeName(r.Type) {
				errs = append(errs, fmt.Errorf("%s: cannot join on %s = %s: %s and %s", name, l, r, batch.TypeName(l.Type), batch.TypeName(r.Type)))
			}
		}
	}
	if s.PerInterval && s.Time != nil {
		errs = append(errs, fmt.Errorf("%s: rows are joined per interval or by their times, not both", name))
	}
	if s.AsOf && (s.PerInterval || s.Time == nil || s.Time.HasLower || s.Time.HasUpper || s.Time.Arrival || s.Kind != InnerJoin && s.Kind != LeftJoin) {
		errs = append(errs, fmt.Errorf("%s: a join as of a time is an inner or left one, with two columns of event time and no bounds", name))
	}
	if t := s.Time; t != nil && (t.Lower%time.Microsecond != 0 || t.Upper%time.Microsecond != 0) {
		errs = append(errs, fmt.Errorf("%s: bounds of times must be whole microseconds: %s, %s", name, t.Lower, t.Upper))
	}
	return errors.Join(append(errs, s.boundFault(name))...)
}

// boundFault says which rows of a join without enough of a bound would never come out, or be kept for ever unseen.
func (s *JoinSpec) boundFault(name string) error {
	needsLeft := s.Kind == LeftJoin || s.Kind == FullJoin || s.Kind == SemiJoin || s.Kind == AntiJoin
	needsRight := s.Kind == RightJoin || s.Kind == FullJoin
	var side string
	switch {
	case needsLeft && !s.RetiresLeft():
		side = "left"
	case needsRight && !s.RetiresRight():
		side = "right"
	default:
		return nil
	}
	return fmt.Errorf("%s: a %s join needs a bound of the times of both sides, from which it follows when a %s row can't be matched any more: "+
		"two columns with a WATERMARK, compared like a.t BETWEEN b.t - INTERVAL '5 minutes' AND b.t + INTERVAL '1 minute', or the "+
		"ends of equal windows", name, s.Kind, side)
}

// Schema returns the schema of the rows that come out. A column of times keeps its mark only where the rows of its side are
// retired by it: otherwise old times may come out at any time. Names are made unique.
func (s *JoinSpec) Schema() *arrow.Schema {
	fields := make([]arrow.Field, len(s.Output))
	for i, c := range s.Output {
		side, at := s.sideOf(c)
		fields[i] = s.Inputs[side].Field(at)
		fields[i].Nullable = true
		if !s.isMarked(side, at) {
			fields[i].Metadata = arrow.Metadata{}
		}
	}
	return arrow.NewSchema(uniqueNames(fields), nil)
}

// uniqueNames numbers the fields that have the name of one before them, in place.
func uniqueNames(fields []arrow.Field) []arrow.Field {
	taken := make(map[string]bool)
	for i := range fields {
		f := &fields[i]
		name := f.Name
		for n := 2; taken[f.Name]; n++ {
			f.Name = fmt.Sprintf("%s#%d", name, n)
		}
		taken[f.Name] = true
	}
	return fields
}

// sideOf returns the input that a column of both is of, and its index there.
func (s *JoinSpec) sideOf(column int) (side, at int) {
	if n := s.Inputs[0].NumFields(); column >= n {
		return 1, column - n
	}
	return 0, column
}

// isMarked says whether column at of an input has times that the watermark of the output is a bound of.
func (s *JoinSpec) isMarked(side, at int) bool {
	if s.Time == nil || s.Time.Arrival {
		return false
	}
	if side == 0 {
		return at == s.Time.Left && s.RetiresLeft()
	}
	return at == s.Time.Right && s.RetiresRight()
}

// keys returns the keys of an input.
func (s *JoinSpec) keys(side int) []*expr.Spec {
	return [...][]*expr.Spec{s.LeftKeys, s.RightKeys}[side]
}

// time returns the column of the times of an input, -1 if there is none.
func (s *JoinSpec) time(side int) int {
	if s.Time == nil {
		return -1
	}
	return [...]int{s.Time.Left, s.Time.Right}[side]
}

// isOuter says whether rows of an input come out that match nothing.
func (s *JoinSpec) isOuter(side int) bool {
	switch s.Kind {
	case LeftJoin, AntiJoin:
		return side == 0
	case RightJoin:
		return side == 1
	case FullJoin:
		return true
	case InnerJoin, SemiJoin:
	}
	return false
}

// isLeftOnly says whether only rows of the left input come out, each once.
func (s *JoinSpec) isLeftOnly() bool { return s.Kind == SemiJoin || s.Kind == AntiJoin }

// kept returns the columns of an input that are needed for as long as its rows are, increasing.
func (s *JoinSpec) kept(side int) []int {
	isKept := make([]bool, s.Inputs[side].NumFields())
	both := slices.Clone(s.Output)
	if s.Residual != nil {
		both = append(both, expr.Columns(s.Residual)...)
	}
	for _, c := range both {
		if of, at := s.sideOf(c); of == side {
			isKept[at] = true
		}
	}
	for _, k := range s.keys(side) {
		for _, c := range expr.Columns(k) {
			isKept[c] = true
		}
	}
	if t := s.time(side); t >= 0 {
		isKept[t] = true
	}
	if s.hasSplits {
		isKept[len(isKept)-1] = true
	}
	var columns []int
	for i, is := range isKept {
		if is {
			columns = append(columns, i)
		}
	}
	return columns
}
