package ingest_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/tidemill/tidemill/batch"
	"github.com/tidemill/tidemill/ingest"
)

// decodeLines decodes a block of lines, and returns rows and bad rows, a line each.
func decodeLines(t *testing.T, f ingest.Format, text string, columns ...string) string {
	t.Helper()
	mem := newPool(t)
	spec := ingest.DecodeSpec{Declared: fieldsOf(t, columns...), Mem: mem}
	for i := range columns {
		spec.Used = append(spec.Used, i)
	}
	d, err := f.NewDecoder(spec)
	if err != nil {
		return err.Error()
	}
	defer d.Close()
	blocks := ingest.NewBlockPool(mem)
	b := blocks.New(len(text))
	defer b.Free()
	copy(b.Bytes, text)
	b.NumRows = int64(strings.Count(text, "\n"))
	var out strings.Builder
	rows, err := d.Decode(t.Context(), b, func(bad ingest.BadRow) {
		fmt.Fprintf(&out, "bad row in line %d, %s: %q\n", bad.Line, bad.Why, bad.Raw)
	})
	if err != nil {
		t.Fatal(err)
	}
	return out.String() + batch.Format(rows)
}

func TestRegex(t *testing.T) {
	for _, tt := range []struct {
		name, pattern, text string
		columns             []string
		want                string
	}{
		{
			"groups by name", `(?P<level>\w+) (?P<n>\d+): (?P<message>.*)`, "INFO 1: a b\nWARN 22: \r\n",
			[]string{"message TEXT", "N BIGINT"},
			"\"a b\" 1\n\"\" 22\n",
		},
		{
			"a line that does not match, a value of another type, blank lines",
			`(?P<n>\S+) (?P<t>\S+)`, "1 a\n\nx b\nc\n2 d\n",
			[]string{"t TEXT", "n BIGINT"},
			"bad row in line 3, column n: \"x\" is not a BIGINT: \"x b\"\nbad row in line 4, the line does not match the pattern: \"c\"\na 1\nd 2\n",
		},
		{"a group that is not there is NULL", `(?P<a>\d+)(?:,(?P<b>\d+))?`, "1,2\n3\n", []string{"a BIGINT", "b TEXT"}, "1 2\n3 null\n"},
		{"the whole line has to match", `(?P<a>\d+)`, "1\n1 \n", []string{"a BIGINT"}, "bad row in line 2, the line does not match the pattern: \"1 \"\n1\n"},
		{"no UTF-8", `(?P<a>.*)`, "é\n\xff\n", []string{"a TEXT"}, "bad row in line 2, invalid UTF-8 at byte 0 of the record: \"\\xff\"\n\"é\"\n"},
		{
			"grok", `%{TIMESTAMP_ISO8601:at} \[%{LOGLEVEL:level}\] %{IPORHOST:host} %{NUMBER:ms}ms %{GREEDYDATA:rest}`,
			"2026-03-01T09:00:00Z [warn] 10.0.0.1 0.5ms all is well\n2026-03-01 09:00:01 [info] a.example.org 12ms \n",
			[]string{"at TIMESTAMP", "level TEXT", "host TEXT", "ms DOUBLE", "rest TEXT"},
			"2026-03-01T09:00:00Z warn 10.0.0.1 0.5 \"all is well\"\n2026-03-01T09:00:01Z info a.example.org 12.0 \"\"\n",
		},
		{
			"Apache", `%{COMBINEDAPACHELOG}`,
			`127.0.0.1 - frank [10/Oct/2000:13:55:36 -0700] "GET /apache_pb.gif HTTP/1.0" 200 2326 "http://www.example.com/start.html" "Mozilla/4.08"` + "\n" +
				`::1 - - [10/Oct/2000:13:55:36 -0700] "-" 408 - "-" "-"` + "\n",
			[]string{"clientip TEXT", "verb TEXT", "request TEXT", "response BIGINT", "bytes BIGINT"},
			"127.0.0.1 GET /apache_pb.gif 200 2326\n::1 null null 408 null\n",
		},
		{"a column that is no group", `(?P<name>.*)`, "", []string{"nam TEXT"}, `format REGEX: column "nam" is no group of the pattern: did you mean name? possible are name`},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if got := decodeLines(t, mustFormat(t, "regex", "pattern", tt.pattern), tt.text, tt.columns...); got != tt.want {
				t.Errorf("got\n%swant\n%s", got, tt.want)
			}
		})
	}
}

func TestRegexColumnsAreInferred(t *testing.T) {
	f := mustFormat(t, "REGEX", "pattern", `(?P<at>\S+) (?P<n>\S*) (?P<ok>\w+) (?P<rest>.*)`)
	fields, err := f.Infer([]byte("none\n2026-03-01T09:00:00Z 1 true x\n2026-03-02T09:00:00Z 2.5 false \n2026-03-02T09:00:00Z  false 1\n"))
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, c := range fields {
		got = append(got, c.Name+" "+batch.TypeName(c.Type))
	}
	if text := strings.Join(got, ", "); text != "at TIMESTAMP, n DOUBLE, ok BOOLEAN, rest TEXT" {
		t.Errorf("got %s", text)
	}
}

func TestRegexOptions(t *testing.T) {
	for _, tt := range []struct{ pattern, want string }{
		{"", `format REGEX: option pattern: no group has a name: write (?P<name>…) or %{WORD:name}: ""`},
		{"(?P<a>", "format REGEX: option pattern: error parsing regexp: missing closing )"},
		{"%{WRD:a}", "format REGEX: option pattern: %{WRD:a} is unknown: did you mean WORD?"},
	} {
		if _, err := ingest.NewFormat("REGEX", map[string]string{"pattern": tt.pattern}); err == nil || !strings.HasPrefix(err.Error(), tt.want) {
			t.Errorf("%q: got %v", tt.pattern, err)
		}
	}
	if _, err := ingest.NewFormat("REGEX", nil); err == nil || !strings.HasPrefix(err.Error(), "format REGEX: option pattern is missing") {
		t.Errorf("got %v", err)
	}
}
