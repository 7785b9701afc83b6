package ingest_test

import (
	"strings"
	"testing"

	"github.com/tidemill/tidemill/ingest"
)

func TestOpenRefuses(t *testing.T) {
	text := lineFormat(t, "TEXT", nil)
	tests := []struct {
		name, uri string
		format    ingest.Format
		with      map[string]string
		want      []string
	}{
		{name: "an unknown scheme", uri: "ftp://x", format: text, want: []string{`source "ftp://x": what it is, is unknown`, "file:PATH", "tcp-listen://HOST:PORT"}},
		{name: "a path without scheme", uri: "a.csv", format: text, want: []string{"file:PATH"}},
		{
			name: "options of other sources", uri: "file:a", format: text, with: map[string]string{"reconnect": "true", "folow": "true"},
			want: []string{`option "reconnect" is unknown: possible are follow, ordered, max_rows_per_interval`, `option "folow" is unknown: did you mean follow?`},
		},
		{
			name: "bad values, all at once", uri: "tcp://h:1", format: text,
			with: map[string]string{"reconnect": "yes", "connect_timeout": "10", "max_rows_per_interval": "0"},
			want: []string{`reconnect: want true or false, got "yes"`, `connect_timeout: want a duration such as 10s`, `max_rows_per_interval: want a whole number from 1 on, got "0"`},
		},
		{name: "no path", uri: "file:", format: text, want: []string{"path is missing"}},
		{name: "a file on another host", uri: "file://host/a", format: text, want: []string{"another host"}},
		{name: "a bad glob", uri: "file:[", format: text, want: []string{`glob "["`}},
		{name: "following in order", uri: "file:a", format: text, with: map[string]string{"follow": "true", "ordered": "true"}, want: []string{"exclude each other"}},
		{name: "no port", uri: "tcp://h", format: text, want: []string{"want tcp://HOST:PORT"}},
		{name: "a port that is too large", uri: "tcp://h:65536", format: text, want: []string{`want a port from 0 to 65535, got "65536"`}},
		{name: "a client of port 0", uri: "tcp://h:0", format: text, want: []string{"port 0"}},
		{name: "a client of no host", uri: "tcp://:1", format: text, want: []string{"host is missing"}},
		{name: "no format", uri: "stdin:", want: []string{"FORMAT TEXT, CSV, JSON or another"}},
		{name: "a path of standard input", uri: "stdin:x", format: text, want: []string{"want stdin:"}},
		{name: "a format of rows", uri: "rate:", format: text, want: []string{"leave the format TEXT out"}},
		{name: "rows without end as fast as possible", uri: "rate:", with: map[string]string{"rows_per_second": "0"}, want: []string{"give the option rows"}},
		{name: "a rate beyond the arithmetic", uri: "rate:", with: map[string]string{"rows_per_second": "1000000001"}, want: []string{"at most 1000000000"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			_, err := ingest.Open(tt.uri, tt.with, tt.format, ingest.OpenSpec{})
			if err == nil {
				t.Fatal("no error")
			}
			for _, want := range tt.want {
				if !strings.Contains(err.Error(), want) {
					t.Errorf("got %v\nwant %s in it", err, want)
				}
			}
		})
	}
}

func TestMaxRowsPerInterval(t *testing.T) {
	for text, want := range map[string]int64{"": 0, "7": 7} {
		options := map[string]string{}
		if text != "" {
			options["max_rows_per_interval"] = text
		}
		if got, err := ingest.MaxRowsPerInterval(options); got != want || err != nil {
			t.Errorf("%q: got %d, %v", text, got, err)
		}
	}
	if _, err := ingest.MaxRowsPerInterval(map[string]string{"max_rows_per_interval": "x"}); err == nil {
		t.Error("no error")
	}
}
