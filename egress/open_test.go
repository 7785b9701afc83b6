package egress_test

import (
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/tidemill/tidemill/egress"
	"github.com/tidemill/tidemill/internal/vfs"
)

func TestOpenReportsAllFaults(t *testing.T) {
	tests := []struct {
		name    string
		uri     string
		format  string
		options string
		schema  []string
		want    []string
	}{
		{name: "an unknown scheme", uri: "kafka:x", format: "CSV", want: []string{`sink "kafka:x": want blackhole:, stdout: or file:DIRECTORY`}},
		{name: "a host in the path", uri: "file://host/x", format: "CSV", want: []string{"a host is named"}},
		{name: "no path", uri: "file:", format: "CSV", want: []string{"no directory"}},
		{name: "stdout with a path", uri: "stdout:x", format: "CSV", want: []string{`nothing may follow "stdout:"`}},
		{name: "no format", uri: "file:x", want: []string{"no format: add FORMAT CSV, JSON, TEXT"}},
		{name: "an unknown format", uri: "file:x", format: "xml", want: []string{`format "xml" is not known here`}},
		{name: "a table in a file", uri: "file:x", format: "TABLE", want: []string{`format "TABLE" is not known here`}},
		{
			name: "several options at once", uri: "file:x", format: "CSV",
			options: "header=maybe delimiter=ab compression=lzma roll_rows=0 roll_bytes=1TB colour=red",
			want: []string{
				`option header: want true or false, got "maybe"`, `option delimiter: want one ASCII character`, `option compression: want none, gzip, zstd, s2, snappy or lz4, got "lzma"`,
				`option roll_rows: want a number above 0, got "0"`, `option roll_bytes: want a number of bytes`, `option "colour" is not known here: known are compression, delimiter,`,
			},
		},
		{name: "an option of csv for json", uri: "file:x", format: "JSON", options: "header=true", want: []string{`option "header" is not known here`}},
		{name: "an option of files for stdout", uri: "stdout:", format: "CSV", options: "roll_rows=5", want: []string{`option "roll_rows" is not known here`}},
		{name: "null text with the delimiter", uri: "file:x", format: "CSV", options: "null=a,b", want: []string{"option null: must not have the delimiter"}},
		{name: "text of two columns", uri: "file:x", format: "TEXT", schema: []string{"a TEXT", "n BIGINT"}, want: []string{"FORMAT TEXT writes one TEXT column, rows have a TEXT, n BIGINT"}},
		{name: "a right one", uri: "file:///x/", format: "csv", options: "mode=append roll_bytes=64MiB null=\\N delimiter=; header=TRUE", schema: []string{"a TEXT"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			options := map[string]string{}
			for o := range strings.FieldsSeq(tt.options) {
				key, value, _ := strings.Cut(o, "=")
				options[key] = value
			}
			spec := egress.OpenSpec{FS: vfs.NewMem(), Mem: newPool(t)}
			if tt.schema != nil {
				spec.Schema = schemaOf(tt.schema...)
			}
			_, err := egress.Open(tt.uri, tt.format, options, spec)
			if (err == nil) != (len(tt.want) == 0) {
				t.Fatalf("got error %v with options %v", err, slices.Sorted(maps.Keys(options)))
			}
			for _, want := range tt.want {
				if !strings.Contains(err.Error(), want) {
					t.Errorf("got error %v, want one with %s", err, want)
				}
			}
		})
	}
}
