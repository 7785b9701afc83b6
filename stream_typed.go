package tidemill

import (
	"fmt"
	"reflect"
	"runtime"
	"strings"
	"time"

	"github.com/apache/arrow-go/v18/arrow"

	"github.com/tidemill/tidemill/internal/record"
	"github.com/tidemill/tidemill/operators"
	"github.com/tidemill/tidemill/sql"
)

// Optional is a value that may be missing: NULL where it is a column.
type Optional[V any] = record.Optional[V]

// Some returns a value that is there.
func Some[V any](v V) Optional[V] { return record.Some(v) }

// Stream is a DStream whose rows are values of a Go type, for steps that SQL has no words for. T is a struct, each field of which is
// a column: of its name in snake_case, or of that in the tag `tidemill:"name"`; "-" leaves a field out. int64, int, float64,
// string, bool and time.Time are BIGINT, BIGINT, DOUBLE, TEXT, BOOLEAN and TIMESTAMP; an Optional may be NULL, where another field
// makes a row with NULL a bad row; the fields of a struct in a struct have its name before theirs (home_city), those of an
// embedded one do not. A T that is no struct is one column, value.
//
// Rows are moved between columns and structs a column at a time; texts are copied, so that functions may keep what they are
// given. Functions of single rows and batches (Map, FlatMap, Filter, MapPartitions, keys) run on all workers at once: what they
// share they must lock. A panic in them makes a bad row. Functions of intervals and windows run one at a time, and a panic in them
// stops the job. Like a DStream, a Stream is immutable, mistakes are reported by Check and Start, and who uses one twice shares
// its rows.
type Stream[T any] struct {
	rows  DStream // all columns of one table
	codec *record.Codec[T]
	slide time.Duration // how often there are rows
	state string        // the step that keeps the state of the last operation, "" if none
}

// As returns the rows of a stream as values of T: those of its columns that T has. A T that is no struct needs a stream of one
// column.
func As[T any](s DStream) Stream[T] {
	codec := codecOf[T](s.c)
	if !codec.IsValue() {
		var names []string
		for _, f := range codec.Schema().Fields() {
			names = append(names, quoteName(f.Name))
		}
		s = s.Select(names...)
	}
	return Stream[T]{rows: s.view(), codec: codec, slide: s.c.cfg.Interval}
}

// codecOf returns the codec of T; what is wrong with T is a fault of the job.
func codecOf[T any](c *Context) *record.Codec[T] {
	codec, err := record.For[T]()
	if err != nil {
		c.fault(err)
	}
	return codec
}

// fault adds a mistake of the description, which Check and Start report.
func (c *Context) fault(err error) {
	c.faults = append(c.faults, err)
	c.isBound = false
}

// DStream returns the rows as columns, so that SQL steps can follow.
func (s Stream[T]) DStream() DStream { return s.rows }

// Named gives the last operation, which keeps state, the name by which a restart finds that. Without a name it is called after what
// it does and how many of its kind there are before: window1, window2, reduceByKeyAndWindow1.
func (s Stream[T]) Named(name string) Stream[T] {
	if s.state == "" {
		s.rows.c.fault(fmt.Errorf("the stream named %q keeps no state: leave Named out", name))
		return s
	}
	step := *s.rows.c.steps[s.state]
	step.State = name
	s.rows.c.steps[s.state] = &step
	s.rows.c.isBound = false
	return s
}

// SlideDuration returns how often the stream has rows: the interval, or the slide of the window that it comes from.
func (s Stream[T]) SlideDuration() time.Duration { return s.slide }

// Union adds the rows of other streams, which must have the same slide.
func (s Stream[T]) Union(others ...Stream[T]) Stream[T] {
	for _, o := range others {
		s.rows.c.sameSlide("union", s.slide, o.slide)
		s.rows = s.rows.Union(o.rows)
	}
	s.state = ""
	return s
}

func (c *Context) sameSlide(what string, a, b time.Duration) {
	if a != b {
		c.fault(fmt.Errorf("%s: the streams have different slides: %s and %s: give both the same window before", what, a, b))
	}
}

// tableName returns the name of the table that has the rows of s.
func (s DStream) tableName() string {
	from := s.view().query.from
	return strings.ReplaceAll(from[1:len(from)-1], "``", "`")
}

// addStep adds a step under a name of its own. Its spec is made once the schemas of its inputs are known.
func (c *Context) addStep(state string, inputs []DStream, build func(in []*arrow.Schema) (operators.Spec, *arrow.Schema, error)) (DStream, string) {
	c.views++
	name := fmt.Sprintf("stream%d", c.views)
	step := sql.Step{State: state, Make: build}
	for _, s := range inputs {
		if s.c != c {
			c.fault(fmt.Errorf("%s: the streams are of different jobs", state))
		}
		step.Inputs = append(step.Inputs, s.tableName())
	}
	return c.Step(name, step), name
}

// stateName returns kind1, kind2, …: the name of the next operation of a kind that keeps state.
func (c *Context) stateName(kind string) string {
	if c.kinds == nil {
		c.kinds = make(map[string]int)
	}
	c.kinds[kind]++
	return fmt.Sprintf("%s%d", kind, c.kinds[kind])
}

// nameOf returns what an operation is called in EXPLAIN and messages: map main.parse.
func nameOf(kind string, fn any) string {
	f := runtime.FuncForPC(reflect.ValueOf(fn).Pointer())
	if f == nil {
		return kind
	}
	name := f.Name()
	name = name[strings.LastIndexByte(name, '/')+1:]
	return kind + " " + strings.TrimSuffix(strings.ReplaceAll(name, "[...]", ""), "-fm")
}
