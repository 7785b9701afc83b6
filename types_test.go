package tidemill_test

import (
	"path/filepath"
	"strings"
	"testing"

	"github.com/tidemill/tidemill"
)

// typedColumns are the columns of the files below: every scalar type but BINARY, which neither format has a form of to read.
const typedColumns = "(a TINYINT, b SMALLINT, c INT, d BIGINT, e FLOAT, f DOUBLE, g DECIMAL(38, 10), h DATE, i TIMESTAMP, " +
	"j INTERVAL DAY TO SECOND, k INTERVAL YEAR TO MONTH, l BOOLEAN, m TEXT)"

// edgeRows are rows of JSON with the edges of all types.
var edgeRows = []string{
	`{"a":-128,"b":-32768,"c":-2147483648,"d":-9223372036854775808,"e":0.1,"f":5e-324,"g":-9999999999999999999999999999.9999999999,` +
		`"h":"0000-01-01","i":"0000-01-01T00:00:00Z","j":"INTERVAL '-106751991 04:00:54.775808' DAY TO SECOND","k":"INTERVAL '-178956970-8' YEAR TO MONTH","l":true,"m":"x"}`,
	`{"a":127,"b":32767,"c":2147483647,"d":9223372036854775807,"e":3.4028235e+38,"f":1.7976931348623157e+308,"g":0.0000000001,` +
		`"h":"+5881580-07-11","i":"9999-12-31T23:59:59.999999Z","j":"INTERVAL '106751991 04:00:54.775807' DAY TO SECOND","k":"INTERVAL '178956970-7' YEAR TO MONTH","l":false,"m":"null"}`,
	`{"a":null,"b":null,"c":null,"d":null,"e":null,"f":null,"g":null,"h":null,"i":null,"j":null,"k":null,"l":null,"m":null}`,
}

func TestEveryTypeComesOutOfFilesAsItWentIn(t *testing.T) {
	want := strings.Repeat(strings.Join(edgeRows, "\n")+"\n", 3) // later records have shapes that are known
	dir := t.TempDir()
	through := func(in, format, to string) string {
		sink := filepath.Join(dir, to)
		_, status := runSQL(t, tidemill.Config{}, "CREATE SOURCE s "+typedColumns+" FROM 'file:"+in+"' FORMAT "+format+
			"; CREATE SINK k INTO 'file:"+sink+"' FORMAT "+to+" AS SELECT * FROM s")
		if bad := status.Bad; bad != 0 {
			t.Errorf("%d bad rows", bad)
		}
		return readSink(t, sink)
	}
	csv := through(writeFile(t, filepath.Join(dir, "in.json"), want), "JSON", "CSV")
	if got := through(writeFile(t, filepath.Join(dir, "in.csv"), csv), "CSV", "JSON"); got != want {
		t.Errorf("want\n%sgot\n%s", want, got)
	}
}

func TestValuesThatAreNoneOfTheirTypeAreBadRows(t *testing.T) {
	for _, tt := range []struct{ name, record string }{
		{name: "beyond TINYINT", record: `{"a":128}`},
		{name: "beyond SMALLINT", record: `{"b":-32769}`},
		{name: "beyond INT", record: `{"c":2147483648}`},
		{name: "a fraction in an INT", record: `{"c":1.5}`},
		{name: "beyond FLOAT", record: `{"e":1e39}`},
		{name: "too many digits for a DECIMAL", record: `{"g":99999999999999999999999999999}`},
		{name: "a string for a DECIMAL", record: `{"g":"x"}`},
		{name: "a day that is not in the calendar", record: `{"h":"2026-02-30"}`},
		{name: "a number for a DATE", record: `{"h":20260230}`},
		{name: "an INTERVAL of other units", record: `{"k":"INTERVAL '1 00:00:00' DAY TO SECOND"}`},
	} {
		t.Run(tt.name, func(t *testing.T) {
			in := writeFile(t, filepath.Join(t.TempDir(), "in.json"), `{"d":1}`+"\n"+tt.record+"\n"+`{"d":2}`+"\n")
			out, status := runSQL(t, tidemill.Config{}, "CREATE SOURCE s "+typedColumns+" FROM 'file:"+in+"' FORMAT JSON; SELECT * FROM s")
			if status.Bad != 1 || strings.Count(sortedLines(out), "\n") != 1 {
				t.Errorf("want a bad row and two others, got %d and %q", status.Bad, out)
			}
		})
	}
}
