package bench

import (
	"bufio"
	"bytes"
	"fmt"
	"strconv"
	"strings"
)

var stations = &Input{Name: "stations.csv", Rows: 15_000_000, New: func() Generator { return NewStations(1) }}

// groupScript makes rows in memory, by the source rate:, and groups them by a number that jumps from row to row. The keys are
// multiples of a prime, so that they are not dense.
func groupScript(groups int) string {
	key := fmt.Sprintf("(value * %d %% %d) * %d", keyStep, groups, keyStep)
	return `
CREATE SOURCE numbers FROM 'rate:' WITH (rows_per_second = 0, rows = ROWS);
CREATE VIEW result AS SELECT ` + key + ` AS k, count(*) AS n, sum(value) AS total FROM numbers GROUP BY ` + key
}

// keyStep is a prime: value*keyStep modulo a power of ten takes all its values.
const keyStep = 7919

var groupWorkloads = []*Workload{
	{
		Name: "1brc", About: "one billion row challenge in small: min, avg, max per station", Input: stations, fold: foldLast,
		Script: `
CREATE SOURCE measurements (station TEXT, temperature DOUBLE) FROM 'INPUT' FORMAT CSV WITH (delimiter = ';');
CREATE VIEW result AS SELECT station, min(temperature) AS low, avg(temperature) AS mean, max(temperature) AS high
  FROM measurements GROUP BY station`,
		loop: stationLoop, idiomatic: stationIdiomatic,
	},
	{
		Name: "group-int-1k", About: "count and sum of rows made in memory, 1,000 BIGINT keys, never closed", Rows: 30_000_000, fold: foldLast,
		Script: groupScript(1000), loop: numberLoop(1000), idiomatic: numberIdiomatic(1000),
	},
	{
		Name: "group-int-1m", About: "the same, 1,000,000 keys", Rows: 15_000_000, fold: foldLast,
		Script: groupScript(1_000_000), loop: numberLoop(1_000_000), idiomatic: numberIdiomatic(1_000_000),
	},
}

func stationLoop(in stream) (func() Answer, error) {
	t := newTextTable()
	type station struct{ low, high, sum int64 }
	var all []station // by index in the order of appearance, which the table's count holds, from 1
	var counts []int64
	err := eachBlock(in, func(lines []byte) {
		for len(lines) > 0 {
			semicolon := bytes.IndexByte(lines, ';')
			slot := &t.slots[t.find(lines[:semicolon])]
			lines = lines[semicolon+1:]
			v, i := int64(0), 0
			if lines[0] == '-' {
				i = 1
			}
			for ; lines[i] != '\n'; i++ {
				if lines[i] != '.' {
					v = v*10 + int64(lines[i]-'0')
				}
			}
			if lines[0] == '-' {
				v = -v
			}
			lines = lines[i+1:]
			if slot.n == 0 {
				all, counts = append(all, station{low: v, high: v}), append(counts, 0)
				slot.n = int64(len(all))
			}
			s := &all[slot.n-1]
			s.low, s.high, s.sum = min(s.low, v), max(s.high, v), s.sum+v
			counts[slot.n-1]++
		}
	})
	return func() Answer {
		var a Answer
		for name, index := range t.counts() {
			s, n := all[index-1], counts[index-1]
			a.add(stationRow(name, float64(s.low)/10, float64(s.sum)/10/float64(n), float64(s.high)/10))
		}
		return a
	}, err
}

func stationRow(name string, low, mean, high float64) string {
	return name + "|" + decimal(low) + "|" + decimal(mean) + "|" + decimal(high)
}

func stationIdiomatic(in stream) (func() Answer, error) {
	type station struct {
		low, high, sum float64
		n              int64
	}
	all := make(map[string]*station)
	lines := bufio.NewScanner(in)
	for lines.Scan() {
		name, text, _ := strings.Cut(lines.Text(), ";")
		v, err := strconv.ParseFloat(text, 64)
		if err != nil {
			return nil, err
		}
		s := all[name]
		if s == nil {
			s = &station{low: v, high: v}
			all[name] = s
		}
		s.low, s.high = min(s.low, v), max(s.high, v)
		s.sum += v
		s.n++
	}
	return func() Answer {
		var a Answer
		for name, s := range all {
			a.add(stationRow(name, s.low, s.sum/float64(s.n), s.high))
		}
		return a
	}, lines.Err()
}

// numberLoop adds into two arrays: what the keys are is known.
func numberLoop(groups int64) program {
	return func(in stream) (func() Answer, error) {
		counts, sums := make([]int64, groups), make([]int64, groups)
		for v := range in.rows {
			k := v * keyStep % groups
			counts[k]++
			sums[k] += v
		}
		return func() Answer {
			var a Answer
			for k := range groups {
				if counts[k] > 0 {
					a.add(numberRow(k*keyStep, counts[k], sums[k]))
				}
			}
			return a
		}, nil
	}
}

func numberRow(key, n, sum int64) string { return whole(key) + "|" + whole(n) + "|" + whole(sum) }

func numberIdiomatic(groups int64) program {
	return func(in stream) (func() Answer, error) {
		type group struct{ n, sum int64 }
		all := make(map[int64]group)
		for v := range in.rows {
			k := v * keyStep % groups * keyStep
			g := all[k]
			g.n++
			g.sum += v
			all[k] = g
		}
		return func() Answer {
			var a Answer
			for k, g := range all {
				a.add(numberRow(k, g.n, g.sum))
			}
			return a
		}, nil
	}
}
