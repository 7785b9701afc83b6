package expr

import (
	"bytes"
	"unicode"
	"unicode/utf8"

	"github.com/apache/arrow-go/v18/arrow"

	"github.com/tidemill/tidemill/batch"
)

var (
	oneBinary     = []arrow.DataType{batch.Binary}
	textAndNumber = []arrow.DataType{batch.Text, batch.BigInt}
)

// padFunctions lengthen, shorten and change texts.
var padFunctions = []function{
	{
		name: "lpad", doc: "The text with so many characters, filled at its start with spaces or with the third text, or cut off behind.",
		overloads: padOverloads(textRows(func(c *kernel, i int32, dst []byte) []byte {
			s, missing, fill := padding(c, i)
			return append(appendFill(dst, fill, missing), s...)
		})),
	},
	{
		name: "rpad", doc: "The text with so many characters, filled at its end with spaces or with the third text, or cut off behind.",
		overloads: padOverloads(textRows(func(c *kernel, i int32, dst []byte) []byte {
			s, missing, fill := padding(c, i)
			return appendFill(append(dst, s...), fill, missing)
		})),
	},
	{
		name: "repeat", doc: "The text so many times.",
		overloads: []overload{{params: textAndNumber, result: batch.Text, run: textRows(func(c *kernel, i int32, dst []byte) []byte {
			s, n := c.args[0].bytes(i), c.args[1].ints[i]
			if n > maxText/int64(max(len(s), 1)) {
				c.fail(i, "the text has %d bytes: %d times are too many", len(s), n)
				return dst
			}
			for ; n > 0; n-- {
				dst = append(dst, s...)
			}
			return dst
		})}},
	},
	{
		name: "space", doc: "So many spaces.",
		overloads: []overload{{params: oneBigInt, result: batch.Text, run: textRows(func(c *kernel, i int32, dst []byte) []byte {
			n := c.args[0].ints[i]
			if n > maxText {
				c.fail(i, "too many: %d", n)
				return dst
			}
			return appendFill(dst, []byte{' '}, n)
		})}},
	},
	{
		name: "left", doc: "The first characters of the text, so many.",
		overloads: []overload{{params: textAndNumber, result: batch.Text, run: textRows(func(c *kernel, i int32, dst []byte) []byte {
			return append(dst, part(c.args[0].bytes(i), 1, c.args[1].ints[i])...)
		})}},
	},
	{
		name: "right", doc: "The last characters of the text, so many.",
		overloads: []overload{{params: textAndNumber, result: batch.Text, run: textRows(func(c *kernel, i int32, dst []byte) []byte {
			n := c.args[1].ints[i]
			if n <= 0 {
				return dst
			}
			return append(dst, part(c.args[0].bytes(i), -n, n)...)
		})}},
	},
	{
		name: "overlay", doc: "The text with the second one in the place of as many characters, or of so many, from a position on.",
		overloads: []overload{
			{params: []arrow.DataType{batch.Text, batch.Text, batch.BigInt}, result: batch.Text, run: textRows(overlay)},
			{params: []arrow.DataType{batch.Text, batch.Text, batch.BigInt, batch.BigInt}, result: batch.Text, run: textRows(overlay)},
		},
	},
	{
		name: "initcap", doc: "The text in small letters, with a capital at its start and behind each space.",
		overloads: []overload{{params: oneText, result: batch.Text, run: textRows(func(c *kernel, i int32, dst []byte) []byte {
			return appendTitle(dst, c.args[0].bytes(i))
		})}},
	},
	{
		name: "translate", doc: "The text with each character that is in the second text replaced by the one at its place in the third, or removed.",
		overloads: []overload{{params: threeTexts, result: batch.Text, prepare: prepareTranslate}},
	},
	{
		name: "btrim", doc: "The text without spaces, or without the characters of the second text, at both ends.",
		overloads: []overload{
			{params: oneText, result: batch.Text, run: textRows(func(c *kernel, i int32, dst []byte) []byte {
				return append(dst, trimLeft(trimRight(c.args[0].bytes(i)))...)
			})},
			{params: twoTexts, result: batch.Text, run: textRows(func(c *kernel, i int32, dst []byte) []byte {
				of := c.args[1].bytes(i)
				return append(dst, trimEnd(trimStart(c.args[0].bytes(i), of), of)...)
			})},
		},
	},
	{
		name: "mask", lenient: true,
		doc: "The text with X for capitals, x for small letters and n for digits, or the second to fourth text in their place, and the fifth for the rest; NULL leaves them as they are.",
		overloads: []overload{
			{params: oneText, result: batch.Text, run: mask},
			{params: twoTexts, result: batch.Text, run: mask},
			{params: threeTexts, result: batch.Text, run: mask},
			{params: []arrow.DataType{batch.Text, batch.Text, batch.Text, batch.Text}, result: batch.Text, run: mask},
			{params: []arrow.DataType{batch.Text, batch.Text, batch.Text, batch.Text, batch.Text}, result: batch.Text, run: mask},
		},
	},
	{
		name: "ascii", doc: "The number of the first character in Unicode, 0 of an empty text.",
		overloads: []overload{{params: oneText, result: batch.Int, run: intRows(func(c *kernel, i int32) int64 {
			s := c.args[0].bytes(i)
			if len(s) == 0 {
				return 0
			}
			r, _ := utf8.DecodeRune(s)
			return int64(r)
		})}},
	},
	{
		name: "chr", aliases: []string{"char"}, doc: "The character of a number, of which the last eight bits count; an empty text if it is negative.",
		overloads: []overload{{params: oneBigInt, result: batch.Text, run: textRows(func(c *kernel, i int32, dst []byte) []byte {
			n := c.args[0].ints[i]
			if n < 0 {
				return dst
			}
			return utf8.AppendRune(dst, rune(n&0xFF))
		})}},
	},
}

// maxText bounds the bytes of one text that a function makes longer: a record that comes in may have no more either.
const maxText = 16 << 20

func padOverloads(run func(*kernel)) []overload {
	return []overload{
		{params: textAndNumber, result: batch.Text, run: run},
		{params: []arrow.DataType{batch.Text, batch.BigInt, batch.Text}, result: batch.Text, run: run},
	}
}

// padding returns what stays of the text of row i, how many characters are missing, and what fills them.
func padding(c *kernel, i int32) (s []byte, missing int64, fill []byte) {
	s, n := c.args[0].bytes(i), c.args[1].ints[i]
	if n > maxText {
		c.fail(i, "too many characters: %d", n)
		return nil, 0, nil
	}
	fill = []byte{' '}
	if len(c.args) > 2 {
		fill = c.args[2].bytes(i)
	}
	if missing = n - int64(utf8.RuneCount(s)); missing <= 0 {
		return s[:byteOffset(s, n)], 0, nil
	}
	return s, missing, fill
}

// appendFill appends n characters of fill, again and again.
func appendFill(dst, fill []byte, n int64) []byte {
	if len(fill) == 0 {
		return dst
	}
	characters := int64(utf8.RuneCount(fill))
	for ; n >= characters; n -= characters {
		dst = append(dst, fill...)
	}
	return append(dst, fill[:byteOffset(fill, n)]...)
}

func overlay(c *kernel, i int32, dst []byte) []byte {
	s, by, at := c.args[0].bytes(i), c.args[1].bytes(i), c.args[2].ints[i]
	n := int64(-1)
	if len(c.args) > 3 {
		n = c.args[3].ints[i]
	}
	if n < 0 {
		n = int64(utf8.RuneCount(by))
	}
	dst = append(dst, part(s, 1, at-1)...)
	dst = append(dst, by...)
	return append(dst, part(s, at+n, int64(len(s)))...)
}

// appendTitle appends s in small letters with capitals at the starts of words, which spaces end.
func appendTitle(dst, s []byte) []byte {
	start := true
	for k := 0; k < len(s); {
		_, size := utf8.DecodeRune(s[k:])
		r := s[k : k+size]
		if start {
			dst = appendTitleRune(dst, r)
		} else {
			dst = appendLowerRune(dst, s, k, size)
		}
		start = size == 1 && r[0] == ' '
		k += size
	}
	return dst
}

// trimStart and trimEnd cut off the characters that are in of.
func trimStart(s, of []byte) []byte {
	for len(s) > 0 {
		_, size := utf8.DecodeRune(s)
		if !bytes.Contains(of, s[:size]) {
			break
		}
		s = s[size:]
	}
	return s
}

func trimEnd(s, of []byte) []byte {
	for len(s) > 0 {
		_, size := utf8.DecodeLastRune(s)
		if !bytes.Contains(of, s[len(s)-size:]) {
			break
		}
		s = s[:len(s)-size]
	}
	return s
}

// prepareTranslate keeps what the last row has made of its second and third text.
func prepareTranslate(*Spec) (func(c *kernel), error) {
	var from, to []byte
	const remove = -1
	by := make(map[rune]rune)
	return textRows(func(c *kernel, i int32, dst []byte) []byte {
		if f, t := c.args[1].bytes(i), c.args[2].bytes(i); len(by) == 0 || !bytes.Equal(f, from) || !bytes.Equal(t, to) {
			from, to = append(from[:0], f...), append(to[:0], t...)
			clear(by)
			for len(f) > 0 {
				r, size := utf8.DecodeRune(f)
				f = f[size:]
				other, otherSize := utf8.DecodeRune(t)
				t = t[otherSize:]
				if otherSize == 0 {
					other = remove
				}
				if _, known := by[r]; !known {
					by[r] = other
				}
			}
		}
		for s := c.args[0].bytes(i); len(s) > 0; {
			r, size := utf8.DecodeRune(s)
			if other, found := by[r]; !found {
				dst = append(dst, s[:size]...)
			} else if other != remove {
				dst = utf8.AppendRune(dst, other)
			}
			s = s[size:]
		}
		return dst
	}), nil
}

// mask writes the characters of a text in the place of its own.
func mask(c *kernel) {
	for _, i := range c.rows {
		if c.args[0].isNull(i) {
			c.out.SetNull(int(i))
			continue
		}
		dst := c.out.TextBuffer(0)
		for s := c.args[0].bytes(i); len(s) > 0; {
			r, size := utf8.DecodeRune(s)
			class, by := 4, ""
			switch {
			case unicode.IsUpper(r):
				class, by = 1, "X"
			case unicode.IsLower(r):
				class, by = 2, "x"
			case unicode.IsDigit(r):
				class, by = 3, "n"
			}
			switch {
			case class < len(c.args) && !c.args[class].isNull(i):
				dst = append(dst, c.args[class].bytes(i)...)
			case class < len(c.args) || by == "":
				dst = append(dst, s[:size]...)
			default:
				dst = append(dst, by...)
			}
			s = s[size:]
		}
		c.out.SetTextBuffer(int(i), dst)
	}
}
