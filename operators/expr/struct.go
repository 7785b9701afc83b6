package expr

import (
	"context"
	"fmt"
	"strings"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"

	"github.com/tidemill/tidemill/batch"
)

// structOf is a STRUCT of its arguments.
type structOf struct {
	args []operand
	out  *batch.Column
}

var _ Expr = (*structOf)(nil)

func newStruct(e *env, s *Spec, args []Expr) (Expr, error) {
	return &structOf{args: newOperands(e, args), out: batch.NewColumn(e.mem, s.Type)}, nil
}

// Type is the type of the struct.
func (s *structOf) Type() arrow.DataType { return s.out.Type() }

// Eval copies the arguments to the fields.
func (s *structOf) Eval(ctx context.Context, in batch.Batch, bad BadRow) (arrow.Array, error) {
	n := in.NumRows()
	s.out.Reset(0)
	for k := range s.args {
		if err := s.args[k].eval(ctx, in, bad); err != nil {
			return nil, err
		}
		s.out.Field(k).AppendArray(s.args[k].arr, n, nil)
	}
	for range n {
		s.out.AppendStruct()
	}
	return s.out.Array(), nil
}

// Close releases all memory.
func (s *structOf) Close() {
	closeOperands(s.args)
	s.out.Release()
}

// Struct returns a STRUCT of values with the given names.
func Struct(names []string, values []*Spec) (*Spec, error) {
	fields := make([]arrow.Field, len(values))
	for i, v := range values {
		if v.Type.ID() == arrow.NULL {
			return nil, fmt.Errorf("struct: field %q has no type that can be stored: write CAST(NULL AS TEXT), or another type", names[i])
		}
		fields[i] = arrow.Field{Name: names[i], Type: v.Type, Nullable: true}
	}
	t := arrow.StructOf(fields...)
	if err := checkNesting("struct", t); err != nil {
		return nil, err
	}
	return call("struct", t, values...), nil
}

// resolveStruct names fields as Spark does: by their column or field, others col1, col2, ….
func resolveStruct(name string, args []*Spec) (*Spec, error) {
	if err := checkCount(name, "one argument or more", args, 1, -1); err != nil {
		return nil, err
	}
	names := make([]string, len(args))
	for i, a := range args {
		switch {
		case a.Kind == ColumnKind || a.Kind == ParamKind:
			names[i] = a.Name
		case a.Kind == CallKind && a.Func == ".":
			names[i] = a.Args[1].Value.(string)
		default:
			names[i] = fmt.Sprintf("col%d", i+1)
		}
	}
	return Struct(names, args)
}

func resolveNamedStruct(name string, args []*Spec) (*Spec, error) {
	if len(args) == 0 || len(args)%2 == 1 {
		return nil, &TypeError{Func: name, Takes: []string{"names and values by turns"}, Got: argTypes(args)}
	}
	var names []string
	var values []*Spec
	for k := 0; k < len(args); k += 2 {
		text, isText := args[k].Value.(string)
		if args[k].Kind != LiteralKind || !isText {
			return nil, &TypeError{Func: name, Why: "names are constant texts", Got: argTypes(args)}
		}
		names, values = append(names, text), append(values, args[k+1])
	}
	return Struct(names, values)
}

// Field returns a field of a STRUCT, or of each STRUCT of an ARRAY. Its name is looked for as written, then in any case.
func Field(s *Spec, name string) (*Spec, error) {
	t, isStruct := s.Type.(*arrow.StructType)
	if inner, isList := elemOf(s.Type).(*arrow.StructType); isList {
		t, isStruct = inner, true
	}
	if !isStruct {
		return nil, fmt.Errorf("only a STRUCT has fields: %s is %s", s, typeName(s.Type))
	}
	at := -1
	var names []string
	for i := range t.NumFields() {
		f := t.Field(i).Name
		names = append(names, f)
		switch {
		case f == name:
			at = i
		case strings.EqualFold(f, name) && (at < 0 || t.Field(at).Name != name):
			at = i
		}
	}
	if at < 0 {
		if near := Nearest(name, names); near != "" {
			return nil, fmt.Errorf("%s has no field %q: did you mean %q?", s, name, near)
		}
		return nil, fmt.Errorf("%s has no field %q: there are %s", s, name, strings.Join(names, ", "))
	}
	result := t.Field(at).Type
	if s.Type.ID() == arrow.LIST {
		result = arrow.ListOf(result)
	}
	return call(".", result, s, Literal(t.Field(at).Name)), nil
}

// field is a field of structs, or of lists of structs.
type field struct {
	of  operand
	at  int
	out *batch.Column // where the field can't be given as it stands
}

var _ Expr = (*field)(nil)

func newField(e *env, s *Spec, args []Expr) (Expr, error) {
	t := s.Args[0].Type
	if l := elemOf(t); l != nil {
		t = l
	}
	name, isText := s.Args[1].Value.(string)
	if !isText {
		return nil, &TypeError{Func: s.Func, Why: "the name of a field is a constant", Got: argTypes(s.Args)}
	}
	args[1].Close()
	at, _ := t.(*arrow.StructType).FieldIdx(name)
	return &field{of: newOperands(e, args[:1])[0], at: at, out: batch.NewColumn(e.mem, s.Type)}, nil
}

// Type is the type of the field.
func (f *field) Type() arrow.DataType { return f.out.Type() }

// Eval returns the field, with NULL where the struct is.
func (f *field) Eval(ctx context.Context, in batch.Batch, bad BadRow) (arrow.Array, error) {
	if err := f.of.eval(ctx, in, bad); err != nil {
		return nil, err
	}
	s, isStruct := f.of.arr.(*array.Struct)
	if !isStruct {
		return f.evalList(&in), nil
	}
	arr := s.Field(f.at)
	if f.of.valid == nil {
		return arr, nil
	}
	f.out.Reset(0)
	f.out.AppendArray(arr, in.NumRows(), nil)
	for _, i := range f.of.env.rows(&in) {
		if f.of.isNull(i) {
			f.out.SetNull(int(i))
		}
	}
	return f.out.Array(), nil
}

func (f *field) evalList(in *batch.Batch) arrow.Array {
	list := &f.of
	values, out := &list.child.fields[f.at], f.out.Child()
	f.out.Reset(in.NumRows())
	for _, i := range list.env.rows(in) {
		if list.isNull(i) {
			f.out.SetNull(int(i))
			continue
		}
		from, to := list.span(i)
		for j := from; j < to; j++ {
			if list.child.isNull(j) || values.isNull(j) {
				out.AppendNull()
			} else {
				out.AppendRow(values.arr, int(j))
			}
		}
		f.out.EndList(int(i))
	}
	return f.out.Array()
}

// Close releases all memory.
func (f *field) Close() {
	f.of.close()
	f.out.Release()
}
