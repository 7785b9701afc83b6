package expr

import (
	"slices"

	"github.com/apache/arrow-go/v18/arrow"

	"github.com/tidemill/tidemill/batch"
	"github.com/tidemill/tidemill/batch/decimal"
)

// The rules by which values become of one type are those of Spark 4 in ANSI mode (AnsiTypeCoercion, DecimalPrecisionTypeCoercion).

// class is a kind of type, as far as casts and arithmetic tell types apart.
type class uint8

const (
	otherClass class = iota
	nullClass
	boolClass
	intClass // TINYINT to BIGINT
	decimalClass
	doubleClass // FLOAT and DOUBLE
	textClass
	binaryClass
	dateClass
	timeClass
	dayTimeClass
	yearMonthClass
)

func classOf(t arrow.DataType) class {
	switch t {
	case batch.Date:
		return dateClass
	case batch.DayTime:
		return dayTimeClass
	case batch.YearMonth:
		return yearMonthClass
	case batch.Binary:
		return binaryClass
	}
	switch t.ID() {
	case arrow.NULL:
		return nullClass
	case arrow.BOOL:
		return boolClass
	case arrow.INT64:
		return intClass
	case arrow.FLOAT64:
		return doubleClass
	case arrow.DECIMAL128:
		return decimalClass
	case arrow.STRING:
		return textClass
	case arrow.TIMESTAMP:
		return timeClass
	}
	return otherClass
}

func (c class) isNumber() bool { return c == intClass || c == decimalClass || c == doubleClass }

func (c class) isInterval() bool { return c == dayTimeClass || c == yearMonthClass }

// integers are the integer types from the narrowest to the widest, and the digits of each.
var (
	integers      = []arrow.DataType{batch.TinyInt, batch.SmallInt, batch.Int, batch.BigInt}
	integerDigits = []int32{3, 5, 10, 20}
)

// widthOf returns the index of t in integers; a BIGINT that is not batch.BigInt is one too.
func widthOf(t arrow.DataType) int {
	if i := slices.Index(integers, t); i >= 0 {
		return i
	}
	return len(integers) - 1
}

// decimalOf returns the precision and scale of a DECIMAL or an integer type.
func decimalOf(t arrow.DataType) decimal.Type {
	if d, ok := t.(*arrow.Decimal128Type); ok {
		return decimal.Type{Precision: d.Precision, Scale: d.Scale}
	}
	return decimal.Type{Precision: integerDigits[widthOf(t)]}
}

// exactDecimal is decimalOf of an argument: a constant integer has as many digits as it needs.
func exactDecimal(s *Spec) decimal.Type {
	if v, ok := s.Value.(int64); ok && s.Kind == LiteralKind && classOf(s.Type) == intClass {
		n := int32(1)
		for v /= 10; v != 0; v /= 10 {
			n++
		}
		return decimal.Type{Precision: n}
	}
	return decimalOf(s.Type)
}

// widerDecimal returns the type that holds the values of both; where that has too many digits, those behind the point are fewer.
func widerDecimal(a, b decimal.Type) arrow.DataType {
	scale := max(a.Scale, b.Scale)
	precision := max(a.Precision-a.Scale, b.Precision-b.Scale) + scale
	if over := precision - decimal.MaxPrecision; over > 0 {
		precision, scale = decimal.MaxPrecision, max(0, scale-over)
	}
	return batch.Decimal(precision, scale)
}

// commonOf returns the type that values of both types become, nil if there is none.
func commonOf(a, b arrow.DataType) arrow.DataType {
	if isSame(a, b) {
		return a
	}
	x, y := classOf(a), classOf(b)
	switch {
	case x == nullClass:
		return b
	case y == nullClass:
		return a
	case x == intClass && y == intClass:
		return integers[max(widthOf(a), widthOf(b))]
	case x == doubleClass && y.isNumber(), y == doubleClass && x.isNumber():
		return batch.Double // two FLOATs are the same type
	case x.isNumber() && y.isNumber():
		return widerDecimal(decimalOf(a), decimalOf(b))
	case x == dateClass && y == timeClass, x == timeClass && y == dateClass:
		return batch.Timestamp
	case x == textClass:
		return besideText(b, y)
	case y == textClass:
		return besideText(a, x)
	}
	return nil
}

// besideText returns what a TEXT and a t become.
func besideText(t arrow.DataType, c class) arrow.DataType {
	switch c {
	case intClass:
		return batch.BigInt
	case decimalClass, doubleClass:
		return batch.Double
	case boolClass, binaryClass, dateClass, timeClass:
		return t
	default:
		return nil
	}
}

// commonType returns the type that all args become, arrow.Null if all are NULL, nil if there is none.
func commonType(args []*Spec) arrow.DataType {
	common := arrow.Null
	// TEXT comes last, so that what is left does not depend on where it stands: with an INT and a DOUBLE it is a DOUBLE.
	for _, wantText := range []bool{false, true} {
		for _, a := range args {
			if (classOf(a.Type) == textClass) != wantText {
				continue
			}
			if common = commonOf(common, a.Type); common == nil {
				return nil
			}
		}
	}
	return common
}

// comparedType is commonType for what is compared: constant integers beside a DECIMAL have only the digits that they need.
func comparedType(args []*Spec) arrow.DataType {
	if len(args) != 2 {
		return commonType(args)
	}
	x, y := classOf(args[0].Type), classOf(args[1].Type)
	if x == decimalClass && y == intClass || x == intClass && y == decimalClass {
		return widerDecimal(exactDecimal(args[0]), exactDecimal(args[1]))
	}
	return commonType(args)
}

// The costs of conversions of arguments: a widening is better than one that loses digits, and that than one from or to TEXT.
const (
	costWiden = 1
	costLoss  = 4
	costText  = 16
)

// conversionCost returns what it costs that a function of a parameter is given an argument, ok if it can be.
func conversionCost(from, to arrow.DataType) (cost int, ok bool) {
	if isSame(from, to) {
		return 0, true
	}
	x, y := classOf(from), classOf(to)
	switch {
	case x == nullClass:
		return costWiden, true
	case x == intClass && y == intClass:
		if widthOf(from) < widthOf(to) {
			return costWiden, true
		}
		return costLoss, true
	case x == intClass && (y == doubleClass || y == decimalClass), x == decimalClass && y == doubleClass, x == doubleClass && y == doubleClass:
		return costWiden + 1, true
	case x == dateClass && y == timeClass:
		return costWiden, true
	case x == timeClass && y == dateClass:
		return costLoss, true
	case x == textClass && (y.isNumber() || y == boolClass || y == dateClass || y == timeClass || y == binaryClass):
		return costText, true
	case y == textClass && (x.isNumber() || x == boolClass || x == dateClass || x == timeClass):
		return costText, true
	}
	return 0, false
}

// arithmeticTypes has the types of the operands and the result of DECIMAL arithmetic.
func arithmeticType(op string, a, b decimal.Type) decimal.Type {
	switch whole := max(a.Precision-a.Scale, b.Precision-b.Scale); op {
	case "+", "-":
		scale := max(a.Scale, b.Scale)
		return adjusted(whole+scale+1, scale)
	case "*":
		return adjusted(a.Precision+b.Precision+1, a.Scale+b.Scale)
	case "/":
		scale := max(minAdjustedScale, a.Scale+b.Precision+1)
		return adjusted(a.Precision-a.Scale+b.Scale+scale, scale)
	default: // %
		scale := max(a.Scale, b.Scale)
		return adjusted(min(a.Precision-a.Scale, b.Precision-b.Scale)+scale, scale)
	}
}

// minAdjustedScale is how many digits behind the point a result keeps where there are too many in all, as in Spark, SQL Server and
// Hive.
const minAdjustedScale = 6

// adjusted returns the type of a result that would need the given digits: digits before the point go first.
func adjusted(precision, scale int32) decimal.Type {
	if precision <= decimal.MaxPrecision {
		return decimal.Type{Precision: max(precision, 1), Scale: scale}
	}
	whole := precision - scale
	return decimal.Type{Precision: decimal.MaxPrecision, Scale: max(decimal.MaxPrecision-whole, min(scale, minAdjustedScale))}
}

// CommonType returns the type that values of both types become without a CAST, nil if there is none.
func CommonType(a, b arrow.DataType) arrow.DataType {
	return commonOf(batch.Dictless(a), batch.Dictless(b))
}

// Convert returns e as a t where that is an implicit conversion, e itself where it is none.
func Convert(e *Spec, t arrow.DataType) *Spec {
	if _, ok := conversionCost(e.Type, t); !ok {
		return e
	}
	return convert(e, t)
}
