// Package bench has the workloads by which the engine is measured, and their generators.
package bench

import (
	"bytes"
	"fmt"
	"math"
	"math/rand/v2"
	"strconv"
	"time"
)

// Generator makes lines of data, the same for the same seed.
type Generator interface {
	// Append appends the next line, with its line end, to dst. It returns dst unchanged when there are no more.
	Append(dst []byte) []byte
}

// Words makes lines of words from a vocabulary with Zipf's distribution.
type Words struct {
	rng   *rand.Rand
	words [][]byte
	cdf   []float64
	per   int
}

// NewWords returns lines of perLine words out of a vocabulary of size words, whose frequencies fall with rank^-exponent.
// An exponent of 0 makes all words equally frequent.
func NewWords(seed uint64, size, perLine int, exponent float64) *Words {
	w := &Words{rng: rand.New(rand.NewPCG(seed, 1)), per: perLine}
	seen := make(map[string]bool, size)
	var total float64
	for rank := 1; len(w.words) < size; {
		word := w.word()
		if seen[word] {
			continue
		}
		seen[word] = true
		w.words = append(w.words, []byte(word))
		total += math.Pow(float64(rank), -exponent)
		w.cdf = append(w.cdf, total)
		rank++
	}
	for i := range w.cdf {
		w.cdf[i] /= total
	}
	return w
}

// word returns a pronounceable word of 2 to 10 letters.
func (w *Words) word() string {
	const consonants, vowels = "bcdfghjklmnprstvw", "aeiou"
	var b []byte
	for range 1 + w.rng.IntN(4) {
		b = append(b, consonants[w.rng.IntN(len(consonants))], vowels[w.rng.IntN(len(vowels))])
	}
	if w.rng.IntN(3) == 0 {
		b = append(b, consonants[w.rng.IntN(len(consonants))])
	}
	return string(b)
}

// Append appends a line of words.
func (w *Words) Append(dst []byte) []byte {
	for i := range w.per {
		if i > 0 {
			dst = append(dst, ' ')
		}
		dst = append(dst, w.words[w.pick()]...)
	}
	return append(dst, '\n')
}

// pick returns the index of a word: the first whose cumulated frequency reaches a random number.
func (w *Words) pick() int {
	r := w.rng.Float64()
	low, high := 0, len(w.cdf)-1
	for low < high {
		if mid := (low + high) / 2; w.cdf[mid] < r {
			low = mid + 1
		} else {
			high = mid
		}
	}
	return low
}

// Text gives the lines of a text once, or again and again.
type Text struct {
	text, rest []byte
	loop       bool
}

// NewText returns the lines of text; if loop, it begins again at its end.
func NewText(text []byte, loop bool) *Text {
	return &Text{text: text, rest: text, loop: loop && len(text) > 0}
}

// Append appends the next line.
func (t *Text) Append(dst []byte) []byte {
	if len(t.rest) == 0 {
		if !t.loop {
			return dst
		}
		t.rest = t.text
	}
	line, rest, _ := bytes.Cut(t.rest, []byte("\n"))
	t.rest = rest
	return append(append(dst, line...), '\n')
}

// Rate makes CSV lines of a timestamp and a number that counts up: the time of line n is start plus n/perSecond.
type Rate struct {
	start     time.Time
	perSecond int64
	n         int64
}

// NewRate returns lines for perSecond lines a second from start on.
func NewRate(start time.Time, perSecond int64) *Rate {
	return &Rate{start: start.UTC(), perSecond: max(perSecond, 1)}
}

// Append appends a line.
func (r *Rate) Append(dst []byte) []byte {
	seconds, part := r.n/r.perSecond, r.n%r.perSecond
	at := r.start.Add(time.Duration(seconds)*time.Second + time.Duration(part)*time.Second/time.Duration(r.perSecond))
	dst = at.AppendFormat(dst, "2006-01-02T15:04:05.999999Z")
	dst = append(dst, ',')
	dst = strconv.AppendInt(dst, r.n, 10)
	r.n++
	return append(dst, '\n')
}

// Events makes JSON lines of about 75 bytes: a time in milliseconds, a user out of numUsers, an amount and a type. Times run on
// by 1 ms per line, with every disorder-th line up to 2 s early.
type Events struct {
	rng      *rand.Rand
	at       int64
	numUsers int
	disorder int
}

// NewEvents returns events that begin at start. disorder 0 means in order.
func NewEvents(seed uint64, start time.Time, numUsers, disorder int) *Events {
	return &Events{rng: rand.New(rand.NewPCG(seed, 2)), at: start.UnixMilli(), numUsers: numUsers, disorder: disorder}
}

// Append appends an event.
func (e *Events) Append(dst []byte) []byte {
	at := e.at
	e.at++
	if e.disorder > 0 && e.rng.IntN(e.disorder) == 0 {
		at -= int64(e.rng.IntN(2000))
	}
	kinds := [...]string{"view", "click", "purchase"}
	return fmt.Appendf(dst, `{"ts":%d,"user":"user%d","amount":%d.%02d,"type":"%s"}`+"\n",
		at, e.rng.IntN(e.numUsers), e.rng.IntN(1000), e.rng.IntN(100), kinds[e.rng.IntN(len(kinds))])
}
