package batch

import "encoding/binary"

const (
	everyByte = 0x0101010101010101
	zeroes    = '0' * everyByte
)

// NotDigits is not 0 if one of the 8 bytes of t is above 9. The text of digits has that form once every byte has lost its 0x30.
func NotDigits(t uint64) uint64 { return (t + (0x80-10)*everyByte | t) & (0x80 * everyByte) }

// EightDigits returns the value of 8 digits of one byte each, from 0 to 9, the first one lowest: pairs, then fours, then eights, by
// one multiplication each (Lemire 2018, "Quickly parsing eight digits").
func EightDigits(t uint64) uint64 {
	t = t * (1 + 10<<8) >> 8 & 0x00FF00FF00FF00FF
	t = t * (1 + 100<<16) >> 16 & 0x0000FFFF0000FFFF
	return t * (1 + 10000<<32) >> 32
}

// ShortInt returns the value of text that has 1 to 16 bytes, all of them digits, and false for any other text.
//
// Example: of 1234567890123 the last word has the bytes 6 7 8 9 0 1 2 3 and the first one, shifted up by 3 bytes, 0 0 0 1 2 3 4 5:
// 12345 times 10^8 plus 67890123.
func ShortInt(text []byte) (v int64, ok bool) {
	n := len(text)
	if n >= 8 && n <= 16 {
		first := (binary.LittleEndian.Uint64(text) ^ zeroes) << (8 * (16 - uint(n)))
		last := binary.LittleEndian.Uint64(text[n-8:]) ^ zeroes
		return int64(EightDigits(first)*1e8 + EightDigits(last)), NotDigits(first)|NotDigits(last) == 0
	}
	if n == 0 || n > 16 {
		return 0, false
	}
	for _, c := range text {
		if c -= '0'; c > 9 {
			return 0, false
		}
		v = v*10 + int64(c)
	}
	return v, true
}
