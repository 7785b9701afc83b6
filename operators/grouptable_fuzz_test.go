package operators_test

import (
	"context"
	"encoding/binary"
	"fmt"
	"math"
	"math/big"
	"slices"
	"strconv"
	"testing"

	"github.com/apache/arrow-go/v18/arrow"

	"github.com/tidemill/tidemill/batch"
	"github.com/tidemill/tidemill/internal/optest"
	"github.com/tidemill/tidemill/operators"
)

// tally is what a group is by a plain map: rows, values, their sum, and the smallest.
type tally struct {
	rows, values int64
	sum          *big.Int
	smallest     int64
}

// FuzzGroupsEqualPlainMaps groups the same rows with the tables for integers, texts and several keys, through partials that are
// absorbed, and with a map. Bytes of data are a row each with the three behind: its keys and its value.
func FuzzGroupsEqualPlainMaps(f *testing.F) {
	f.Add([]byte("some rows of three bytes each, of which some are alike, and a few are not"), uint8(2), false)
	f.Add(slices.Repeat([]byte{0, 1, 255, 7, 128, 127}, 300), uint8(1), true)
	long := make([]byte, 60_000)
	for i := range long {
		long[i] = byte(i * i >> 7)
	}
	f.Add(long, uint8(3), false)
	f.Add(long, uint8(0), true)
	f.Add(long, uint8(129), false) // 129 % 3 is 0: all rows are scattered
	f.Add(long, uint8(131), true)
	f.Add(long, uint8(130), false)
	in := optest.MustSchema("i BIGINT, s TEXT, n BIGINT")
	f.Fuzz(func(t *testing.T, data []byte, partials uint8, collide bool) {
		if partials >= 128 { // the plain twin has no rows by shard
			defer operators.ScatterEarly(int(partials) % 3 * 100)()
		}
		if collide {
			data = data[:min(len(data), 600)]
			defer operators.CollideAll()()
		}
		for _, keys := range [][]int{{0}, {1}, {0, 1}} {
			compareWithMap(t, in, data, int(partials)%4+1, keys)
		}
	})
}

func compareWithMap(t *testing.T, in *arrow.Schema, data []byte, partials int, keys []int) {
	pool := batch.NewPool(0)
	op, err := aggregateOf{
		keys: keys, funcs: []string{"count", "count", "sum", "min"}, args: []int{-1, 2, 2, 2}, mode: operators.Complete,
	}.new(t, in)(operators.Env{Mem: pool, Bad: func(*batch.Origin, int32, string) {}})
	if err != nil {
		t.Fatal(err)
	}
	keyed := op.(operators.Keyed)
	workers := make([]operators.Partial, partials)
	for w := range workers {
		workers[w] = keyed.NewPartial()
	}
	want := make(map[string]*tally)
	frame := batch.NewFrame(pool, in)
	ctx := context.Background()
	for round := range 3 { // the third finds all groups there
		for from, w := 0, 0; from+3 <= len(data); w = (w + 1) % partials {
			frame.Reset(0)
			var sel []int32
			for r := range 1000 {
				if from+3 > len(data) {
					break
				}
				row := data[from : from+3]
				from += 3
				appendFuzzRow(frame, row, round)
				if w == 0 || row[2] != 9 {
					sel = append(sel, int32(r))
					countFuzzRow(want, frame, r, keys)
				}
			}
			frame.SetRows(frame.Columns[0].Len())
			b := batch.Batch{Rows: frame.Rows()}
			if w > 0 {
				if b.Sel = sel; len(sel) == 0 {
					continue
				}
			}
			if err := workers[w].Add(ctx, b); err != nil {
				t.Fatal(err)
			}
		}
		for _, p := range workers {
			p.Seal()
			for shard := range operators.NumShards {
				if err := keyed.Absorb(ctx, shard, p); err != nil {
					t.Fatal(err)
				}
			}
			p.Reset()
		}
	}
	var wanted, got []string
	for key, s := range want {
		line := fmt.Sprintf("%s%d %d ", key, s.rows, s.values)
		switch {
		case s.values == 0:
			wanted = append(wanted, line+"null null\n")
		case s.sum.IsInt64():
			wanted = append(wanted, fmt.Sprintf("%s%s %d\n", line, s.sum, s.smallest))
		}
	}
	_, err = op.EndInterval(ctx, []batch.Time{batch.MinTime}, func(b batch.Batch) error {
		for i := range b.NumRows() {
			var line []byte
			for _, c := range b.Rows.Columns() {
				line = append(batch.AppendValue(line, c, i), ' ')
			}
			line[len(line)-1] = '\n'
			got = append(got, string(line))
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	slices.Sort(wanted)
	slices.Sort(got)
	if !slices.Equal(wanted, got) {
		t.Errorf("keys %v: want %d groups, got %d, or they differ: %q, %q", keys, len(wanted), len(got), first(wanted, got), first(got, wanted))
	}
	for _, p := range workers {
		p.Close()
	}
	frame.Release()
	op.Close()
	if pool.Used() != 0 {
		t.Errorf("keys %v: %d bytes leaked", keys, pool.Used())
	}
}

// first returns the first text of a that b does not have.
func first(a, b []string) string {
	for _, s := range a {
		if _, ok := slices.BinarySearch(b, s); !ok {
			return s
		}
	}
	return ""
}

// appendFuzzRow makes a row of three bytes: some keys are NULL, 0 or empty, texts have every length up to 40, values are large.
func appendFuzzRow(f *batch.Frame, row []byte, round int) {
	k := int64(binary.LittleEndian.Uint16(row)) % 5000
	switch row[0] % 16 {
	case 0:
		f.Columns[0].AppendNull()
		f.Columns[1].AppendNull()
	case 1, 2, 3: // 16 bytes whose first word differs in bits that the second one has
		f.Columns[0].AppendInt64(k)
		f.Columns[1].AppendString(fmt.Sprintf("%08d\x7f\x7f\x7f\x7f\x7f\x7f\x7f\x7f", k))
	default:
		f.Columns[0].AppendInt64(k << (row[0] % 40))
		text := "0123456789abcdef0123456789abcdef"[:row[0]%33] + strconv.FormatInt(k, 10)
		f.Columns[1].AppendString(text[:max(0, len(text)-int(row[1]%3))])
	}
	switch v := int64(int8(row[2])); {
	case v == 0 && round == 1:
		f.Columns[2].AppendNull()
	case v%8 == 7:
		f.Columns[2].AppendInt64(math.MaxInt64 - v)
	case v%8 == -7:
		f.Columns[2].AppendInt64(math.MinInt64 - v)
	default:
		f.Columns[2].AppendInt64(v)
	}
}

func countFuzzRow(want map[string]*tally, f *batch.Frame, r int, keys []int) {
	var key []byte
	for _, k := range keys {
		key = append(batch.AppendValue(key, f.Columns[k].Array(), r), ' ')
	}
	s := want[string(key)]
	if s == nil {
		s = &tally{sum: new(big.Int), smallest: math.MaxInt64}
		want[string(key)] = s
	}
	s.rows++
	if !f.Columns[2].IsNull(r) {
		v := f.Columns[2].Int64s()[r]
		s.values++
		s.sum.Add(s.sum, big.NewInt(v))
		s.smallest = min(s.smallest, v)
	}
}

func FuzzShardOfTextKeys(f *testing.F) {
	f.Add([]byte("abcd"))
	f.Add([]byte("01234567890"))
	f.Fuzz(func(t *testing.T, text []byte) {
		for n := 4; n <= min(11, len(text)); n++ {
			key := append([]byte{4, byte(n), 0, 0, 0}, text[:n]...)
			if want, got := operators.Hash(key), operators.HashText(text[:n]); want != got {
				t.Errorf("hash of %q: want %x, got %x", text[:n], want, got)
			}
		}
	})
}

func FuzzShardOfIntegerKeys(f *testing.F) {
	f.Add(int64(0))
	f.Add(int64(math.MinInt64))
	f.Fuzz(func(t *testing.T, v int64) {
		for _, tag := range []byte{2, 5} {
			key := binary.LittleEndian.AppendUint64([]byte{tag}, uint64(v))
			if want, got := operators.Hash(key), operators.HashWord(tag, uint64(v)); want != got {
				t.Errorf("hash of %d under tag %d: want %x, got %x", v, tag, want, got)
			}
		}
	})
}
