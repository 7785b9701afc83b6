package expr

import (
	"github.com/apache/arrow-go/v18/arrow"

	"github.com/tidemill/tidemill/batch"
)

// listBuild returns the build of a function of which all arguments may be NULL, or none may.
func listBuild(run func(*listCall), isLax bool) func(e *env, s *Spec, args []Expr) (Expr, error) {
	return func(e *env, s *Spec, args []Expr) (Expr, error) {
		c := newListCall(e, s.Func, s, args, run)
		for i := range c.lax {
			c.lax[i] = isLax
		}
		return c, nil
	}
}

// listFunctions are those of lists, without lambda functions.
var listFunctions = []function{
	{
		name: "array", syntax: "array(x, …) → ARRAY<type of x>", resolve: resolveArray, build: listBuild(runArray, true),
		doc: "The list of the arguments.",
	},
	sizeFunction,
	nested("array_contains", form{params: "ae", result: 'b', compares: true}, runArrayContains,
		"True where an element equals the second argument; otherwise NULL where an element is NULL."),
	nested("array_position", form{params: "ae", result: 'i', compares: true}, runArrayPosition,
		"The place of the first element that equals the second argument, from 1; 0 where there is none."),
	nested("array_remove", form{params: "ae", result: 'a', compares: true}, runArrayRemove, "The list without the elements that equal the second argument."),
	nested("array_distinct", form{params: "a", result: 'a', compares: true}, runArrayDistinct, "The list with the first of elements that are equal; NULL equals NULL."),
	nested("array_union", form{params: "aa", result: 'a', compares: true}, runArrayUnion, "The elements that are in one of the lists, each once."),
	nested("array_intersect", form{params: "aa", result: 'a', compares: true}, runArrayIntersect, "The elements that are in both lists, each once."),
	nested("array_except", form{params: "aa", result: 'a', compares: true}, runArrayExcept, "The elements of the first list that are not in the second, each once."),
	nested("arrays_overlap", form{params: "aa", result: 'b', compares: true}, runArraysOverlap,
		"True where the lists share an element that is not NULL; otherwise NULL where both have elements and one is NULL."),
	nested("array_append", form{params: "ae", result: 'a', lax: "e"}, runArrayAppend, "The list with one more element at its end."),
	nested("array_prepend", form{params: "ae", result: 'a', lax: "e"}, runArrayPrepend, "The list with one more element at its start."),
	nested("array_insert", form{params: "aie", result: 'a', lax: "e"}, runArrayInsert,
		"The list with one more element at a place, from 1, or from -1 at the end; NULLs fill what lies between."),
	nested("array_compact", form{params: "a", result: 'a'}, runArrayCompact, "The list without its NULLs."),
	nested("array_min", form{params: "a", result: 'e', compares: true}, runArrayMin, "The least element that is not NULL."),
	nested("array_max", form{params: "a", result: 'e', compares: true}, runArrayMax, "The greatest element that is not NULL; NaN is the greatest number."),
	nested("array_repeat", form{params: "ei", result: 'a', lax: "e"}, runArrayRepeat, "The list that has the first argument so many times."),
	nested("array_join", form{params: "att", least: 2, result: 't'}, runArrayJoin,
		"The texts of a list with the second argument between them; NULLs are left out, or replaced by the third argument."),
	nested("slice", form{params: "aii", result: 'a'}, runSlice,
		"So many elements from a place on, which counts from 1, or from -1 at the end."),
	nested("flatten", form{params: "A", result: 'a'}, runFlatten, "The elements of the lists of a list; NULL where one of these is NULL."),
	nested("sort_array", form{params: "ab", least: 1, result: 'a', compares: true}, runSortArray,
		"The list in order, NULLs first, or from high to low and NULLs last where the second argument is false."),
	{
		name: "array_sort", syntax: "array_sort(ARRAY<T>[, (T, T) -> integer]) → ARRAY<T>", resolve: resolveArraySort, build: newArraySort,
		doc: "The list in order, NULLs last, or by a lambda function that is negative where its first argument comes first, positive where the second does.",
	},
	{
		name: "arrays_zip", syntax: "arrays_zip(ARRAY<T>, …) → ARRAY<STRUCT<…>>", resolve: resolveArraysZip, build: listBuild(runArraysZip, false),
		doc: "The list of structs of the elements at the same place, NULL where a list is shorter.",
	},
	{
		name: "sequence", syntax: "sequence(first, last[, step]) of integers → ARRAY of them", resolve: resolveSequence, build: listBuild(runSequence, false),
		doc: "The numbers from the first to the last, by 1 or -1 or a step.",
	},
	getFunction("element_at", "element_at(ARRAY<T>, integer) → T, element_at(MAP<K, V>, K) → V",
		"The element at a place, from 1, or from -1 at the end, where a row without it is bad; or the value of a key, NULL where it is not there.", listGet{first: 1}, true),
	getFunction("try_element_at", "try_element_at(ARRAY<T>, integer) → T, try_element_at(MAP<K, V>, K) → V",
		"element_at with NULL where there is no such element.", listGet{first: 1, isQuiet: true}, true),
	getFunction("get", "get(ARRAY<T>, integer) → T", "The element at a place, from 0, NULL where there is none.", listGet{isQuiet: true}, false),
	getFunction("[]", "ARRAY<T>[integer] → T, MAP<K, V>[K] → V",
		"The element at a place, from 0, where a row without it is bad; or the value of a key, NULL where it is not there.", listGet{}, true),
}

var sizeFunction = function{
	name: "size", aliases: []string{"cardinality", "array_size"}, syntax: "size(ARRAY<T>) → INT, size(MAP<K, V>) → INT",
	resolve: resolveSize, build: listBuild(runSize, false),
	doc: "The number of elements of a list, or of entries of a map.",
}

func resolveSize(name string, args []*Spec) (*Spec, error) {
	if len(args) == 1 {
		switch args[0].Type.ID() {
		case arrow.LIST, arrow.MAP:
			return call(name, PlaceType, args...), nil
		case arrow.NULL:
			return null(PlaceType), nil
		}
	}
	return nil, &TypeError{Func: name, Takes: []string{"(ARRAY<T>)", "(MAP<K, V>)"}, Got: argTypes(args)}
}

// nestedForms are the forms for lists of functions that others know under the same name.
var nestedForms = []function{
	nested("reverse", form{params: "a", result: 'a'}, runArrayReverse, "The elements of a list in reverse order."),
	{
		name: "concat", syntax: "concat(ARRAY<T>, …) → ARRAY<T>", resolve: resolveConcatLists, build: listBuild(runConcatLists, false),
		doc: "The elements of lists one after another.",
	},
}

func resolveConcatLists(name string, args []*Spec) (*Spec, error) {
	got := argTypes(args)
	args, t, err := unify(name, args)
	if err != nil || t.ID() != arrow.LIST {
		return nil, &TypeError{Func: name, Takes: []string{"texts", "(ARRAY<T>, …)"}, Got: got}
	}
	return call(name, t, args...), nil
}

func resolveArraysZip(name string, args []*Spec) (*Spec, error) {
	fields := make([]arrow.Field, len(args))
	for i, a := range args {
		t := elemOf(a.Type)
		if t == nil {
			return nil, &TypeError{Func: name, Takes: []string{"(ARRAY<T>, …)"}, Got: argTypes(args)}
		}
		fields[i] = arrow.Field{Name: zipName(a, i), Type: t, Nullable: true}
	}
	if len(args) == 0 {
		return nil, &TypeError{Func: name, Takes: []string{"(ARRAY<T>, …)"}, Got: argTypes(args)}
	}
	t := arrow.ListOf(arrow.StructOf(fields...))
	if err := checkNesting(name, t); err != nil {
		return nil, err
	}
	return call(name, t, args...), nil
}

func resolveSequence(name string, args []*Spec) (*Spec, error) {
	mismatch := &TypeError{Func: name, Takes: []string{"(first, last[, step]) of integers"}, Got: argTypes(args)}
	if len(args) < 2 || len(args) > 3 {
		return nil, mismatch
	}
	args, t, err := unify(name, args)
	if err != nil || t.ID() != arrow.INT64 {
		return nil, mismatch
	}
	return call(name, arrow.ListOf(t), args...), nil
}

// higherFunctions are those that take lambda functions.
var higherFunctions = []function{
	{
		name: "transform", syntax: "transform(ARRAY<T>, T -> U) → ARRAY<U>, transform(ARRAY<T>, (T, INT) -> U) → ARRAY<U>",
		resolve: resolveHigher("(ARRAY<T>, T -> U)", false, func(_, body arrow.DataType) arrow.DataType { return arrow.ListOf(body) }),
		build:   newHigher(runTransform),
		doc:     "The list of what a lambda function gives for each element, and its place from 0.",
	},
	{
		name: "filter", syntax: "filter(ARRAY<T>, T -> BOOLEAN) → ARRAY<T>, filter(ARRAY<T>, (T, INT) -> BOOLEAN) → ARRAY<T>",
		resolve: resolveHigher("(ARRAY<T>, T -> BOOLEAN)", true, func(list, _ arrow.DataType) arrow.DataType { return list }),
		build:   newHigher(runFilter),
		doc:     "The elements for which a lambda function is true.",
	},
	{
		name: "exists", syntax: "exists(ARRAY<T>, T -> BOOLEAN) → BOOLEAN",
		resolve: resolveHigher("(ARRAY<T>, T -> BOOLEAN)", true, func(_, body arrow.DataType) arrow.DataType { return body }),
		build:   newHigher(runExists),
		doc:     "True where a lambda function is for an element; otherwise NULL where it is NULL for one.",
	},
	{
		name: "forall", syntax: "forall(ARRAY<T>, T -> BOOLEAN) → BOOLEAN",
		resolve: resolveHigher("(ARRAY<T>, T -> BOOLEAN)", true, func(_, body arrow.DataType) arrow.DataType { return body }),
		build:   newHigher(runForAll),
		doc:     "False where a lambda function is for an element; otherwise NULL where it is NULL for one.",
	},
	{
		name: "aggregate", aliases: []string{"reduce"}, syntax: "aggregate(ARRAY<T>, A, (A, T) -> A[, A -> R]) → A or R",
		resolve: resolveFold, build: newFold,
		doc: "What is left of the second argument after the first lambda function was applied to it and each element in order; the second one makes the result of that.",
	},
	{
		name: "zip_with", syntax: "zip_with(ARRAY<T>, ARRAY<U>, (T, U) -> R) → ARRAY<R>", resolve: resolveZipWith, build: newZipWith,
		doc: "The list of what a lambda function gives for the elements at the same place, NULL where a list is shorter.",
	},
	{
		name: "map_filter", syntax: "map_filter(MAP<K, V>, (K, V) -> BOOLEAN) → MAP<K, V>",
		resolve: resolveHigher("(MAP<K, V>, (K, V) -> BOOLEAN)", true, func(m, _ arrow.DataType) arrow.DataType { return m }),
		build:   newHigher(runFilter),
		doc:     "The entries for which a lambda function is true.",
	},
	{
		name: "transform_keys", syntax: "transform_keys(MAP<K, V>, (K, V) -> L) → MAP<L, V>",
		resolve: resolveHigher("(MAP<K, V>, (K, V) -> L)", false, func(m, body arrow.DataType) arrow.DataType {
			return arrow.MapOf(body, itemOf(m))
		}),
		build: newHigher(runTransformKeys),
		doc:   "The map with other keys; a row in which one is NULL or there twice is bad.",
	},
	{
		name: "transform_values", syntax: "transform_values(MAP<K, V>, (K, V) -> W) → MAP<K, W>",
		resolve: resolveHigher("(MAP<K, V>, (K, V) -> W)", false, func(m, body arrow.DataType) arrow.DataType {
			return arrow.MapOf(keyOf(m), body)
		}),
		build: newHigher(runTransformValues),
		doc:   "The map with other values.",
	},
	{
		name: "map_zip_with", syntax: "map_zip_with(MAP<K, V>, MAP<K, W>, (K, V, W) -> R) → MAP<K, R>", resolve: resolveMapZipWith, build: newZipWith,
		doc: "The map of what a lambda function gives for each key and its values, NULL where a map does not have it.",
	},
}

func keyOf(t arrow.DataType) arrow.DataType {
	if m, isMap := t.(*arrow.MapType); isMap {
		return m.KeyType()
	}
	return batch.Text
}

func itemOf(t arrow.DataType) arrow.DataType {
	if m, isMap := t.(*arrow.MapType); isMap {
		return m.ItemType()
	}
	return batch.Text
}

// mapFunctions are those of maps and structs, without lambda functions.
var mapFunctions = []function{
	{
		name: "map", syntax: "map(K, V, …) → MAP<K, V>", resolve: resolveMap, build: newMap,
		doc: "The map of keys and values by turns; a row in which a key is NULL or there twice is bad.",
	},
	nestedMap("map_from_arrays", form{params: "KV", result: 'm'}, runMapFromArrays, "The map of a list of keys and one of values."),
	{
		name: "map_from_entries", syntax: "map_from_entries(ARRAY<STRUCT<key K, value V>>) → MAP<K, V>", resolve: resolveMapFromEntries, build: newMapFromEntries,
		doc: "The map of a list of keys and values; NULL where an entry is NULL.",
	},
	nested("map_keys", form{params: "m", result: 'K'}, runMapPart(0), "The list of the keys."),
	nested("map_values", form{params: "m", result: 'V'}, runMapPart(1), "The list of the values."),
	{
		name: "map_entries", syntax: "map_entries(MAP<K, V>) → ARRAY<STRUCT<key K, value V>>", resolve: resolveMapEntries, build: listBuild(runMapEntries, false),
		doc: "The list of the entries.",
	},
	{
		name: "map_concat", syntax: "map_concat(MAP<K, V>, …) → MAP<K, V>", resolve: resolveMapConcat, build: newMapConcat,
		doc: "The map of the entries of all maps; a row in which a key is there twice is bad.",
	},
	nested("map_contains_key", form{params: "mk", result: 'b'}, runMapContainsKey, "True where the map has the key."),
	{
		name: "struct", syntax: "struct(x, …) → STRUCT<…>", resolve: resolveStruct, build: newStruct,
		doc: "The struct of the arguments, whose fields have the names of columns, others col1, col2, ….",
	},
	{
		name: "named_struct", syntax: "named_struct('name', x, …) → STRUCT<name type of x, …>", resolve: resolveNamedStruct, build: newStruct,
		doc: "The struct of the arguments with the given names.",
	},
	{
		name: ".", syntax: "STRUCT.field → type of the field", resolve: resolveField, build: newField,
		doc: "A field of a struct, or of each struct of a list.",
	},
}

func resolveField(name string, args []*Spec) (*Spec, error) {
	if len(args) == 2 && args[1].Kind == LiteralKind {
		if text, isText := args[1].Value.(string); isText {
			return Field(args[0], text)
		}
	}
	return nil, &TypeError{Func: name, Takes: []string{"(STRUCT, name)"}, Got: argTypes(args)}
}

func resolveMapConcat(name string, args []*Spec) (*Spec, error) {
	if len(args) == 0 {
		return resolveMap("map", nil)
	}
	for _, a := range args {
		if a.Type.ID() != arrow.MAP || !isSame(a.Type, args[0].Type) {
			return nil, &TypeError{Func: name, Takes: []string{"(MAP<K, V>, …)"}, Got: argTypes(args)}
		}
	}
	return call(name, args[0].Type, args...), nil
}

func newMapConcat(e *env, s *Spec, args []Expr) (Expr, error) {
	return &mapCall{listCall: *newListCall(e, s.Func, s, args, runMapConcat), result: operand{env: e}}, nil
}

// PlaceType is the type of the places of elements, and of sizes.
var PlaceType = batch.Int
