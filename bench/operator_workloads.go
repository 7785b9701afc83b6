package bench

import "fmt"

// operatorSource is never opened: its batches are made by operatorInput.
const operatorSource = `
CREATE SOURCE rows (k BIGINT, s TEXT, at TIMESTAMP, v BIGINT, WATERMARK FOR at AS at - INTERVAL '0 seconds') FROM 'file:none' FORMAT CSV;
CREATE VIEW result AS `

func groupBatches(name, about, column string, groups, rows int64) *Workload {
	const perBatch = 8192
	in := &operatorInput{groups: groups, perBatch: perBatch, perInterval: 128 * perBatch, ring: 512 * perBatch}
	isText := column == "s"
	return &Workload{
		Name: name, About: about, Rows: rows, fold: foldLast, operators: in,
		Script: operatorSource + fmt.Sprintf("SELECT %s, count(*) AS n, sum(v) AS total FROM rows GROUP BY %s", column, column),
		loop:   batchLoop(isText), idiomatic: batchIdiomatic(isText),
	}
}

func slidingBatches(name, about string, panes, rows int64) *Workload {
	in := &operatorInput{groups: 100_000, perBatch: 10_000, perInterval: 20_000, ring: 1_000_000, staysOpen: true, panes: panes}
	return &Workload{
		Name: name, About: about, Rows: rows, tallies: true, operators: in,
		Script: operatorSource + fmt.Sprintf(
			"SELECT count(*) AS n, sum(v) AS total, k FROM rows GROUP BY window(at, '%d seconds', '1 second'), k", panes),
		idiomatic: slidingIdiomatic(in, panes),
	}
}

// operatorWorkloads are measured on operators that are given Arrow batches, on one goroutine, without source, decoder and sink.
var operatorWorkloads = []*Workload{
	groupBatches("batch-int-1k", "operators alone, one goroutine: count and sum by 1,000 BIGINT keys", "k", 1000, 50_000_000),
	groupBatches("batch-int-1m", "the same, 1,000,000 BIGINT keys", "k", 1_000_000, 20_000_000),
	groupBatches("batch-text-1k", "the same, 1,000 TEXT keys of 8 B", "s", 1000, 50_000_000),
	groupBatches("batch-text-1m", "the same, 1,000,000 TEXT keys of 8 B", "s", 1_000_000, 20_000_000),
	slidingBatches("sliding-60s", "operators alone: 60 s window that slides by 1 s, 100 K keys, 20 K rows a slide", 60, 12_000_000),
	slidingBatches("sliding-1h", "the same, window of 1 h", 3600, 74_000_000),
}

// batchLoop adds into an open table, its keys inline.
func batchLoop(isText bool) program {
	return func(s stream) (func() Answer, error) {
		turn := int64(len(s.keys))
		var groups map[string][2]int64
		if isText {
			counts, sums := newTextTable(), []int64(nil)
			var ns []int64
			for v := range s.rows {
				i := v % turn
				slot := &counts.slots[counts.find(s.texts[i])]
				if slot.n == 0 {
					ns, sums = append(ns, 0), append(sums, 0)
					slot.n = int64(len(ns))
				}
				ns[slot.n-1]++
				sums[slot.n-1] += i
			}
			return func() Answer {
				groups = make(map[string][2]int64)
				for key, index := range counts.counts() {
					groups[key] = [2]int64{ns[index-1], sums[index-1]}
				}
				return batchAnswer(groups)
			}, nil
		}
		table := newNumberTable()
		for v := range s.rows {
			i := v % turn
			table.add(s.keys[i], i)
		}
		return func() Answer {
			groups = make(map[string][2]int64)
			for _, slot := range table.slots {
				if slot.n > 0 {
					groups[whole(slot.key)] = [2]int64{slot.n, slot.sum}
				}
			}
			return batchAnswer(groups)
		}, nil
	}
}

func batchIdiomatic(isText bool) program {
	return func(s stream) (func() Answer, error) {
		turn := int64(len(s.keys))
		type group struct{ n, sum int64 }
		byText, byNumber := make(map[string]group), make(map[int64]group)
		for v := range s.rows {
			i := v % turn
			if isText {
				g := byText[string(s.texts[i])]
				byText[string(s.texts[i])] = group{g.n + 1, g.sum + i}
			} else {
				g := byNumber[s.keys[i]]
				byNumber[s.keys[i]] = group{g.n + 1, g.sum + i}
			}
		}
		return func() Answer {
			groups := make(map[string][2]int64)
			for key, g := range byText {
				groups[key] = [2]int64{g.n, g.sum}
			}
			for key, g := range byNumber {
				groups[whole(key)] = [2]int64{g.n, g.sum}
			}
			return batchAnswer(groups)
		}, nil
	}
}

func batchAnswer(groups map[string][2]int64) Answer {
	var a Answer
	for key, g := range groups {
		a.add(key + "|" + whole(g[0]) + "|" + whole(g[1]))
	}
	return a
}

// numberTable counts and sums by open addressing, with keys and sums in the slot.
type numberTable struct {
	slots []numberSlot
	shift uint
	used  int
}

type numberSlot struct{ key, n, sum int64 }

func newNumberTable() *numberTable {
	return &numberTable{slots: make([]numberSlot, 1<<12), shift: 64 - 12}
}

func (t *numberTable) add(key, v int64) {
	mask := uint64(len(t.slots) - 1)
	for i := uint64(key) * hashMultiplier >> t.shift; ; i = (i + 1) & mask {
		s := &t.slots[i]
		if s.n == 0 {
			if t.used++; 4*t.used > len(t.slots) {
				t.grow()
				t.add(key, v)
				return
			}
			s.key = key
		}
		if s.key == key {
			s.n++
			s.sum += v
			return
		}
	}
}

// grow makes the table four times as large. It stays at most a quarter full.
func (t *numberTable) grow() {
	old := t.slots
	t.slots, t.shift, t.used = make([]numberSlot, 4*len(old)), t.shift-2, 0
	mask := uint64(len(t.slots) - 1)
	for _, s := range old {
		if s.n == 0 {
			continue
		}
		i := uint64(s.key) * hashMultiplier >> t.shift
		for t.slots[i].n > 0 {
			i = (i + 1) & mask
		}
		t.slots[i] = s
		t.used++
	}
}

// slidingIdiomatic keeps a map per slide, adds the newest to a running map, takes the oldest out of it, and goes through all
// groups at every slide.
func slidingIdiomatic(in *operatorInput, panes int64) program {
	return func(s stream) (func() Answer, error) {
		type sums struct{ n, total int64 }
		var (
			running  = make(map[int64]sums)
			slides   []map[int64]sums
			rows     int64
			n, total int64
			keys     int64
		)
		turn := int64(len(s.keys))
		// The window that ends with the newest slide stays open.
		for slide := range (s.rows+in.perInterval-1)/in.perInterval - 1 {
			newest := make(map[int64]sums)
			for v := slide * in.perInterval; v < (slide+1)*in.perInterval; v++ {
				key := s.keys[v%turn]
				g := newest[key]
				newest[key] = sums{g.n + 1, g.total + v%turn}
			}
			for key, g := range newest {
				r := running[key]
				running[key] = sums{r.n + g.n, r.total + g.total}
			}
			slides = append(slides, newest)
			if oldest := slide - panes; oldest >= 0 {
				for key, g := range slides[oldest] {
					if r := running[key]; r.n == g.n {
						delete(running, key)
					} else {
						running[key] = sums{r.n - g.n, r.total - g.total}
					}
				}
				slides[oldest] = nil
			}
			for key, g := range running {
				rows++
				n += g.n
				total += g.total
				keys += key
			}
		}
		return func() Answer { return tallyAnswer(rows, n, total, keys) }, nil
	}
}
