package expr

import (
	"strconv"

	"github.com/apache/arrow-go/v18/arrow"
)

// appendLambda appends x -> body or (x, y) -> body.
func (s *Spec) appendLambda(dst []byte) []byte {
	params := s.Args[1:]
	if len(params) == 1 {
		dst = appendName(dst, params[0].Name)
	} else {
		dst = appendArgs(dst, params)
	}
	return s.Args[0].appendSQL(append(dst, " -> "...), 0)
}

// appendPart appends of.field, of[at] or named_struct('name', value, …).
func (s *Spec) appendPart(dst []byte) []byte {
	switch s.Func {
	case ".":
		dst = s.Args[0].appendSQL(dst, precUnary+1)
		return appendName(append(dst, '.'), s.Args[1].Value.(string))
	case "[]":
		dst = s.Args[0].appendSQL(dst, precUnary+1)
		return append(s.Args[1].appendSQL(append(dst, '['), 0), ']')
	}
	t := s.Type.(*arrow.StructType)
	dst = append(dst, "named_struct("...)
	for i, a := range s.Args {
		if i > 0 {
			dst = append(dst, ", "...)
		}
		dst = append(append(dst, '\''), quoteText.Replace(t.Field(i).Name)...)
		dst = a.appendSQL(append(dst, "', "...), 0)
	}
	return append(dst, ')')
}

// zipName returns the name that argument i of arrays_zip gives to a field: that of its column or field, else its number from 0.
func zipName(a *Spec, i int) string {
	switch {
	case a.Kind == ColumnKind || a.Kind == ParamKind:
		return a.Name
	case a.Kind == CallKind && a.Func == ".":
		return a.Args[1].Value.(string)
	}
	return strconv.Itoa(i)
}
