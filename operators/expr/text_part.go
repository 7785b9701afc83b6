package expr

import (
	"bytes"
	"slices"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"

	"github.com/tidemill/tidemill/batch"
)

var textsAndNumber = []arrow.DataType{batch.Text, batch.Text, batch.BigInt}

// partFunctions take parts of texts, and put texts together.
var partFunctions = []function{
	{
		name: "substring_index", doc: "The text before the so many-th place of the second one, or behind it, counted from the end, if the number is negative.",
		overloads: []overload{{params: textsAndNumber, result: batch.Text, run: textRows(func(c *kernel, i int32, dst []byte) []byte {
			return append(dst, partBefore(c.args[0].bytes(i), c.args[1].bytes(i), c.args[2].ints[i])...)
		})}},
	},
	{
		name: "split_part", doc: "The so many-th of the parts between the places of the second text, from the end if the number is negative, '' if there are fewer; 0 makes a bad row.",
		overloads: []overload{{params: textsAndNumber, result: batch.Text, run: textRows(splitPart)}},
	},
	{
		name: "concat_ws", doc: "The texts behind the first, also those of lists, with the first between them; NULL is left out.",
		syntax: "concat_ws(TEXT, TEXT or ARRAY<TEXT>, …) → TEXT", resolve: resolveConcatWith,
		build: buildLenient(concatWith),
	},
	{
		name: "elt", lenient: true, doc: "The so many-th of the texts; a row with any other number is bad.",
		overloads: []overload{{params: []arrow.DataType{batch.BigInt, batch.Text}, variadic: true, result: batch.Text, run: elt}},
	},
}

// partBefore is substring_index. Places may overlap, as in Spark.
func partBefore(s, by []byte, n int64) []byte {
	if len(by) == 0 || n == 0 {
		return nil
	}
	if n > 0 {
		at := -1
		for ; n > 0; n-- {
			next := bytes.Index(s[at+1:], by)
			if next < 0 {
				return s
			}
			at += 1 + next
		}
		return s[:at]
	}
	end := len(s)
	at := 0
	for ; n < 0; n++ {
		if at = bytes.LastIndex(s[:max(end, 0)], by); at < 0 {
			return s
		}
		end = at + len(by) - 1
	}
	return s[at+len(by):]
}

func splitPart(c *kernel, i int32, dst []byte) []byte {
	s, by, n := c.args[0].bytes(i), c.args[1].bytes(i), c.args[2].ints[i]
	if n == 0 {
		c.fail(i, "parts count from 1, or from -1 at the end: got 0")
		return dst
	}
	parts := int64(1)
	if len(by) > 0 {
		parts += int64(bytes.Count(s, by))
	}
	if n < 0 {
		n += parts + 1
	}
	if n < 1 || n > parts {
		return dst
	}
	for ; n > 1; n-- {
		s = s[bytes.Index(s, by)+len(by):]
	}
	if len(by) > 0 {
		if at := bytes.Index(s, by); at >= 0 {
			s = s[:at]
		}
	}
	return append(dst, s...)
}

func resolveConcatWith(name string, args []*Spec) (*Spec, error) {
	if err := checkCount(name, "a TEXT and any number of TEXT or ARRAY<TEXT>", args, 1, -1); err != nil {
		return nil, err
	}
	args = slices.Clone(args)
	for k, a := range args {
		if k > 0 && isSame(a.Type, batch.TextList) {
			continue
		}
		text, err := Cast(a, batch.Text)
		if err != nil {
			return nil, &TypeError{Func: name, Takes: []string{"(TEXT, TEXT or ARRAY<TEXT>, …)"}, Got: argTypes(args)}
		}
		args[k] = text
	}
	return call(name, batch.Text, args...), nil
}

func concatWith(c *kernel) {
	for _, i := range c.rows {
		if c.args[0].isNull(i) {
			c.out.SetNull(int(i))
			continue
		}
		by := c.args[0].bytes(i)
		dst := c.out.TextBuffer(0)
		count := 0
		for k := 1; k < len(c.args); k++ {
			a := &c.args[k]
			if a.isNull(i) {
				continue
			}
			list, isList := a.arr.(*array.List)
			if !isList {
				if count++; count > 1 {
					dst = append(dst, by...)
				}
				dst = append(dst, a.bytes(i)...)
				continue
			}
			values := list.ListValues().(*array.String)
			from, to := list.ValueOffsets(int(i))
			for j := int(from); j < int(to); j++ {
				if values.IsNull(j) {
					continue
				}
				if count++; count > 1 {
					dst = append(dst, by...)
				}
				dst = append(dst, values.Value(j)...)
			}
		}
		c.out.SetTextBuffer(int(i), dst)
	}
}

func elt(c *kernel) {
	for _, i := range c.rows {
		if c.args[0].isNull(i) {
			c.out.SetNull(int(i))
			continue
		}
		n := c.args[0].ints[i]
		switch {
		case n < 1 || n >= int64(len(c.args)):
			c.fail(i, "there are %d texts: got %d", len(c.args)-1, n)
		case c.args[n].isNull(i):
			c.out.SetNull(int(i))
		default:
			c.out.SetText(int(i), c.args[n].bytes(i))
		}
	}
}
