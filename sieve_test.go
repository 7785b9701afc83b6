package tidemill_test

import (
	"fmt"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/tidemill/tidemill"
)

// TestRowsThatADecoderLeavesOutAreCountedAsFiltered runs the same filter so that the decoder may look for its text, and so that it
// may not.
func TestRowsThatADecoderLeavesOutAreCountedAsFiltered(t *testing.T) {
	var text strings.Builder
	for i := range 5000 {
		switch {
		case i%97 == 0:
			fmt.Fprintf(&text, "%d with a needle\n", i)
		case i%1500 == 1499:
			text.WriteString("needle \xff\n")
		default:
			fmt.Fprintf(&text, "%d without\r\n", i)
		}
	}
	path := filepath.Join(t.TempDir(), "lines.txt")
	writeFile(t, path, text.String())
	run := func(predicate string) (rows, ledger string) {
		out, status := runSQL(t, tidemill.Config{Workers: 2, BlockBytes: 4 << 10}, fmt.Sprintf(`
CREATE SOURCE lines FROM 'file:%s' FORMAT TEXT;
CREATE SINK o INTO 'stdout' FORMAT JSON AS SELECT value FROM lines WHERE %s`, path, predicate))
		ledger = fmt.Sprintf("read %d, bad %d\n", status.RowsIn, status.Bad)
		for _, op := range status.Operators {
			ledger += fmt.Sprintf("%s: in %d, out %d, filtered %d, bad %d\n", op.Name, op.In, op.Out, op.Filtered, op.Bad)
		}
		return out, ledger
	}
	wantRows, wantLedger := run("contains(concat(value, ''), 'needle')")
	if n := strings.Count(wantRows, "\n"); n != 52 {
		t.Fatalf("want 52 rows, got %d", n)
	}
	for _, predicate := range []string{"contains(value, 'needle')", "value LIKE '%with a need%'"} {
		rows, ledger := run(predicate)
		if diff := cmp.Diff(wantRows, rows); diff != "" {
			t.Errorf("%s: rows (-want +got):\n%s", predicate, diff)
		}
		if diff := cmp.Diff(wantLedger, ledger); diff != "" {
			t.Errorf("%s: ledger (-want +got):\n%s", predicate, diff)
		}
	}
}
