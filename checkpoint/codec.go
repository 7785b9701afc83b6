package checkpoint

import (
	"fmt"

	"github.com/klauspost/compress/s2"
	"github.com/klauspost/compress/zstd"
)

// Compression is how images are compressed.
type Compression uint8

const (
	// S2 is the default: a full image of 1M keys takes 76 ms, with zstd 196 (BenchmarkFullImage, 2026-11, two cores).
	S2 Compression = iota
	// Zstd takes longer and less space.
	Zstd
	// Uncompressed is for images that do not compress.
	Uncompressed
)

// String returns the name of c.
func (c Compression) String() string { return [...]string{"s2", "zstd", "none"}[c] }

// codec is how one payload is stored; part of the format.
type codec uint8

const (
	codecNone codec = iota
	codecS2         // an S2 block
	codecZstd       // a Zstandard frame with its content size
)

// compressor compresses and decompresses payloads, one at a time, with state that it keeps.
type compressor struct {
	compression Compression

	encoder *zstd.Encoder
	decoder *zstd.Decoder
}

// append appends raw to dst, compressed if that makes it smaller.
func (c *compressor) append(dst, raw []byte) ([]byte, codec, error) {
	start := len(dst)
	used := codecNone
	switch c.compression {
	case S2:
		if room := s2.MaxEncodedLen(len(raw)); room > 0 {
			dst = growBytes(dst, room)
			dst = dst[:start+len(s2.Encode(dst[start:start+room], raw))]
			used = codecS2
		}
	case Zstd:
		if c.encoder == nil {
			var err error
			if c.encoder, err = zstd.NewWriter(nil, zstd.WithEncoderConcurrency(1), zstd.WithEncoderLevel(zstd.SpeedFastest)); err != nil {
				return dst, codecNone, fmt.Errorf("start zstd: %w", err)
			}
		}
		dst = c.encoder.EncodeAll(raw, dst)
		used = codecZstd
	case Uncompressed:
	}
	if used == codecNone || len(dst)-start >= len(raw) {
		return append(dst[:start], raw...), codecNone, nil
	}
	return dst, used, nil
}

// decompress returns the payload, in the memory of stored if it is not compressed, else in that of buf where it fits.
func (c *compressor) decompress(buf, stored []byte, used codec) ([]byte, error) {
	switch used {
	case codecNone:
		return stored, nil
	case codecS2:
		n, err := s2.DecodedLen(stored)
		if err != nil {
			return nil, err
		}
		if n > maxFrameBytes {
			return nil, fmt.Errorf("payload is too long: %d bytes", n)
		}
		return s2.Decode(buf[:cap(buf)], stored)
	case codecZstd:
		if c.decoder == nil {
			var err error
			if c.decoder, err = zstd.NewReader(nil, zstd.WithDecoderConcurrency(1), zstd.WithDecoderMaxMemory(maxFrameBytes)); err != nil {
				return nil, fmt.Errorf("start zstd: %w", err)
			}
		}
		return c.decoder.DecodeAll(stored, buf[:0])
	}
	return nil, fmt.Errorf("unknown compression: %d", used)
}

func (c *compressor) close() {
	if c.decoder != nil {
		c.decoder.Close()
		c.decoder = nil
	}
}

// growBytes returns b with room for at least more bytes behind its end.
func growBytes(b []byte, more int) []byte {
	if cap(b)-len(b) >= more {
		return b
	}
	r := make([]byte, len(b), max(len(b)+more, 2*cap(b)))
	copy(r, b)
	return r
}
