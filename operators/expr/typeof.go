package expr

import (
	"fmt"
	"strings"

	"github.com/apache/arrow-go/v18/arrow"

	"github.com/tidemill/tidemill/batch"
)

var typeFunctions = []function{
	{
		name: "typeof", syntax: "typeof(x) → TEXT", resolve: resolveTypeof,
		doc: "The name of the type of x, as Spark writes it: int, decimal(10,2), array<string>.",
	},
}

func resolveTypeof(name string, args []*Spec) (*Spec, error) {
	if err := checkCount(name, "one argument", args, 1, 1); err != nil {
		return nil, err
	}
	return Literal(sparkName(args[0].Type)), nil
}

// sparkName returns the name that Spark has for a type.
func sparkName(t arrow.DataType) string {
	switch t := t.(type) {
	case *arrow.Decimal128Type:
		return fmt.Sprintf("decimal(%d,%d)", t.Precision, t.Scale)
	case *arrow.MapType:
		return "map<" + sparkName(t.KeyType()) + "," + sparkName(t.ItemType()) + ">"
	case *arrow.ListType:
		return "array<" + sparkName(t.Elem()) + ">"
	case *arrow.StructType:
		var fields []string
		for _, f := range t.Fields() {
			fields = append(fields, f.Name+":"+sparkName(f.Type))
		}
		return "struct<" + strings.Join(fields, ",") + ">"
	}
	switch t = batch.Dictless(t); t.ID() {
	case arrow.NULL:
		return "void"
	case arrow.STRING:
		if t == batch.Text {
			return "string"
		}
	}
	return strings.ToLower(batch.TypeName(t))
}
