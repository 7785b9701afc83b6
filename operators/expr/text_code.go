package expr

import (
	"encoding/base64"
	"encoding/hex"
	"net/url"
	"strconv"
	"strings"
	"unsafe"

	"github.com/apache/arrow-go/v18/arrow"

	"github.com/tidemill/tidemill/batch"
)

// codeFunctions write texts and bytes as other texts.
var codeFunctions = []function{
	{
		name: "base64", doc: "The bytes in Base64.",
		overloads: bytesOverloads(batch.Text, textRows(func(c *kernel, i int32, dst []byte) []byte {
			return base64.StdEncoding.AppendEncode(dst, c.args[0].bytes(i))
		})),
	},
	{
		name: "unbase64", doc: "The bytes that a text in Base64 says; signs that are none of Base64 do not count.",
		overloads: []overload{{params: oneText, result: batch.Binary, prepare: prepareUnbase64}},
	},
	{
		name: "hex", doc: "The bytes, or the 64 bits of a number without zeros before, in hexadecimal.",
		overloads: append(bytesOverloads(batch.Text, textRows(func(c *kernel, i int32, dst []byte) []byte {
			for _, b := range c.args[0].bytes(i) {
				dst = append(dst, upperHex[b>>4], upperHex[b&15])
			}
			return dst
		})), overload{params: oneBigInt, result: batch.Text, run: textRows(func(c *kernel, i int32, dst []byte) []byte {
			n := len(dst)
			dst = strconv.AppendUint(dst, uint64(c.args[0].ints[i]), 16)
			toUpper.change(dst[n:], dst[n:])
			return dst
		})}),
	},
	{
		name: "unhex", doc: "The bytes that a text in hexadecimal says, NULL if it has any other sign.",
		overloads: []overload{{params: oneText, result: batch.Binary, run: textRows(unhex)}},
	},
	{
		name: "url_encode", doc: "The text as part of a URL: + for a space, and %XX for the bytes of what is no letter, digit or one of .-*_.",
		overloads: []overload{{params: oneText, result: batch.Text, run: textRows(func(c *kernel, i int32, dst []byte) []byte {
			for _, b := range c.args[0].bytes(i) {
				switch {
				case b == ' ':
					dst = append(dst, '+')
				case b-'0' <= 9, (b|caseBit)-'a' < 26, strings.IndexByte(".-*_", b) >= 0:
					dst = append(dst, b)
				default:
					dst = append(dst, '%', upperHex[b>>4], upperHex[b&15])
				}
			}
			return dst
		})}},
	},
	{
		name: "url_decode", doc: "The text that is encoded as part of a URL; a row with anything else is bad.",
		overloads: []overload{{params: oneText, result: batch.Text, run: textRows(urlDecode(func(c *kernel, i int32) {
			c.fail(i, "%s is not encoded", quote(c.args[0].bytes(i)))
		}))}},
	},
	{
		name: "try_url_decode", doc: "The text that is encoded as part of a URL, NULL for anything else.",
		overloads: []overload{{params: oneText, result: batch.Text, run: textRows(urlDecode(func(c *kernel, i int32) { c.out.SetNull(int(i)) }))}},
	},
	{
		name: "parse_url", doc: "A part of a URL: PROTOCOL, HOST, PATH, QUERY, REF, FILE, AUTHORITY or USERINFO; with a third text that key of the QUERY; NULL if there is none.",
		overloads: []overload{
			{params: twoTexts, result: batch.Text, run: textRows(parseURL(false))},
			{params: threeTexts, result: batch.Text, run: textRows(parseURL(false))},
		},
	},
	{
		name: "try_parse_url", doc: "The same as parse_url, with NULL for what is no URL.",
		overloads: []overload{
			{params: twoTexts, result: batch.Text, run: textRows(parseURL(true))},
			{params: threeTexts, result: batch.Text, run: textRows(parseURL(true))},
		},
	},
}

const upperHex = "0123456789ABCDEF"

// bytesOverloads takes TEXT or BINARY.
func bytesOverloads(result arrow.DataType, run func(*kernel)) []overload {
	return []overload{{params: oneText, result: result, run: run}, {params: oneBinary, result: result, run: run}}
}

func prepareUnbase64(*Spec) (func(c *kernel), error) {
	var signs []byte
	return textRows(func(c *kernel, i int32, dst []byte) []byte {
		signs = signs[:0]
		for _, b := range c.args[0].bytes(i) {
			if b-'0' <= 9 || (b|caseBit)-'a' < 26 || b == '+' || b == '/' {
				signs = append(signs, b)
			}
		}
		decoded, err := base64.RawStdEncoding.AppendDecode(dst, signs)
		if err != nil {
			c.fail(i, "%s is not in Base64", quote(c.args[0].bytes(i)))
			return dst
		}
		return decoded
	}), nil
}

func unhex(c *kernel, i int32, dst []byte) []byte {
	s, start := c.args[0].bytes(i), dst
	var pair [2]byte
	if len(s)%2 == 1 {
		pair[0], pair[1] = '0', s[0]
		s = s[1:]
		var one [1]byte
		if _, err := hex.Decode(one[:], pair[:]); err != nil {
			c.out.SetNull(int(i))
			return start
		}
		dst = append(dst, one[0])
	}
	dst, err := hex.AppendDecode(dst, s)
	if err != nil {
		c.out.SetNull(int(i))
		return start
	}
	return dst
}

// urlDecode makes the function of url_decode, with what it does of a text that is not encoded.
func urlDecode(fail func(c *kernel, i int32)) func(c *kernel, i int32, dst []byte) []byte {
	return func(c *kernel, i int32, dst []byte) []byte {
		s, start := c.args[0].bytes(i), dst
		for k := 0; k < len(s); k++ {
			switch s[k] {
			case '+':
				dst = append(dst, ' ')
			case '%':
				var b [1]byte
				if k+2 >= len(s) {
					fail(c, i)
					return start
				}
				if _, err := hex.Decode(b[:], s[k+1:k+3]); err != nil {
					fail(c, i)
					return start
				}
				dst = append(dst, b[0])
				k += 2
			default:
				dst = append(dst, s[k])
			}
		}
		return dst
	}
}

// parseURL makes the function of parse_url. A URL is parsed by net/url, whose parts are parts of the text.
func parseURL(try bool) func(c *kernel, i int32, dst []byte) []byte {
	return func(c *kernel, i int32, dst []byte) []byte {
		text := c.args[0].bytes(i)
		u, err := url.Parse(unsafe.String(unsafe.SliceData(text), len(text)))
		if err != nil || strings.ContainsAny(u.String(), " <>\"{}|\\^`") || strings.Contains(string(text), " ") {
			if try {
				c.out.SetNull(int(i))
			} else {
				c.fail(i, "%s is no URL", quote(text))
			}
			return dst
		}
		value, has := partOfURL(u, string(c.args[1].bytes(i)))
		if has && len(c.args) > 2 {
			if string(c.args[1].bytes(i)) == "QUERY" {
				value, has = queryValue(value, string(c.args[2].bytes(i)))
			} else {
				has = false
			}
		}
		if !has {
			c.out.SetNull(int(i))
		}
		return append(dst, value...)
	}
}

func partOfURL(u *url.URL, name string) (value string, has bool) {
	authority := u.Host
	if u.User != nil {
		authority = u.User.String() + "@" + u.Host
	}
	switch name {
	case "PROTOCOL":
		return u.Scheme, u.Scheme != ""
	case "HOST":
		return u.Hostname(), u.Hostname() != ""
	case "PATH":
		return u.EscapedPath(), u.Opaque == ""
	case "QUERY":
		return u.RawQuery, u.RawQuery != "" || u.ForceQuery
	case "REF":
		return u.EscapedFragment(), u.Fragment != ""
	case "FILE":
		if u.RawQuery != "" {
			return u.EscapedPath() + "?" + u.RawQuery, true
		}
		return u.EscapedPath(), u.Opaque == ""
	case "AUTHORITY":
		return authority, authority != ""
	case "USERINFO":
		if u.User != nil {
			return u.User.String(), true
		}
	}
	return "", false
}

// queryValue returns the value of a key as it is in the query.
func queryValue(query, key string) (value string, has bool) {
	for pair := range strings.SplitSeq(query, "&") {
		if k, v, isPair := strings.Cut(pair, "="); isPair && k == key {
			return v, true
		}
	}
	return "", false
}
