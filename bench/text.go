package bench

import (
	"bufio"
	"bytes"
	"cmp"
	"slices"
	"strings"
)

// The inputs of text: lines of about 100 bytes.
var (
	smallVocabulary = &Input{Name: "words-10k.txt", Rows: 3_000_000, New: func() Generator { return NewWords(1, 10_000, 14, 1.1) }}
	largeVocabulary = &Input{Name: "words-1m.txt", Rows: 1_000_000, New: func() Generator { return NewWords(2, 1_000_000, 10, 1) }}
)

// grepPattern is in about one line of 300.
const grepPattern = "mavi"

const (
	wordSource  = "CREATE SOURCE lines FROM 'INPUT' FORMAT TEXT;\n"
	wordView    = wordSource + "CREATE VIEW words AS SELECT explode(split(value, ' ')) AS word, arrival_time FROM lines;\n"
	countWords  = wordView + "CREATE VIEW result AS SELECT word, count(*) AS n FROM words GROUP BY window(arrival_time, '10 seconds'), word"
	slideWords  = wordView + "CREATE VIEW result AS SELECT word, count(*) AS n FROM words GROUP BY window(arrival_time, '30 seconds', '1 second'), word"
	selectLines = wordSource + "CREATE VIEW result AS SELECT value FROM lines WHERE contains(value, '" + grepPattern + "')"
	// One window holds all time until 2069, so that where it is cut does not depend on the clock.
	topWords = wordView + "CREATE VIEW result AS SELECT word, count(*) AS n FROM words GROUP BY window(arrival_time, '36500 days'), word " +
		"ORDER BY n DESC, word LIMIT 10"
)

var textWorkloads = []*Workload{
	{
		Name: "grep", About: "lines with a pattern, 100-B lines", Input: smallVocabulary,
		Script: selectLines, tallies: true, loop: grepLoop, idiomatic: grepIdiomatic,
	},
	{
		Name: "grep-tcp", About: "the same over loopback TCP", Input: smallVocabulary, TCP: true,
		Script: selectLines, tallies: true, loop: grepLoop, idiomatic: grepIdiomatic,
	},
	{
		Name: "wordcount", About: "words per 10 s window of arrival, 10 K words, Zipf 1.1", Input: smallVocabulary,
		Script: countWords, fold: foldSum, loop: wordLoop(1), idiomatic: wordIdiomatic(1),
	},
	{
		Name: "wordcount-1m", About: "the same, 1 M words, Zipf 1.0", Input: largeVocabulary,
		Script: countWords, fold: foldSum, loop: wordLoop(1), idiomatic: wordIdiomatic(1),
	},
	{
		Name: "wordcount-tcp", About: "10 K words over loopback TCP", Input: smallVocabulary, TCP: true,
		Script: countWords, fold: foldSum, loop: wordLoop(1), idiomatic: wordIdiomatic(1),
	},
	{
		Name: "wordcount-slide", About: "words per 30 s window that slides by 1 s; yardsticks count once", Input: smallVocabulary,
		Script: slideWords, fold: foldSum, loop: wordLoop(30), idiomatic: wordIdiomatic(30),
	},
	{
		Name: "topk", About: "the 10 most frequent of 10 K words", Input: smallVocabulary,
		Script: topWords, loop: topLoop, idiomatic: topIdiomatic,
	},
}

func grepLoop(in stream) (func() Answer, error) {
	var rows, size int64
	pattern := []byte(grepPattern)
	err := eachBlock(in, func(lines []byte) {
		for {
			at := bytes.Index(lines, pattern)
			if at < 0 {
				return
			}
			start := bytes.LastIndexByte(lines[:at], '\n') + 1
			end := at + bytes.IndexByte(lines[at:], '\n')
			rows++
			size += int64(end - start)
			lines = lines[end+1:]
		}
	})
	return func() Answer { return tallyAnswer(rows, size) }, err
}

func grepIdiomatic(in stream) (func() Answer, error) {
	var rows, size int64
	lines := bufio.NewScanner(in)
	for lines.Scan() {
		if line := lines.Text(); strings.Contains(line, grepPattern) {
			rows++
			size += int64(len(line))
		}
	}
	return func() Answer { return tallyAnswer(rows, size) }, lines.Err()
}

// wordLoop counts words once and says that times times: every row is in so many windows.
func wordLoop(times int64) program {
	return func(in stream) (func() Answer, error) {
		t := newTextTable()
		err := countEachWord(in, t)
		return func() Answer { return answerOfCounts(multiplied(t.counts(), times)) }, err
	}
}

func countEachWord(in stream, t *textTable) error {
	return eachBlock(in, func(text []byte) {
		start := 0
		for i, c := range text {
			if c == ' ' || c == '\n' {
				t.add(text[start:i], 1)
				start = i + 1
			}
		}
	})
}

func wordIdiomatic(times int64) program {
	return func(in stream) (func() Answer, error) {
		counts, err := countFields(in)
		return func() Answer { return answerOfCounts(multiplied(counts, times)) }, err
	}
}

func countFields(in stream) (map[string]int64, error) {
	counts := make(map[string]int64)
	lines := bufio.NewScanner(in)
	for lines.Scan() {
		for _, word := range strings.Fields(lines.Text()) {
			counts[word]++
		}
	}
	return counts, lines.Err()
}

func multiplied(counts map[string]int64, times int64) map[string]int64 {
	for word := range counts {
		counts[word] *= times
	}
	return counts
}

func topLoop(in stream) (func() Answer, error) {
	t := newTextTable()
	if err := countEachWord(in, t); err != nil {
		return nil, err
	}
	top := topOf(t.counts(), 10)
	return func() Answer { return answerOf(top...) }, nil
}

func topIdiomatic(in stream) (func() Answer, error) {
	counts, err := countFields(in)
	if err != nil {
		return nil, err
	}
	top := topOf(counts, 10)
	return func() Answer { return answerOf(top...) }, nil
}

// topOf returns the rows of the k largest counts, ties in order of the word.
func topOf(counts map[string]int64, k int) []string {
	words := make([]string, 0, len(counts))
	for w := range counts {
		words = append(words, w)
	}
	slices.SortFunc(words, func(a, b string) int {
		return cmp.Or(cmp.Compare(counts[b], counts[a]), cmp.Compare(a, b))
	})
	rows := make([]string, 0, k)
	for _, w := range words[:min(k, len(words))] {
		rows = append(rows, w+"|"+whole(counts[w]))
	}
	return rows
}
