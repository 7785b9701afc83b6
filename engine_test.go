package tidemill_test

import (
	"fmt"
	"math/rand/v2"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/tidemill/tidemill"
)

// event is a row of the disordered input.
type event struct {
	at   time.Time
	user string
	n    int64
}

// disordered returns two files of events that are out of order by more than the watermark's delay, so that some are late.
func disordered(seed uint64, rows int) [][]event {
	rng := rand.New(rand.NewPCG(seed, 7))
	start := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	files := make([][]event, 2)
	for f := range files {
		for i := range rows {
			at := start.Add(time.Duration(i) * 20 * time.Millisecond)
			switch rng.IntN(20) {
			case 0:
				at = at.Add(-time.Duration(rng.IntN(20_000)) * time.Millisecond)
			case 1:
				at = at.Add(-time.Duration(rng.IntN(2_000)) * time.Millisecond)
			}
			files[f] = append(files[f], event{at, fmt.Sprintf("u%d", rng.IntN(17)), rng.Int64N(100)})
		}
	}
	return files
}

// writeEvents writes files of events, and _users.csv, a table of two thirds of their users, one of them twice.
func writeEvents(t *testing.T, dir string, files [][]event) {
	t.Helper()
	var users strings.Builder
	for i := range 12 {
		fmt.Fprintf(&users, "u%d,%d\n", i%11, i*7%50)
	}
	writeFile(t, filepath.Join(dir, "_users.csv"), users.String())
	for f, rows := range files {
		var text strings.Builder
		for _, r := range rows {
			fmt.Fprintf(&text, "%s,%s,%d\n", r.at.Format("2006-01-02T15:04:05.999999Z"), r.user, r.n)
		}
		writeFile(t, filepath.Join(dir, fmt.Sprintf("part-%d.csv", f)), text.String())
	}
}

// expectWindows computes, row by row, the sums per sliding window and user, by the rule that a row counts for a window if the
// window's end is after the watermark of the row's own file.
func expectWindows(files [][]event, size, slide, delay time.Duration) (rows string, late int64) {
	type group struct {
		end  int64
		user string
	}
	type sums struct{ count, sum int64 }
	groups := make(map[group]*sums)
	for _, file := range files {
		largest := time.Time{}
		for _, r := range file {
			counted := false
			for end := r.at.Truncate(slide).Add(slide); !end.Add(-size).After(r.at); end = end.Add(slide) {
				if !largest.IsZero() && !end.After(largest.Add(-delay)) {
					continue
				}
				counted = true
				g := group{end.UnixMicro(), r.user}
				if groups[g] == nil {
					groups[g] = &sums{}
				}
				groups[g].count++
				groups[g].sum += r.n
			}
			if !counted {
				late++
			}
			if r.at.After(largest) {
				largest = r.at
			}
		}
	}
	var lines []string
	for g, s := range groups {
		end := time.UnixMicro(g.end).UTC()
		lines = append(lines, fmt.Sprintf("%s,%s,%s,%d,%d", end.Add(-size).Format(time.RFC3339), end.Format(time.RFC3339), g.user, s.count, s.sum))
	}
	slices.Sort(lines)
	return strings.Join(lines, "\n"), late
}

const windowJob = `
CREATE SOURCE e (at TIMESTAMP, user TEXT, n BIGINT, WATERMARK FOR at AS at - INTERVAL '1 second') FROM 'file:%s' FORMAT CSV%s;
SELECT window.start, window.end, user, count(*) AS c, sum(n) AS s FROM e GROUP BY window(at, '10 seconds', '5 seconds'), user`

func TestResultsDoNotDependOnHowInputIsCut(t *testing.T) {
	dir := t.TempDir()
	files := disordered(1, 6000)
	writeEvents(t, dir, files)
	want, wantLate := expectWindows(files, 10*time.Second, 5*time.Second, time.Second)
	if wantLate == 0 {
		t.Fatal("the input has no late rows")
	}
	for _, workers := range []int{1, 2, 5} {
		for _, block := range []int{2 << 10, 16 << 10, 256 << 10} {
			for _, perInterval := range []int{50, 111, 200, 500, 999, 1500, 2500, 5000, 9000, 0} {
				name := fmt.Sprintf("workers=%d/block=%d/rows=%d", workers, block, perInterval)
				t.Run(name, func(t *testing.T) {
					with := ""
					if perInterval > 0 {
						with = fmt.Sprintf(" WITH (max_rows_per_interval = %d)", perInterval)
					}
					got, status := runSQL(t, tidemill.Config{Workers: workers, BlockBytes: block}, fmt.Sprintf(windowJob, dir, with))
					if diff := cmp.Diff(want, sortedLines(got)); diff != "" {
						t.Errorf("rows (-want +got):\n%s", diff)
					}
					if status.Late != wantLate {
						t.Errorf("late rows: want %d, got %d", wantLate, status.Late)
					}
					checkLedger(t, status)
				})
			}
		}
	}
}

// checkLedger asserts that every row that went into an operator is accounted for.
func checkLedger(t *testing.T, s tidemill.Status) {
	t.Helper()
	for _, op := range s.Operators {
		if op.Filtered < 0 || op.Absorbed < 0 {
			t.Errorf("operator %s: more rows came out than went in: %+v", op.Name, op)
		}
		if op.State != nil && op.Absorbed != op.State.Rows+op.State.Retired {
			t.Errorf("operator %s: absorbed %d, but holds %d and retired %d", op.Name, op.Absorbed, op.State.Rows, op.State.Retired)
		}
	}
}
