package checkpoint

import (
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"unicode/utf8"
)

// storedRecord is a Record as it is on disk, with the segments that hold its state. JSON serves people who look into a directory
// when something went wrong; a record is written once per commit and small. Fields are only added within a format version.
type storedRecord struct {
	Job        text            `json:"job"`
	Commit     uint64          `json:"commit"`
	Last       storedInterval  `json:"last"`
	ZeroTime   int64           `json:"zero_time"`
	Splits     []storedSplit   `json:"splits,omitempty"`
	Watermarks map[text]int64  `json:"watermarks,omitempty"`
	States     map[text]uint64 `json:"states,omitempty"`
	Tokens     map[text][]byte `json:"tokens,omitempty"`
	BadRows    map[text]int64  `json:"bad_rows,omitempty"`
	Journal    uint64          `json:"journal_file,omitempty"`
	Segments   []segmentRef    `json:"segments,omitempty"`
}

type storedInterval struct {
	ID    uint64 `json:"id"`
	Start int64  `json:"start"`
	End   int64  `json:"end"`
}

type storedSplit struct {
	Source      text  `json:"source"`
	Name        text  `json:"name"`
	Pos         int64 `json:"pos"`
	Tag         text  `json:"tag,omitempty"`
	Rows        int64 `json:"rows"`
	Lines       int64 `json:"lines"`
	LargestTime int64 `json:"largest_time"`
	Idle        bool  `json:"idle,omitempty"`
	Ended       bool  `json:"ended,omitempty"`
}

// segmentRef says how many bytes of a segment belong to the record; what is behind them was never decided.
type segmentRef struct {
	Number uint64 `json:"number"`
	Size   int64  `json:"size"`
}

// text is a string that JSON keeps as it is, also where it is no UTF-8, as names of files may be.
type text string

const hexMark = "\x00hex:"

// MarshalText returns the string, or its bytes in hexadecimal.
func (t text) MarshalText() ([]byte, error) {
	if utf8.ValidString(string(t)) && (t == "" || t[0] != 0) {
		return []byte(t), nil
	}
	return hex.AppendEncode([]byte(hexMark), []byte(t)), nil
}

// UnmarshalText is the inverse of MarshalText.
func (t *text) UnmarshalText(b []byte) error {
	if len(b) == 0 || b[0] != 0 {
		*t = text(b)
		return nil
	}
	if len(b) < len(hexMark) || string(b[:len(hexMark)]) != hexMark {
		return fmt.Errorf("string with an unknown mark: %q", b)
	}
	raw, err := hex.DecodeString(string(b[len(hexMark):]))
	*t = text(raw)
	return err
}

func encodeRecord(r *Record, segments []segmentRef) ([]byte, error) {
	s := storedRecord{
		Job: text(r.Job), Commit: r.Commit, Last: storedInterval(r.Last), ZeroTime: r.ZeroTime,
		Watermarks: convertKeys[text](r.Watermarks), States: convertKeys[text](r.States),
		Tokens: convertKeys[text](r.Tokens), BadRows: convertKeys[text](r.BadRows), Journal: r.JournalFile, Segments: segments,
	}
	for _, p := range r.Splits {
		s.Splits = append(s.Splits, storedSplit{
			Source: text(p.Source), Name: text(p.Name), Pos: p.Pos, Tag: text(p.Tag), Rows: p.Rows, Lines: p.Lines,
			LargestTime: p.LargestTime, Idle: p.Idle, Ended: p.Ended,
		})
	}
	return json.Marshal(&s)
}

func decodeRecord(payload []byte) (*Record, []segmentRef, error) {
	var s storedRecord
	if err := json.Unmarshal(payload, &s); err != nil {
		return nil, nil, err
	}
	r := &Record{
		Job: string(s.Job), Commit: s.Commit, Last: Interval(s.Last), ZeroTime: s.ZeroTime,
		Watermarks: convertKeys[string](s.Watermarks), States: convertKeys[string](s.States),
		Tokens: convertKeys[string](s.Tokens), BadRows: convertKeys[string](s.BadRows), JournalFile: s.Journal,
	}
	for _, p := range s.Splits {
		r.Splits = append(r.Splits, SplitState{
			Source: string(p.Source), Name: string(p.Name), Pos: p.Pos, Tag: string(p.Tag), Rows: p.Rows, Lines: p.Lines,
			LargestTime: p.LargestTime, Idle: p.Idle, Ended: p.Ended,
		})
	}
	for i, ref := range s.Segments {
		if ref.Size < fileHeaderSize || i > 0 && ref.Number <= s.Segments[i-1].Number {
			return nil, nil, errors.New("segments are out of order")
		}
	}
	return r, s.Segments, nil
}

func convertKeys[To, From ~string, V any](m map[From]V) map[To]V {
	if m == nil {
		return nil
	}
	r := make(map[To]V, len(m))
	for k, v := range m {
		r[To(k)] = v
	}
	return r
}
