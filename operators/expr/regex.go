package expr

import (
	"errors"
	"fmt"
	"regexp"
	"unicode/utf8"

	"github.com/apache/arrow-go/v18/arrow"

	"github.com/tidemill/tidemill/batch"
)

// regexFunctions go by regular expressions of the syntax of RE2, which knows no look-around and no references to groups.
var regexFunctions = []function{
	{
		name: "rlike", aliases: []string{"regexp", "regexp_like"}, syntax: "TEXT RLIKE TEXT, rlike(TEXT, TEXT) → BOOLEAN",
		doc:       "True where a part of the text fits the regular expression.",
		overloads: []overload{{params: twoTexts, result: batch.Boolean, prepare: prepareRlike}}, check: checkRegex,
	},
	{
		name: "regexp_replace", doc: "The text with each part that fits replaced by the third text, where $1 is the first group; with a number, from that position on.",
		overloads: []overload{
			{params: threeTexts, result: batch.Text, prepare: prepareRegexReplace},
			{params: []arrow.DataType{batch.Text, batch.Text, batch.Text, batch.BigInt}, result: batch.Text, prepare: prepareRegexReplace},
		},
		check: checkRegex,
	},
	{
		name: "regexp_extract", doc: "What a group, the first if left out, of the first part that fits has, '' if none fits; group 0 is the whole part.",
		overloads: []overload{
			{params: twoTexts, result: batch.Text, prepare: prepareRegexExtract},
			{params: textsAndNumber, result: batch.Text, prepare: prepareRegexExtract},
		},
		check: checkRegex,
	},
	{
		name: "regexp_extract_all", doc: "What a group, the first if left out, of each part that fits has.",
		overloads: []overload{
			{params: twoTexts, result: batch.TextList, prepare: prepareRegexExtractAll},
			{params: textsAndNumber, result: batch.TextList, prepare: prepareRegexExtractAll},
		},
		check: checkRegex,
	},
	{
		name: "regexp_count", doc: "How many parts of the text fit the regular expression.",
		overloads: []overload{{params: twoTexts, result: batch.Int, prepare: prepareRegexCount}}, check: checkRegex,
	},
	{
		name: "regexp_instr", doc: "The position of the first part that fits, 0 if none does.",
		overloads: []overload{{params: twoTexts, result: batch.Int, prepare: prepareRegexInstr}}, check: checkRegex,
	},
	{
		name: "regexp_substr", doc: "The first part that fits, NULL if none does.",
		overloads: []overload{{params: twoTexts, result: batch.Text, prepare: prepareRegexSubstr}}, check: checkRegex,
	},
}

// checkRegex refuses a constant that is no regular expression.
func checkRegex(args []*Spec) error {
	if text, isConstant := args[1].Value.(string); isConstant {
		if _, err := regexp.Compile(text); err != nil {
			return fmt.Errorf("pattern %w", err)
		}
	}
	return nil
}

// regexCache compiles the pattern of a row, where it is not that of the row before.
type regexCache struct {
	re   *regexp.Regexp
	text string
}

// of returns the expression of row i, nil if there is none, which it reports.
func (r *regexCache) of(c *kernel, i int32) *regexp.Regexp {
	text := c.args[1].bytes(i)
	if r.re == nil || r.text != string(text) {
		re, err := regexp.Compile(string(text))
		if err != nil {
			c.fail(i, "pattern %v", err)
			return nil
		}
		r.re, r.text = re, string(text)
	}
	return r.re
}

func prepareRlike(*Spec) (func(c *kernel), error) {
	var cache regexCache
	return boolRows(func(c *kernel, i int32) bool {
		re := cache.of(c, i)
		return re != nil && re.Match(c.args[0].bytes(i))
	}), nil
}

// group returns the number of the group that row i asks for, false if there is none, which it reports.
func group(c *kernel, i int32, re *regexp.Regexp) (int, bool) {
	n := int64(1)
	if len(c.args) > 2 {
		n = c.args[2].ints[i]
	}
	if n < 0 || n > int64(re.NumSubexp()) {
		c.fail(i, "the expression has %d groups: got %d", re.NumSubexp(), n)
		return 0, false
	}
	return int(n), true
}

func prepareRegexExtract(*Spec) (func(c *kernel), error) {
	var cache regexCache
	return textRows(func(c *kernel, i int32, dst []byte) []byte {
		re := cache.of(c, i)
		if re == nil {
			return dst
		}
		s := c.args[0].bytes(i)
		at := re.FindSubmatchIndex(s)
		if at == nil {
			return dst
		}
		n, ok := group(c, i, re)
		if !ok || at[2*n] < 0 {
			return dst
		}
		return append(dst, s[at[2*n]:at[2*n+1]]...)
	}), nil
}

func prepareRegexExtractAll(*Spec) (func(c *kernel), error) {
	var cache regexCache
	return func(c *kernel) {
		parts := c.out.Child()
		for _, i := range c.rows {
			re := cache.of(c, i)
			if re == nil {
				continue
			}
			n, ok := group(c, i, re)
			if !ok {
				continue
			}
			s := c.args[0].bytes(i)
			for _, at := range re.FindAllSubmatchIndex(s, -1) {
				if at[2*n] < 0 {
					parts.AppendString("")
					continue
				}
				parts.AppendText(s[at[2*n]:at[2*n+1]])
			}
			c.out.EndList(int(i))
		}
	}, nil
}

func prepareRegexCount(*Spec) (func(c *kernel), error) {
	var cache regexCache
	return intRows(func(c *kernel, i int32) int64 {
		re := cache.of(c, i)
		if re == nil {
			return 0
		}
		return int64(len(re.FindAllIndex(c.args[0].bytes(i), -1)))
	}), nil
}

func prepareRegexInstr(*Spec) (func(c *kernel), error) {
	var cache regexCache
	return intRows(func(c *kernel, i int32) int64 {
		re := cache.of(c, i)
		if re == nil {
			return 0
		}
		s := c.args[0].bytes(i)
		at := re.FindIndex(s)
		if at == nil {
			return 0
		}
		return 1 + int64(utf8.RuneCount(s[:at[0]]))
	}), nil
}

func prepareRegexSubstr(*Spec) (func(c *kernel), error) {
	var cache regexCache
	return textRows(func(c *kernel, i int32, dst []byte) []byte {
		re := cache.of(c, i)
		if re == nil {
			return dst
		}
		at := re.FindIndex(c.args[0].bytes(i))
		if at == nil {
			c.out.SetNull(int(i))
			return dst
		}
		return append(dst, c.args[0].bytes(i)[at[0]:at[1]]...)
	}), nil
}

func prepareRegexReplace(*Spec) (func(c *kernel), error) {
	var cache regexCache
	return textRows(func(c *kernel, i int32, dst []byte) []byte {
		re := cache.of(c, i)
		if re == nil {
			return dst
		}
		s, by := c.args[0].bytes(i), c.args[2].bytes(i)
		from := 0
		if len(c.args) > 3 {
			at := c.args[3].ints[i]
			if at < 1 {
				c.fail(i, "positions count from 1: got %d", at)
				return dst
			}
			from = byteOffset(s, at-1)
		}
		start, end := dst, 0
		for _, at := range re.FindAllSubmatchIndex(s, -1) {
			if at[0] < from {
				continue
			}
			dst = append(dst, s[end:at[0]]...)
			var err error
			if dst, err = appendReplacement(dst, s, by, at); err != nil {
				c.fail(i, "%v: %s", err, quote(by))
				return start
			}
			end = at[1]
		}
		return append(dst, s[end:]...)
	}), nil
}

// appendReplacement appends by, in which $n is group n of a match, ${name} is refused, and a backslash takes the meaning of what follows.
// As in Java, more digits belong to n as long as there is such a group.
func appendReplacement(dst, s, by []byte, match []int) ([]byte, error) {
	for k := 0; k < len(by); k++ {
		switch by[k] {
		case '\\':
			if k++; k == len(by) {
				return dst, errReplacementEnd
			}
			dst = append(dst, by[k])
		case '$':
			if k++; k == len(by) || !isDigit(by[k]) {
				return dst, errReplacementGroup
			}
			n := int(by[k] - '0')
			if 2*n >= len(match) {
				return dst, errReplacementGroup
			}
			for k+1 < len(by) && isDigit(by[k+1]) && 2*(10*n+int(by[k+1]-'0')) < len(match) {
				k++
				n = 10*n + int(by[k]-'0')
			}
			if match[2*n] >= 0 {
				dst = append(dst, s[match[2*n]:match[2*n+1]]...)
			}
		default:
			dst = append(dst, by[k])
		}
	}
	return dst, nil
}

var (
	errReplacementEnd   = errors.New("replacement ends in a backslash")
	errReplacementGroup = errors.New("$ in a replacement must be followed by the number of a group, or have a backslash before it")
)
