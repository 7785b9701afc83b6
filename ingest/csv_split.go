package ingest

import (
	"bytes"
	"strconv"
)

// csvPiece is a field of a record, without the quotes around it.
type csvPiece struct {
	from, to int
	isQuoted bool
}

// splitCSV appends the fields of a record, given without its line end, and says why it is not well formed; then the fault is in
// the field behind those that were appended.
func splitCSV(dst []csvPiece, record []byte, delimiter byte) (pieces []csvPiece, why string) {
	for p := 0; ; p++ {
		piece := csvPiece{from: p}
		if p < len(record) && record[p] == '"' {
			piece.isQuoted = true
			piece.from++
			for p++; ; p++ {
				n := bytes.IndexByte(record[p:], '"')
				if n < 0 {
					return dst, "a quoted field does not end"
				}
				if p += n + 1; p >= len(record) || record[p] != '"' {
					break
				}
			}
			piece.to = p - 1
			if p < len(record) && record[p] != delimiter {
				return dst, "text behind the closing quote"
			}
		} else {
			n := bytes.IndexByte(record[p:], delimiter)
			if n < 0 {
				n = len(record) - p
			}
			p += n
			piece.to = p
			if bytes.IndexByte(record[piece.from:p], '"') >= 0 {
				return dst, "a quote in a field that does not begin with one"
			}
		}
		dst = append(dst, piece)
		if p == len(record) {
			return dst, ""
		}
	}
}

// appendUnquoted appends the text of a quoted field: doubled quotes become one.
func appendUnquoted(dst, v []byte) []byte {
	for {
		n := bytes.IndexByte(v, '"')
		if n < 0 {
			return append(dst, v...)
		}
		dst = append(dst, v[:n+1]...)
		v = v[n+2:]
	}
}

// csvNames returns the names of the columns in a header. A column without name is named by its position, from c0. A header that
// is not well formed has the names before the fault.
func csvNames(header []byte, delimiter byte) []string {
	header = trimLineEnd(header)
	pieces, _ := splitCSV(nil, header, delimiter)
	names := make([]string, len(pieces))
	for i, piece := range pieces {
		names[i] = string(header[piece.from:piece.to])
		if piece.isQuoted {
			names[i] = string(appendUnquoted(nil, header[piece.from:piece.to]))
		}
		if names[i] == "" {
			names[i] = "c" + strconv.Itoa(i)
		}
	}
	return names
}

// unquote writes the text of a quoted field to dst: doubled quotes become one.
func unquote(dst, v []byte) int { return len(appendUnquoted(dst[:0], v)) }
