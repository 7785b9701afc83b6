package ingest

import (
	"bytes"
	"slices"
	"testing"

	"github.com/tidemill/tidemill/batch"
)

// FuzzMarks compares the marks that words and vectors make with a byte by byte look at the set.
func FuzzMarks(f *testing.F) {
	f.Add([]byte("{\"a\":\"\\n\x1f\x20\x7f\x80é\"}\n"), byte(';'), uint16(70))
	f.Add(bytes.Repeat([]byte("station,\"1\"\"2\"\r\n\x00"), 20), byte(','), uint16(0))
	f.Fuzz(func(t *testing.T, data []byte, delimiter byte, skip uint16) {
		delimiter &= 0x7F
		data = data[min(int(skip), len(data)):]
		n := len(data)
		buf := slices.Concat(data, bytes.Repeat([]byte{0xFF}, batch.Slack))
		for _, tt := range []struct {
			name string
			set  byteSet
			has  func(c byte) bool
		}{
			{name: "JSON", set: jsonStops, has: func(c byte) bool { return c < 0x20 || c == '"' || c == '\\' }},
			{name: "CSV", set: csvStops(delimiter), has: func(c byte) bool { return c == delimiter || c == '"' || c == '\n' }},
			{name: "lines", set: lineStops, has: func(c byte) bool { return c == '\n' }},
		} {
			want := make(marks, marksLen(n))
			isASCII := true
			for i, c := range data {
				isASCII = isASCII && c < 0x80
				if tt.has(c) {
					want[i>>3] |= 1 << (i & 7)
				}
			}
			check := func(got marks, gotASCII bool) {
				t.Helper()
				if n&7 != 0 { // what is behind the last byte is undefined
					got[n>>3] &= 1<<(n&7) - 1
				}
				if used := (n + 7) / 8; !bytes.Equal(got[:used], want[:used]) || gotASCII != isASCII {
					t.Fatalf("%s: %q: got %08b %v, want %08b %v", tt.name, data, got[:used], gotASCII, want[:used], isASCII)
				}
			}
			words := make(marks, marksLen(n))
			check(words, words.markWords(buf, 0, n, &tt.set) == 0)
			vectors := make(marks, marksLen(n))
			check(vectors, vectors.mark(buf, n, &tt.set))
			for p, next := n-1, -1; p >= 0; p-- {
				if tt.has(data[p]) {
					next = p
				}
				if next >= 0 && vectors.next(p) != next {
					t.Fatalf("%s: %q: after %d the next mark is %d, want %d", tt.name, data, p, vectors.next(p), next)
				}
			}
		}
	})
}
