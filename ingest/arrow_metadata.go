package ingest

import (
	"encoding/binary"
	"errors"
)

const (
	// maxArrowFields bounds the columns of a schema, with those inside others.
	maxArrowFields = 100_000
	// maxArrowDepth bounds how deep they are nested.
	maxArrowDepth = 64
)

// The members of the union MessageHeader of Arrow's Message.fbs.
const (
	arrowSchema      = 1
	arrowDictionary  = 2
	arrowRecordBatch = 3
)

// arrowHeader is what has to be known of a message before its body is read.
type arrowHeader struct {
	isBatch       bool
	bodyLen, rows int64
}

var errArrowMetadata = errors.New("damaged: its metadata refers to what is not in it")

// readArrowHeader reads the fields that it needs of the tables that Arrow's Message.fbs and Schema.fbs have, and checks that lists in
// them are no longer than the metadata, for arrow-go makes room for as many items as a list says it has.
func readArrowHeader(meta []byte) (h arrowHeader, err error) {
	message := flatTable{bytes: meta}
	if !message.follow(0) {
		return h, errArrowMetadata
	}
	// version, header_type, header, bodyLength
	kind, ok1 := message.field(1, 1)
	bodyLen, ok2 := message.field(3, 8)
	header, ok3 := message.child(2)
	if !ok1 || !ok2 || !ok3 {
		return h, errArrowMetadata
	}
	h.bodyLen = int64(bodyLen)
	ok := true
	switch kind {
	case arrowSchema: // endianness, fields, custom_metadata
		fields := 0
		ok = header.checkFields(1, 0, &fields) && header.hasList(2, 4)
	case arrowDictionary: // id, data, isDelta
		var data flatTable
		if data, ok = header.child(1); ok {
			_, ok = data.checkBatch()
		}
	case arrowRecordBatch:
		h.isBatch = true
		h.rows, ok = header.checkBatch()
	}
	if !ok {
		return h, errArrowMetadata
	}
	return h, nil
}

// checkBatch checks a table RecordBatch: length, nodes, buffers, compression, variadicBufferCounts.
func (f *flatTable) checkBatch() (rows int64, ok bool) {
	length, ok := f.field(0, 8)
	return int64(length), ok && f.hasList(1, 16) && f.hasList(2, 16) && f.hasList(4, 8)
}

// checkFields checks the list of tables Field that is the i-th field: name, nullable, type_type, type, dictionary, children,
// custom_metadata.
func (f *flatTable) checkFields(i, depth int, fields *int) bool {
	at, n, ok := f.list(i, 4)
	*fields += n
	if !ok || *fields > maxArrowFields || depth > maxArrowDepth {
		return false
	}
	for k := range n {
		field := flatTable{bytes: f.bytes}
		if !field.follow(at+4*k) || !field.checkFields(5, depth+1, fields) || !field.hasList(6, 4) {
			return false
		}
	}
	return true
}

// flatTable is a table in the binary form of FlatBuffers: at its place the distance back to a vtable, which has its own size, that of
// the table, and where in the table each field is, 0 for those left out.
type flatTable struct {
	bytes         []byte
	table, vtable int
	fields        int // bytes of the vtable
}

// follow goes to the table that the 4 bytes at a place point to.
func (f *flatTable) follow(at int) bool {
	if at+4 > len(f.bytes) {
		return false
	}
	f.table = at + int(binary.LittleEndian.Uint32(f.bytes[at:]))
	if f.table+4 > len(f.bytes) {
		return false
	}
	f.vtable = f.table - int(int32(binary.LittleEndian.Uint32(f.bytes[f.table:])))
	if f.vtable < 0 || f.vtable+4 > len(f.bytes) {
		return false
	}
	f.fields = int(binary.LittleEndian.Uint16(f.bytes[f.vtable:]))
	return f.vtable+f.fields <= len(f.bytes)
}

// place returns where the i-th field is, which has size bytes, 0 if it is left out.
func (f *flatTable) place(i, size int) (at int, ok bool) {
	slot := 4 + 2*i
	if slot+2 > f.fields {
		return 0, true
	}
	distance := int(binary.LittleEndian.Uint16(f.bytes[f.vtable+slot:]))
	if distance == 0 {
		return 0, true
	}
	at = f.table + distance
	return at, at+size <= len(f.bytes)
}

// field returns a number of 1 or 8 bytes, 0 if it is left out.
func (f *flatTable) field(i, size int) (v uint64, ok bool) {
	at, ok := f.place(i, size)
	switch {
	case !ok:
		return 0, false
	case at == 0:
		return 0, true
	case size == 1:
		return uint64(f.bytes[at]), true
	}
	return binary.LittleEndian.Uint64(f.bytes[at:]), true
}

// child returns the table that the i-th field is.
func (f *flatTable) child(i int) (flatTable, bool) {
	c := flatTable{bytes: f.bytes}
	at, ok := f.place(i, 4)
	ok = ok && at > 0 && c.follow(at)
	return c, ok
}

// list returns where the items of the i-th field are, a list of items of so many bytes, and how many; 0 if it is left out.
func (f *flatTable) list(i, size int) (at, n int, ok bool) {
	at, ok = f.place(i, 4)
	if !ok || at == 0 {
		return 0, 0, ok
	}
	at += int(binary.LittleEndian.Uint32(f.bytes[at:]))
	if at+4 > len(f.bytes) {
		return 0, 0, false
	}
	n = int(binary.LittleEndian.Uint32(f.bytes[at:]))
	at += 4
	return at, n, n <= (len(f.bytes)-at)/size
}

func (f *flatTable) hasList(i, size int) bool {
	_, _, ok := f.list(i, size)
	return ok
}
