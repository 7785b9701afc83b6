package ingest_test

import (
	"bytes"
	"encoding/csv"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"strconv"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/tidemill/tidemill/batch"
	"github.com/tidemill/tidemill/ingest"
)

// decodeOnce decodes all of in as one block with a new decoder.
func decodeOnce(t *testing.T, f ingest.Format, columns, in string) (rows, bad string) {
	t.Helper()
	pool := batch.NewPool(0)
	d := mustDecoder(t, f, ingest.DecodeSpec{Declared: parseColumns(t, columns), Mem: pool})
	rows, bad = decodeBlocks(t, d, cutBlocks(f, in, math.MaxInt64, max(len(in), 1)))
	d.Close()
	if pool.Used() != 0 {
		t.Fatalf("%d bytes in use after Close", pool.Used())
	}
	return rows, bad
}

// FuzzNumber compares BIGINT and DOUBLE with strconv.
func FuzzNumber(f *testing.F) {
	for _, s := range []string{
		"0", "-0", "+1", "007", "123456789012345678", "9223372036854775807", "9223372036854775808", "-9223372036854775808",
		"-9223372036854775809", "18446744073709551616", "99999999999999999999", "1.5", "-1.25e-3", ".5", "5.", "1e22", "1e23", "9007199254740993", "0.1234567890123456789",
		"1.7976931348623159e308", "4.9e-324", "NaN", "infinity", "-Inf", "0x10", "1_0", "1e", "--1", "12345678", "1234567812345678.25",
	} {
		f.Add(s)
	}
	format := mustNewFormat(f, "CSV", map[string]string{"delimiter": ";"})
	jsonFormat := mustNewFormat(f, "JSON", nil)
	f.Fuzz(func(t *testing.T, s string) {
		if s == "" || strings.ContainsAny(s, "\";\r\n") || !utf8.ValidString(s) {
			return
		}
		wantInt := "bad"
		if v, err := strconv.ParseInt(s, 10, 64); err == nil {
			wantInt = strconv.FormatInt(v, 10) + "\n"
		} else if errors.Is(err, strconv.ErrRange) && strings.Trim(s[1:], "0123456789") == "" {
			wantInt = "out of range" // strconv says so before it meets other bytes
		}
		wantDouble := "bad"
		if v, err := strconv.ParseFloat(s, 64); strings.ContainsAny(s, "xX_") {
			wantDouble = "bad"
		} else if err == nil {
			wantDouble = string(batch.AppendDouble(nil, v)) + "\n"
		} else if errors.Is(err, strconv.ErrRange) {
			wantDouble = "out of range"
		}
		check := func(f ingest.Format, column, in, want string) {
			t.Helper()
			rows, bad := decodeOnce(t, f, column, in)
			switch {
			case strings.Contains(bad, "out of range"):
				rows = "out of range"
			case bad != "":
				rows = "bad"
			}
			if rows != want {
				t.Fatalf("%s of %q: got %q, want %q", column, s, rows, want)
			}
		}
		check(format, "a BIGINT", s+"\n", wantInt)
		check(format, "a DOUBLE", s+"\n", wantDouble)
		if strings.HasSuffix(wantDouble, "\n") {
			for _, other := range []string{"1.5\n", "-2.25\n", "0.125\n", "1.000001\n"} { // is read by its places, then s by those
				check(format, "a DOUBLE", other+s+"\n"+other, other+wantDouble+other)
			}
		}
		isNumber := json.Valid([]byte(s)) && (s[0] == '-' || s[0] >= '0' && s[0] <= '9') && s == strings.TrimSpace(s)
		if !isNumber {
			return
		}
		if wantInt != "bad" {
			check(jsonFormat, "a BIGINT", `{"a":`+s+"}\n", wantInt)
		}
		check(jsonFormat, "a DOUBLE", `{"a":`+s+"}\n", wantDouble)
	})
}

// FuzzTimestamp compares TIMESTAMP with time.Parse.
func FuzzTimestamp(f *testing.F) {
	for _, s := range []string{
		"2026-03-01", "2026-03-01T10:11:12Z", "2026-03-01 10:11:12", "2026-03-01T10:11:12.123456789+02:30", "2024-02-29T23:59:59.9-00:01",
		"2023-02-29", "0000-01-01", "9999-12-31T23:59:59.999999Z", "1969-12-31T23:59:59.9999999Z", "2026-03-01T24:00:00Z", "2026-03-01T10:11:60Z",
		"2026-03-01T10:11:12.Z", "2026-3-01", "2026-03-01T10:11Z", "2026-03-01t10:11:12z", "\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00",
	} {
		f.Add(s)
	}
	format := mustNewFormat(f, "CSV", map[string]string{"delimiter": "|"})
	layouts := []string{"2006-01-02", "2006-01-02T15:04:05", "2006-01-02T15:04:05Z07:00"}
	f.Fuzz(func(t *testing.T, s string) {
		if s == "" || strings.ContainsAny(s, "\"|\r\n,+") || !utf8.ValidString(s) {
			return
		}
		if strings.Count(s, ".") > 0 && len(s[strings.LastIndexByte(s, '.')+1:]) > 9 {
			return // time.Parse drops further decimals
		}
		want := ""
		// Both a space and a T, of either case, may stand between date and time; time.Parse wants T and Z.
		r := s
		if len(r) > 10 && (r[10] == ' ' || r[10] == 't') {
			r = r[:10] + "T" + r[11:]
		}
		if len(r) > 13 && r[13] != ':' {
			r = "" // time.Parse takes hours of one digit
		}
		if len(r) > 10 && r[len(r)-1] == 'z' {
			r = r[:len(r)-1] + "Z"
		}
		for _, layout := range layouts {
			v, err := time.Parse(layout, r)
			if _, offset := v.Zone(); err == nil && offset != 24*3600 && offset != -24*3600 {
				want = string(batch.AppendTime(nil, batch.TimeOf(v))) + "\n"
			}
		}
		if rows, bad := decodeOnce(t, format, "a TIMESTAMP", s+"\n"); rows != want || (bad == "") != (want != "") {
			t.Fatalf("%q: got %q (%s), want %q", s, rows, bad, want)
		}
	})
}

// FuzzCSV compares rows with encoding/csv, and rows that come in one block with rows that come in many.
func FuzzCSV(f *testing.F) {
	for _, s := range []string{
		"a,b\nc,d\n", "\"a\",\"b\"\"c\"\n", "\"a\nb\",c\n\n,\n", "a\"b,c\n", "\"a\"b,c\n", "a,\"b\n", "a,b", "\"\",\"", "\xff,b\n", "01234567,0123456789\n",
	} {
		f.Add(s)
	}
	format := mustNewFormat(f, "CSV", nil)
	f.Fuzz(func(t *testing.T, in string) {
		rows, bad := decodeOnce(t, format, "a TEXT, b TEXT", in)
		pool := batch.NewPool(0)
		d := mustDecoder(t, format, ingest.DecodeSpec{Declared: parseColumns(t, "a TEXT, b TEXT"), Mem: pool})
		defer d.Close()
		if again, badAgain := decodeBlocks(t, d, cutBlocks(format, in, 1, 1)); again != rows || badAgain != bad {
			t.Fatalf("in one block:\n%s%s\nin many:\n%s%s", rows, bad, again, badAgain)
		}
		if strings.ContainsRune(in, '\r') || !utf8.ValidString(in) {
			return // encoding/csv changes \r\n in quotes and does not look at UTF-8
		}
		r := csv.NewReader(strings.NewReader(in))
		r.FieldsPerRecord = -1
		records, err := r.ReadAll()
		if err != nil {
			if bad == "" {
				t.Fatalf("no bad row, encoding/csv says: %v", err)
			}
			return
		}
		want, wantBad := "", 0
		for _, fields := range records {
			if len(fields) != 2 {
				wantBad++
				continue
			}
			want += csvCell(fields[0]) + " " + csvCell(fields[1]) + "\n"
		}
		rows = strings.ReplaceAll(rows, `""`, "null") // encoding/csv does not tell NULL from the empty text
		want = strings.ReplaceAll(want, `""`, "null")
		if rows != want || strings.Count(bad, "\n") != wantBad {
			t.Fatalf("rows:\n%s%s\nwant:\n%s and %d bad", rows, bad, want, wantBad)
		}
	})
}

// csvCell returns text as batch.Format shows it.
func csvCell(v string) string {
	frame, err := batch.Parse(batch.NewPool(0), oneTextColumn, strconv.Quote(v))
	if err != nil {
		return err.Error()
	}
	return strings.TrimSuffix(batch.Format(batch.Batch{Rows: frame.Rows()}), "\n")
}

// FuzzJSON compares rows with encoding/json, and records read by the shape of an equal one before with records read alone.
func FuzzJSON(f *testing.F) {
	for _, s := range []string{
		`{"a":1,"b":2.5,"c":"x","d":true,"e":"2026-03-01T10:00:00Z"}`, `{"c":"\u00e9\ud83d\ude00\n"}`, `{"a":null,"z":[1,{"a":2}],"c":{"x":1}}`,
		`{"a":1,"a":2}`, `{"\u0061":7}`, `{"b":"NaN"}`, `{"b":1e400}`, `{"a":1.0}`, `{"c":"\ud800"}`, `{} x`, `[1]`, `{"a":01}`, " { \"a\" : -5 } ", `{"a":1,}`,
		`{"c":"0123456789abcdef0123456789abcdef","long key that is not used at all":"0123456789"}`, "{\"c\":\"a\x01\"}", `{"d":"true"}`, `{"e":5}`,
	} {
		f.Add(s)
	}
	format := mustNewFormat(f, "JSON", nil)
	const columns = "a BIGINT, b DOUBLE, c TEXT, d BOOLEAN, e TIMESTAMP"
	f.Fuzz(func(t *testing.T, line string) {
		if strings.ContainsRune(line, '\n') {
			return
		}
		rows, bad := decodeOnce(t, format, columns, line+"\n")
		three, badThree := decodeOnce(t, format, columns, strings.Repeat(line+"\n", 3))
		if three != strings.Repeat(rows, 3) || strings.Count(badThree, "\n") != 3*strings.Count(bad, "\n") {
			t.Fatalf("once:\n%s%sthree times:\n%s%s", rows, bad, three, badThree)
		}
		want, ok := jsonOracle([]byte(line))
		if !ok {
			return
		}
		if got := rows; got != want && (want != "bad" || bad == "") {
			t.Fatalf("got %q (%s), want %q", got, bad, want)
		}
	})
}

// jsonOracle returns the row of a record as encoding/json reads it, "bad" for a bad one, and false if the two differ by design.
func jsonOracle(line []byte) (row string, ok bool) {
	if len(bytes.Trim(line, " \t\r")) == 0 {
		return "", true
	}
	if !utf8.Valid(line) {
		return "bad", true
	}
	if bytes.Contains(line, []byte(`\u`)) && bytes.ContainsAny(line, "dD") && bytes.ContainsAny(line, "89abcdefABCDEF") {
		var s any // lone surrogates become U+FFFD
		if json.Unmarshal(line, &s) == nil && strings.ContainsRune(fmt.Sprint(s), utf8.RuneError) {
			return "", false
		}
	}
	if bytes.Count(line, []byte("["))+bytes.Count(line, []byte("{")) > 60 {
		return "", false // maybe nested too deep
	}
	var members map[string]json.RawMessage
	if bytes.IndexByte(line, '{') < 0 || json.Unmarshal(line, &members) != nil {
		return "bad", true
	}
	schema := []string{"a", "b", "c", "d", "e"}
	var cells []string
	for _, key := range schema {
		raw := members[key]
		if raw == nil || string(raw) == "null" {
			cells = append(cells, "null")
			continue
		}
		cell := "bad"
		isString := raw[0] == '"'
		var text string
		if isString && json.Unmarshal(raw, &text) != nil {
			return "bad", true
		}
		switch key {
		case "a":
			if v, err := strconv.ParseInt(string(raw), 10, 64); err == nil {
				cell = strconv.FormatInt(v, 10)
			}
		case "b":
			if text == "NaN" || text == "Infinity" || text == "-Infinity" {
				cell = text
			} else if v, err := strconv.ParseFloat(string(raw), 64); err == nil && !isString {
				cell = string(batch.AppendDouble(nil, v))
			}
		case "c":
			if cell = csvCell(text); !isString {
				cell = csvCell(string(raw))
			}
		case "d":
			if string(raw) == "true" || string(raw) == "false" {
				cell = string(raw)
			}
		case "e":
			if !isString {
				break
			}
			v, err := time.Parse(time.RFC3339Nano, text)
			if err != nil || len(text) > len("2006-01-02T15:04:05.999999999+00:00") || strings.Contains(text, ",") || text[13] != ':' {
				return "", false // FuzzTimestamp knows
			}
			cell = string(batch.AppendTime(nil, batch.TimeOf(v)))
		}
		if cell == "bad" {
			return "bad", true
		}
		cells = append(cells, cell)
	}
	return strings.Join(cells, " ") + "\n", true
}

// FuzzFramer checks that it does not matter in which pieces bytes come in.
func FuzzFramer(f *testing.F) {
	f.Add("a,\"b\n\"\"c\",d\n\"x\"\ny\"z\n\n", uint64(0x123456789))
	f.Add("\"\"\"\n\",\n\"", uint64(7))
	f.Add("one\ntwo\r\n\nthree", uint64(42))
	f.Add(strings.Repeat("1,\"a\nb\",\"x\"\"y\"\n", 20), uint64(42)) // more than the 64 bytes that are taken at a time
	f.Add(strings.Repeat("\"1\",\"a\n\"\n", 20)+"5\" pipe\n\"a\nb\"", uint64(99))
	formats := []ingest.Format{mustNewFormat(f, "TEXT", nil), mustNewFormat(f, "CSV", nil), mustNewFormat(f, "JSON", nil)}
	f.Fuzz(func(t *testing.T, in string, seed uint64) {
		for _, format := range formats {
			whole := format.NewFramer()
			end, records, lines := whole.Frame([]byte(in))
			pieces := format.NewFramer()
			gotEnd, gotRecords, gotLines := 0, int64(0), int64(0)
			for pos, s := 0, seed; pos < len(in); {
				n := min(1+int(s&7), len(in)-pos)
				s = s>>3 | s<<61
				e, r, l := pieces.Frame([]byte(in[pos : pos+n]))
				if e > 0 {
					gotEnd = pos + e
				}
				if (e > 0) != (r > 0) {
					t.Fatalf("%s: end %d of %d records", format.Name(), e, r)
				}
				gotRecords, gotLines = gotRecords+r, gotLines+l
				pos += n
			}
			if gotEnd != end || gotRecords != records || gotLines != lines {
				t.Fatalf("%s: in pieces: end %d, %d records, %d lines; at once: end %d, %d records, %d lines",
					format.Name(), gotEnd, gotRecords, gotLines, end, records, lines)
			}
			if want := int64(strings.Count(in[:end], "\n")); lines != want {
				t.Fatalf("%s: %d lines before the last record end, want %d", format.Name(), lines, want)
			}
			whole.Reset()
			if e, _, _ := whole.Frame([]byte("a\n")); e != 2 {
				t.Fatalf("%s: after Reset the next byte does not start a record", format.Name())
			}
		}
	})
}
