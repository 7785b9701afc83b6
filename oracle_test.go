package tidemill_test

import (
	"bytes"
	"context"
	"flag"
	"fmt"
	"math/rand/v2"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/tidemill/tidemill"
	"github.com/tidemill/tidemill/batch"
	"github.com/tidemill/tidemill/egress"
	"github.com/tidemill/tidemill/internal/oracle"
	"github.com/tidemill/tidemill/operators"
)

var (
	seed  = flag.Uint64("seed", uint64(time.Now().UnixNano()), "seed of the random plans")
	plans = flag.Int("plans", 150, "number of random plans")
)

// collector is a sink that keeps all rows.
type collector struct{ rows [][]any }

func (c *collector) Open(context.Context, egress.Spec, uint64, egress.Token) error { return nil }

func (c *collector) Write(_ context.Context, _ batch.Interval, in batch.Batch) error {
	c.rows = oracle.AppendRows(c.rows, in)
	return nil
}

func (c *collector) Prepare(context.Context, uint64) (egress.Token, error) { return nil, nil }

func (c *collector) Commit(context.Context, uint64, egress.Token) error { return nil }

func (c *collector) Close() error { return nil }

// TestRandomPlansGiveTheOraclesRows runs random plans over random files through the whole engine, cut in several ways.
func TestRandomPlansGiveTheOraclesRows(t *testing.T) {
	t.Parallel()
	t.Logf("-seed=%d", *seed)
	for i := range *plans {
		rng := rand.New(rand.NewPCG(*seed, uint64(i)))
		c := oracle.RandomPlan(rng)
		want, counts, err := oracle.Run(c.Plan, c.Inputs)
		if err != nil {
			t.Fatalf("plan %d: %v\n%s", i, err, c.Plan)
		}
		if counts.Overflows || counts.Fragile {
			continue
		}
		paths := make(map[string]string)
		dir := t.TempDir()
		for source, splits := range c.Inputs {
			paths[source] = filepath.Join(dir, source) + "/"
			for k, split := range splits {
				var text bytes.Buffer
				if err := oracle.WriteCSV(&text, split); err != nil {
					t.Fatal(err)
				}
				writeFile(t, filepath.Join(dir, source, fmt.Sprintf("%03d.csv", k)), text.String())
			}
		}
		for _, workers := range []int{1, 2, 5} {
			for _, block := range []int{300, 1 << 20} {
				name := fmt.Sprintf("plan %d, %d workers, blocks of %d", i, workers, block)
				interval := time.Hour
				if !c.OneInterval && rng.IntN(2) == 0 {
					interval = time.Millisecond
				}
				plan := c.Plan
				if counts.Bad == 0 && rng.IntN(2) == 0 { // what is not computed can't make a row bad
					plan = operators.Prune(plan)
				}
				sink := &collector{}
				job := newJob(t, tidemill.Config{Workers: workers, BlockBytes: block, Interval: interval})
				if err := job.StartPlan(t.Context(), plan, paths, map[string]egress.Sink{"out": sink}); err != nil {
					t.Fatalf("%s: start: %v\n%s", name, err, c.Plan)
				}
				if err := job.Wait(); err != nil {
					t.Fatalf("%s: %v\n%s", name, err, c.Plan)
				}
				wantRows, got := want["out"], sink.rows
				if c.Mode != operators.Append {
					keys := outputOf(c.Plan).Keys
					wantRows, got = oracle.LastByKey(wantRows, keys), oracle.LastByKey(got, keys)
				}
				if diff := oracle.Diff(wantRows, got, false); diff != "" {
					t.Fatalf("%s: rows (-want +got):\n%s\n%s", name, diff, c.Plan)
				}
				if late := job.Status().Late; late != int64(counts.Late) {
					t.Fatalf("%s: late rows: want %d, got %d\n%s", name, counts.Late, late, c.Plan)
				}
				if held := job.MemoryHeld(); held != 0 {
					t.Fatalf("%s: %d bytes are still held", name, held)
				}
				checkLedger(t, job.Status())
				if t.Failed() {
					t.Fatalf("%s:\n%s", name, c.Plan)
				}
			}
		}
	}
}

func outputOf(plan *operators.Plan) *operators.OutputSpec {
	i := slices.IndexFunc(plan.Nodes, func(n *operators.Node) bool {
		_, ok := n.Spec.(*operators.OutputSpec)
		return ok
	})
	return plan.Nodes[i].Spec.(*operators.OutputSpec)
}
