package operators

import (
	"encoding/binary"
	"math"
	"math/bits"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/arrow/decimal128"
	"github.com/zeebo/xxh3"

	"github.com/tidemill/tidemill/batch"
	"github.com/tidemill/tidemill/batch/decimal"
	"github.com/tidemill/tidemill/operators/expr"
)

// The canonical bytes of a key are those of its columns one after the other: a tag, then the value in little-endian. Keys are
// equal exactly if their canonical bytes are. They choose the shard of a group in checkpoints, so they never change.
//
//	NULL       0
//	BOOLEAN    1, one byte
//	BIGINT     2, eight bytes; so too what is stored as BIGINT, such as INT and DATE
//	DOUBLE     3, eight bytes of the bits; -0 as 0, every NaN as 0x7FF8000000000000
//	TEXT       4, length in four bytes, the bytes
//	TIMESTAMP  5, eight bytes
//	ARRAY      6, number of elements in four bytes, the elements
//	STRUCT     7, the fields
//	DECIMAL    8, sixteen bytes
const (
	nullTag byte = iota
	boolTag
	intTag
	doubleTag
	textTag
	timeTag
	listTag
	structTag
	decimalTag
)

const canonicalNaN = 0x7FF8 << 48

// AppendKey appends the canonical bytes of value i of arr, a column of a key.
func AppendKey(dst []byte, arr arrow.Array, i int) []byte {
	if arr.IsNull(i) {
		return append(dst, nullTag)
	}
	switch a := arr.(type) {
	case *array.Int64:
		return appendWord(dst, intTag, uint64(a.Value(i)))
	case *array.Timestamp:
		return appendWord(dst, timeTag, uint64(a.Value(i)))
	case *array.Float64:
		return appendWord(dst, doubleTag, doubleBits(a.Value(i)))
	case *array.Decimal128:
		return appendDecimalKey(dst, a.Value(i))
	case *array.Boolean:
		if a.Value(i) {
			return append(dst, boolTag, 1)
		}
		return append(dst, boolTag, 0)
	case *array.String:
		return appendTextKey(dst, a.Value(i))
	case *array.Dictionary:
		return AppendKey(dst, a.Dictionary(), a.GetValueIndex(i))
	case *array.List:
		return appendListKey(dst, a, i)
	case *array.Struct:
		return appendStructKey(dst, a, i)
	}
	return append(dst, nullTag)
}

func appendWord(dst []byte, tag byte, v uint64) []byte {
	return binary.LittleEndian.AppendUint64(append(dst, tag), v)
}

func appendDecimalKey(dst []byte, v decimal.Num) []byte {
	dst = binary.LittleEndian.AppendUint64(append(dst, decimalTag), v.LowBits())
	return binary.LittleEndian.AppendUint64(dst, uint64(v.HighBits()))
}

func appendTextKey[T string | []byte](dst []byte, s T) []byte {
	dst = binary.LittleEndian.AppendUint32(append(dst, textTag), uint32(len(s)))
	return append(dst, s...)
}

// doubleBits returns the bits of v such that equal values, and all NaN, have the same.
func doubleBits(v float64) uint64 {
	switch {
	case v == 0:
		return 0
	case v != v:
		return canonicalNaN
	}
	return math.Float64bits(v)
}

// Hash returns the hash of a key's canonical bytes: xxh3 with 64 bits and no seed.
func Hash(key []byte) uint64 { return xxh3.Hash(key) }

// shardShift leaves the upper six bits of a hash.
const shardShift = 58

// ShardOf returns the shard of a key's canonical bytes: the upper six bits of their hash.
func ShardOf(key []byte) int { return int(Hash(key) >> shardShift) }

// hashWord is Hash of appendWord(nil, tag, v): xxh3 for nine bytes without a seed (Collet 2019), whose secret is in the two flips.
func hashWord(tag byte, v uint64) uint64 {
	const flipLow, flipHigh = 0x1F67B3B7A4A44072 ^ 0x78E5C0CC4EE679CB, 0x2172FFCC7DD05A82 ^ 0x8E2443F7744608B8
	low, high := (uint64(tag)|v<<8)^flipLow, v^flipHigh
	productHigh, productLow := bits.Mul64(low, high)
	h := 9 + bits.ReverseBytes64(low) + high + (productHigh ^ productLow)
	h ^= h >> 37
	h *= 0x165667919E3779F9
	return h ^ h>>32
}

// hashText is Hash of the canonical bytes of a text of n bytes, which are a and b, padded with 0: xxh3 for nine to sixteen bytes
// reads the first eight, tag, length and three of the text, and the last eight, which begin in the length of a text of four bytes.
func hashText(a, b, n uint64) uint64 {
	const flipLow, flipHigh = 0x1F67B3B7A4A44072 ^ 0x78E5C0CC4EE679CB, 0x2172FFCC7DD05A82 ^ 0x8E2443F7744608B8
	var last uint64
	if n <= 8 {
		last = a << ((64 - 8*n) & 63)
	} else {
		last = a>>((8*n-64)&63) | b<<((128-8*n)&63)
	}
	if n == minTextWord {
		last |= n
	}
	low, high := (uint64(textTag)|n<<8|a<<40)^flipLow, last^flipHigh
	productHigh, productLow := bits.Mul64(low, high)
	h := n + 5 + bits.ReverseBytes64(low) + high + (productHigh ^ productLow)
	h ^= h >> 37
	h *= 0x165667919E3779F9
	return h ^ h>>32
}

// minTextWord and maxTextWord are how many bytes a text has for hashText, with five of tag and length nine to sixteen.
const (
	minTextWord = 4
	maxTextWord = 11
)

// appendDecodedKey appends the values of canonical bytes to a row of cols.
func appendDecodedKey(cols []*batch.Column, key []byte) {
	for _, c := range cols {
		key = appendDecodedValue(c, key)
	}
}

// appendDecodedValue appends the value that key begins with to c, and returns what is behind it.
func appendDecodedValue(c *batch.Column, key []byte) []byte {
	tag := key[0]
	key = key[1:]
	switch tag {
	case nullTag:
		c.AppendNull()
	case boolTag:
		c.AppendBool(key[0] != 0)
		return key[1:]
	case intTag, timeTag:
		c.AppendInt64(int64(binary.LittleEndian.Uint64(key)))
		return key[8:]
	case doubleTag:
		c.AppendFloat64(math.Float64frombits(binary.LittleEndian.Uint64(key)))
		return key[8:]
	case decimalTag:
		c.AppendDecimal(decimal128.New(int64(binary.LittleEndian.Uint64(key[8:])), binary.LittleEndian.Uint64(key)))
		return key[16:]
	case textTag:
		n := binary.LittleEndian.Uint32(key)
		c.AppendText(key[4 : 4+n])
		return key[4+n:]
	case listTag, structTag:
		return appendDecodedParts(c, tag, key)
	}
	return key
}

// keyTypes returns the types of keys, of dictionaries that of their entries.
func keyTypes(keys []*expr.Spec) []arrow.DataType {
	types := make([]arrow.DataType, len(keys))
	for i, k := range keys {
		types[i] = batch.Dictless(k.Type)
	}
	return types
}
