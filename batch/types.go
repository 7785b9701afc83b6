package batch

import (
	"fmt"
	"strings"

	"github.com/apache/arrow-go/v18/arrow"

	"github.com/tidemill/tidemill/batch/decimal"
)

// The types of columns, under their SQL names. Those of Arrow are stored as Arrow does.
var (
	Boolean   arrow.DataType = arrow.FixedWidthTypes.Boolean
	BigInt    arrow.DataType = arrow.PrimitiveTypes.Int64
	Double    arrow.DataType = arrow.PrimitiveTypes.Float64
	Text      arrow.DataType = arrow.BinaryTypes.String
	Timestamp arrow.DataType = arrow.FixedWidthTypes.Timestamp_us
	TextList  arrow.DataType = arrow.ListOf(arrow.BinaryTypes.String)
)

// The types that are stored as another one.
var (
	// TinyInt, SmallInt and Int are BIGINT within 8, 16 and 32 bits.
	TinyInt  arrow.DataType = &Logical{name: "TINYINT", storage: BigInt, native: arrow.PrimitiveTypes.Int8}
	SmallInt arrow.DataType = &Logical{name: "SMALLINT", storage: BigInt, native: arrow.PrimitiveTypes.Int16}
	Int      arrow.DataType = &Logical{name: "INT", storage: BigInt, native: arrow.PrimitiveTypes.Int32}
	// Float is DOUBLE with values that are rounded to 32 bits.
	Float arrow.DataType = &Logical{name: "FLOAT", storage: Double, native: arrow.PrimitiveTypes.Float32}
	// Date is days since 1970-01-01, within 32 bits.
	Date arrow.DataType = &Logical{name: "DATE", storage: BigInt, native: arrow.FixedWidthTypes.Date32}
	// DayTime is INTERVAL DAY TO SECOND, in microseconds.
	DayTime arrow.DataType = &Logical{name: "INTERVAL DAY TO SECOND", storage: BigInt, native: arrow.FixedWidthTypes.Duration_us}
	// YearMonth is INTERVAL YEAR TO MONTH, in months, within 32 bits.
	YearMonth arrow.DataType = &Logical{name: "INTERVAL YEAR TO MONTH", storage: BigInt, native: arrow.FixedWidthTypes.MonthInterval}
	// Binary is bytes, in the layout of TEXT.
	Binary arrow.DataType = &Logical{name: "BINARY", storage: Text, native: arrow.BinaryTypes.Binary}
)

// Decimal returns the type DECIMAL(precision, scale): numbers with precision digits, scale of them behind the point. The
// precision is from 1 to decimal.MaxPrecision, the scale from 0 to the precision.
func Decimal(precision, scale int32) arrow.DataType {
	return &arrow.Decimal128Type{Precision: precision, Scale: scale}
}

// Logical is a type of SQL whose columns have the layout of another type, so that what moves and compares values needs to know
// the layout only: ID is that of the layout. arrow.TypeEqual tells the types apart.
type Logical struct {
	name    string
	storage arrow.DataType
	native  arrow.DataType
}

var (
	_ arrow.DataType           = (*Logical)(nil)
	_ arrow.FixedWidthDataType = (*Logical)(nil)
)

// ID returns that of the storage.
func (t *Logical) ID() arrow.Type { return t.storage.ID() }

// Name returns the SQL name.
func (t *Logical) Name() string { return t.name }

// String returns the SQL name.
func (t *Logical) String() string { return t.name }

// Fingerprint returns a text that no other type has.
func (t *Logical) Fingerprint() string { return "@tidemill:" + t.name }

// Layout returns that of the storage.
func (t *Logical) Layout() arrow.DataTypeLayout { return t.storage.Layout() }

// BitWidth returns that of the storage, 0 for BINARY.
func (t *Logical) BitWidth() int { return 8 * t.Bytes() }

// Bytes returns how many bytes a value takes, 0 for BINARY.
func (t *Logical) Bytes() int {
	if t.storage.ID() == arrow.STRING {
		return 0
	}
	return 8
}

// IntRange returns the smallest and the largest value of an integer type, DATE or INTERVAL, ok unless t is of another kind.
func IntRange(t arrow.DataType) (low, high int64, ok bool) {
	bits := 64
	switch t {
	case TinyInt:
		bits = 8
	case SmallInt:
		bits = 16
	case Int, Date, YearMonth:
		bits = 32
	default:
		if t.ID() != arrow.INT64 {
			return 0, 0, false
		}
	}
	high = 1<<(bits-1) - 1
	return -high - 1, high, true
}

// IsInteger says whether t is TINYINT, SMALLINT, INT or BIGINT.
func IsInteger(t arrow.DataType) bool {
	return t == TinyInt || t == SmallInt || t == Int || t == BigInt || t.ID() == arrow.INT64 && arrow.TypeEqual(t, BigInt)
}

// Dictless returns the type of the values of t: of a dictionary that of its entries, else t.
func Dictless(t arrow.DataType) arrow.DataType {
	if d, ok := t.(*arrow.DictionaryType); ok {
		return d.ValueType
	}
	return t
}

// IsScalar says whether values of t, or of the dictionary t, have no parts: they can be compared, ordered and are keys of groups.
func IsScalar(t arrow.DataType) bool {
	switch Dictless(t).ID() {
	case arrow.BOOL, arrow.INT64, arrow.FLOAT64, arrow.STRING, arrow.TIMESTAMP, arrow.DECIMAL128:
		return true
	}
	return false
}

// TypeName returns the SQL name of t, for messages and EXPLAIN. ParseType is its inverse.
func TypeName(t arrow.DataType) string {
	switch t := t.(type) {
	case *Logical:
		return t.name
	case *arrow.BooleanType:
		return "BOOLEAN"
	case *arrow.Int64Type:
		return "BIGINT"
	case *arrow.Float64Type:
		return "DOUBLE"
	case *arrow.StringType:
		return "TEXT"
	case *arrow.TimestampType:
		return "TIMESTAMP"
	case *arrow.NullType:
		return "NULL"
	case *arrow.Decimal128Type:
		return fmt.Sprintf("DECIMAL(%d, %d)", t.Precision, t.Scale)
	case *arrow.DictionaryType:
		return TypeName(t.ValueType)
	case *arrow.MapType:
		return "MAP<" + TypeName(t.KeyType()) + ", " + TypeName(t.ItemType()) + ">"
	case *arrow.ListType:
		return "ARRAY<" + TypeName(t.Elem()) + ">"
	case *arrow.StructType:
		var fields []string
		for _, f := range t.Fields() {
			fields = append(fields, fieldName(f.Name)+" "+TypeName(f.Type))
		}
		return "STRUCT<" + strings.Join(fields, ", ") + ">"
	}
	return t.String()
}

// fieldName returns the name of a field, between backticks unless it is a word.
func fieldName(s string) string {
	if len(s) > 0 && len(wordAt(s)) == len(s) {
		return s
	}
	return "`" + strings.ReplaceAll(s, "`", "``") + "`"
}

// TypeError says what is wrong with the name of a type.
type TypeError struct {
	Offset  int // in bytes, of the fault in the text
	Why     string
	Unknown string // a word that is the name of no type, if that is the fault
}

// Error returns what is wrong.
func (e *TypeError) Error() string { return e.Why }

// ParseType reads all of text, the SQL name of a type such as DECIMAL(10, 2) or MAP<STRING, ARRAY<INT>>. Its error is a *TypeError.
func ParseType(text string) (arrow.DataType, error) {
	t, n, err := ParseTypePrefix(text)
	if err == nil && strings.TrimSpace(text[n:]) != "" {
		err = &TypeError{Offset: n, Why: fmt.Sprintf("want a type, got %q behind it", strings.TrimSpace(text[n:]))}
	}
	if err != nil {
		return nil, err
	}
	return t, nil
}

// ParseTypePrefix reads the SQL name of a type that text begins with, and returns how many bytes it has.
func ParseTypePrefix(text string) (t arrow.DataType, n int, err error) {
	p := &typeParser{text: text}
	if t = p.typ(0); p.fault != nil {
		return nil, 0, p.fault
	}
	return t, p.at, nil
}

// plainTypes has the types without arguments by name; the first name of each is that of TypeName.
var plainTypes = map[string]arrow.DataType{
	"BOOLEAN": Boolean, "TINYINT": TinyInt, "BYTE": TinyInt, "SMALLINT": SmallInt, "SHORT": SmallInt, "INT": Int, "INTEGER": Int,
	"BIGINT": BigInt, "LONG": BigInt, "FLOAT": Float, "REAL": Float, "DOUBLE": Double, "TEXT": Text, "STRING": Text, "BINARY": Binary,
	"DATE": Date, "TIMESTAMP": Timestamp, "TIMESTAMP_LTZ": Timestamp, "TIMESTAMP_NTZ": Timestamp,
}

// TypeNames returns the names that types can begin with, for suggestions.
func TypeNames() []string {
	return []string{
		"ARRAY", "BIGINT", "BINARY", "BOOLEAN", "DATE", "DECIMAL", "DOUBLE", "FLOAT", "INT", "INTERVAL", "MAP", "SMALLINT", "STRING", "STRUCT",
		"TEXT", "TIMESTAMP", "TINYINT", "VARCHAR",
	}
}

// maxTypeDepth bounds how deep types are nested.
const maxTypeDepth = 32

// typeParser is a recursive descent over the name of a type. The first fault is kept, and the rest of the text skipped, so that all
// that is wanted behind it is missing and every loop ends.
type typeParser struct {
	text  string
	at    int
	fault *TypeError
}

func (p *typeParser) fail(at int, format string, args ...any) {
	if p.fault == nil {
		p.fault = &TypeError{Offset: at, Why: fmt.Sprintf(format, args...)}
	}
	p.at = len(p.text)
}

// next skips blanks and returns where the next sign or word begins.
func (p *typeParser) next() int {
	for p.at < len(p.text) && strings.IndexByte(" \t\r\n", p.text[p.at]) >= 0 {
		p.at++
	}
	return p.at
}

func wordAt(s string) string {
	n := 0
	for n < len(s) && (s[n]|0x20 >= 'a' && s[n]|0x20 <= 'z' || s[n] == '_' || n > 0 && s[n] >= '0' && s[n] <= '9') {
		n++
	}
	return s[:n]
}

// accept takes s, a sign or a word in upper case, if it comes next.
func (p *typeParser) accept(s string) bool {
	before := p.at
	at := p.next()
	if word := wordAt(p.text[at:]); word != "" && strings.EqualFold(word, s) || word == "" && strings.HasPrefix(p.text[at:], s) {
		p.at += len(s)
		return true
	}
	p.at = before
	return false
}

func (p *typeParser) expect(s, of string) {
	if !p.accept(s) {
		p.fail(p.next(), "type %s: want %s, got %q", of, s, clip(p.text[p.at:]))
	}
}

// clip returns the beginning of s for a message.
func clip(s string) string {
	if i := strings.IndexAny(s, "\n;"); i >= 0 {
		s = s[:i]
	}
	if len(s) > 20 {
		s = s[:20] + "…"
	}
	return s
}

func (p *typeParser) typ(depth int) arrow.DataType {
	at := p.next()
	word := wordAt(p.text[at:])
	if word == "" {
		p.fail(at, "want a type, got %q", clip(p.text[at:]))
		return arrow.Null
	}
	if depth > maxTypeDepth {
		p.fail(at, "types are nested too deep: more than %d levels", maxTypeDepth)
		return arrow.Null
	}
	p.at += len(word)
	name := strings.ToUpper(word)
	if t, ok := plainTypes[name]; ok {
		return t
	}
	switch name {
	case "DECIMAL", "DEC", "NUMERIC":
		return p.decimal(at)
	case "VARCHAR", "CHAR", "CHARACTER":
		if p.accept("(") {
			p.number(name)
			p.expect(")", name)
		}
		return Text
	case "INTERVAL":
		return p.interval()
	case "ARRAY":
		p.expect("<", name)
		elem := p.typ(depth + 1)
		p.expect(">", name)
		return arrow.ListOf(elem)
	case "MAP":
		p.expect("<", name)
		key := p.typ(depth + 1)
		p.expect(",", name)
		item := p.typ(depth + 1)
		p.expect(">", name)
		return arrow.MapOf(key, item)
	case "STRUCT":
		return p.structure(depth)
	}
	if p.fail(at, "unknown type %q", word); p.fault.Offset == at {
		p.fault.Unknown = word
	}
	return arrow.Null
}

// decimal reads what may follow DECIMAL. Without a precision it is 10, without a scale 0, as in Spark.
func (p *typeParser) decimal(at int) arrow.DataType {
	precision, scale := 10, 0
	if p.accept("(") {
		precision = p.number("DECIMAL")
		if p.accept(",") {
			scale = p.number("DECIMAL")
		}
		p.expect(")", "DECIMAL")
	}
	switch {
	case precision < 1 || precision > decimal.MaxPrecision:
		p.fail(at, "type DECIMAL: precision must be 1 to %d: got %d", decimal.MaxPrecision, precision)
	case scale > precision:
		p.fail(at, "type DECIMAL: scale must not be larger than the precision %d: got %d", precision, scale)
	}
	return Decimal(int32(precision), int32(scale))
}

func (p *typeParser) number(of string) int {
	at := p.next()
	v := 0
	for p.at < len(p.text) && p.text[p.at]-'0' <= 9 && v < 1<<24 {
		v = v*10 + int(p.text[p.at]-'0')
		p.at++
	}
	if p.at == at {
		p.fail(at, "type %s: want a whole number, got %q", of, clip(p.text[at:]))
	}
	return v
}

// typeUnits are the units of the two interval types, from large to small.
var typeUnits = []string{"YEAR", "MONTH", "DAY", "HOUR", "MINUTE", "SECOND"}

// firstDayTime is the index of the first unit of DAY TO SECOND.
const firstDayTime = 2

// interval reads what follows INTERVAL: a unit, or two with TO between. All of one kind are the same type.
func (p *typeParser) interval() arrow.DataType {
	at := p.next()
	unit := func() int {
		for i, u := range typeUnits {
			if p.accept(u) {
				return i
			}
		}
		p.fail(p.next(), "type INTERVAL: want DAY TO SECOND or YEAR TO MONTH, got %q", clip(p.text[p.at:]))
		return 0
	}
	from := unit()
	if p.accept("TO") {
		if to := unit(); to <= from || (from < firstDayTime) != (to < firstDayTime) {
			p.fail(at, "type INTERVAL: want DAY TO SECOND or YEAR TO MONTH, got %s TO %s", typeUnits[from], typeUnits[to])
		}
	}
	if from < firstDayTime {
		return YearMonth
	}
	return DayTime
}

// structure reads what follows STRUCT: <name type, …>, with a colon behind the names or without.
func (p *typeParser) structure(depth int) arrow.DataType {
	p.expect("<", "STRUCT")
	var fields []arrow.Field
	for {
		name := p.fieldName()
		p.accept(":")
		fields = append(fields, arrow.Field{Name: name, Type: p.typ(depth + 1), Nullable: true})
		if !p.accept(",") {
			break
		}
	}
	p.expect(">", "STRUCT")
	return arrow.StructOf(fields...)
}

func (p *typeParser) fieldName() string {
	at := p.next()
	if !p.accept("`") {
		word := wordAt(p.text[at:])
		if word == "" {
			p.fail(at, "type STRUCT: want a field's name, got %q", clip(p.text[at:]))
			return ""
		}
		p.at += len(word)
		return word
	}
	var name strings.Builder
	for {
		end := strings.IndexByte(p.text[p.at:], '`')
		if end < 0 {
			p.fail(at, "type STRUCT: a field's name has no ` at its end")
			return ""
		}
		name.WriteString(p.text[p.at : p.at+end])
		p.at += end + 1
		if !strings.HasPrefix(p.text[p.at:], "`") {
			return name.String()
		}
		name.WriteByte('`')
		p.at++
	}
}
