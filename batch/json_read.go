package batch

import (
	"bytes"
	"fmt"
	"hash/maphash"
	"slices"

	"github.com/apache/arrow-go/v18/arrow"
)

// JSONReader appends JSON values to columns of any type: an object is a STRUCT, by its keys, or a MAP; a key that is missing is NULL,
// keys without a field are ignored, of a key that repeats the last one counts; a TEXT is a string, or the JSON text of any other
// value. It keeps its memory from value to value and is used by one goroutine at a time.
type JSONReader struct {
	// Scalar appends a number or a string, without quotes and escapes, to a column of any scalar type but TEXT and BOOLEAN, and
	// returns why it can't.
	Scalar func(c *Column, text []byte, isString bool) (why string)
	// Lenient makes a value that does not fit its type NULL.
	Lenient bool

	scan    JSONScanner
	members []jsonMember // of the objects that are being read, a stack
	buf     []byte       // unescaped text, a stack
	seen    map[uint64]int32
	seed    maphash.Seed
	path    []byte // of a fault, from the value at hand up
}

// jsonMember is a key and its value in the text; an absent value has to == 0. Unescaped keys are in buf.
type jsonMember struct {
	keyFrom, keyTo int
	from, to       int
	isUnescaped    bool
}

// CheckJSONType returns an error unless values of t can be read from JSON.
func CheckJSONType(t arrow.DataType) error {
	switch t := t.(type) {
	case *arrow.ListType:
		return CheckJSONType(t.Elem())
	case *arrow.MapType:
		if t.KeyType().ID() != arrow.STRING {
			return fmt.Errorf("keys of a MAP in JSON are TEXT, got %s", TypeName(t))
		}
		return CheckJSONType(t.ItemType())
	case *arrow.StructType:
		for _, f := range t.Fields() {
			if err := CheckJSONType(f.Type); err != nil {
				return err
			}
		}
	}
	if n := Nesting(t); n > MaxNesting {
		return fmt.Errorf("type is nested deeper than %d", MaxNesting)
	}
	return nil
}

// IsWellFormed says whether text is one JSON value, perhaps with white space around it; if not, why says what is wrong.
func (r *JSONReader) IsWellFormed(text []byte) (ok bool, why string) {
	r.scan = JSONScanner{Text: text}
	p := r.scan.Value(r.scan.Blanks(0), 0)
	if p >= 0 {
		if p = r.scan.Blanks(p); p < len(text) {
			p = r.scan.failWant(p, "one value")
		}
	}
	if p < 0 {
		return false, fmt.Sprintf("invalid JSON at byte %d: %s", r.scan.At, r.scan.Why)
	}
	return true, ""
}

// Append adds the value that text is to c. The text is well formed. If it does not fit, why says so, with the path of the part that
// does not, and c has the row only in part: the caller truncates it.
func (r *JSONReader) Append(c *Column, text []byte) (why string) {
	r.scan = JSONScanner{Text: text}
	r.members, r.buf, r.path = r.members[:0], r.buf[:0], r.path[:0]
	p := r.scan.Blanks(0)
	why = r.value(c, p, r.scan.Value(p, 0))
	if why != "" && len(r.path) > 0 {
		return reversed(r.path) + ": " + why
	}
	return why
}

// reversed returns the path, whose parts were noted from the inside out.
func reversed(path []byte) string {
	parts := bytes.Split(path, []byte{0})
	var out []byte
	for _, part := range slices.Backward(parts) {
		out = append(out, part...)
	}
	return string(out)
}

// in notes a part of the path of a fault.
func (r *JSONReader) in(why, format string, part any) string {
	if len(r.path) > 0 {
		r.path = append(r.path, 0)
	}
	r.path = fmt.Appendf(r.path, format, part)
	return why
}

// value appends the value text[from:to] to c.
func (r *JSONReader) value(c *Column, from, to int) (why string) {
	v := r.scan.Text[from:to]
	if v[0] == 'n' {
		c.AppendNull()
		return ""
	}
	switch c.dtype.ID() {
	case arrow.LIST:
		if v[0] == '[' {
			return r.list(c, from)
		}
	case arrow.MAP:
		if v[0] == '{' {
			return r.mapOf(c, from)
		}
	case arrow.STRUCT:
		if v[0] == '{' {
			return r.object(c, from)
		}
	case arrow.STRING:
		if v[0] != '"' {
			c.AppendText(v)
		} else {
			c.AppendText(r.unquoted(v))
		}
		return ""
	case arrow.BOOL:
		if v[0] == 't' || v[0] == 'f' {
			c.AppendBool(v[0] == 't')
			return ""
		}
	default:
		switch isString := v[0] == '"'; {
		case isString:
			why = r.Scalar(c, r.unquoted(v), true)
		case v[0] == '-' || isDigit(v[0]):
			why = r.Scalar(c, v, false)
		default:
			why = r.misfit(c, v)
		}
		if why != "" && r.Lenient {
			c.AppendNull()
			return ""
		}
		return why
	}
	if r.Lenient {
		c.AppendNull()
		return ""
	}
	return r.misfit(c, v)
}

// maxShown is how many bytes of a value a message shows: enough to recognise it, and still a line.
const maxShown = 64

// misfit says that v is no value of the column's type.
func (r *JSONReader) misfit(c *Column, v []byte) string {
	got := string(v[:min(len(v), maxShown)])
	switch v[0] {
	case '{':
		got = "an object"
	case '[':
		got = "an array"
	case '"':
		got = fmt.Sprintf("string %q", v[1:min(len(v)-1, maxShown)])
	}
	return fmt.Sprintf("want %s, got %s", TypeName(c.dtype), got)
}

// unquoted returns the text of a string, valid until the next one.
func (r *JSONReader) unquoted(v []byte) []byte {
	v = v[1 : len(v)-1]
	if bytes.IndexByte(v, '\\') < 0 {
		return v
	}
	n := len(r.buf)
	buf := AppendUnescaped(r.buf, v)
	r.buf = buf[:n]
	return buf[n:]
}

func (r *JSONReader) list(c *Column, p int) (why string) {
	s := &r.scan
	i := 0
	for p = s.Blanks(p + 1); s.Text[p] != ']'; p = s.Blanks(p) {
		if s.Text[p] == ',' {
			p = s.Blanks(p + 1)
		}
		end := s.Value(p, 0)
		if why = r.value(c.child, p, end); why != "" {
			return r.in(why, "[%d]", i)
		}
		p = end
		i++
	}
	c.AppendList()
	return ""
}

// scanMember returns the member at p, or behind the comma at p, and the index of what follows it.
func (r *JSONReader) scanMember(p int) (m jsonMember, next int) {
	s := &r.scan
	if s.Text[p] == ',' {
		p = s.Blanks(p + 1)
	}
	keyEnd, value := s.Key(p)
	m = jsonMember{keyFrom: p + 1, keyTo: keyEnd - 1, from: value, to: s.Value(value, 0)}
	if bytes.IndexByte(s.Text[m.keyFrom:m.keyTo], '\\') >= 0 {
		n := len(r.buf)
		r.buf = AppendUnescaped(r.buf, s.Text[m.keyFrom:m.keyTo])
		m.keyFrom, m.keyTo, m.isUnescaped = n, len(r.buf), true
	}
	return m, s.Blanks(m.to)
}

func (r *JSONReader) key(m *jsonMember) []byte {
	if m.isUnescaped {
		return r.buf[m.keyFrom:m.keyTo]
	}
	return r.scan.Text[m.keyFrom:m.keyTo]
}

func (r *JSONReader) object(c *Column, p int) (why string) {
	t := c.dtype.(*arrow.StructType)
	base, bufBase, n := len(r.members), len(r.buf), t.NumFields()
	for range n {
		r.members = append(r.members, jsonMember{})
	}
	expected := 0 // keys mostly come in the order of the fields
	for p = r.scan.Blanks(p + 1); r.scan.Text[p] != '}'; {
		var m jsonMember
		m, p = r.scanMember(p)
		key := r.key(&m)
		for k := range n {
			if at := (expected + k) % n; t.Field(at).Name == string(key) {
				r.members[base+at] = m
				expected = at + 1
				break
			}
		}
	}
	for k, f := range c.fields {
		m := r.members[base+k]
		if m.to == 0 {
			f.AppendNull()
			continue
		}
		if why = r.value(f, m.from, m.to); why != "" {
			return r.in(why, ".%s", t.Field(k).Name)
		}
	}
	c.AppendStruct()
	r.members, r.buf = r.members[:base], r.buf[:bufBase]
	return ""
}

// fewKeys is up to how many keys of a MAP repetitions are found by comparing each with all.
const fewKeys = 16

func (r *JSONReader) mapOf(c *Column, p int) (why string) {
	base, bufBase := len(r.members), len(r.buf)
	for p = r.scan.Blanks(p + 1); r.scan.Text[p] != '}'; {
		var m jsonMember
		m, p = r.scanMember(p)
		if at := r.find(base, &m); at >= 0 {
			r.members[at].from, r.members[at].to = m.from, m.to
		} else {
			r.members = append(r.members, m)
		}
	}
	entries := c.child
	for k := base; k < len(r.members); k++ {
		m := r.members[k]
		entries.fields[0].AppendText(r.key(&m))
		if why = r.value(entries.fields[1], m.from, m.to); why != "" {
			return r.in(why, "[%q]", r.key(&m))
		}
		entries.AppendStruct()
	}
	c.AppendList()
	r.members, r.buf = r.members[:base], r.buf[:bufBase]
	return ""
}

// find returns the member of the object whose members begin at base that has the key of m, -1 if there is none.
func (r *JSONReader) find(base int, m *jsonMember) int {
	key := r.key(m)
	n := len(r.members) - base
	if n <= fewKeys {
		for at := base; at < len(r.members); at++ {
			if bytes.Equal(r.key(&r.members[at]), key) {
				return at
			}
		}
		return -1
	}
	if n == fewKeys+1 {
		if r.seen == nil {
			r.seen, r.seed = make(map[uint64]int32), maphash.MakeSeed()
		}
		clear(r.seen)
		for at := base; at < len(r.members); at++ {
			r.seen[maphash.Bytes(r.seed, r.key(&r.members[at]))] = int32(at)
		}
	}
	hash := maphash.Bytes(r.seed, key)
	if at, ok := r.seen[hash]; ok && bytes.Equal(r.key(&r.members[at]), key) {
		return int(at)
	}
	r.seen[hash] = int32(len(r.members))
	return -1
}
