package expr

import (
	"bytes"
	"math"
	"slices"
	"unicode/utf8"

	"github.com/apache/arrow-go/v18/arrow"

	"github.com/tidemill/tidemill/batch"
)

// findFunctions look for something in texts and measure them.
var findFunctions = []function{
	{
		name: "locate", aliases: []string{"position"}, syntax: "locate(TEXT, TEXT[, BIGINT]), position(TEXT IN TEXT) → INT",
		doc: "The first position of the first text in the second one, or from a position on, 0 if it is not there.",
		overloads: []overload{
			{params: twoTexts, result: batch.Int, run: intRows(func(c *kernel, i int32) int64 {
				return position(c.args[1].bytes(i), c.args[0].bytes(i), 1)
			})},
			{params: textsAndNumber, result: batch.Int, run: intRows(func(c *kernel, i int32) int64 {
				return position(c.args[1].bytes(i), c.args[0].bytes(i), c.args[2].ints[i])
			})},
		},
	},
	{
		name: "instr", doc: "The first position of the second text in the first one, 0 if it is not there.",
		overloads: []overload{{params: twoTexts, result: batch.Int, run: intRows(func(c *kernel, i int32) int64 {
			return position(c.args[0].bytes(i), c.args[1].bytes(i), 1)
		})}},
	},
	{
		name: "find_in_set", doc: "Which of the parts of the second text, which commas divide, is the first one, counted from 1; 0 if none is.",
		overloads: []overload{{params: twoTexts, result: batch.Int, run: intRows(func(c *kernel, i int32) int64 {
			part, set := c.args[0].bytes(i), c.args[1].bytes(i)
			if bytes.IndexByte(part, ',') >= 0 {
				return 0
			}
			for n := int64(1); ; n++ {
				next, rest, more := bytes.Cut(set, []byte{','})
				switch {
				case bytes.Equal(next, part):
					return n
				case !more:
					return 0
				}
				set = rest
			}
		})}},
	},
	{
		name: "octet_length", doc: "The number of bytes.",
		overloads: []overload{
			{params: oneText, result: batch.Int, run: intRows(func(c *kernel, i int32) int64 { return int64(len(c.args[0].bytes(i))) })},
			{params: oneBinary, result: batch.Int, run: intRows(func(c *kernel, i int32) int64 { return int64(len(c.args[0].bytes(i))) })},
		},
	},
	{
		name: "bit_length", doc: "The number of bits.",
		overloads: []overload{
			{params: oneText, result: batch.Int, run: intRows(func(c *kernel, i int32) int64 { return 8 * int64(len(c.args[0].bytes(i))) })},
			{params: oneBinary, result: batch.Int, run: intRows(func(c *kernel, i int32) int64 { return 8 * int64(len(c.args[0].bytes(i))) })},
		},
	},
	{
		name: "soundex", doc: "The Soundex code of the text, the text itself if it does not begin with a letter of ASCII.",
		overloads: []overload{{params: oneText, result: batch.Text, run: textRows(func(c *kernel, i int32, dst []byte) []byte {
			return appendSoundex(dst, c.args[0].bytes(i))
		})}},
	},
	{
		name: "levenshtein", doc: "How many characters are to be inserted, deleted or replaced to make one text of the other, -1 if more than the third argument.",
		overloads: []overload{
			{params: twoTexts, result: batch.Int, prepare: prepareLevenshtein},
			{params: []arrow.DataType{batch.Text, batch.Text, batch.BigInt}, result: batch.Int, prepare: prepareLevenshtein},
		},
	},
	{
		name: "luhn_check", doc: "True where the text is digits only and the last one is their check digit (ISO/IEC 7812-1).",
		overloads: []overload{{params: oneText, result: batch.Boolean, run: boolRows(func(c *kernel, i int32) bool {
			return isLuhn(c.args[0].bytes(i))
		})}},
	},
}

// position returns the place of part in s, in characters from 1, not before start; 0 if there is none or start is not positive.
func position(s, part []byte, start int64) int64 {
	switch {
	case start < 1:
		return 0
	case len(part) == 0: // at the start of the text, whatever the start, as in Spark
		return 1
	}
	from := byteOffset(s, start-1)
	at := bytes.Index(s[from:], part)
	if at < 0 {
		return 0
	}
	return 1 + int64(utf8.RuneCount(s[:from+at]))
}

// soundexCodes has the code of each letter of ASCII; 7 stands for H and W, which do not part equal codes.
const soundexCodes = "01230127022455012623017202"

// appendSoundex follows the rules of the US National Archives: a letter, then up to three codes of consonants, filled with zeros.
func appendSoundex(dst, s []byte) []byte {
	if len(s) == 0 || s[0]&^caseBit-'A' >= 26 {
		return append(dst, s...)
	}
	end := len(dst) + 4
	dst = append(dst, s[0]&^caseBit)
	last := soundexCodes[s[0]&^caseBit-'A']
	for _, c := range s[1:] {
		if c&^caseBit-'A' >= 26 {
			last = '0'
			continue
		}
		code := soundexCodes[c&^caseBit-'A']
		if code == '7' {
			continue
		}
		if code != '0' && code != last {
			if dst = append(dst, code); len(dst) == end {
				break
			}
		}
		last = code
	}
	for len(dst) < end {
		dst = append(dst, '0')
	}
	return dst
}

func prepareLevenshtein(*Spec) (func(c *kernel), error) {
	var memory []int64
	var a, b []rune
	return intRows(func(c *kernel, i int32) int64 {
		limit := int64(math.MaxInt64)
		if len(c.args) > 2 {
			limit = c.args[2].ints[i]
		}
		a, b = appendRunes(a[:0], c.args[0].bytes(i)), appendRunes(b[:0], c.args[1].bytes(i))
		var d int64
		if d, memory = levenshtein(a, b, memory); d > limit {
			return -1
		}
		return d
	}), nil
}

func appendRunes(dst []rune, s []byte) []rune {
	for len(s) > 0 {
		r, size := utf8.DecodeRune(s)
		dst = append(dst, r)
		s = s[size:]
	}
	return dst
}

// levenshtein keeps one row of the table of distances, in memory, which it returns (Wagner and Fischer, 1974).
func levenshtein(a, b []rune, memory []int64) (int64, []int64) {
	row := slices.Grow(memory[:0], len(b)+1)[:len(b)+1]
	for k := range row {
		row[k] = int64(k)
	}
	for _, x := range a {
		diagonal := row[0]
		row[0]++
		for k, y := range b {
			d := diagonal
			if x != y {
				d++
			}
			diagonal = row[k+1]
			row[k+1] = min(d, row[k]+1, row[k+1]+1)
		}
	}
	return row[len(b)], row
}

func isLuhn(s []byte) bool {
	sum := 0
	for k, c := range s {
		d := int(c - '0')
		if d > 9 {
			return false
		}
		if (len(s)-k)%2 == 0 {
			d = d/5 + 2*d%10 // the sum of the digits of 2*d
		}
		sum += d
	}
	return len(s) > 0 && sum%10 == 0
}
