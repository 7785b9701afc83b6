package ingest_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/tidemill/tidemill/batch"
	"github.com/tidemill/tidemill/ingest"
)

var msgpackColumns = []string{"id BIGINT", "name TEXT", "x DOUBLE", "ok BOOLEAN", "at TIMESTAMP"}

// TestMessagesOfMsgpack reads what msgpack-python wrote, from every record.
func TestMessagesOfMsgpack(t *testing.T) {
	lines := []string{
		"1 \"é\" 0.5 true 2026-03-01T09:00:00.17Z\n", "-2 null 3.0 false null\n", "9223372036854775807 null null null 1969-12-31T23:59:59.5Z\n",
		"-9223372036854775808 " + strings.Repeat("x", 300) + " Infinity null null\n",
		"bad row 5, column : want a map, got an array\n", "bad row 6, column id: 9223372036854775808 is out of range for BIGINT\n",
		"bad row 7, column id: want BIGINT, got text \"text\"\n", "7 null null null 2026-03-01T09:00:00Z\n",
	}
	for start := range len(lines) + 1 {
		got, err := readColumns(t, mustFormat(t, "msgpack"), "testdata/columns/rows.msgpack", fieldsOf(t, msgpackColumns...), int64(start))
		if err != nil {
			t.Fatal(err)
		}
		if want := strings.Join(lines[start:], ""); got.rows != want {
			t.Errorf("from record %d: got\n%swant\n%s", start, got.rows, want)
		}
		if got.end.Upto.Pos != 8 || !got.end.Ended {
			t.Errorf("position %+v", got.end)
		}
	}
}

func TestMessagesThatAreCut(t *testing.T) {
	path := filepath.Join(writeFiles(t, "a", "\x81\xa2id\x01\x81\xa2id"), "a")
	got, err := readColumns(t, mustFormat(t, "MSGPACK"), path, fieldsOf(t, "id BIGINT"), 0)
	if got.rows != "1\n" || err == nil || err.Error() != "read "+path+": behind row 1: format MSGPACK: record 2, byte 5: unexpected EOF" {
		t.Errorf("got %q, %v", got.rows, err)
	}
	path = filepath.Join(writeFiles(t, "a", "\xdf\xff\xff\xff\xff"), "a")
	if _, err := readColumns(t, mustFormat(t, "MSGPACK"), path, fieldsOf(t, "id BIGINT"), 0); err == nil || !strings.HasSuffix(err.Error(), "a record longer than 16 MiB") {
		t.Errorf("got %v", err)
	}
}

func TestColumnsOfMessagesAreInferred(t *testing.T) {
	source := mustOpen(t, "file:testdata/columns/rows.msgpack", mustFormat(t, "MSGPACK"), ingest.OpenSpec{})
	columns, err := source.(ingest.Columned).FileColumns(t.Context(), newPool(t))
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, c := range columns {
		got = append(got, c.Name+" "+batch.TypeName(c.Type))
	}
	if text := strings.Join(got, ", "); text != "id TEXT, name TEXT, x DOUBLE, ok BOOLEAN, at TEXT, more TEXT, unknown TEXT, ID BIGINT" {
		t.Errorf("got %s", text)
	}
}

// FuzzMsgpack reads any bytes: there is no panic, and no memory is left.
func FuzzMsgpack(f *testing.F) {
	whole, err := os.ReadFile("testdata/columns/rows.msgpack")
	if err != nil {
		f.Fatal(err)
	}
	f.Add(whole)
	for i := range len(whole) {
		if i%16 == 0 {
			changed := append([]byte(nil), whole...)
			changed[i] ^= 0x41
			f.Add(changed)
		}
	}
	f.Fuzz(func(t *testing.T, whole []byte) {
		path := filepath.Join(writeFiles(t, "a", string(whole)), "a")
		_, _ = readColumns(t, mustFormat(t, "MSGPACK"), path, fieldsOf(t, msgpackColumns...), 0)
		_, _ = readColumns(t, mustFormat(t, "MSGPACK"), path, nil, 1)
	})
}
