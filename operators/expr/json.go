package expr

import (
	"bytes"
	"fmt"
	"strconv"

	"github.com/apache/arrow-go/v18/arrow"

	"github.com/tidemill/tidemill/batch"
)

// jsonFunctions read and write JSON in TEXT. A text that is no JSON is NULL, as in Spark; it makes no bad row.
var jsonFunctions = []function{
	{
		name: "get_json_object", doc: "The part of a JSON text that a path such as $.a[0].b names: a string without quotes, other values as they stand; NULL where it is not there.",
		overloads: []overload{{params: twoTexts, result: batch.Text, prepare: prepareGetJSON}},
	},
	{
		name: "json_array_length", doc: "The number of elements of a JSON array, NULL for any other text.",
		overloads: []overload{{params: oneText, result: batch.Int, run: jsonArrayLength}},
	},
	{
		name: "json_object_keys", doc: "The keys of a JSON object in their order, NULL for any other text.",
		overloads: []overload{{params: oneText, result: batch.TextList, run: jsonObjectKeys}},
	},
	{
		name: "to_json", syntax: "to_json(STRUCT, ARRAY or MAP) → TEXT", resolve: resolveToJSON, build: listBuild(runToJSON, false),
		doc: "The JSON text of a value; fields that are NULL are left out.",
	},
	{
		name: "from_json", syntax: "from_json(TEXT, 'type') → the type", resolve: resolveFromJSON, build: newFromJSON,
		doc: "The value of a JSON text as a type such as 'a BIGINT, b ARRAY<TEXT>', the fields of a STRUCT, or 'MAP<TEXT, BIGINT>'. What does not fit is NULL; a text that is no JSON is a STRUCT of NULLs, or NULL; an empty one is NULL.",
	},
}

// jsonPath is a path of get_json_object: keys and places of elements.
type jsonPath []jsonStep

type jsonStep struct {
	key   []byte // nil for a place
	place int
}

// parseJSONPath reads $.key['key'][0].
func parseJSONPath(path string) (jsonPath, error) {
	bad := fmt.Errorf("want a path such as $.a.b[0], got %q", path)
	if path == "" || path[0] != '$' {
		return nil, bad
	}
	steps := jsonPath{}
	for rest := path[1:]; rest != ""; {
		switch rest[0] {
		case '.':
			end := 1
			for end < len(rest) && rest[end] != '.' && rest[end] != '[' {
				end++
			}
			if end == 1 || rest[1:end] == "*" {
				return nil, bad
			}
			steps, rest = append(steps, jsonStep{key: []byte(rest[1:end])}), rest[end:]
		case '[':
			inner, behind, ok := cutBracket(rest)
			if !ok {
				return nil, bad
			}
			if n := len(inner); n >= 2 && inner[0] == '\'' && inner[n-1] == '\'' {
				steps = append(steps, jsonStep{key: []byte(inner[1 : n-1])})
			} else {
				place, err := strconv.Atoi(inner)
				if err != nil || place < 0 {
					return nil, bad
				}
				steps = append(steps, jsonStep{place: place})
			}
			rest = behind
		default:
			return nil, bad
		}
	}
	return steps, nil
}

// cutBracket returns what is in the brackets that s begins with, and what is behind them.
func cutBracket(s string) (inner, behind string, ok bool) {
	end := 1
	if len(s) > 1 && s[1] == '\'' {
		for end = 2; end < len(s) && s[end] != '\''; {
			end++
		}
	}
	for end < len(s) && s[end] != ']' {
		end++
	}
	if end >= len(s) {
		return "", "", false
	}
	return s[1:end], s[end+1:], true
}

func prepareGetJSON(s *Spec) (func(c *kernel), error) {
	if path, isConstant := s.Args[1].Value.(string); isConstant {
		steps, err := parseJSONPath(path)
		if err != nil {
			return nil, err
		}
		return func(c *kernel) { getJSON(c, func(int32) (jsonPath, error) { return steps, nil }) }, nil
	}
	return func(c *kernel) {
		last, steps, err := []byte(nil), jsonPath(nil), error(nil)
		getJSON(c, func(i int32) (jsonPath, error) {
			if path := c.args[1].bytes(i); last == nil || !bytes.Equal(last, path) {
				last = append([]byte{}, path...)
				steps, err = parseJSONPath(string(path))
			}
			return steps, err
		})
	}, nil
}

func getJSON(c *kernel, pathOf func(i int32) (jsonPath, error)) {
	texts := &c.args[0]
	var s batch.JSONScanner
	var key []byte
	for _, i := range c.rows {
		steps, err := pathOf(i)
		if err != nil {
			c.fail(i, "%v", err)
			continue
		}
		s.Text = texts.bytes(i)
		from, to := wholeJSON(&s)
		for k := 0; k < len(steps) && from >= 0; k++ {
			from, to, key = stepInto(&s, from, &steps[k], key)
		}
		switch {
		case from < 0 || s.Text[from] == 'n':
			c.out.SetNull(int(i))
		case s.Text[from] == '"':
			c.out.SetTextBuffer(int(i), batch.AppendUnescaped(c.out.TextBuffer(to-from), s.Text[from+1:to-1]))
		default:
			c.out.SetText(int(i), s.Text[from:to])
		}
	}
}

// wholeJSON returns where the value of a text begins and ends, -1 if the text is not one value.
func wholeJSON(s *batch.JSONScanner) (from, to int) {
	from = s.Blanks(0)
	if to = s.Value(from, 0); to < 0 || s.Blanks(to) < len(s.Text) {
		return -1, -1
	}
	return from, to
}

// stepInto returns where the part of the well-formed value at p is that a step names, -1 if there is none. key is scratch.
func stepInto(s *batch.JSONScanner, p int, step *jsonStep, key []byte) (from, to int, _ []byte) {
	opening := byte('[')
	if step.key != nil {
		opening = '{'
	}
	if s.Text[p] != opening {
		return -1, -1, key
	}
	from = -1
	place := 0
	for p = s.Blanks(p + 1); s.Text[p] != '}' && s.Text[p] != ']'; place++ {
		if s.Text[p] == ',' {
			p = s.Blanks(p + 1)
		}
		isWanted := step.key == nil && place == step.place
		if step.key != nil {
			keyEnd, value := s.Key(p)
			key = batch.AppendUnescaped(key[:0], s.Text[p+1:keyEnd-1])
			isWanted = bytes.Equal(key, step.key)
			p = value
		}
		end := s.Value(p, 0)
		if isWanted {
			from, to = p, end
			if step.key == nil {
				break
			}
		}
		p = s.Blanks(end)
	}
	return from, to, key
}

func jsonArrayLength(c *kernel) {
	texts, out := &c.args[0], c.out.Int64s()
	var s batch.JSONScanner
	for _, i := range c.rows {
		s.Text = texts.bytes(i)
		p, _ := wholeJSON(&s)
		if p < 0 || s.Text[p] != '[' {
			c.out.SetNull(int(i))
			continue
		}
		n := int64(0)
		for p = s.Blanks(p + 1); s.Text[p] != ']'; n++ {
			if s.Text[p] == ',' {
				p = s.Blanks(p + 1)
			}
			p = s.Blanks(s.Value(p, 0))
		}
		out[i] = n
	}
}

func jsonObjectKeys(c *kernel) {
	texts, keys := &c.args[0], c.out.Child()
	var s batch.JSONScanner
	var key []byte
	for _, i := range c.rows {
		s.Text = texts.bytes(i)
		p, _ := wholeJSON(&s)
		if p < 0 || s.Text[p] != '{' {
			c.out.SetNull(int(i))
			continue
		}
		for p = s.Blanks(p + 1); s.Text[p] != '}'; {
			if s.Text[p] == ',' {
				p = s.Blanks(p + 1)
			}
			keyEnd, value := s.Key(p)
			key = batch.AppendUnescaped(key[:0], s.Text[p+1:keyEnd-1])
			keys.AppendText(key)
			p = s.Blanks(s.Value(value, 0))
		}
		c.out.EndList(int(i))
	}
}

func resolveToJSON(name string, args []*Spec) (*Spec, error) {
	if len(args) != 1 || !isNestedType(args[0].Type) {
		return nil, &TypeError{Func: name, Takes: []string{"(STRUCT)", "(ARRAY)", "(MAP)"}, Got: argTypes(args)}
	}
	return call(name, batch.Text, args...), nil
}

func runToJSON(c *listCall) {
	x := &c.args[0]
	for _, i := range c.rows {
		c.buf = batch.AppendJSONWithoutNulls(c.buf[:0], x.arr, int(i))
		c.out.SetText(int(i), c.buf)
	}
}

func resolveFromJSON(name string, args []*Spec) (*Spec, error) {
	mismatch := &TypeError{Func: name, Takes: []string{"(TEXT, 'type')"}, Got: argTypes(args)}
	if len(args) != 2 || args[0].Type.ID() != arrow.STRING && args[0].Type.ID() != arrow.NULL || args[1].Kind != LiteralKind {
		return nil, mismatch
	}
	text, isText := args[1].Value.(string)
	if !isText {
		return nil, mismatch
	}
	t, err := batch.ParseType(text)
	if err != nil || !isNestedType(t) {
		fields, fieldsErr := batch.ParseType("STRUCT<" + text + ">")
		switch {
		case fieldsErr == nil:
			t = fields
		case err == nil:
			return nil, fmt.Errorf("from_json: want fields, a STRUCT, an ARRAY or a MAP, got %q", text)
		default:
			return nil, fmt.Errorf("from_json: type %q: %w", text, err)
		}
	}
	if err := batch.CheckJSONType(t); err != nil {
		return nil, fmt.Errorf("from_json: %w", err)
	}
	return call(name, t, convert(args[0], batch.Text), args[1]), nil
}

func newFromJSON(e *env, s *Spec, args []Expr) (Expr, error) {
	args[1].Close()
	r := &batch.JSONReader{Scalar: jsonScalar, Lenient: true}
	return newListCall(e, s.Func, s, args[:1], func(c *listCall) { runFromJSON(c, r) }), nil
}

func runFromJSON(c *listCall, r *batch.JSONReader) {
	texts, out := &c.args[0], c.out
	out.Reset(0)
	for _, i := range c.rows {
		out.AppendNulls(int(i) - out.Len())
		text := texts.bytes(i)
		if ok, _ := r.IsWellFormed(text); ok {
			r.Append(out, text)
			continue
		}
		if len(bytes.TrimSpace(text)) == 0 || out.Type().ID() != arrow.STRUCT {
			out.AppendNull()
			continue
		}
		for k := range out.Type().(*arrow.StructType).NumFields() {
			out.Field(k).AppendNull()
		}
		out.AppendStruct()
	}
	out.AppendNulls(c.n - out.Len())
}

// jsonScalar appends a number or string of JSON to a column, and says why it can't.
func jsonScalar(c *batch.Column, text []byte, isString bool) (why string) {
	t := c.Type()
	if isString && batch.IsInteger(t) || !isString && t.ID() == arrow.TIMESTAMP {
		return "of another type"
	}
	if t.ID() == arrow.TIMESTAMP {
		us, err := parseTimestamp(trimBytes(text))
		if err != nil {
			return err.Error()
		}
		c.AppendInt64(us)
		return ""
	}
	if err := batch.AppendParsed(c, text); err != nil {
		return err.Error()
	}
	return ""
}
