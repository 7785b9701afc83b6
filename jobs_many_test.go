package tidemill_test

import (
	"fmt"
	"path/filepath"
	"strings"
	"testing"

	"github.com/tidemill/tidemill/internal/vfs"
)

// TestMoreGroupsThanTablesOfWorkersTakeAreTheSameHoweverTheJobIsRun has so many groups in an interval that workers stop to look rows up
// in tables, and keep them by shard: see operators/scatter.go.
func TestMoreGroupsThanTablesOfWorkersTakeAreTheSameHoweverTheJobIsRun(t *testing.T) {
	const rows, groups = 360_000, 80_021 // the table of a worker has 65536
	dir := t.TempDir()
	var text strings.Builder
	for i := range rows {
		id := i * 7919 % groups
		fmt.Fprintf(&text, "%d,k%d,%d\n", id, id, i%1009)
	}
	writeFile(t, filepath.Join(dir, "in.csv"), text.String())
	job := matrixJob{name: "more than 64 K groups", sinks: []string{"ids", "keys"}, minRows: 7, script: `
CREATE SOURCE e (id BIGINT, k TEXT, n BIGINT, at AS timestamp_millis(id * 0), WATERMARK FOR at AS at) FROM 'file:DIR/in.csv' FORMAT CSV WITH (CUT);
CREATE VIEW numbers AS SELECT window.end AS at, id, count(*) AS c, sum(n) AS s, max(n) AS hi FROM e GROUP BY window(at, '1 hour'), id;
CREATE VIEW texts AS SELECT window.end AS at, k, count(*) AS c, sum(n) AS s, min(n) AS lo FROM e GROUP BY window(at, '1 hour'), k;
CREATE SINK ids INTO 'file:OUT/ids' FORMAT CSV AS
  SELECT id % 7 AS part, count(*) AS groups, sum(c) AS c, sum(s) AS s, sum(s * id) AS by_id, sum(hi) AS hi FROM numbers GROUP BY window(at, '1 hour'), id % 7;
CREATE SINK keys INTO 'file:OUT/keys' FORMAT CSV AS
  SELECT length(k) % 7 AS part, c, count(*) AS groups, sum(s) AS s, sum(lo) AS lo FROM texts GROUP BY window(at, '1 hour'), length(k) % 7, c`}
	m := &matrix{t: t, job: job, dir: dir}
	m.want = m.rows(m.run(vfs.NewMem(), matrixRun{workers: 1, block: 1 << 20}))
	if n := strings.Count(m.want["ids"], "\n"); n < job.minRows {
		t.Fatalf("%d rows are too few to compare", n)
	}
	if !strings.Contains(m.want["ids"], fmt.Sprintf("%d,", groups/7)) {
		t.Fatalf("groups of %d: got\n%s", groups, m.want["ids"])
	}
	for _, r := range []matrixRun{{workers: 1, block: 64 << 10, rows: 90_000}, {workers: 2, block: 256 << 10, rows: 170_000}} {
		m.check(m.run(vfs.NewMem(), r), r.String())
	}
	fs := vfs.NewMem()
	r := matrixRun{workers: 1, block: 256 << 10, rows: 100_000, stopAfter: 2}
	m.run(fs, r)
	next := matrixRun{workers: 3, block: 128 << 10, goesOn: true}
	m.check(m.run(fs, next), fmt.Sprintf("%v, then %v", r, next))
}
