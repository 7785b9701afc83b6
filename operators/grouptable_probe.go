package operators

import (
	"encoding/binary"
	"unsafe"

	"github.com/tidemill/tidemill/internal/invariants"
)

// longMask is the index in shortMasks of strings of more than shortBytes, of which no byte is looked at.
const longMask = shortBytes + 1

// firstProbe sets groups to the numbers of strings text[offsets[k]:offsets[k+1]] that are short and in the first slot where they may
// be, to -1 for all others, and writes the indexes of these to others, which has the length of groups. There are shortBytes readable
// bytes from the start of each string on, and the set has slots.
//
// Nothing in the loop is a branch that depends on the data, so that the processor looks at several slots at a time and throws no
// work away: a string that is often there is mostly in its first slot, since it came early. find, which goes on from there, is what
// gives the same for one string after the other.
func (t *byteSet) firstProbe(text []byte, offsets, groups, others []int32) (numOthers int) {
	base, shift, mask := unsafe.Pointer(unsafe.SliceData(t.slots)), t.shift&63, t.mask
	chars := unsafe.Pointer(unsafe.SliceData(text))
	start := int(offsets[0])
	offsets, others = offsets[1:][:len(groups)], others[:len(groups)]
	for k := range groups {
		end := int(offsets[k])
		n := end - start
		if invariants.Enabled {
			_ = text[start : start+shortBytes]
		}
		s := (*[shortBytes]byte)(unsafe.Add(chars, start))
		m := &shortMasks[min(uint(n), longMask)]
		a, b := binary.LittleEndian.Uint64(s[:])&m[0], binary.LittleEndian.Uint64(s[8:])&m[1]
		hash := shortHash(a, b, uint64(n)) & mask
		slot := (*byteSlot)(unsafe.Add(base, hash>>shift*uint64(unsafe.Sizeof(byteSlot{}))))
		id := int32(uint32(slot.meta)) - 1
		// The last term is not 0 for a long string, whose slot has other things than its bytes.
		if (slot.a^a)|(slot.b^b)|(slot.meta>>32^uint64(n))|uint64(shortBytes-n)>>63 != 0 {
			id = -1
		}
		groups[k] = id
		others[numOthers] = int32(k)
		numOthers += int(uint32(id) >> 31)
		start = end
	}
	return numOthers
}
