package oracle_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/apache/arrow-go/v18/arrow"

	"github.com/tidemill/tidemill/batch"
	"github.com/tidemill/tidemill/internal/oracle"
	"github.com/tidemill/tidemill/operators/expr"
)

func TestRandomExpressions(t *testing.T) {
	first, n := uint64(1), 20**plans
	if *seed != 0 {
		first, n = *seed, 1
	}
	used := map[string]int{}
	for s := first; s < first+uint64(n); s++ {
		rng := rand.New(rand.NewPCG(s, 1))
		schema, rows, e := oracle.RandomExpression(rng)
		expr.Walk(e, func(e *expr.Spec) bool {
			used[e.Func]++
			return true
		})
		if err := checkExpression(rng, schema, rows, e); err != nil {
			t.Errorf("seed %d: %s: %v", s, e, err)
		}
	}
	t.Logf("%d expressions from seed %d", n, first)
	if *seed == 0 {
		for _, name := range expr.Names() {
			if oracle.Knows(name) && used[name] < 3 && !aliasOrForm[name] {
				t.Errorf("function %s is hardly ever drawn: %d times", name, used[name])
			}
		}
	}
}

// aliasOrForm has the names that stand for other functions in a Spec.
var aliasOrForm = map[string]bool{
	"!": true, "!=": true, "==": true, "||": true, "array_size": true, "between": true, "cardinality": true, "ceiling": true,
	"char_length": true, "character_length": true, "dayofmonth": true, "if": true, "ifnull": true, "isnotnull": true, "isnull": true,
	"lcase": true, "len": true, "mod": true, "negative": true, "nvl": true, "signum": true, "size": true, "substr": true, "typeof": true, "ucase": true,
}

// checkExpression computes e over all rows, some of them dead, and compares each live row.
func checkExpression(rng *rand.Rand, schema *arrow.Schema, rows [][]any, s *expr.Spec) error {
	pool := batch.NewPool(0)
	frame := batch.NewFrame(pool, schema)
	for _, row := range rows {
		oracle.AppendRow(frame, row)
	}
	in := batch.Batch{Rows: frame.Rows()}
	if rng.IntN(2) == 0 {
		in.Sel = []int32{}
		for i := range rows {
			if rng.IntN(2) == 0 {
				in.Sel = append(in.Sel, int32(i))
			}
		}
	}
	err := evalAndCompare(pool, in, rows, s)
	if err == nil && s.Type.ID() == arrow.BOOL {
		err = selectAndCompare(pool, in, rows, s)
	}
	frame.Release()
	if used := pool.Used(); err == nil && used != 0 {
		err = fmt.Errorf("%d bytes are in use after Close", used)
	}
	return err
}

func evalAndCompare(pool *batch.Pool, in batch.Batch, rows [][]any, s *expr.Spec) error {
	e, err := expr.New(pool, s)
	if err != nil {
		return err
	}
	defer e.Close()
	for range 2 { // memory is used again
		bad := map[int32]string{}
		col, err := e.Eval(context.Background(), in, func(row int32, why string) { bad[row] = why })
		if err != nil {
			return err
		}
		view := batch.NewView(arrow.NewSchema([]arrow.Field{{Name: "v", Type: s.Type}}, nil))
		view.Set(0, col)
		view.SetRows(in.NumRows())
		got := oracle.AppendRows(nil, batch.Batch{Rows: view, Sel: in.Sel})
		for k := range got {
			i := k
			if in.Sel != nil {
				i = int(in.Sel[k])
			}
			want, isBad, err := oracle.Eval(s, rows[i])
			if err != nil {
				return err
			}
			why, gotBad := bad[int32(i)]
			delete(bad, int32(i))
			if isBad != gotBad {
				return fmt.Errorf("row %v: bad: want %t, got %t (%s); values: want %v, got %v", rows[i], isBad, gotBad, why, want, got[k][0])
			}
			if diff := oracle.Diff([][]any{{want}}, [][]any{{got[k][0]}}, true); diff != "" && !isBad {
				return fmt.Errorf("row %v: (-want +got)\n%s", rows[i], diff)
			}
		}
		if len(bad) > 0 {
			return fmt.Errorf("dead rows are bad: %v", bad)
		}
	}
	return nil
}

func selectAndCompare(pool *batch.Pool, in batch.Batch, rows [][]any, s *expr.Spec) error {
	p, err := expr.NewPredicate(pool, s)
	if err != nil {
		return err
	}
	defer p.Close()
	bad := map[int32]bool{}
	sel, err := p.Select(context.Background(), in, nil, func(row int32, _ string) { bad[row] = true })
	if err != nil {
		return err
	}
	if !slices.IsSorted(sel) {
		return fmt.Errorf("selection is not sorted: %v", sel)
	}
	for i := range rows {
		if in.Sel != nil && !slices.Contains(in.Sel, int32(i)) {
			continue
		}
		want, isBad, err := oracle.IsTrue(s, rows[i])
		if err != nil {
			return err
		}
		if isBad != bad[int32(i)] {
			return fmt.Errorf("select: row %v: bad: want %t, got %t", rows[i], isBad, bad[int32(i)])
		}
		if got := slices.Contains(sel, int32(i)); !isBad && got != want {
			return fmt.Errorf("select: row %v: want %t, got %t", rows[i], want, got)
		}
	}
	return nil
}
