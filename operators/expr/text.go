package expr

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"math"
	"unicode/utf8"

	"github.com/apache/arrow-go/v18/arrow"

	"github.com/tidemill/tidemill/batch"
)

var (
	oneText    = []arrow.DataType{batch.Text}
	threeTexts = []arrow.DataType{batch.Text, batch.Text, batch.Text}
)

var textFunctions = []function{
	{
		name: "upper", aliases: []string{"ucase"}, doc: "The text in capitals; some characters become several, such as ß, which becomes SS.",
		overloads: []overload{{params: oneText, result: batch.Text, run: toUpper.run}},
	},
	{
		name: "lower", aliases: []string{"lcase"}, doc: "The text in small letters.",
		overloads: []overload{{params: oneText, result: batch.Text, run: toLower.run}},
	},
	textFunction("trim", "The text without spaces at both ends.", func(dst, s []byte) []byte { return append(dst, trimLeft(trimRight(s))...) }),
	textFunction("ltrim", "The text without spaces at its start.", func(dst, s []byte) []byte { return append(dst, trimLeft(s)...) }),
	textFunction("rtrim", "The text without spaces at its end.", func(dst, s []byte) []byte { return append(dst, trimRight(s)...) }),
	textFunction("reverse", "The characters of the text in reverse order.", appendReverse),
	{
		name: "length", aliases: []string{"char_length", "character_length", "len"}, doc: "The number of characters.",
		overloads: []overload{{params: oneText, result: batch.BigInt, run: textLength}},
	},
	{
		name: "substring", aliases: []string{"substr"},
		doc: "The text from a position on, with at most so many characters; positions count from 1, negative ones from the end.",
		overloads: []overload{
			{params: []arrow.DataType{batch.Text, batch.BigInt, batch.BigInt}, result: batch.Text, run: substring},
			{params: []arrow.DataType{batch.Text, batch.BigInt}, result: batch.Text, run: substring},
		},
	},
	{
		name: "concat", aliases: []string{"||"}, doc: "The texts one after another; other types in their text form.",
		syntax:    "concat(x, …), x || y → TEXT",
		overloads: []overload{{params: oneText, variadic: true, result: batch.Text, run: concat}},
		resolve:   resolveConcat,
	},
	{
		name: "replace", doc: "The text with every place of the second text replaced by the third, or removed; an empty second text is nowhere.",
		overloads: []overload{
			{params: threeTexts, result: batch.Text, run: replace},
			{params: twoTexts, result: batch.Text, run: replace},
		},
	},
	{
		name: "split", doc: "The parts of the text between the places that fit a regular expression; with a limit, at most so many parts.",
		overloads: []overload{
			{params: twoTexts, result: batch.TextList, prepare: prepareSplit},
			{params: []arrow.DataType{batch.Text, batch.Text, batch.BigInt}, result: batch.TextList, prepare: prepareSplit},
		},
		check: checkSplit,
	},
}

// textFunction makes an entry of a function that appends its result to dst.
func textFunction(name, doc string, appendResult func(dst, s []byte) []byte) function {
	run := func(c *kernel) {
		a := &c.args[0]
		for _, i := range c.rows {
			s := a.bytes(i)
			c.out.SetTextBuffer(int(i), appendResult(c.out.TextBuffer(len(s)), s))
		}
	}
	return function{name: name, doc: doc, overloads: []overload{{params: oneText, result: batch.Text, run: run}}}
}

// trimLeft and trimRight cut off spaces only, as Spark does.
func trimLeft(s []byte) []byte {
	for len(s) > 0 && s[0] == ' ' {
		s = s[1:]
	}
	return s
}

func trimRight(s []byte) []byte {
	for len(s) > 0 && s[len(s)-1] == ' ' {
		s = s[:len(s)-1]
	}
	return s
}

func appendReverse(dst, s []byte) []byte {
	for len(s) > 0 {
		_, size := utf8.DecodeLastRune(s)
		dst = append(dst, s[len(s)-size:]...)
		s = s[:len(s)-size]
	}
	return dst
}

func textLength(c *kernel) {
	out, a := c.out.Int64s(), &c.args[0]
	for _, i := range c.rows {
		out[i] = int64(utf8.RuneCount(a.bytes(i)))
	}
}

func substring(c *kernel) {
	var from, to [pieceRows]int32
	for rows := c.rows; len(rows) > 0; {
		part := rows[:min(len(rows), pieceRows)]
		findPieces(c, part, &from, &to)
		c.out.SetTexts(part, c.args[0].text, from[:len(part)], to[:len(part)])
		rows = rows[len(part):]
	}
}

// pieceRows is how many pieces of text are found before they are copied: enough that the calls cost nothing, and 1 KiB of stack.
const pieceRows = 128

// findPieces finds the piece of each row that substring is to give.
func findPieces(c *kernel, rows []int32, from, to *[pieceRows]int32) {
	a, positions := &c.args[0], c.args[1].ints
	text, offsets := a.text, a.offsets
	var lengths []int64
	if len(c.args) > 2 {
		lengths = c.args[2].ints
	}
	for k, i := range rows {
		k := k % pieceRows
		begin := offsets[i]
		s := text[begin:offsets[i+1]]
		start, end := positions[i], int64(math.MaxInt64)
		if start > 0 {
			start--
		} else if start < 0 {
			start += int64(utf8.RuneCount(s))
		}
		if lengths != nil {
			if n := max(lengths[i], 0); start <= end-n {
				end = start + n
			}
		}
		// A start before the text takes its part of the length: substring('abc', -5, 3) is 'a'.
		start = max(start, 0)
		end = max(end, start)
		if end <= 8 && len(s) >= 8 && binary.LittleEndian.Uint64(s)&highBits == 0 { // a byte is a character
			from[k], to[k] = begin+int32(start), begin+int32(end)
			continue
		}
		first := byteOffset(s, start)
		from[k], to[k] = begin+int32(first), begin+int32(first+byteOffset(s[first:], end-start))
	}
}

// part returns the characters of s from position start on, which counts from 1 and from the end if it is negative, n at most. A start
// before the text takes its part of n: of "abc", 3 characters from -5 on are "a".
func part(s []byte, start, n int64) []byte {
	start = characterAt(s, start)
	end := int64(math.MaxInt64)
	if n = max(n, 0); start <= end-n {
		end = start + n
	}
	from := byteOffset(s, max(start, 0))
	return s[from : from+byteOffset(s[from:], max(end-max(start, 0), 0))]
}

// characterAt returns how many characters of s are before a position, negative if it is before s.
func characterAt(s []byte, position int64) int64 {
	switch {
	case position > 0:
		return position - 1
	case position < 0:
		return position + int64(utf8.RuneCount(s))
	}
	return 0
}

// byteOffset returns where character n of s begins, the length of s if it has no more than n characters.
func byteOffset(s []byte, n int64) int {
	if n >= int64(len(s)) {
		return len(s)
	}
	at := 0
	for n >= 8 && len(s)-at >= 8 && binary.LittleEndian.Uint64(s[at:])&highBits == 0 {
		at += 8
		n -= 8
	}
	for ; n > 0 && at < len(s); n-- {
		if s[at] < utf8.RuneSelf {
			at++
			continue
		}
		_, size := utf8.DecodeRune(s[at:])
		at += size
	}
	return at
}

func resolveConcat(name string, args []*Spec) (*Spec, error) {
	if err := checkCount(name, "one argument or more", args, 1, -1); err != nil {
		return nil, err
	}
	texts := make([]*Spec, len(args))
	for i, a := range args {
		var err error
		if texts[i], err = Cast(a, batch.Text); err != nil {
			return nil, &TypeError{Func: name, Takes: []string{"(TEXT, …)"}, Got: argTypes(args)}
		}
	}
	return call(name, batch.Text, texts...), nil
}

func concat(c *kernel) {
	for _, i := range c.rows {
		more := 0
		for k := range c.args {
			more += len(c.args[k].bytes(i))
		}
		buf := c.out.TextBuffer(more)
		for k := range c.args {
			buf = append(buf, c.args[k].bytes(i)...)
		}
		c.out.SetTextBuffer(int(i), buf)
	}
}

func replace(c *kernel) {
	for _, i := range c.rows {
		s, old := c.args[0].bytes(i), c.args[1].bytes(i)
		var by []byte
		if len(c.args) > 2 {
			by = c.args[2].bytes(i)
		}
		more := len(s)
		if len(by) > len(old) && len(old) > 0 {
			more += bytes.Count(s, old) * (len(by) - len(old))
		}
		buf := c.out.TextBuffer(more)
		for len(old) > 0 {
			at := bytes.Index(s, old)
			if at < 0 {
				break
			}
			buf = append(buf, s[:at]...)
			buf = append(buf, by...)
			s = s[at+len(old):]
		}
		c.out.SetTextBuffer(int(i), append(buf, s...))
	}
}

// checkSplit refuses a constant pattern that is no regular expression.
func checkSplit(args []*Spec) error {
	text, isConstant := args[1].Value.(string)
	if !isConstant {
		return nil
	}
	if _, err := newSplitter(text); err != nil {
		return fmt.Errorf("pattern %w", err)
	}
	return nil
}
