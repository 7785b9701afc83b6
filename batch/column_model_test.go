package batch_test

import (
	"flag"
	"fmt"
	"math/rand/v2"
	"slices"
	"strconv"
	"testing"
	"time"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"

	"github.com/tidemill/tidemill/batch"
)

var seed = flag.Uint64("seed", uint64(time.Now().UnixNano()), "seed of random tests")

// A model of a column is a slice of the rows' JSON forms. rows makes random rows and writes them to the column under test.
type rows struct {
	random *rand.Rand
	nulls  bool
}

func (r *rows) isNull() bool { return r.nulls && r.random.IntN(5) == 0 }

func (r *rows) text() string {
	b := make([]byte, r.random.IntN(4)*r.random.IntN(20))
	for i := range b {
		b[i] = 'a' + byte(r.random.IntN(26))
	}
	return string(b)
}

// appendRow appends a random row to c and returns its JSON form.
func (r *rows) appendRow(c *batch.Column) string {
	if r.isNull() {
		c.AppendNull()
		return "null"
	}
	switch t := c.Type().(type) {
	case *arrow.BooleanType:
		v := r.random.IntN(2) == 0
		c.AppendBool(v)
		return strconv.FormatBool(v)
	case *arrow.Int64Type:
		v := int64(r.random.Uint64())
		c.AppendInt64(v)
		return strconv.FormatInt(v, 10)
	case *arrow.TimestampType:
		v := batch.Time(r.random.IntN(1 << 50))
		c.AppendInt64(int64(v))
		return `"` + v.String() + `"`
	case *arrow.Float64Type:
		v := r.random.NormFloat64()
		c.AppendFloat64(v)
		return string(batch.AppendDouble(nil, v))
	case *arrow.StringType:
		v := r.text()
		switch r.random.IntN(3) {
		case 0:
			c.AppendText([]byte(v))
		case 1:
			c.AppendString(v)
		default:
			c.AppendString(v + "not this")
			c.TruncateTo(c.Len() - 1)
			c.AppendText([]byte(v))
		}
		return strconv.Quote(v)
	case *arrow.ListType:
		s := "["
		for i := range r.random.IntN(4) {
			if i > 0 {
				s += ","
			}
			s += r.appendRow(c.Child())
		}
		c.AppendList()
		return s + "]"
	case *arrow.StructType:
		s := "{"
		for i := range t.NumFields() {
			if i > 0 {
				s += ","
			}
			s += strconv.Quote(t.Field(i).Name) + ":" + r.appendRow(c.Field(i))
		}
		c.AppendStruct()
		return s + "}"
	}
	panic(c.Type().String())
}

// fill resets c to n rows and sets them, fixed-width ones in random order, others in increasing order with gaps.
func (r *rows) fill(c *batch.Column, n int) []string {
	want := make([]string, n)
	c.Reset(n)
	if t, ok := c.Type().(*arrow.StructType); ok {
		for k := range t.NumFields() {
			for i, v := range r.fill(c.Field(k), n) {
				want[i] += "," + strconv.Quote(t.Field(k).Name) + ":" + v
			}
		}
		for i, v := range want {
			want[i] = "{" + v[1:] + "}"
		}
	}
	for _, i := range r.random.Perm(n) {
		v := int64(r.random.IntN(1 << 50))
		switch c.Type().ID() {
		case arrow.BOOL:
			c.SetBool(i, v%2 == 0)
			want[i] = strconv.FormatBool(v%2 == 0)
		case arrow.INT64:
			c.Int64s()[i] = v
			want[i] = strconv.FormatInt(v, 10)
		case arrow.TIMESTAMP:
			c.Int64s()[i] = v
			want[i] = `"` + batch.Time(v).String() + `"`
		case arrow.FLOAT64:
			c.Float64s()[i] = float64(v) / 8
			want[i] = string(batch.AppendDouble(nil, float64(v)/8))
		}
	}
	for i := range want {
		isGap := r.random.IntN(3) == 0
		switch c.Type().ID() {
		case arrow.STRING:
			want[i] = `""`
			if isGap {
				break
			}
			v := r.text()
			switch r.random.IntN(3) {
			case 0:
				c.SetText(i, []byte(v))
			case 1:
				c.SetString(i, v)
			default:
				c.SetTextBuffer(i, append(c.TextBuffer(r.random.IntN(10)), v...))
			}
			want[i] = strconv.Quote(v)
		case arrow.LIST:
			want[i] = `[]`
			if isGap {
				break
			}
			want[i] = `[`
			for k := range r.random.IntN(3) {
				if k > 0 {
					want[i] += ","
				}
				want[i] += r.appendRow(c.Child())
			}
			want[i] += `]`
			c.EndList(i)
		}
	}
	for _, i := range r.random.Perm(n) {
		if r.isNull() {
			c.SetNull(i)
			c.SetNull(i) // once more changes nothing
			want[i] = "null"
		}
	}
	return want
}

// checkColumn compares the rows of c with their JSON forms, and what Array returns with arrow's own rules.
func checkColumn(t *testing.T, step string, c *batch.Column, want []string) {
	t.Helper()
	arr := c.Array()
	numNulls := 0
	for i, w := range want {
		if w == "null" {
			numNulls++
		}
		if (w == "null") != c.IsNull(i) {
			t.Fatalf("%s: row %d: IsNull is %v", step, i, c.IsNull(i))
		}
		if got := string(batch.AppendJSON(nil, arr, i)); got != w {
			t.Fatalf("%s: row %d of %d is %s, want %s", step, i, len(want), got, w)
		}
	}
	if c.Len() != len(want) || c.Nulls() != numNulls || arr.NullN() != numNulls {
		t.Fatalf("%s: %d rows, %d NULLs, %d in the array, want %d, %d", step, c.Len(), c.Nulls(), arr.NullN(), len(want), numNulls)
	}
	validate(t, step, arr)
	part := array.NewSlice(arr, 0, int64(len(want)))
	defer part.Release()
	validate(t, step, part)
	checkNullCounts(t, step, part)
}

func validate(t *testing.T, step string, arr arrow.Array) {
	t.Helper()
	if v, ok := arr.(interface{ ValidateFull() error }); ok {
		if err := v.ValidateFull(); err != nil {
			t.Fatalf("%s: %s of %d rows: %v", step, arr.DataType(), arr.Len(), err)
		}
	}
}

// checkNullCounts fails if kernels that trust NullN would miss a NULL in arr or in its parts.
func checkNullCounts(t *testing.T, step string, arr arrow.Array) {
	t.Helper()
	for i := range arr.Len() {
		if arr.IsNull(i) && arr.NullN() == 0 {
			t.Fatalf("%s: row %d of %s is NULL, NullN is 0", step, i, arr.DataType())
		}
	}
	switch a := arr.(type) {
	case *array.List:
		if a.Len() > 0 {
			_, end := a.ValueOffsets(a.Len() - 1)
			elements := array.NewSlice(a.ListValues(), 0, end)
			defer elements.Release()
			checkNullCounts(t, step, elements)
		}
	case *array.Struct:
		for k := range a.NumField() {
			checkNullCounts(t, step, a.Field(k))
		}
	}
}

func columnTypes() map[string]arrow.DataType {
	point := arrow.StructOf(
		arrow.Field{Name: "x", Type: batch.BigInt, Nullable: true},
		arrow.Field{Name: "tag", Type: batch.Text, Nullable: true},
		arrow.Field{Name: "inner", Nullable: true, Type: arrow.StructOf(arrow.Field{Name: "ok", Type: batch.Boolean, Nullable: true})},
		arrow.Field{Name: "words", Type: batch.TextList, Nullable: true})
	return map[string]arrow.DataType{
		"boolean": batch.Boolean, "bigint": batch.BigInt, "double": batch.Double, "text": batch.Text,
		"timestamp": batch.Timestamp, "list of text": batch.TextList, "struct": point,
		"list of lists": arrow.ListOf(batch.TextList), "list of structs": arrow.ListOf(point),
	}
}

func TestColumnHoldsWhatItsModelHolds(t *testing.T) {
	t.Logf("-seed %d", *seed)
	for name, dtype := range columnTypes() {
		t.Run(name, func(t *testing.T) {
			pool := newPool(t)
			r := &rows{random: rand.New(rand.NewPCG(*seed, 1))}
			c, other := batch.NewColumn(pool, dtype), batch.NewColumn(pool, dtype)
			var want []string
			for step := range 300 {
				r.nulls = r.random.IntN(3) > 0
				doing := r.step(c, other, &want)
				if r.random.IntN(4) == 0 {
					arrayOfParts(c)
				}
				if r.random.IntN(2) == 0 {
					checkColumn(t, fmt.Sprintf("step %d: %s", step, doing), c, want)
				}
			}
			checkColumn(t, "end", c, want)
			c.Release()
			other.Release()
		})
	}
}

// step does something random to c, and to want, and returns what it did.
func (r *rows) step(c, other *batch.Column, want *[]string) string {
	n := r.random.IntN(200)
	switch r.random.IntN(8) {
	case 0:
		*want = r.fill(c, n)
		return fmt.Sprintf("fill %d", n)
	case 1, 2:
		for range n / 4 {
			*want = append(*want, r.appendRow(c))
		}
		return fmt.Sprintf("append %d", n/4)
	case 3:
		n = r.random.IntN(len(*want) + 1)
		c.TruncateTo(n)
		*want = (*want)[:n]
		return fmt.Sprintf("truncate to %d", n)
	case 4:
		switch r.random.IntN(4) {
		case 0:
			c.Release()
			*want = nil
			return "release"
		case 1:
			arrayOfParts(c)
			return "array of parts"
		case 2:
			if t, ok := c.Type().(*arrow.StructType); ok {
				return r.appendByField(c, other, t, n, want)
			}
		}
		if c.Child() != nil {
			r.appendRow(c.Child())
		} else if _, ok := c.Type().(*arrow.StructType); ok {
			r.appendRow(c.Field(0))
		}
		c.TruncateTo(len(*want))
		return "begin a row and drop it"
	}
	rows := r.fill(other, n)
	from := r.random.IntN(n + 1)
	arr := array.NewSlice(other.Array(), int64(from), int64(n))
	defer arr.Release()
	rows = rows[from:]
	if r.random.IntN(2) == 0 {
		n = r.random.IntN(len(rows) + 1)
		c.AppendArray(arr, n, nil)
		*want = append(*want, rows[:n]...)
		return fmt.Sprintf("append first %d of %d rows at %d", n, len(rows), from)
	}
	var sel []int32
	for i := range rows {
		if r.random.IntN(2) == 0 {
			sel = append(sel, int32(i))
			*want = append(*want, rows[i])
		}
	}
	if sel == nil {
		sel = []int32{}
	}
	if r.random.IntN(4) == 0 {
		for _, i := range sel {
			c.AppendRow(arr, int(i))
		}
		return fmt.Sprintf("append %d single rows", len(sel))
	}
	c.AppendArray(arr, arr.Len(), slices.Clip(sel))
	return fmt.Sprintf("append %d selected rows of %d at %d", len(sel), len(rows), from)
}

// appendByField appends n rows to the struct column c, one field after the other.
func (r *rows) appendByField(c, other *batch.Column, t *arrow.StructType, n int, want *[]string) string {
	rows := r.fill(other, n)
	numRows := len(*want)
	for k := range t.NumFields() {
		c.Field(k).AppendArray(other.Field(k).Array(), n, nil)
	}
	for i, v := range rows {
		c.AppendStruct()
		if v == "null" {
			c.SetNull(numRows + i)
		}
	}
	*want = append(*want, rows...)
	return fmt.Sprintf("append %d by field", n)
}

// arrayOfParts calls Array for what c is made of, as who fills a part may do.
func arrayOfParts(c *batch.Column) {
	if c.Child() != nil {
		arrayOfParts(c.Child())
		c.Child().Array()
	}
	if t, ok := c.Type().(*arrow.StructType); ok {
		for k := range t.NumFields() {
			arrayOfParts(c.Field(k))
			c.Field(k).Array()
		}
	}
}
