package operators_test

import (
	"context"
	"flag"
	"fmt"
	"math/rand/v2"
	"regexp"
	"strings"
	"testing"

	"github.com/apache/arrow-go/v18/arrow"

	"github.com/tidemill/tidemill/batch"
	"github.com/tidemill/tidemill/internal/optest"
	"github.com/tidemill/tidemill/operators"
	"github.com/tidemill/tidemill/operators/expr"
	"github.com/tidemill/tidemill/sql"
)

var matchSeed = flag.Uint64("match-seed", rand.Uint64(), "seed of the random patterns")

// ticks is the input of the tests of patterns.
var ticks = optest.MustSchema("symbol TEXT, at TIMESTAMP event, price BIGINT, kind TEXT")

// matchNode returns the node of a MATCH_RECOGNIZE clause over ticks.
func matchNode(t testing.TB, clause string) *operators.Node {
	t.Helper()
	script, err := sql.Parse("CREATE SOURCE ticks (symbol TEXT, at TIMESTAMP, price BIGINT, kind TEXT, WATERMARK FOR at AS at - INTERVAL '0 seconds') " +
		"FROM 'file:x' FORMAT CSV; SELECT * FROM ticks MATCH_RECOGNIZE (" + clause + ") AS m")
	if err != nil {
		t.Fatal(err)
	}
	job, err := sql.Bind(script, nil, sql.BindOptions{})
	if err != nil {
		t.Fatal(err)
	}
	for _, n := range job.Plan.Nodes {
		spec, ok := n.Spec.(*operators.MatchSpec)
		if !ok {
			continue
		}
		// The scan was pruned: bind to the columns of ticks again.
		scan := job.Plan.Nodes[n.Inputs[0]].Schema
		widen := func(e []*expr.Spec) {
			for i := range e {
				e[i] = remapTo(e[i], scan, ticks)
			}
		}
		widen(spec.PartitionBy)
		widen(spec.Values)
		spec.Time = remapTo(spec.Time, scan, ticks)
		return n
	}
	t.Fatal("the plan has no match")
	return nil
}

func TestMatch(t *testing.T) {
	const vee = `PARTITION BY symbol ORDER BY at
MEASURES START_ROW.at AS start_at, LAST(DOWN.at) AS bottom_at, LAST(UP.at) AS end_at, count(*) AS n, min(DOWN.price) AS low, avg(DOWN.price) AS mean
AFTER MATCH SKIP TO LAST UP
PATTERN (START_ROW DOWN+ UP)
DEFINE DOWN AS (LAST(DOWN.price, 1) IS NULL AND DOWN.price < START_ROW.price) OR DOWN.price < LAST(DOWN.price, 1),
       UP AS UP.price > LAST(DOWN.price)`
	for _, tt := range []struct {
		name, clause, in, want string
		late                   int
		bad                    []string
		skip                   map[optest.Axis]string
	}{
		{
			name: "a price that falls and rises again is found in each partition", clause: vee,
			in: `ACME 2026-01-01T10:00:00Z 12 x
B 2026-01-01T10:00:00Z 9 x
ACME 2026-01-01T10:00:01Z 17 x
ACME 2026-01-01T10:00:02Z 19 x
B 2026-01-01T10:00:02Z 8 x
ACME 2026-01-01T10:00:03Z 21 x
B 2026-01-01T10:00:03Z 10 x
ACME 2026-01-01T10:00:04Z 25 x
ACME 2026-01-01T10:00:05Z 18 x
ACME 2026-01-01T10:00:06Z 15 x
ACME 2026-01-01T10:00:07Z 14 x
ACME 2026-01-01T10:00:08Z 24 x
ACME 2026-01-01T10:00:09Z 25 x
ACME 2026-01-01T10:00:10Z 19 x
`,
			want: "ACME 2026-01-01T10:00:04Z 2026-01-01T10:00:07Z 2026-01-01T10:00:08Z 5 14 15.666666666666666\n" +
				"B 2026-01-01T10:00:00Z 2026-01-01T10:00:02Z 2026-01-01T10:00:03Z 3 8 8.0\n",
		},
		{
			name:   "rows are taken in order of time, and one that is older than its watermark is late",
			clause: "ORDER BY at MEASURES A.price AS a, B.price AS b PATTERN (A B) DEFINE A AS kind = 'a', B AS kind = 'b'",
			in: `x 2026-01-01T10:00:01Z 1 a
x 2026-01-01T10:00:03Z 2 a
x 2026-01-01T10:00:04Z 3 b
x 2026-01-01T10:00:02Z 9 b
`,
			want: "2 3\n", late: 1,
		},
		{
			name: "a match that takes as long as WITHIN is none",
			clause: "ORDER BY at MEASURES A.price AS a, B.price AS b PATTERN (A X* B) WITHIN INTERVAL '3' SECONDS " +
				"DEFINE A AS kind = 'a', B AS kind = 'b', X AS kind = 'x'",
			in: `x 2026-01-01T10:00:01Z 1 a
x 2026-01-01T10:00:03Z 2 x
x 2026-01-01T10:00:04Z 3 b
x 2026-01-01T10:00:05Z 4 a
x 2026-01-01T10:00:06Z 5 x
x 2026-01-01T10:00:07Z 6 b
`,
			want: "4 6\n",
		},
		{
			name:   "the first alternative that matches is taken, and sums see the row that is tried",
			clause: "ORDER BY at MEASURES count(A.price) AS a, count(B.price) AS b, sum(price) AS total PATTERN ((A A | B)+ C) DEFINE A AS sum(A.price) < 10, C AS kind = 'c'",
			in: `x 2026-01-01T10:00:01Z 3 a
x 2026-01-01T10:00:02Z 4 a
x 2026-01-01T10:00:03Z 5 a
x 2026-01-01T10:00:04Z 1 c
`,
			want: "2 1 13\n",
		},
		{
			name:   "SKIP TO NEXT ROW finds matches that overlap, and what can't be computed does not hold",
			clause: "ORDER BY at MEASURES FIRST(A.price) AS a, LAST(A.price) AS z AFTER MATCH SKIP TO NEXT ROW PATTERN (A A) DEFINE A AS 6 / A.price > 0",
			in: `x 2026-01-01T10:00:01Z 3 a
x 2026-01-01T10:00:02Z 2 a
x 2026-01-01T10:00:03Z 1 a
x 2026-01-01T10:00:04Z 0 a
x 2026-01-01T10:00:05Z 5 a
`,
			want: "3 2\n2 1\n",
		},
		{
			name: "what can't be computed does not hold where a NULL in its place would",
			clause: "ORDER BY at MEASURES A.price AS a, B.price AS b PATTERN (A B) " +
				"DEFINE A AS coalesce(6 / A.price > 0, TRUE), B AS coalesce(6 / (B.price - A.price) > 0, TRUE)",
			in: `x 2026-01-01T10:00:01Z 0 a
x 2026-01-01T10:00:02Z 2 a
x 2026-01-01T10:00:03Z 2 a
x 2026-01-01T10:00:04Z 3 a
`,
			want: "2 3\n",
		},
		{
			name:   "a row without a time is bad",
			clause: "ORDER BY at MEASURES A.price AS a PATTERN (A) DEFINE A AS TRUE",
			in:     "x 2026-01-01T10:00:01Z 3 a\nx null 4 a\n", want: "3\n", bad: []string{"match: the time is NULL"},
		},
	} {
		t.Run(tt.name, func(t *testing.T) {
			n := matchNode(t, tt.clause)
			optest.Run(t, optest.Case{
				New: build("m.match", n.Spec, n.Schema), Schemas: []*arrow.Schema{ticks}, EventTime: []int{1}, In: tt.in, Want: tt.want,
				Unordered: true, WantLate: tt.late, WantBad: tt.bad, Skip: tt.skip,
			})
		})
	}
}

// TestMatchFindsWhatARegularExpressionFinds compares random patterns with Go's regexp, which prefers the same match: each row is
// a letter, each variable a class of letters.
func TestMatchFindsWhatARegularExpressionFinds(t *testing.T) {
	t.Logf("-match-seed=%d", *matchSeed)
	rng := rand.New(rand.NewPCG(*matchSeed, 1))
	compared := 0
	for range 400 {
		pattern, expression := randomPattern(rng, 3)
		after, step := "PAST LAST ROW", 0
		if rng.IntN(2) == 0 {
			after, step = "TO NEXT ROW", 1
		}
		within := ""
		if rng.IntN(3) == 0 {
			within = "WITHIN INTERVAL '5' SECONDS"
		}
		if regexp.MustCompile("^(?:" + expression + ")").MatchString("") {
			continue // no match has no rows
		}
		node := matchNode(t, fmt.Sprintf("PARTITION BY symbol ORDER BY at MEASURES FIRST(price) AS a, LAST(price) AS z AFTER MATCH SKIP %s "+
			"PATTERN (%s Z?) %s DEFINE %s Z AS FALSE", after, pattern, within, definitionsOf(pattern)))
		text := make([]byte, 1+rng.IntN(30))
		for i := range text {
			text[i] = "abcd"[rng.IntN(4)]
		}
		want := findAll(regexp.MustCompile("^(?:"+expression+")"), string(text), step, within != "")
		if got := runMatch(t, rng, node, string(text)); got != want {
			t.Fatalf("pattern (%s) %s skip %s over %s: want matches\n%s\ngot\n%s", pattern, within, after, text, want, got)
		}
		compared++
	}
	if compared < 100 {
		t.Errorf("only %d patterns were compared", compared)
	}
}

// randomPattern returns a pattern over A, B and C, and the same as a regular expression. What is repeated without bound takes a row.
func randomPattern(rng *rand.Rand, depth int) (pattern, expression string) {
	if depth == 0 || rng.IntN(3) == 0 {
		v := rng.IntN(3)
		pattern, expression = string("ABC"[v]), []string{"[ab]", "[bc]", "[cd]"}[v]
	} else {
		between, n := " ", 1+rng.IntN(3)
		if rng.IntN(2) == 0 {
			between = "|"
		}
		var patterns, expressions []string
		for range n {
			p, e := randomPattern(rng, depth-1)
			patterns, expressions = append(patterns, p), append(expressions, e)
		}
		pattern = "(" + strings.Join(patterns, between) + ")"
		expression = "(?:" + strings.Join(expressions, strings.TrimSpace(between)) + ")"
	}
	quantifiers := []string{"", "", "?", "{2}", "{1,3}", "??", "{0,2}?"}
	if !regexp.MustCompile("^(?:" + expression + ")").MatchString("") {
		quantifiers = append(quantifiers, "*", "+", "*?", "+?", "{2,}")
	}
	q := quantifiers[rng.IntN(len(quantifiers))]
	return pattern + q, "(?:" + expression + ")" + q
}

// definitionsOf returns the conditions of the variables in a pattern, of which some look at the row alone and some do not.
func definitionsOf(pattern string) string {
	text := ""
	for v, condition := range map[string]string{
		"A": "kind IN ('a', 'b')", "B": "B.kind = 'b' OR LAST(kind) = 'c'", "C": "LAST(C.kind, 0) IN ('c', 'd') AND count(*) > 0",
	} {
		if strings.Contains(pattern, v) {
			text += v + " AS " + condition + ", "
		}
	}
	return text
}

// findAll returns the first and last row of each match, a row per second. Within 5 seconds only 5 rows can match.
func findAll(re *regexp.Regexp, text string, step int, isWithin bool) string {
	var b strings.Builder
	for from := 0; from < len(text); {
		rest := text[from:]
		if isWithin {
			rest = rest[:min(len(rest), 5)]
		}
		loc := re.FindStringIndex(rest)
		if loc == nil {
			from++
			continue
		}
		fmt.Fprintf(&b, "%d %d\n", from, from+loc[1]-1)
		from += max(step, 1)
		if step == 0 {
			from += loc[1] - 1
		}
	}
	return b.String()
}

// runMatch runs a match over a row per letter, in intervals of chance, and returns the first and last row of each match.
func runMatch(t *testing.T, rng *rand.Rand, n *operators.Node, text string) string {
	t.Helper()
	pool := batch.NewPool(0)
	op, err := operators.Build(n, operators.Env{Mem: pool, Bad: func(*batch.Origin, int32, string) {}, Late: func(int) {}})
	if err != nil {
		t.Fatal(err)
	}
	var out strings.Builder
	emit := func(b batch.Batch) error {
		for _, line := range strings.Split(strings.TrimSpace(batch.Format(b)), "\n") {
			_, rows, _ := strings.Cut(line, " ")
			out.WriteString(rows + "\n")
		}
		return nil
	}
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	for from := 0; from < len(text); {
		to := min(len(text), from+1+rng.IntN(6))
		must(op.BeginInterval(batch.Interval{ID: uint64(from + 1)}))
		var in strings.Builder
		for i := from; i < to; i++ {
			fmt.Fprintf(&in, "s 2026-01-01T10:00:%02dZ %d %c\n", i, i, text[i])
		}
		rows, err := batch.Parse(pool, ticks, in.String())
		must(err)
		must(op.Process(context.Background(), 0, batch.Batch{Rows: rows.Rows(), Origin: batch.Origin{Watermark: batch.MinTime}}, emit))
		mark := batch.Time(batch.Int64s(rows.Columns[1].Array())[to-from-1])
		if to == len(text) {
			mark = batch.MaxTime
		}
		rows.Release()
		_, err = op.EndInterval(context.Background(), []batch.Time{mark}, emit)
		must(err)
		from = to
	}
	op.Close()
	if held := pool.Used(); held != 0 {
		t.Fatalf("%d bytes are still held", held)
	}
	return out.String()
}

// BenchmarkMatch finds a price that falls and rises again among 1,000 partitions.
func BenchmarkMatch(b *testing.B) {
	n := matchNode(b, `PARTITION BY symbol ORDER BY at MEASURES A.price AS a, C.price AS c PATTERN (A B+ C) WITHIN INTERVAL '1' HOUR
DEFINE A AS A.price > 50, B AS B.price < 50, C AS C.price > 70`)
	pool := batch.NewPool(0)
	op, err := operators.Build(n, operators.Env{Mem: pool, Late: func(int) {}})
	if err != nil {
		b.Fatal(err)
	}
	defer op.Close()
	const rows = 8192
	f := batch.NewFrame(pool, ticks)
	defer f.Release()
	rng := rand.New(rand.NewPCG(1, 2))
	ctx, at := context.Background(), int64(0)
	found := 0
	emit := func(b batch.Batch) error { found += b.NumLive(); return nil }
	for b.Loop() {
		f.Reset(0)
		for range rows {
			f.Columns[0].AppendString(fmt.Sprintf("s%03d", rng.IntN(1000)))
			f.Columns[1].AppendInt64(at)
			f.Columns[2].AppendInt64(rng.Int64N(100))
			f.Columns[3].AppendString("x")
			at += 1000
		}
		f.SetRows(rows)
		if err := op.Process(ctx, 0, batch.Batch{Rows: f.Rows(), Origin: batch.Origin{Watermark: batch.MinTime}}, emit); err != nil {
			b.Fatal(err)
		}
		if _, err := op.EndInterval(ctx, []batch.Time{batch.Time(at)}, emit); err != nil {
			b.Fatal(err)
		}
	}
	if found == 0 {
		b.Fatal("nothing was found")
	}
	b.ReportMetric(float64(rows*b.N)/b.Elapsed().Seconds()/1e6, "Mrows/s")
}

// remapTo returns an expression over the columns of another schema, which has those of the first by name.
func remapTo(e *expr.Spec, from, to *arrow.Schema) *expr.Spec {
	return expr.Remap(e, func(c int) int { return to.FieldIndices(from.Field(c).Name)[0] })
}
