package expr

import (
	"encoding/hex"
	"strconv"
	"strings"
	"time"

	"github.com/apache/arrow-go/v18/arrow"

	"github.com/tidemill/tidemill/batch"
	"github.com/tidemill/tidemill/batch/decimal"
)

// Precedences of SQL, low binds weakest.
const (
	precOr = iota + 1
	precAnd
	precNot
	precCompare
	precAdd
	precMultiply
	precUnary
)

var binaryPrecedence = map[string]int{
	"or": precOr, "and": precAnd,
	"=": precCompare, "<>": precCompare, "<": precCompare, "<=": precCompare, ">": precCompare, ">=": precCompare,
	"<=>": precCompare, "like": precCompare,
	"+": precAdd, "-": precAdd, "*": precMultiply, "/": precMultiply, "%": precMultiply, "div": precMultiply,
}

// quoteText writes text between single quotes, where a backslash escapes as in Spark.
var quoteText = strings.NewReplacer(`\`, `\\`, `'`, `\'`)

// String returns s as SQL text.
func (s *Spec) String() string { return string(s.appendSQL(nil, 0)) }

// appendSQL appends s, in parentheses where it binds weaker than outer.
func (s *Spec) appendSQL(dst []byte, outer int) []byte {
	switch s.Kind {
	case ColumnKind:
		return appendName(dst, s.Name)
	case LiteralKind:
		return appendLiteral(dst, s)
	case ParamKind:
		return appendName(dst, s.Name)
	case LambdaKind:
		return s.appendLambda(dst)
	case CallKind:
	}
	switch s.Func {
	case "case":
		return s.appendCase(dst)
	case ".", "[]", "struct":
		return s.appendPart(dst)
	case "cast", "try_cast":
		dst = append(dst, strings.ToUpper(s.Func)+"("...)
		dst = s.Args[0].appendSQL(dst, 0)
		return append(dst, " AS "+typeName(s.Type)+")"...)
	}
	prec := binaryPrecedence[s.Func]
	switch {
	case s.Func == "not":
		prec = precNot
	case s.Func == "in" || strings.HasPrefix(s.Func, "is "):
		prec = precCompare
	case s.Func == "-" && len(s.Args) == 1:
		prec = precUnary
	case prec == 0 || s.Func == "like" && len(s.Args) > 2:
		return appendArgs(append(dst, s.Func...), s.Args)
	}
	if prec < outer {
		dst = append(dst, '(')
	}
	switch {
	case s.Func == "not":
		dst = s.Args[0].appendSQL(append(dst, "NOT "...), precNot)
	case prec == precUnary:
		dst = s.Args[0].appendSQL(append(dst, '-'), precUnary+1)
	case s.Func == "in":
		dst = appendArgs(append(s.Args[0].appendSQL(dst, precCompare+1), " IN "...), s.Args[1:])
	case len(s.Args) == 1:
		dst = append(s.Args[0].appendSQL(dst, precCompare+1), " "+strings.ToUpper(s.Func)...)
	default:
		left := prec
		if prec == precCompare {
			left++ // a = b = c needs its parentheses
		}
		for i, a := range s.Args {
			if i == 0 {
				dst = a.appendSQL(dst, left)
				continue
			}
			dst = append(dst, " "+strings.ToUpper(s.Func)+" "...)
			dst = a.appendSQL(dst, prec+1)
		}
	}
	if prec < outer {
		dst = append(dst, ')')
	}
	return dst
}

func appendArgs(dst []byte, args []*Spec) []byte {
	dst = append(dst, '(')
	for i, a := range args {
		if i > 0 {
			dst = append(dst, ", "...)
		}
		dst = a.appendSQL(dst, 0)
	}
	return append(dst, ')')
}

func (s *Spec) appendCase(dst []byte) []byte {
	dst = append(dst, "CASE"...)
	whens := s.Args
	for len(whens) >= 2 {
		dst = whens[0].appendSQL(append(dst, " WHEN "...), 0)
		dst = whens[1].appendSQL(append(dst, " THEN "...), 0)
		whens = whens[2:]
	}
	if len(whens) == 1 && !whens[0].isNull() {
		dst = whens[0].appendSQL(append(dst, " ELSE "...), 0)
	}
	return append(dst, " END"...)
}

// appendName appends a column's name, quoted where it is more than letters, digits, underscores and dots.
func appendName(dst []byte, name string) []byte {
	isPlain := name != ""
	for i, c := range []byte(name) {
		isPlain = isPlain && (c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c == '_' || c >= 0x80 || i > 0 && (c >= '0' && c <= '9' || c == '.'))
	}
	if isPlain {
		return append(dst, name...)
	}
	return append(dst, "`"+strings.ReplaceAll(name, "`", "``")+"`"...)
}

func appendLiteral(dst []byte, s *Spec) []byte {
	switch v := s.Value.(type) {
	case bool:
		return strconv.AppendBool(dst, v)
	case int64:
		switch s.Type {
		case batch.Date:
			return append(batch.AppendDate(append(dst, "DATE '"...), v), '\'')
		case batch.DayTime:
			return batch.AppendDayTime(dst, v)
		case batch.YearMonth:
			return batch.AppendYearMonth(dst, v)
		}
		return strconv.AppendInt(dst, v, 10)
	case decimal.Num:
		return decimal.Append(dst, v, s.Type.(*arrow.Decimal128Type).Scale)
	case float64:
		if s.Type == batch.Float {
			dst = append(dst, "CAST('"...)
			return append(batch.AppendFloat(dst, v), "' AS FLOAT)"...)
		}
		if v-v != 0 {
			dst = append(dst, "CAST('"...)
			return append(batch.AppendDouble(dst, v), "' AS DOUBLE)"...)
		}
		return batch.AppendDouble(dst, v)
	case string:
		if s.Type == batch.Binary {
			return append(hex.AppendEncode(append(dst, "X'"...), []byte(v)), '\'')
		}
		return append(dst, "'"+quoteText.Replace(v)+"'"...)
	case batch.Time:
		dst = append(dst, "TIMESTAMP '"...)
		return append(batch.AppendTime(dst, v), '\'')
	case time.Duration:
		return appendInterval(dst, v)
	}
	return append(dst, "NULL"...)
}

// appendInterval appends d in the largest unit of which it is a multiple.
func appendInterval(dst []byte, d time.Duration) []byte {
	for _, u := range [...]struct {
		size time.Duration
		name string
	}{{24 * time.Hour, "day"}, {time.Hour, "hour"}, {time.Minute, "minute"}, {time.Second, "second"}, {time.Millisecond, "millisecond"}, {time.Microsecond, "microsecond"}} {
		if n := d / u.size; d%u.size == 0 && d != 0 || u.size == time.Microsecond {
			dst = strconv.AppendInt(append(dst, "INTERVAL '"...), int64(n), 10)
			dst = append(dst, " "+u.name...)
			if n != 1 && n != -1 {
				dst = append(dst, 's')
			}
			break
		}
	}
	return append(dst, '\'')
}
