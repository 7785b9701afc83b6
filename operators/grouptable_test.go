package operators_test

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/tidemill/tidemill/batch"
	"github.com/tidemill/tidemill/internal/optest"
	"github.com/tidemill/tidemill/operators"
)

func TestGroupsAreRightWhenAllHashesCollide(t *testing.T) {
	defer operators.CollideAll()()
	testManyGroups(t, 300)
}

func TestManyGroups(t *testing.T) { testManyGroups(t, 20_000) }

// testManyGroups counts rows of n keys of each kind in two intervals, and compares with a map.
func testManyGroups(t *testing.T, n int) {
	in := optest.MustSchema("i BIGINT, s TEXT, at TIMESTAMP, d DOUBLE, long TEXT")
	for _, keys := range [][]int{{0}, {1}, {2}, {3}, {4}, {0, 1}, {4, 3, 2}} {
		t.Run(fmt.Sprint("keys ", keys), func(t *testing.T) {
			pool := batch.NewPool(0)
			op, err := aggregateOf{
				keys: keys, funcs: []string{"count", "max"}, args: []int{-1, 4}, mode: operators.Complete,
			}.new(t, in)(operators.Env{Mem: pool})
			if err != nil {
				t.Fatal(err)
			}
			want := make(map[string]int)
			f := batch.NewFrame(pool, in)
			var got []string
			for round := range 2 {
				f.Reset(0)
				for r := range 3 * n {
					k := r % n * (round + 1)
					if r%7 == 0 {
						for _, c := range f.Columns {
							c.AppendNull()
						}
						continue
					}
					text := strings.Repeat("x", k%19) + strconv.Itoa(k)
					f.Columns[0].AppendInt64(int64(k) << 32)
					f.Columns[1].AppendString(text)
					f.Columns[2].AppendInt64(int64(k))
					f.Columns[3].AppendFloat64(float64(k) / 4)
					f.Columns[4].AppendString("a text of more than sixteen bytes " + text)
				}
				f.SetRows(3 * n)
				b := batch.Batch{Rows: f.Rows()}
				for i := range f.Len() {
					var cells []byte
					for _, k := range keys {
						cells = batch.AppendValue(append(cells, '|'), b.Rows.Column(k), i)
					}
					want[string(cells)]++
				}
				got = got[:0]
				emit := func(b batch.Batch) error {
					for i := range b.NumRows() {
						var cells []byte
						for k := range keys {
							cells = batch.AppendValue(append(cells, '|'), b.Rows.Column(k), i)
						}
						got = append(got, fmt.Sprint(string(cells), " ", batch.Int64s(b.Rows.Column(len(keys)))[i]))
					}
					return nil
				}
				if err := op.Process(context.Background(), 0, b, emit); err != nil {
					t.Fatal(err)
				}
				if _, err := op.EndInterval(context.Background(), []batch.Time{batch.MinTime}, emit); err != nil {
					t.Fatal(err)
				}
			}
			var all []string
			for k, n := range maps.All(want) {
				all = append(all, fmt.Sprint(k, " ", n))
			}
			slices.Sort(all)
			slices.Sort(got)
			if !slices.Equal(all, got) {
				t.Errorf("want %d groups, got %d, or counts differ", len(all), len(got))
			}
			f.Release()
			op.Close()
			if pool.Used() != 0 {
				t.Errorf("%d bytes leaked", pool.Used())
			}
		})
	}
}

func TestCanonicalKeysAndShardsNeverChange(t *testing.T) {
	schema := optest.MustSchema("b BOOLEAN, i BIGINT, d DOUBLE, s TEXT, at TIMESTAMP")
	f, err := batch.Parse(batch.NewPool(0), schema, "true 258 -0 ab 1970-01-01T00:00:00.000001Z\nnull null NaN \"\" null\n")
	if err != nil {
		t.Fatal(err)
	}
	defer f.Release()
	for i, want := range []string{
		"0101" + "020201000000000000" + "030000000000000000" + "04020000006162" + "050100000000000000",
		"00" + "00" + "03000000000000f87f" + "0400000000" + "00",
	} {
		var key []byte
		for _, c := range f.Rows().Columns() {
			key = operators.AppendKey(key, c, i)
		}
		if got := fmt.Sprintf("%x", key); got != want {
			t.Errorf("row %d: want %s, got %s", i, want, got)
		}
	}
	for _, tt := range []struct {
		key  string
		want uint64
	}{
		{key: "", want: 0x2d06800538d394c2},
		{key: "\x02\x01\x00\x00\x00\x00\x00\x00\x00", want: 0x77b9ee4e4f0d5d17},
		{key: "\x04\x02\x00\x00\x00ab", want: 0xc9b9dbd1374ed6a8},
	} {
		if got := operators.Hash([]byte(tt.key)); got != tt.want {
			t.Errorf("hash of %q: want %x, got %x", tt.key, tt.want, got)
		}
		if got, want := operators.ShardOf([]byte(tt.key)), int(tt.want>>58); got != want {
			t.Errorf("shard of %q: want %d, got %d", tt.key, want, got)
		}
	}
}
