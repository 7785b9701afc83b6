package bench

import (
	"bufio"
	"bytes"
	"encoding/csv"
	"encoding/json"
	"errors"
	"io"
	"strconv"
	"strings"
	"time"
)

var (
	shuffledEvents = &Input{Name: "ysb-shuffled.json", Rows: 1_000_000, New: func() Generator { return NewAdEvents(1, AdShuffled) }}
	escapedEvents  = &Input{Name: "ysb-escaped.json", Rows: 1_000_000, New: func() Generator { return NewAdEvents(1, AdEscaped) }}
	trades         = &Input{Name: "trades.csv", Rows: 8_000_000, New: func() Generator { return NewTrades(1) }}
)

const (
	adSource = "CREATE SOURCE events (" + adColumns + ") FROM 'INPUT' FORMAT JSON;\n"
	decodeAd = adSource + `CREATE VIEW result AS SELECT count(user_id) AS a, count(page_id) AS b, count(ad_id) AS c, count(ad_type) AS d,
  count(event_type) AS e, max(event_time) AS f, count(ip_address) AS g FROM events`
)

var decodeWorkloads = []*Workload{
	{
		Name: "json-7of7", About: "decoding 247-B JSON, all fields, each counted or compared", Input: adEvents, Script: decodeAd, fold: foldLast,
		loop: jsonLoop, idiomatic: jsonIdiomatic(7),
	},
	{
		Name: "json-3of7", About: "the same, three fields of seven", Input: adEvents, fold: foldLast,
		Script:    adSource + "CREATE VIEW result AS SELECT count(ad_id) AS a, count(event_type) AS b, max(event_time) AS c FROM events",
		idiomatic: jsonIdiomatic(3),
	},
	{
		Name: "json-shuffled", About: "all fields, in another order in every record", Input: shuffledEvents, Script: decodeAd, fold: foldLast,
		idiomatic: jsonIdiomatic(7),
	},
	{
		Name: "json-escaped", About: "all fields, with two escapes in one of them", Input: escapedEvents, Script: decodeAd, fold: foldLast,
		idiomatic: jsonIdiomatic(7),
	},
	{
		Name: "csv", About: "decoding 57-B CSV: BIGINT, TIMESTAMP, TEXT, DOUBLE", Input: trades, fold: foldLast,
		Script: `
CREATE SOURCE trades (id BIGINT, at TIMESTAMP, name TEXT, price DOUBLE) FROM 'INPUT' FORMAT CSV;
CREATE VIEW result AS SELECT sum(id) AS a, max(at) AS b, count(name) AS c, sum(price) AS d FROM trades`,
		loop: csvLoop, idiomatic: csvIdiomatic,
	},
	{
		Name: "text", About: "lines of 100 B, counted", Input: smallVocabulary, fold: foldLast,
		Script: wordSource + "CREATE VIEW result AS SELECT count(value) AS n FROM lines",
		loop:   lineLoop, idiomatic: lineIdiomatic,
	},
}

// jsonLoop finds the ends of seven values by their quotes and copies the values, not looking at names, escapes or UTF-8.
func jsonLoop(in stream) (func() Answer, error) {
	var (
		columns [7][]byte
		rows    int64
		largest []byte
	)
	err := eachBlock(in, func(lines []byte) {
		for i := range columns {
			columns[i] = columns[i][:0]
		}
		for len(lines) > 0 {
			for c := range columns {
				// {"name":"value" has four quotes; the value is between the last two.
				lines = lines[bytes.IndexByte(lines, '"')+1:]
				lines = lines[bytes.IndexByte(lines, '"')+3:]
				end := bytes.IndexByte(lines, '"')
				if c == 5 && bytes.Compare(lines[:end], largest) > 0 {
					largest = append(largest[:0], lines[:end]...)
				}
				columns[c] = append(columns[c], lines[:end]...)
				lines = lines[end+1:]
			}
			lines = lines[2:]
			rows++
		}
	})
	return func() Answer {
		n := whole(rows)
		return answerOf(strings.Join([]string{n, n, n, n, n, string(largest), n}, "|"))
	}, err
}

func jsonIdiomatic(fields int) program {
	return func(in stream) (func() Answer, error) {
		var counts [7]int64
		largest := ""
		lines := bufio.NewScanner(in)
		for lines.Scan() {
			var e adEvent
			if err := json.Unmarshal(lines.Bytes(), &e); err != nil {
				return nil, err
			}
			for i, v := range [...]string{e.UserID, e.PageID, e.AdID, e.AdType, e.EventType, e.EventTime, e.IPAddress} {
				if v != "" {
					counts[i]++
				}
			}
			largest = max(largest, e.EventTime)
		}
		return func() Answer {
			if fields == 3 {
				return answerOf(whole(counts[2]) + "|" + whole(counts[4]) + "|" + largest)
			}
			return answerOf(strings.Join([]string{
				whole(counts[0]), whole(counts[1]), whole(counts[2]), whole(counts[3]), whole(counts[4]), largest, whole(counts[6]),
			}, "|"))
		}, lines.Err()
	}
}

// csvLoop knows how long numbers, times and keys are, and keeps the columns of a block.
func csvLoop(in stream) (func() Answer, error) {
	const (
		timeAt = len("123456789,")
		nameAt = timeAt + len("2026-01-01T00:00:00.000000Z,")
	)
	var ids, cents, rows int64
	var latest, names []byte
	err := eachBlock(in, func(lines []byte) {
		names = names[:0]
		for len(lines) > 0 {
			id := int64(0)
			for _, c := range lines[:timeAt-1] {
				id = id*10 + int64(c-'0')
			}
			ids += id
			if at := lines[timeAt : nameAt-1]; bytes.Compare(at, latest) > 0 {
				latest = append(latest[:0], at...)
			}
			rest := lines[nameAt:]
			end := bytes.IndexByte(rest, ',')
			names = append(names, rest[:end]...)
			i, v := end+1, int64(0)
			for ; rest[i] != '\n'; i++ {
				if rest[i] != '.' {
					v = v*10 + int64(rest[i]-'0')
				}
			}
			cents += v
			rows++
			lines = rest[i+1:]
		}
	})
	return func() Answer {
		at, err := time.Parse(time.RFC3339Nano, string(latest))
		if err != nil {
			return Answer{}
		}
		return answerOf(whole(ids) + "|" + whole(at.UnixMicro()) + "|" + whole(rows) + "|" + decimal(float64(cents)/100))
	}, err
}

func csvIdiomatic(in stream) (func() Answer, error) {
	var (
		ids, names int64
		cents      int64
		latest     time.Time
	)
	records := csv.NewReader(in)
	records.ReuseRecord = true
	for {
		record, err := records.Read()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return nil, err
		}
		id, err := strconv.ParseInt(record[0], 10, 64)
		if err != nil {
			return nil, err
		}
		at, err := time.Parse(time.RFC3339Nano, record[1])
		if err != nil {
			return nil, err
		}
		price, err := strconv.ParseFloat(record[3], 64)
		if err != nil {
			return nil, err
		}
		ids += id
		if at.After(latest) {
			latest = at
		}
		names++
		cents += int64(price*100 + 0.5)
	}
	return func() Answer {
		return answerOf(whole(ids) + "|" + whole(latest.UnixMicro()) + "|" + whole(names) + "|" + decimal(float64(cents)/100))
	}, nil
}

// lineLoop counts line ends.
func lineLoop(in stream) (func() Answer, error) {
	var rows int64
	err := eachBlock(in, func(lines []byte) { rows += int64(bytes.Count(lines, []byte{'\n'})) })
	return func() Answer { return answerOf(whole(rows)) }, err
}

func lineIdiomatic(in stream) (func() Answer, error) {
	var rows int64
	lines := bufio.NewScanner(in)
	for lines.Scan() {
		if lines.Text() != "" {
			rows++
		}
	}
	return func() Answer { return answerOf(whole(rows)) }, lines.Err()
}
