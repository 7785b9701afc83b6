package oracle

import (
	"slices"
	"strings"
)

// A list is a []any.

// listFunctions compute a value of arguments of which the first may be no list, and others may be NULL.
var listFunctions = map[string]func(args []any) (any, error){
	"array": func(args []any) (any, error) { return append([]any{}, args...), nil },
	"array_append": strictIn(1, func(args []any) (any, error) {
		return append(slices.Clone(args[0].([]any)), args[1]), nil
	}),
	"array_prepend": strictIn(1, func(args []any) (any, error) {
		return append([]any{args[1]}, args[0].([]any)...), nil
	}),
	"array_insert": strictIn(2, arrayInsert),
	"array_repeat": func(args []any) (any, error) {
		if args[1] == nil {
			return nil, nil
		}
		n := max(args[1].(int64), 0)
		if err := checkLength(n); err != nil {
			return nil, err
		}
		return slices.Repeat([]any{args[0]}, int(n)), nil
	},
	"array_contains": strict(func(args []any) (any, error) {
		if indexOf(args[0].([]any), args[1]) >= 0 {
			return true, nil
		}
		if slices.Contains(args[0].([]any), nil) {
			return nil, nil
		}
		return false, nil
	}),
	"array_position": strict(func(args []any) (any, error) {
		return int64(indexOf(args[0].([]any), args[1]) + 1), nil
	}),
	"array_remove": strict(func(args []any) (any, error) {
		return keep(args[0].([]any), func(v any) bool { return compareOrNull(v, args[1]) != 0 }), nil
	}),
	"array_compact":  strict(func(args []any) (any, error) { return keep(args[0].([]any), func(v any) bool { return v != nil }), nil }),
	"array_distinct": strict(func(args []any) (any, error) { return distinct(args[0].([]any)), nil }),
	"array_union": strict(func(args []any) (any, error) {
		return distinct(slices.Concat(args[0].([]any), args[1].([]any))), nil
	}),
	"array_intersect": strict(func(args []any) (any, error) {
		return distinct(keep(args[0].([]any), func(v any) bool { return hasOrNull(args[1].([]any), v) })), nil
	}),
	"array_except": strict(func(args []any) (any, error) {
		return distinct(keep(args[0].([]any), func(v any) bool { return !hasOrNull(args[1].([]any), v) })), nil
	}),
	"arrays_overlap": strict(arraysOverlap),
	"array_min":      strict(func(args []any) (any, error) { return extreme(args[0].([]any), -1), nil }),
	"array_max":      strict(func(args []any) (any, error) { return extreme(args[0].([]any), 1), nil }),
	"sort_array": strict(func(args []any) (any, error) {
		list := slices.Clone(args[0].([]any))
		slices.SortStableFunc(list, compareOrNull)
		if len(args) > 1 && !args[1].(bool) {
			slices.Reverse(list)
		}
		return list, nil
	}),
	"array_sort": strict(func(args []any) (any, error) {
		list := slices.Clone(args[0].([]any))
		slices.SortStableFunc(list, func(a, b any) int {
			if (a == nil) != (b == nil) {
				return -compareOrNull(a, b)
			}
			return compareOrNull(a, b)
		})
		return list, nil
	}),
	"array_join": strict(func(args []any) (any, error) {
		var texts []string
		for _, v := range args[0].([]any) {
			switch {
			case v != nil:
				texts = append(texts, v.(string))
			case len(args) > 2:
				texts = append(texts, args[2].(string))
			}
		}
		return strings.Join(texts, args[1].(string)), nil
	}),
	"slice":          strict(sliceOf),
	"element_at":     strict(elementAt(1, false)),
	"try_element_at": strict(elementAt(1, true)),
	"get":            strict(elementAt(0, true)),
	"[]":             strict(elementAt(0, false)),
}

// strict is NULL where an argument is.
func strict(f func(args []any) (any, error)) func(args []any) (any, error) {
	return strictIn(1<<30, f)
}

// strictIn is NULL where one of the first n arguments is.
func strictIn(n int, f func(args []any) (any, error)) func(args []any) (any, error) {
	return func(args []any) (any, error) {
		if slices.Contains(args[:min(n, len(args))], nil) {
			return nil, nil
		}
		return f(args)
	}
}

// compareOrNull is compare with NULL before everything.
func compareOrNull(a, b any) int {
	if a == nil || b == nil {
		return order(a == nil && b != nil, a != nil && b == nil)
	}
	return compare(a, b)
}

func compareLists(a, b []any) int { return slices.CompareFunc(a, b, compareOrNull) }

func indexOf(list []any, v any) int {
	return slices.IndexFunc(list, func(have any) bool { return have != nil && compare(have, v) == 0 })
}

func hasOrNull(list []any, v any) bool {
	return slices.ContainsFunc(list, func(have any) bool { return compareOrNull(have, v) == 0 })
}

func keep(list []any, wanted func(any) bool) []any {
	kept := []any{}
	for _, v := range list {
		if wanted(v) {
			kept = append(kept, v)
		}
	}
	return kept
}

func distinct(list []any) []any {
	seen := []any{}
	for _, v := range list {
		if !hasOrNull(seen, v) {
			seen = append(seen, v)
		}
	}
	return seen
}

func checkLength(n int64) error {
	if n > 16<<20 {
		return badf("too many elements")
	}
	return nil
}

func arraysOverlap(args []any) (any, error) {
	a, b := args[0].([]any), args[1].([]any)
	for _, v := range a {
		if v != nil && indexOf(b, v) >= 0 {
			return true, nil
		}
	}
	if len(a) > 0 && len(b) > 0 && (slices.Contains(a, nil) || slices.Contains(b, nil)) {
		return nil, nil
	}
	return false, nil
}

func arrayInsert(args []any) (any, error) {
	list, at := slices.Clone(args[0].([]any)), args[1].(int64)
	if at == 0 {
		return nil, badf("array_insert: position 0")
	}
	n := int64(len(list))
	if err := checkLength(max(n, max(at, -at)-1) + 1); err != nil || max(at, -at) < 0 {
		return nil, badf("array_insert: too far")
	}
	if at > 0 {
		for int64(len(list)) < at-1 {
			list = append(list, nil)
		}
		return slices.Insert(list, int(at-1), args[2]), nil
	}
	for int64(len(list)) < -at-1 {
		list = slices.Insert(list, 0, nil)
	}
	return slices.Insert(list, len(list)+int(at)+1, args[2]), nil
}

func sliceOf(args []any) (any, error) {
	list, from, n := args[0].([]any), args[1].(int64), args[2].(int64)
	size := int64(len(list))
	switch {
	case from == 0 || n < 0:
		return nil, badf("slice: from %d, length %d", from, n)
	case from < 0:
		from += size
	default:
		from--
	}
	if from < 0 || from >= size {
		return []any{}, nil
	}
	return slices.Clone(list[from : from+min(n, size-from)]), nil
}

// elementAt counts from first; from 1 on, negative places count from the end.
func elementAt(first int64, isQuiet bool) func(args []any) (any, error) {
	return func(args []any) (any, error) {
		list, at := args[0].([]any), args[1].(int64)
		if first == 1 && at == 0 {
			return nil, badf("element_at: place 0")
		}
		place := at - first
		if first == 1 && at < 0 {
			place = int64(len(list)) + at
		}
		switch {
		case place >= 0 && place < int64(len(list)):
			return list[place], nil
		case isQuiet:
			return nil, nil
		}
		return nil, badf("no element %d", at)
	}
}
