package oracle_test

import (
	"flag"
	"fmt"
	"math/rand/v2"
	"testing"

	"github.com/tidemill/tidemill/batch"
	"github.com/tidemill/tidemill/internal/optest"
	"github.com/tidemill/tidemill/internal/oracle"
	"github.com/tidemill/tidemill/operators"
)

var (
	seed  = flag.Uint64("seed", 0, "run the random plan of this seed only")
	plans = flag.Int("plans", 400, "number of random plans")
)

func TestRandomPlans(t *testing.T) {
	first, n := uint64(1), *plans
	if *seed != 0 {
		first, n = *seed, 1
	}
	skipped, withRows, withLate, withBad := 0, 0, 0, 0
	for s := first; s < first+uint64(n); s++ {
		c := oracle.RandomPlan(rand.New(rand.NewPCG(s, 0)))
		if err := operators.Validate(c.Plan); err != nil {
			t.Errorf("seed %d: %v\n%s", s, err, c.Plan)
			continue
		}
		outputs, counts, err := oracle.Run(c.Plan, c.Inputs)
		if err != nil {
			t.Errorf("seed %d: %v\n%s", s, err, c.Plan)
			continue
		}
		if oracle.Accepted(counts, c.Mode) != "" {
			skipped++
			continue
		}
		withRows += min(1, len(outputs["out"]))
		withLate += min(1, counts.Late)
		withBad += min(1, counts.Bad)
		for _, cut := range []cut{{}, {size: 1, intervals: 3}, {size: 3, partials: 2}, {size: 7, intervals: 5, partials: 3}, {size: 2, intervals: 4, restores: true}} {
			if c.OneInterval {
				cut.intervals = 0
			}
			if err := check(c, cut, outputs["out"], counts); err != nil {
				t.Errorf("seed %d, %+v: %v\n%s", s, cut, err, c.Plan)
				break
			}
		}
	}
	t.Logf("%d plans from seed %d: %d with rows, %d with late rows, %d with bad rows, %d with an accepted difference", n, first,
		withRows, withLate, withBad, skipped)
	if n >= 100 && min(withRows, 4*withLate, 2*withBad) < n/3 {
		t.Errorf("too few plans say anything")
	}
}

// cut is how the input is cut, and how many workers there are.
type cut struct {
	size      int  // rows of a batch, 0: all
	intervals int  // 0: one
	partials  int  // 0: Process
	restores  bool // the state is restored into new operators after every interval
}

func check(c *oracle.Case, x cut, want [][]any, counts oracle.Counts) error {
	d := &driver{
		c: c, cut: x, pool: batch.NewPool(0), partials: map[int][]operators.Partial{}, states: map[int]*optest.State{},
		tables: map[*operators.TableJoinSpec]*operators.Table{},
	}
	err := d.run()
	d.close()
	if err != nil {
		return err
	}
	if used := d.pool.Used(); used != 0 {
		return fmt.Errorf("%d bytes are in use after Close", used)
	}
	got := d.out
	switch c.Mode {
	case operators.Update:
		nodes := c.Plan.Nodes
		got = oracle.LastByKey(got, nodes[len(nodes)-1].Spec.(*operators.OutputSpec).Keys)
	case operators.Complete:
		got = d.lastOut
	case operators.Append:
	}
	isOneInterval := x.intervals <= 1
	if diff := oracle.Diff(want, got, c.Ordered && isOneInterval); diff != "" {
		return fmt.Errorf("rows (-want +got)\n%s", diff)
	}
	if d.bad != counts.Bad {
		return fmt.Errorf("bad rows: want %d, got %d: %q", counts.Bad, d.bad, d.whys)
	}
	if d.late != counts.Late {
		return fmt.Errorf("late rows: want %d, got %d", counts.Late, d.late)
	}
	return nil
}
