package expr

import (
	"bytes"
	"errors"
	"fmt"
	"math"
	"strconv"
	"unsafe"

	"github.com/apache/arrow-go/v18/arrow"

	"github.com/tidemill/tidemill/batch"
)

var castFunctions = []function{
	{
		name: "cast", syntax: "CAST(x AS type) → type", resolve: resolveCast, build: newCast,
		doc: "x as another type; a row where it has no counterpart is bad. TIMESTAMP as a number is seconds since 1970.",
	},
	{
		name: "try_cast", syntax: "TRY_CAST(x AS type) → type", resolve: resolveCast, build: newCast,
		doc: "x as another type, NULL where it has no counterpart.",
	},
}

func resolveCast(name string, _ []*Spec) (*Spec, error) {
	return nil, fmt.Errorf("%s needs a type: %s(x AS BIGINT)", name, name)
}

func newCast(e *env, s *Spec, args []Expr) (Expr, error) {
	run := castKernel(s.Args[0].Type, s.Type)
	if run == nil {
		return nil, fmt.Errorf("%s: %s has no conversion to %s", s.Func, typeName(s.Args[0].Type), typeName(s.Type))
	}
	c := e.kernel(s.Func, s, args, run)
	c.quiet = s.Func == "try_cast"
	return c, nil
}

// kernel returns a kernel with the given run.
func (e *env) kernel(name string, s *Spec, args []Expr, run func(*kernel)) *kernel {
	return &kernel{name: name, args: newOperands(e, args), run: run, out: batch.NewColumn(e.mem, s.Type)}
}

// castRuns has the kernels of casts by the classes of both types. Those to integers and doubles make the widest type.
var castRuns = map[[2]class]func(*kernel){
	{intClass, boolClass}: boolFromBigInt, {doubleClass, boolClass}: boolFromDouble, {textClass, boolClass}: boolFromText, {decimalClass, boolClass}: boolFromDecimal,
	{intClass, intClass}: copyBigInts, {boolClass, intClass}: bigIntFromBool, {doubleClass, intClass}: bigIntFromDouble, {textClass, intClass}: bigIntFromText,
	{timeClass, intClass}: bigIntFromTime, {decimalClass, intClass}: bigIntFromDecimal,
	{doubleClass, doubleClass}: copyDoubles, {boolClass, doubleClass}: doubleFromBool, {intClass, doubleClass}: doubleFromBigInt,
	{textClass, doubleClass}: doubleFromText, {timeClass, doubleClass}: doubleFromTime, {decimalClass, doubleClass}: doubleFromDecimal,
	{decimalClass, decimalClass}: decimalFromDecimal, {boolClass, decimalClass}: decimalFromBool, {intClass, decimalClass}: decimalFromBigInt,
	{doubleClass, decimalClass}: decimalFromDouble, {textClass, decimalClass}: decimalFromText, {timeClass, decimalClass}: decimalFromTime,
	{textClass, binaryClass}: copyTexts, {binaryClass, textClass}: textFromBinary,
	{intClass, timeClass}: timeFromBigInt, {doubleClass, timeClass}: timeFromDouble, {textClass, timeClass}: timeFromText, {decimalClass, timeClass}: timeFromDecimal,
	{dateClass, timeClass}: timeFromDate, {timeClass, dateClass}: dateFromTime, {textClass, dateClass}: dateFromText,
	{textClass, dayTimeClass}: dayTimeFromText, {textClass, yearMonthClass}: yearMonthFromText,
}

// castKernel returns the kernel of a cast between two types, nil if there is none.
func castKernel(from, to arrow.DataType) func(*kernel) {
	x, y := classOf(from), classOf(to)
	run := castRuns[[2]class{x, y}]
	switch {
	case run == nil && y == textClass && x != otherClass:
		return textFromAny
	case run == nil || y == doubleClass && (to != batch.Float || from == batch.Float):
		return run
	case x == textClass && to == batch.Float:
		return floatFromText
	case y == intClass || y == doubleClass:
		return narrowedCast(run, to)
	}
	return run
}

// narrowedCast is narrowed with the messages of casts.
func narrowedCast(run func(*kernel), t arrow.DataType) func(*kernel) {
	low, high, _ := batch.IntRange(t)
	if t.ID() == arrow.FLOAT64 || low == math.MinInt64 {
		return narrowed(run, t)
	}
	return func(c *kernel) {
		run(c)
		out := c.out.Int64s()
		for _, i := range c.rows {
			if v := out[i]; (v < low || v > high) && !c.out.IsNull(int(i)) {
				if a := &c.args[0]; classOf(a.arr.DataType()) == textClass {
					c.failText(i, a.bytes(i), "")
				} else {
					c.failCast(i, isNo, batch.AppendValue(nil, a.arr, int(i)))
				}
			}
		}
	}
}

func boolFromBigInt(c *kernel) {
	for _, i := range c.rows {
		c.out.SetBool(int(i), c.args[0].ints[i] != 0)
	}
}

func boolFromDouble(c *kernel) {
	for _, i := range c.rows {
		c.out.SetBool(int(i), c.args[0].floats[i] != 0)
	}
}

func bigIntFromBool(c *kernel) {
	out, a := c.out.Int64s(), &c.args[0]
	for _, i := range c.rows {
		out[i] = int64(add(0, a.bit(i)))
	}
}

func doubleFromBool(c *kernel) {
	out, a := c.out.Float64s(), &c.args[0]
	for _, i := range c.rows {
		out[i] = float64(add(0, a.bit(i)))
	}
}

func bigIntFromDouble(c *kernel) {
	out, a := c.out.Int64s(), c.args[0].floats
	for _, i := range c.rows {
		v, fits := toBigInt(a[i])
		if !fits {
			c.failCast(i, isNo, batch.AppendDouble(nil, a[i]))
			continue
		}
		out[i] = v
	}
}

func bigIntFromTime(c *kernel) {
	out, a := c.out.Int64s(), c.args[0].ints
	for _, i := range c.rows {
		out[i] = floorDiv(a[i], usPerSecond)
	}
}

func doubleFromBigInt(c *kernel) {
	out, a := c.out.Float64s(), c.args[0].ints
	for _, i := range c.rows {
		out[i] = float64(a[i])
	}
}

func doubleFromTime(c *kernel) {
	out, a := c.out.Float64s(), c.args[0].ints
	for _, i := range c.rows {
		out[i] = float64(a[i]) / usPerSecond
	}
}

func timeFromBigInt(c *kernel) {
	out, a := c.out.Int64s(), c.args[0].ints
	for _, i := range c.rows {
		us, fits := multiply(a[i], usPerSecond)
		if !fits {
			c.failCast(i, "%s s is no TIMESTAMP", strconv.AppendInt(nil, a[i], 10))
			continue
		}
		out[i] = us
	}
}

func timeFromDouble(c *kernel) {
	out, a := c.out.Int64s(), c.args[0].floats
	for _, i := range c.rows {
		us, fits := toBigInt(a[i] * usPerSecond)
		if !fits {
			c.failCast(i, "%s s is no TIMESTAMP", batch.AppendDouble(nil, a[i]))
			continue
		}
		out[i] = us
	}
}

// textFromAny writes the text form of values that Spark has.
func textFromAny(c *kernel) {
	a := c.args[0].arr
	for _, i := range c.rows {
		// 32 bytes hold any number and TIMESTAMP.
		c.out.SetTextBuffer(int(i), appendCast(c.out.TextBuffer(32), a, int(i)))
	}
}

func boolFromText(c *kernel) {
	a := &c.args[0]
	for _, i := range c.rows {
		v, ok := parseBool(trimBytes(a.bytes(i)))
		if !ok {
			c.failText(i, a.bytes(i), "no BOOLEAN")
			continue
		}
		c.out.SetBool(int(i), v)
	}
}

func bigIntFromText(c *kernel) {
	out, a := c.out.Int64s(), &c.args[0]
	text, offsets := a.text, a.offsets
	for _, i := range c.rows {
		s := text[offsets[i]:offsets[i+1]]
		v, ok := batch.ShortInt(s)
		if !ok {
			if v, ok = parseBigInt(trimBytes(s)); !ok {
				c.failText(i, s, "")
				continue
			}
		}
		out[i] = v
	}
}

func doubleFromText(c *kernel) {
	out, a := c.out.Float64s(), &c.args[0]
	for _, i := range c.rows {
		v, ok := parseDouble(trimBytes(a.bytes(i)))
		if !ok {
			c.failText(i, a.bytes(i), "no DOUBLE")
			continue
		}
		out[i] = v
	}
}

func timeFromText(c *kernel) {
	out, a := c.out.Int64s(), &c.args[0]
	for _, i := range c.rows {
		us, err := parseTimestamp(trimBytes(a.bytes(i)))
		if err != nil {
			c.failText(i, a.bytes(i), "no TIMESTAMP")
			continue
		}
		out[i] = us
	}
}

// isNo is the format of failCast for a value that the type of the result does not have.
const isNo = ""

// failCast is fail without cost in a TRY_CAST.
func (c *kernel) failCast(i int32, format string, value []byte) {
	switch {
	case c.quiet:
		c.out.SetNull(int(i))
	case format == isNo:
		c.fail(i, "%s is no %s", value, typeName(c.out.Type()))
	default:
		c.fail(i, format, value)
	}
}

// failText reports that text is not what it should be: what, or, where that is empty, a value of the result's type.
func (c *kernel) failText(i int32, text []byte, what string) {
	switch {
	case c.quiet:
		c.out.SetNull(int(i))
	case what == "":
		c.fail(i, "%s is no %s", quote(text), typeName(c.out.Type()))
	default:
		c.fail(i, "%s is %s", quote(text), what)
	}
}

// trimBytes cuts blanks and control characters off both ends, as Spark's casts do.
func trimBytes(s []byte) []byte {
	for len(s) > 0 && isBlank(s[0]) {
		s = s[1:]
	}
	for len(s) > 0 && isBlank(s[len(s)-1]) {
		s = s[:len(s)-1]
	}
	return s
}

// appendLowerASCII appends s with small letters for the capitals of ASCII.
func appendLowerASCII(dst, s []byte) []byte {
	for _, c := range s {
		if c-'A' < 26 {
			c += caseBit
		}
		dst = append(dst, c)
	}
	return dst
}

func isBlank(c byte) bool { return c <= ' ' || c == 0x7F }

func parseBool(s []byte) (v, ok bool) {
	if len(s) > 5 {
		return false, false
	}
	var memory [5]byte
	switch string(appendLowerASCII(memory[:0], s)) {
	case "t", "true", "y", "yes", "1":
		return true, true
	case "f", "false", "n", "no", "0":
		return false, true
	}
	return false, false
}

// parseBigInt reads a sign and digits.
func parseBigInt(s []byte) (int64, bool) {
	negative := len(s) > 0 && s[0] == '-'
	if negative || len(s) > 0 && s[0] == '+' {
		s = s[1:]
	}
	if len(s) == 0 {
		return 0, false
	}
	v := uint64(0)
	for k, c := range s {
		if !isDigit(c) || k >= 19 && v > math.MaxInt64/10 {
			return 0, false
		}
		v = v*10 + uint64(c-'0')
	}
	if negative {
		return -int64(v), v <= 1<<63
	}
	return int64(v), v < 1<<63
}

// parseDouble reads a decimal number, inf, infinity or nan. What is too large is infinite. As in Java, a d or f may follow the number,
// and it may be hexadecimal with an exponent.
func parseDouble(s []byte) (float64, bool) { return parseFloat(s, 64) }

// parseFloat is parseDouble for a number of so many bits.
func parseFloat(s []byte, bits int) (float64, bool) {
	if n := len(s); n > 1 && (isDigit(s[n-2]) || s[n-2] == '.') && (s[n-1]|caseBit == 'd' || s[n-1]|caseBit == 'f') && !isHexadecimal(s) {
		s = s[:n-1]
	}
	if len(s) == 0 {
		return 0, false
	}
	if isHexadecimal(s) {
		v, err := strconv.ParseFloat(unsafe.String(unsafe.SliceData(s), len(s)), bits)
		return v, (err == nil || errors.Is(err, strconv.ErrRange)) && bytes.IndexByte(s, '_') < 0
	}
	isNumber := true
	for _, c := range s {
		isNumber = isNumber && (isDigit(c) || c == '.' || c == '-' || c == '+' || c == 'e' || c == 'E')
	}
	if !isNumber { // ParseFloat also reads hexadecimal and underscores
		return parseSpecialDouble(s)
	}
	v, err := strconv.ParseFloat(unsafe.String(unsafe.SliceData(s), len(s)), bits)
	return v, err == nil || errors.Is(err, strconv.ErrRange)
}

func isHexadecimal(s []byte) bool {
	if len(s) > 0 && (s[0] == '-' || s[0] == '+') {
		s = s[1:]
	}
	return len(s) > 1 && s[0] == '0' && s[1]|caseBit == 'x'
}

func parseSpecialDouble(s []byte) (float64, bool) {
	sign := 1
	if s[0] == '-' || s[0] == '+' {
		if s[0] == '-' {
			sign = -1
		}
		if s = s[1:]; len(s) == 3 && s[0]|' ' == 'n' {
			return 0, false
		}
	}
	if len(s) > 8 {
		return 0, false
	}
	var memory [8]byte
	switch string(appendLowerASCII(memory[:0], s)) {
	case "inf", "infinity":
		return math.Inf(sign), true
	case "nan":
		return math.NaN(), true
	}
	return 0, false
}
