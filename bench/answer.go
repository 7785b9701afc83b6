package bench

import (
	"crypto/md5"
	"encoding/binary"
	"fmt"
	"math"
	"slices"
	"strconv"
)

// Answer is what a program found: a set of rows as text, without their order. Two programs agree if all fields but Sample are
// equal.
type Answer struct {
	Rows int64 `json:"rows"`
	// Digest is the sum, modulo 2^64, of the first eight bytes (little-endian) of the MD5 of each row's text.
	Digest uint64 `json:"digest"`
	// Sample is the smallest rows, for people who look for the difference.
	Sample []string `json:"sample,omitempty"`
}

// Equal says whether two programs agree.
func (a Answer) Equal(b Answer) bool { return a.Rows == b.Rows && a.Digest == b.Digest }

// String returns the answer for messages.
func (a Answer) String() string {
	return fmt.Sprintf("%d rows, digest %016x, such as %q", a.Rows, a.Digest, a.Sample)
}

// numSamples is how many rows of an answer are kept as text.
const numSamples = 2

// add adds a row.
func (a *Answer) add(row string) {
	sum := md5.Sum([]byte(row))
	a.Rows++
	a.Digest += binary.LittleEndian.Uint64(sum[:8])
	if len(a.Sample) < numSamples || row < a.Sample[len(a.Sample)-1] {
		a.Sample = append(a.Sample, row)
		slices.Sort(a.Sample)
		a.Sample = a.Sample[:min(len(a.Sample), numSamples)]
	}
}

// answerOf returns the answer of rows.
func answerOf(rows ...string) Answer {
	var a Answer
	for _, r := range rows {
		a.add(r)
	}
	return a
}

// answerOfCounts returns the answer that has a row key|count for each entry.
func answerOfCounts(counts map[string]int64) Answer {
	var a Answer
	for key, n := range counts {
		a.add(key + "|" + strconv.FormatInt(n, 10))
	}
	return a
}

// roundedPart is added before rounding down to 1/10,000: sums and averages of decimals never lie that near to a multiple, so
// that programs which add in different orders round alike.
const roundedPart = 0.37123

// decimal returns a DOUBLE as it stands in the text of a row: in units of 1/10,000.
func decimal(v float64) string {
	if math.IsNaN(v) || math.IsInf(v, 0) {
		return "not finite"
	}
	return strconv.FormatInt(int64(math.Floor(v*1e4+roundedPart)), 10)
}

func whole(v int64) string { return strconv.FormatInt(v, 10) }
