package ingest

import (
	"bytes"
	"unicode/utf8"

	"github.com/tidemill/tidemill/batch"
)

const (
	// siftedShare is the inverse of the largest part of lines that may have the sieve's text for it to pay, each place counted: a line that is
	// cut out alone takes some five times as long as one of many.
	siftedShare = 8
	// unsievedBlocks is how many blocks are decoded as a whole after one in which it did not pay, so that trying costs little.
	unsievedBlocks = 32
)

// sift makes rows of the lines of b that have the sieve's text in them, and of no others. It returns false where that does not pay,
// and where a line is not UTF-8, since that is to be told. The bytes are searched as they are, whatever lines they are in, and the
// ends of lines are looked for around the places only; between them they are counted, for the numbers of the rows.
func (d *textDecoder) sift(b *Block) (_ batch.Batch, ok bool) {
	if d.unsieved > 0 {
		d.unsieved--
		return batch.Batch{}, false
	}
	text := b.Bytes
	room := int(b.NumRows)/siftedShare + 1
	d.places = batch.GrowSlice(d.mem, d.places, room)
	places, isASCII := d.sieve.AppendPlaces(d.places[:0:room], text)
	if len(places) == room {
		d.unsieved = unsievedBlocks
		return batch.Batch{}, false
	}
	if !isASCII && !utf8.Valid(text) {
		return batch.Batch{}, false
	}
	d.frame.Reset(0)
	d.sources = batch.GrowSlice(d.mem, d.sources, len(places))
	n, line, next := 0, 0, 0 // rows, number of the line that begins at next
	for _, place := range places {
		at := int(place)
		if at < next { // in the line before
			continue
		}
		start := next + bytes.LastIndexByte(text[next:at], '\n') + 1
		line += bytes.Count(text[next:start], newline)
		end := at + bytes.IndexByte(text[at:], '\n') + 1
		if end == at {
			end = len(text)
		}
		for _, c := range d.columns {
			c.column.AppendText(trimLineEnd(text[start:end]))
		}
		d.sources[n] = int32(line)
		n++
		line++
		next = end
	}
	d.frame.SetRows(n)
	return batch.Batch{Rows: d.frame.Rows(), Origin: batch.Origin{Source: d.sources[:n]}}, true
}
