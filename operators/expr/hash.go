package expr

import (
	"crypto/md5"
	"crypto/sha1"
	"crypto/sha256"
	"crypto/sha512"
	"encoding/binary"
	"encoding/hex"
	"hash/crc32"
	"math"
	"math/bits"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"

	"github.com/tidemill/tidemill/batch"
)

var hashFunctions = []function{
	{
		name: "md5", doc: "The MD5 sum in hexadecimal.",
		overloads: bytesOverloads(batch.Text, textRows(func(c *kernel, i int32, dst []byte) []byte {
			sum := md5.Sum(c.args[0].bytes(i))
			return hex.AppendEncode(dst, sum[:])
		})),
	},
	{
		name: "sha1", aliases: []string{"sha"}, doc: "The SHA-1 sum in hexadecimal.",
		overloads: bytesOverloads(batch.Text, textRows(func(c *kernel, i int32, dst []byte) []byte {
			sum := sha1.Sum(c.args[0].bytes(i))
			return hex.AppendEncode(dst, sum[:])
		})),
	},
	{
		name: "sha2", doc: "The SHA-2 sum of 224, 256, 384 or 512 bits in hexadecimal; 0 means 256, any other number gives NULL.",
		overloads: []overload{
			{params: textAndNumber, result: batch.Text, run: textRows(sha2)},
			{params: []arrow.DataType{batch.Binary, batch.BigInt}, result: batch.Text, run: textRows(sha2)},
		},
	},
	{
		name: "crc32", doc: "The CRC-32 sum.",
		overloads: bytesOverloads(batch.BigInt, intRows(func(c *kernel, i int32) int64 {
			return int64(crc32.ChecksumIEEE(c.args[0].bytes(i)))
		})),
	},
	{
		name: "hash", syntax: "hash(x, …) → INT", resolve: resolveHash,
		doc:   "Spark's 32-bit hash of all arguments, by Murmur3; NULL changes nothing.",
		build: buildLenient(hashRows(murmurInt, murmurLong, murmurBytes)),
	},
	{
		name: "xxhash64", syntax: "xxhash64(x, …) → BIGINT", resolve: resolveHash,
		doc:   "Spark's 64-bit hash of all arguments, by xxHash; NULL changes nothing.",
		build: buildLenient(hashRows(xxInt, xxLong, xxBytes)),
	},
}

func sha2(c *kernel, i int32, dst []byte) []byte {
	s := c.args[0].bytes(i)
	switch c.args[1].ints[i] {
	case 224:
		sum := sha256.Sum224(s)
		return hex.AppendEncode(dst, sum[:])
	case 0, 256:
		sum := sha256.Sum256(s)
		return hex.AppendEncode(dst, sum[:])
	case 384:
		sum := sha512.Sum384(s)
		return hex.AppendEncode(dst, sum[:])
	case 512:
		sum := sha512.Sum512(s)
		return hex.AppendEncode(dst, sum[:])
	}
	c.out.SetNull(int(i))
	return dst
}

func resolveHash(name string, args []*Spec) (*Spec, error) {
	if err := checkCount(name, "one argument or more", args, 1, -1); err != nil {
		return nil, err
	}
	for _, a := range args {
		switch a.Type.ID() {
		case arrow.BOOL, arrow.INT64, arrow.FLOAT64, arrow.STRING, arrow.TIMESTAMP, arrow.NULL:
		default:
			return nil, &TypeError{Func: name, Why: "arguments must be BOOLEAN, numbers but DECIMAL, TEXT, BINARY or times", Got: argTypes(args)}
		}
	}
	result := batch.BigInt
	if name == "hash" {
		result = batch.Int
	}
	return call(name, result, args...), nil
}

// hashSeed is what Spark begins with.
const hashSeed = 42

// hashRows makes a kernel that hashes one argument after the other, each with the hash so far as its seed.
func hashRows(ofInt func(v int32, seed uint64) uint64, ofLong func(v int64, seed uint64) uint64, ofBytes func(v []byte, seed uint64) uint64) func(*kernel) {
	return func(c *kernel) {
		out := c.out.Int64s()
		for _, i := range c.rows {
			out[i] = hashSeed
		}
		for k := range c.args {
			a := &c.args[k]
			_, isBigInt := a.expr.Type().(*arrow.Int64Type)
			isNarrow := a.expr.Type() == batch.Int || a.expr.Type() == batch.SmallInt || a.expr.Type() == batch.TinyInt ||
				a.expr.Type() == batch.Date || a.expr.Type() == batch.YearMonth
			for _, i := range c.rows {
				if a.isNull(i) {
					continue
				}
				seed := uint64(out[i])
				switch a.arr.(type) {
				case *array.Boolean:
					seed = ofInt(int32(add(0, a.bit(i))), seed)
				case *array.Float64:
					if v := a.floats[i]; a.expr.Type() == batch.Float {
						seed = ofInt(int32(math.Float32bits(float32(v+0))), seed)
					} else {
						seed = ofLong(int64(math.Float64bits(v+0)), seed) // -0 + 0 is 0
					}
				case *array.String:
					seed = ofBytes(a.bytes(i), seed)
				default:
					if isNarrow && !isBigInt {
						seed = ofInt(int32(a.ints[i]), seed)
					} else {
						seed = ofLong(a.ints[i], seed)
					}
				}
				out[i] = int64(seed)
			}
		}
	}
}

// Murmur3 of 32 bits (Appleby, 2011), but that each byte behind the last four is mixed in as a word of its own, as in Spark. A hash is
// an INT, kept as its 64 bits.

func murmurMix(hash, word uint32) uint32 {
	word = bits.RotateLeft32(word*0xcc9e2d51, 15) * 0x1b873593
	return bits.RotateLeft32(hash^word, 13)*5 + 0xe6546b64
}

func murmurEnd(hash, length uint32) uint64 {
	hash ^= length
	hash = (hash ^ hash>>16) * 0x85ebca6b
	hash = (hash ^ hash>>13) * 0xc2b2ae35
	return uint64(int64(int32(hash ^ hash>>16)))
}

func murmurInt(v int32, seed uint64) uint64 { return murmurEnd(murmurMix(uint32(seed), uint32(v)), 4) }

func murmurLong(v int64, seed uint64) uint64 {
	return murmurEnd(murmurMix(murmurMix(uint32(seed), uint32(v)), uint32(v>>32)), 8)
}

func murmurBytes(s []byte, seed uint64) uint64 {
	hash, length := uint32(seed), uint32(len(s))
	for ; len(s) >= 4; s = s[4:] {
		hash = murmurMix(hash, binary.LittleEndian.Uint32(s))
	}
	for _, b := range s {
		hash = murmurMix(hash, uint32(int32(int8(b))))
	}
	return murmurEnd(hash, length)
}

// xxHash of 64 bits (Collet, 2012).
const (
	xxPrime1 = 0x9E3779B185EBCA87
	xxPrime2 = 0xC2B2AE3D27D4EB4F
	xxPrime3 = 0x165667B19E3779F9
	xxPrime4 = 0x85EBCA77C2B2AE63
	xxPrime5 = 0x27D4EB2F165667C5
)

func xxEnd(hash uint64) uint64 {
	hash = (hash ^ hash>>33) * xxPrime2
	hash = (hash ^ hash>>29) * xxPrime3
	return hash ^ hash>>32
}

func xxRound(acc, word uint64) uint64 { return bits.RotateLeft64(acc+word*xxPrime2, 31) * xxPrime1 }

func xxWord(hash, word uint64) uint64 {
	return bits.RotateLeft64(hash^xxRound(0, word), 27)*xxPrime1 + xxPrime4
}

func xxHalf(hash, half uint64) uint64 {
	return bits.RotateLeft64(hash^half*xxPrime1, 23)*xxPrime2 + xxPrime3
}

func xxInt(v int32, seed uint64) uint64 {
	return xxEnd(xxHalf(seed+xxPrime5+4, uint64(uint32(v))))
}

func xxLong(v int64, seed uint64) uint64 { return xxEnd(xxWord(seed+xxPrime5+8, uint64(v))) }

func xxBytes(s []byte, seed uint64) uint64 {
	length := uint64(len(s))
	hash := seed + xxPrime5
	if len(s) >= 32 {
		prime1 := uint64(xxPrime1) // a variable: constants must not overflow
		acc := [4]uint64{seed + prime1 + xxPrime2, seed + xxPrime2, seed, seed - prime1}
		for ; len(s) >= 32; s = s[32:] {
			for k := range acc {
				acc[k] = xxRound(acc[k], binary.LittleEndian.Uint64(s[8*k:]))
			}
		}
		hash = bits.RotateLeft64(acc[0], 1) + bits.RotateLeft64(acc[1], 7) + bits.RotateLeft64(acc[2], 12) + bits.RotateLeft64(acc[3], 18)
		for _, a := range acc {
			hash = (hash^xxRound(0, a))*xxPrime1 + xxPrime4
		}
	}
	hash += length
	for ; len(s) >= 8; s = s[8:] {
		hash = xxWord(hash, binary.LittleEndian.Uint64(s))
	}
	if len(s) >= 4 {
		hash = xxHalf(hash, uint64(binary.LittleEndian.Uint32(s)))
		s = s[4:]
	}
	for _, b := range s {
		hash = bits.RotateLeft64(hash^uint64(b)*xxPrime5, 11) * xxPrime1
	}
	return xxEnd(hash)
}
