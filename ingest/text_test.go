package ingest_test

import (
	"testing"

	"github.com/tidemill/tidemill/batch"
	"github.com/tidemill/tidemill/ingest"
)

func TestText(t *testing.T) {
	runDecodeCases(t, "TEXT", []decodeCase{
		{name: "lines are rows", columns: "value TEXT", in: "one\ntwo\n", want: "one\ntwo\n"},
		{name: "blank lines are rows", columns: "value TEXT", in: "\n\na\n\n", want: "\"\"\n\"\"\na\n\"\"\n"},
		{name: "the last line needs no line end", columns: "value TEXT", in: "one\ntwo", want: "one\ntwo\n"},
		{name: "a carriage return before the line end is no text", columns: "value TEXT", in: "a\r\n\r\nb\rc\n", want: "a\n\"\"\n\"b\\rc\"\n"},
		{name: "NUL bytes are text", columns: "value TEXT", in: "a\x00b\n", want: "\"a\\x00b\"\n"},
		{
			name: "a line longer than a word copy", columns: "value TEXT",
			in:   "0123456789012345678901234567890123456789\n01234567890123456789012345678901\n",
			want: "0123456789012345678901234567890123456789\n01234567890123456789012345678901\n",
		},
		{
			name: "invalid UTF-8 is a bad row, the lines around it are not", columns: "value TEXT", in: "é\nab\xffc\nü\n", want: "\"é\"\n\"ü\"\n",
			bad: "2 3 : invalid UTF-8 at byte 2 of the record\n",
		},
		{
			name: "invalid UTF-8 is found when no column is used", columns: "value TEXT", used: []int{}, in: "a\n\xc3\nb\n", want: "\n\n",
			bad: "2 2 : invalid UTF-8 at byte 0 of the record\n",
		},
		{name: "nothing is no row", columns: "value TEXT", in: "", want: ""},
	})
}

func TestTextInfersOneColumn(t *testing.T) {
	fields, err := mustNewFormat(t, "TEXT", nil).Infer(nil)
	if err != nil || len(fields) != 1 || fields[0].Name != "value" || fields[0].Type != batch.Text {
		t.Fatal(fields, err)
	}
}

func TestTextTakesOneColumnOnly(t *testing.T) {
	_, err := mustNewFormat(t, "TEXT", nil).NewDecoder(ingest.DecodeSpec{Declared: parseColumns(t, "a TEXT, b TEXT"), Mem: batch.NewPool(0)})
	if err == nil {
		t.Fatal("no error")
	}
}
