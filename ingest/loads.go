package ingest

import (
	"encoding/binary"
	"unsafe"

	"github.com/tidemill/tidemill/internal/invariants"
)

// The accesses here are not checked for bounds: there are batch.Slack bytes behind what a decoder reads and writes, and no index
// is behind the last record. Builds with the tag invariants check them all.

// load returns the 8 bytes from p on, the first one lowest.
func load(buf []byte, p int) uint64 {
	if invariants.Enabled {
		_ = buf[p : p+8]
	}
	return binary.LittleEndian.Uint64((*[8]byte)(unsafe.Add(unsafe.Pointer(unsafe.SliceData(buf)), p))[:])
}

// copy32 copies 32 bytes from the index from of src to the index to of dst, a word at a time: more at once would be a call.
func copy32(dst []byte, to int, src []byte, from int) {
	if invariants.Enabled {
		_, _ = dst[to:to+32], src[from:from+32]
	}
	out := (*[32]byte)(unsafe.Add(unsafe.Pointer(unsafe.SliceData(dst)), to))
	in := (*[32]byte)(unsafe.Add(unsafe.Pointer(unsafe.SliceData(src)), from))
	binary.NativeEndian.PutUint64(out[0:], binary.NativeEndian.Uint64(in[0:]))
	binary.NativeEndian.PutUint64(out[8:], binary.NativeEndian.Uint64(in[8:]))
	binary.NativeEndian.PutUint64(out[16:], binary.NativeEndian.Uint64(in[16:]))
	binary.NativeEndian.PutUint64(out[24:], binary.NativeEndian.Uint64(in[24:]))
}
