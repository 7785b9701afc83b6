package tidemill_test

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/tidemill/tidemill"
)

func TestSinksThatShareASourceReadItOnce(t *testing.T) {
	path := filepath.Join(t.TempDir(), "in.csv")
	if err := os.WriteFile(path, []byte("u,n\na,1\nb,2\na,3\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	out, status := runSQL(t, tidemill.Config{Workers: 2, Parameters: map[string]string{"path": path}}, `
SET least = 0;
CREATE SOURCE e (u TEXT, n BIGINT) FROM 'file:${path}' FORMAT CSV WITH (header = true);
CREATE VIEW v AS SELECT u, n * 10 AS n FROM e WHERE n > ${least};
SELECT u FROM v WHERE n > 20; SELECT count(DISTINCT u) AS c FROM v; SELECT sum(n) AS s FROM e`)
	if want := "u\na\nc\n2\ns\n6\n"; out != want {
		t.Errorf("got %q, want %q", out, want)
	}
	if status.RowsIn != 3 {
		t.Errorf("%d rows were read, want 3", status.RowsIn)
	}
	checkLedger(t, status)
}
