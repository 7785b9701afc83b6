package egress

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/memory"

	"github.com/tidemill/tidemill/batch"
)

// Screen is a place for one table, such as a terminal, on which a result is shown again and again. It must be safe for calls from
// several goroutines.
type Screen interface {
	// Size returns how many characters fit into a line, and how many lines there are for the table.
	Size() (width, height int)
	// Draw shows a table in the place of the last one: names, a rule, rows. No line is wider than Size said, and none has an end.
	Draw(lines []string) error
}

// maxLiveRows bounds what a live sink keeps: more lines than any terminal has.
const maxLiveRows = 512

// liveSink shows the latest state of a result on a screen: the last rows of one that is appended to, the rows of each key of one
// that is updated, and of a complete one the last interval.
type liveSink struct {
	screen Screen
	mode   string
	keys   []int // columns of the schema
	table  *table
	mem    memory.Allocator

	rows     []liveRowText  // at most maxLiveRows, in order of their first appearance
	byKey    map[string]int // index in rows, of an updated result
	clock    int64          // counts changes of rows
	hidden   int64          // rows that went from rows, or never were there
	interval uint64         // of the last row of a complete result

	prepared []drawn
	key      []byte // scratch
	live     []int32
}

// liveRowText is a row as it is shown.
type liveRowText struct {
	key     string
	cells   []string
	widths  []uint8
	changed int64 // clock of its last change
}

// drawn is the table of a prepared commit.
type drawn struct {
	commit uint64
	lines  []string
}

var _ Sink = (*liveSink)(nil)

func newLive(screen Screen, mem memory.Allocator) *liveSink {
	return &liveSink{screen: screen, mem: mem}
}

// Open learns the columns. Tokens are empty.
func (s *liveSink) Open(_ context.Context, spec Spec, _ uint64, _ Token) error {
	s.mode, s.keys = spec.Mode, spec.Keys
	s.table = newTable(s.mem, spec.Schema)
	s.byKey = make(map[string]int)
	return nil
}

// Write takes the live rows of in, of which only the last ones can be on the screen.
func (s *liveSink) Write(_ context.Context, iv batch.Interval, in batch.Batch) error {
	rows := in.NumLive()
	if rows == 0 {
		return nil
	}
	if s.mode == "complete" && iv.ID != s.interval {
		s.rows, s.hidden, s.interval = s.rows[:0], 0, iv.ID
	}
	from := max(0, rows-maxLiveRows)
	if s.mode == "complete" {
		from = 0
	}
	s.hidden += int64(from)
	s.live = s.live[:0]
	for k := from; k < min(rows, from+maxLiveRows); k++ {
		s.live = append(s.live, int32(liveRow(&in, k)))
	}
	s.hidden += int64(rows - from - len(s.live))
	part := in
	part.Sel = s.live
	s.table.add(iv.ID, part)
	texts := s.table.take()
	for k := range texts {
		if s.mode == "update" {
			texts[k].key = s.keyOf(in.Rows, int(s.live[k]))
		}
		s.put(texts[k])
	}
	return nil
}

// keyOf returns what is the same for all versions of a row, never "": without keys there is one row.
func (s *liveSink) keyOf(rows arrow.RecordBatch, row int) string {
	s.key = append(s.key[:0], '.')
	for _, c := range s.keys {
		s.key = batch.AppendJSON(s.key, rows.Column(c), row)
		s.key = append(s.key, 0)
	}
	return string(s.key)
}

func (s *liveSink) put(r liveRowText) {
	s.clock++
	r.changed = s.clock
	if r.key != "" {
		if i, ok := s.byKey[r.key]; ok {
			s.rows[i] = r
			return
		}
	}
	if len(s.rows) == maxLiveRows {
		if s.mode == "complete" { // its first rows are those that count
			s.hidden++
			return
		}
		s.drop()
	}
	if r.key != "" {
		s.byKey[r.key] = len(s.rows)
	}
	s.rows = append(s.rows, r)
}

// drop forgets the row that has not changed for the longest time.
func (s *liveSink) drop() {
	oldest := 0
	for i := range s.rows {
		if s.rows[i].changed < s.rows[oldest].changed {
			oldest = i
		}
	}
	delete(s.byKey, s.rows[oldest].key)
	s.rows = slices.Delete(s.rows, oldest, oldest+1)
	for i := oldest; i < len(s.rows); i++ {
		if s.rows[i].key != "" {
			s.byKey[s.rows[i].key] = i
		}
	}
	s.hidden++
}

// Prepare lays the table out. The token is empty.
func (s *liveSink) Prepare(_ context.Context, commit uint64) (Token, error) {
	if s.clock > 0 {
		s.prepared = append(s.prepared, drawn{commit: commit, lines: s.lines()})
	}
	return nil, nil
}

// lines returns the table, as much of it as the screen has room for.
func (s *liveSink) lines() []string {
	width, height := s.screen.Size()
	room := max(1, height-3) // names, rule, and what is not there
	shown, hidden := s.rows, s.hidden
	if more := len(shown) - room; more > 0 {
		hidden += int64(more)
		if s.mode == "complete" {
			shown = shown[:room]
		} else {
			shown = newest(shown, room)
		}
	}
	s.table.fill(shown)
	text := s.table.render(nil)
	lines := strings.Split(strings.TrimRight(string(text), "\n"), "\n")
	batch.FreeSlice(s.mem, text)
	for i, line := range lines {
		lines[i] = cutLine(line, width)
	}
	switch {
	case hidden == 0:
	case s.mode == "append":
		lines = append(lines, cutLine(fmt.Sprintf("… after %d earlier rows", hidden), width))
	case s.mode == "complete":
		lines = append(lines, cutLine(fmt.Sprintf("… and %d more rows", hidden), width))
	default: // which keys are among the rows that went, nobody knows any more
		lines = append(lines, cutLine("… and rows that changed less lately", width))
	}
	return lines
}

// newest returns the n rows that have changed last, in the order they have.
func newest(rows []liveRowText, n int) []liveRowText {
	changes := make([]int64, len(rows))
	for i := range rows {
		changes[i] = rows[i].changed
	}
	slices.Sort(changes)
	from := changes[len(changes)-n]
	kept := make([]liveRowText, 0, n)
	for i := range rows {
		if rows[i].changed >= from {
			kept = append(kept, rows[i])
		}
	}
	return kept
}

// cutLine cuts a line to a width. What it has to cut was made by appendCell, so that each rune has the width of runeWidth.
func cutLine(line string, width int) string {
	at, used := 0, 0
	for at < len(line) {
		r, size := utf8.DecodeRuneInString(line[at:])
		if used+runeWidth(r) > width {
			return line[:at]
		}
		used += runeWidth(r)
		at += size
	}
	return line
}

// Commit draws the newest table that was prepared up to commit.
func (s *liveSink) Commit(_ context.Context, commit uint64, _ Token) error {
	var last []string
	for len(s.prepared) > 0 && s.prepared[0].commit <= commit {
		last = s.prepared[0].lines
		s.prepared = slices.Delete(s.prepared, 0, 1)
	}
	if last == nil {
		return nil
	}
	if err := s.screen.Draw(last); err != nil {
		return printError(err)
	}
	return nil
}

// Close forgets the rows; the table stays on the screen.
func (s *liveSink) Close() error {
	if s.table != nil {
		s.table.close()
	}
	s.rows, s.prepared = nil, nil
	return nil
}
