package ingest

import (
	"encoding/binary"
	"fmt"
	"math"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/apache/arrow-go/v18/arrow"

	"github.com/tidemill/tidemill/batch"
)

// msgpackData takes a whole record apart, whose lengths are known to be right.
type msgpackData struct{ rest []byte }

// msgpackValue is a value as it is written.
type msgpackValue struct {
	kind   byte // n nil, b boolean, i integer, u one above the largest BIGINT, f float, s text, y bytes, t time, a array, m map, x other
	i      int64
	f      float64
	text   []byte
	values int // that follow, of an array or a map
}

// next returns the next value, of an array or a map without what is in it.
func (m *msgpackData) next() (v msgpackValue) {
	head := m.rest[0]
	size, lengthBytes, values := msgpackHead(head)
	m.rest = m.rest[1:]
	if lengthBytes > 0 {
		n := bigEndian(m.rest[:lengthBytes])
		m.rest = m.rest[lengthBytes:]
		if values > 0 {
			values *= n
		} else {
			size += n
		}
	}
	body := m.rest[:size]
	m.rest = m.rest[size:]
	v = msgpackValue{kind: 'x', text: body, values: values}
	switch {
	case head < 0x80 || head >= 0xE0:
		v.kind, v.i = 'i', int64(int8(head))
	case head < 0x90 || head == 0xDE || head == 0xDF:
		v.kind = 'm'
	case head < 0xA0 || head == 0xDC || head == 0xDD:
		v.kind = 'a'
	case head < 0xC0 || head >= 0xD9 && head <= 0xDB:
		v.kind = 's'
	case head == 0xC0:
		v.kind = 'n'
	case head == 0xC2 || head == 0xC3:
		v.kind, v.i = 'b', int64(head&1)
	case head >= 0xC4 && head <= 0xC6:
		v.kind = 'y'
	case head == 0xCA:
		v.kind, v.f = 'f', float64(math.Float32frombits(binary.BigEndian.Uint32(body)))
	case head == 0xCB:
		v.kind, v.f = 'f', math.Float64frombits(binary.BigEndian.Uint64(body))
	case head >= 0xCC && head <= 0xCF:
		v.kind, v.i = 'i', int64(bigEndian(body))
		if v.i < 0 {
			v.kind = 'u'
		}
	case head >= 0xD0 && head <= 0xD3:
		unused := 64 - 8*len(body)
		v.kind, v.i = 'i', int64(bigEndian(body))<<unused>>unused
	default:
		v.setTime(head)
	}
	return v
}

// setTime makes a time of the extension of type -1: seconds; 30 bits of nanoseconds above 34 of seconds; or 4 bytes of nanoseconds and 8
// of seconds.
func (v *msgpackValue) setTime(head byte) {
	isExtension := head >= 0xC7 && head <= 0xC9 || head >= 0xD4 && head <= 0xD8
	if !isExtension || v.text[0] != 0xFF {
		return
	}
	var seconds, nanos int64
	switch b := v.text[1:]; len(b) {
	case 4:
		seconds = int64(binary.BigEndian.Uint32(b))
	case 8:
		both := binary.BigEndian.Uint64(b)
		seconds, nanos = int64(both&(1<<34-1)), int64(both>>34)
	case 12:
		nanos, seconds = int64(binary.BigEndian.Uint32(b)), int64(binary.BigEndian.Uint64(b[4:]))
	default:
		return
	}
	const most = math.MaxInt64/microsPerSecond - 1
	if seconds > most || seconds < -most || nanos >= 1_000_000_000 {
		return
	}
	v.kind, v.i = 't', seconds*microsPerSecond+nanos/1000
}

// pass passes over what is in an array or a map.
func (m *msgpackData) pass(v msgpackValue) {
	for open := v.values; open > 0; open-- {
		open += m.next().values
	}
}

// appendRow appends a row, and returns why it can't, and the column that is to blame; the frame may then have parts of it.
func (m *msgpackData) appendRow(frame *batch.Frame) (why, column string) {
	row := m.next()
	if row.kind != 'm' {
		return "want a map, got " + row.describe(), ""
	}
	if len(frame.Columns) == 0 {
		return "", ""
	}
	n := frame.Columns[0].Len()
	for k := 0; k < row.values; k += 2 {
		key := m.next()
		m.pass(key)
		value := m.next()
		i := columnNamed(frame.Schema(), key)
		if i < 0 {
			m.pass(value)
			continue
		}
		c := frame.Columns[i]
		c.TruncateTo(n) // of an equal key
		if why := appendMessage(c, value); why != "" {
			return why, frame.Schema().Field(i).Name
		}
		m.pass(value)
	}
	for _, c := range frame.Columns {
		if c.Len() == n {
			c.AppendNull()
		}
	}
	return "", ""
}

// columnNamed returns the column that a key names, in any case if none has its very letters, or -1.
func columnNamed(schema *arrow.Schema, key msgpackValue) int {
	if key.kind != 's' {
		return -1
	}
	near := -1
	for i := range schema.NumFields() {
		name := schema.Field(i).Name
		if name == string(key.text) {
			return i
		}
		if len(name) == len(key.text) && near < 0 && strings.EqualFold(name, string(key.text)) {
			near = i
		}
	}
	return near
}

// appendMessage appends a value, and returns why it does not fit.
func appendMessage(c *batch.Column, v msgpackValue) (why string) {
	kind, _ := kindOf(c.Type())
	switch {
	case v.kind == 'n':
		c.AppendNull()
	case kind == bigInt && v.kind == 'i':
		c.AppendInt64(v.i)
	case kind == bigInt && v.kind == 'u':
		return fmt.Sprintf("%d is out of range for BIGINT", uint64(v.i))
	case kind == double && v.kind == 'f':
		c.AppendFloat64(v.f)
	case kind == double && v.kind == 'i':
		c.AppendFloat64(float64(v.i))
	case kind == boolean && v.kind == 'b':
		c.AppendBool(v.i == 1)
	case kind == timestamp && v.kind == 't':
		c.AppendInt64(v.i)
	case kind == timestamp && v.kind == 's':
		var times timeParser
		t, f := times.parse(append(append([]byte(nil), v.text...), make([]byte, batch.Slack)...)[:len(v.text)])
		if f != noFault {
			return quoteClipped(v.text) + " is not a TIMESTAMP"
		}
		c.AppendInt64(t)
	case kind == text && (v.kind == 's' || v.kind == 'y'):
		if !utf8.Valid(v.text) {
			return "invalid UTF-8"
		}
		c.AppendText(v.text)
	case kind == text && (v.kind == 'i' || v.kind == 'u' || v.kind == 'f' || v.kind == 'b'):
		c.AppendString(v.describe())
	default:
		return fmt.Sprintf("want %s, got %s", batch.TypeName(c.Type()), v.describe())
	}
	return ""
}

func (v *msgpackValue) describe() string {
	switch v.kind {
	case 'n':
		return "nil"
	case 'b':
		return strconv.FormatBool(v.i == 1)
	case 'i':
		return strconv.FormatInt(v.i, 10)
	case 'u':
		return strconv.FormatUint(uint64(v.i), 10)
	case 'f':
		return fmt.Sprint(v.f)
	case 's':
		return "text " + quoteClipped(v.text)
	case 'y':
		return "bytes"
	case 't':
		return "a time"
	case 'a':
		return "an array"
	case 'm':
		return "a map"
	}
	return "a value of another kind"
}

// infer finds the columns of the first rows, and leaves these to be read.
func (r *msgpackReader) infer() error {
	var columns []inferredColumn
	position := make(map[string]int)
	for records := range maxInferred {
		if records > 0 && r.in.Buffered() == 0 {
			break
		}
		if err := r.read(); err != nil {
			if records == 0 {
				return err
			}
			break
		}
		m := msgpackData{rest: r.message}
		row := m.next()
		if row.kind != 'm' {
			continue
		}
		for k := 0; k < row.values; k += 2 {
			key := m.next()
			m.pass(key)
			value := m.next()
			m.pass(value)
			if key.kind != 's' || !utf8.Valid(key.text) {
				continue
			}
			i, isKnown := position[string(key.text)]
			if !isKnown {
				i = len(columns)
				position[string(key.text)] = i
				columns = append(columns, inferredColumn{name: string(key.text)})
			}
			columns[i].addMessage(value)
		}
	}
	if len(columns) == 0 {
		return fmt.Errorf("format MSGPACK: %w", errNothingToInfer)
	}
	r.schema = arrow.NewSchema(inferredFields(columns), nil)
	return nil
}

// addMessage takes in a value.
func (c *inferredColumn) addMessage(v msgpackValue) {
	c.hasValue = c.hasValue || v.kind != 'n'
	switch v.kind {
	case 'n':
	case 'i':
		c.misfits[timestamp], c.misfits[boolean] = true, true
	case 'f':
		c.misfitAllBut(double)
	case 'b':
		c.misfitAllBut(boolean)
	case 't':
		c.misfitAllBut(timestamp)
	default:
		c.misfitAllBut(text)
	}
}
