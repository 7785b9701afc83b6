package expr

import (
	"strings"
	"unicode"
	"unicode/utf8"
)

// specialUpper and specialTitle have the characters that become several (Unicode's SpecialCasing.txt, the unconditional rules), each
// with what it becomes as a capital, and at the start of a word.
var (
	specialUpper = specialCases(`
		ßSS ŉʼN ǰJ̌ ΐΪ́ ΰΫ́ ևԵՒ ẖH̱ ẗT̈ ẘW̊ ẙY̊ ẚAʾ ὐΥ̓ ὒΥ̓̀ ὔΥ̓́ ὖΥ̓͂ ᾀἈΙ ᾁἉΙ ᾂἊΙ ᾃἋΙ ᾄἌΙ ᾅἍΙ ᾆἎΙ ᾇἏΙ ᾈἈΙ
		ᾉἉΙ ᾊἊΙ ᾋἋΙ ᾌἌΙ ᾍἍΙ ᾎἎΙ ᾏἏΙ ᾐἨΙ ᾑἩΙ ᾒἪΙ ᾓἫΙ ᾔἬΙ ᾕἭΙ ᾖἮΙ ᾗἯΙ ᾘἨΙ ᾙἩΙ ᾚἪΙ ᾛἫΙ ᾜἬΙ ᾝἭΙ ᾞἮΙ ᾟἯΙ ᾠὨΙ ᾡὩΙ
		ᾢὪΙ ᾣὫΙ ᾤὬΙ ᾥὭΙ ᾦὮΙ ᾧὯΙ ᾨὨΙ ᾩὩΙ ᾪὪΙ ᾫὫΙ ᾬὬΙ ᾭὭΙ ᾮὮΙ ᾯὯΙ ᾲᾺΙ ᾳΑΙ ᾴΆΙ ᾶΑ͂ ᾷΑ͂Ι ᾼΑΙ ῂῊΙ ῃΗΙ ῄΉΙ ῆΗ͂
		ῇΗ͂Ι ῌΗΙ ῒΪ̀ ΐΪ́ ῖΙ͂ ῗΪ͂ ῢΫ̀ ΰΫ́ ῤΡ̓ ῦΥ͂ ῧΫ͂ ῲῺΙ ῳΩΙ ῴΏΙ ῶΩ͂ ῷΩ͂Ι ῼΩΙ ﬀFF ﬁFI ﬂFL ﬃFFI ﬄFFL
		ﬅST ﬆST ﬓՄՆ ﬔՄԵ ﬕՄԻ ﬖՎՆ ﬗՄԽ`)
	specialTitle = specialCases(`
		ßSs ŉʼN ǰJ̌ ΐΪ́ ΰΫ́ ևԵւ ẖH̱ ẗT̈ ẘW̊ ẙY̊ ẚAʾ ὐΥ̓ ὒΥ̓̀ ὔΥ̓́ ὖΥ̓͂ ᾲᾺͅ ᾴΆͅ ᾶΑ͂ ᾷᾼ͂ ῂῊͅ ῄΉͅ ῆΗ͂ ῇῌ͂
		ῒΪ̀ ΐΪ́ ῖΙ͂ ῗΪ͂ ῢΫ̀ ΰΫ́ ῤΡ̓ ῦΥ͂ ῧΫ͂ ῲῺͅ ῴΏͅ ῶΩ͂ ῷῼ͂ ﬀFf ﬁFi ﬂFl ﬃFfi ﬄFfl ﬅSt ﬆSt ﬓՄն ﬔՄե ﬕՄի
		ﬖՎն ﬗՄխ`)
)

func specialCases(list string) map[rune]string {
	m := make(map[rune]string)
	for _, s := range strings.Fields(list) {
		r, size := utf8.DecodeRuneInString(s)
		m[r] = s[size:]
	}
	return m
}

// appendUpper appends s in capitals.
func appendUpper(dst, s []byte) []byte {
	for len(s) > 0 {
		r, size := utf8.DecodeRune(s)
		dst = appendChanged(dst, r, specialUpper, unicode.ToUpper)
		s = s[size:]
	}
	return dst
}

// appendTitleRune appends a character as it is at the start of a word.
func appendTitleRune(dst, s []byte) []byte {
	r, _ := utf8.DecodeRune(s)
	return appendChanged(dst, r, specialTitle, unicode.ToTitle)
}

func appendChanged(dst []byte, r rune, special map[rune]string, change func(rune) rune) []byte {
	if r >= utf8.RuneSelf {
		if several, is := special[r]; is {
			return append(dst, several...)
		}
	}
	return utf8.AppendRune(dst, change(r))
}

// appendLower appends s in small letters.
func appendLower(dst, s []byte) []byte {
	for k := 0; k < len(s); {
		_, size := utf8.DecodeRune(s[k:])
		dst = appendLowerRune(dst, s, k, size)
		k += size
	}
	return dst
}

// appendLowerRune appends the character of s at k, of size bytes, as a small letter. A sigma at the end of a word is ς.
func appendLowerRune(dst, s []byte, k, size int) []byte {
	switch r, _ := utf8.DecodeRune(s[k:]); {
	case r == 'İ':
		return append(dst, "i\u0307"...)
	case r == 'Σ' && isAfterLetter(s[:k]) && !isBeforeLetter(s[k+size:]):
		return append(dst, "ς"...)
	default:
		return utf8.AppendRune(dst, unicode.ToLower(r))
	}
}

// isAfterLetter says whether s ends with a letter that has a case, apart from what does not count in words.
func isAfterLetter(s []byte) bool {
	for len(s) > 0 {
		r, size := utf8.DecodeLastRune(s)
		if !isIgnorable(r) {
			return isCased(r)
		}
		s = s[:len(s)-size]
	}
	return false
}

// isBeforeLetter says whether s begins with such a letter.
func isBeforeLetter(s []byte) bool {
	for len(s) > 0 {
		r, size := utf8.DecodeRune(s)
		if !isIgnorable(r) {
			return isCased(r)
		}
		s = s[size:]
	}
	return false
}

func isCased(r rune) bool { return unicode.In(r, unicode.Lu, unicode.Ll, unicode.Lt) }

// isIgnorable is Unicode's Case_Ignorable, but for a few signs.
func isIgnorable(r rune) bool {
	return strings.ContainsRune("'.:·’", r) || unicode.In(r, unicode.Mn, unicode.Me, unicode.Cf, unicode.Lm, unicode.Sk)
}
