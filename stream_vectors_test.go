package tidemill_test

import (
	"bufio"
	"fmt"
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/tidemill/tidemill"
	"github.com/tidemill/tidemill/batch"
	"github.com/tidemill/tidemill/streamtest"
)

// vector is an operation with its input and output, a list of words per interval.
type vector struct {
	name, op    string
	size, slide time.Duration
	in, in2     [][]string
	out         [][]string
}

// words is a stream of the words of a vector.
type words = tidemill.Stream[string]

type counts = tidemill.Stream[tidemill.Pair[string, int64]]

func numbersOf(s words) tidemill.Stream[int64] {
	return tidemill.Map(s, func(w string) int64 {
		n, err := strconv.ParseInt(w, 10, 64)
		if err != nil {
			panic(err)
		}
		return n
	})
}

func pairsOf(s words) counts {
	return tidemill.Map(s, func(w string) tidemill.Pair[string, int64] {
		key, value, ok := strings.Cut(w, ":")
		n := int64(1)
		if ok {
			n, _ = strconv.ParseInt(value, 10, 64)
		}
		return tidemill.Pair[string, int64]{Key: key, Value: n}
	})
}

// textOf makes words of rows.
func textOf[T any](s tidemill.Stream[T]) words {
	return tidemill.Map(s, func(v T) string { return fmt.Sprint(v) })
}

func pairText[V any](s tidemill.Stream[tidemill.Pair[string, V]]) words {
	return tidemill.Map(s, func(p tidemill.Pair[string, V]) string { return fmt.Sprintf("%s:%v", p.Key, p.Value) })
}

func joinText[V, W any](s tidemill.Stream[tidemill.Pair[string, tidemill.Joined[V, W]]]) words {
	return tidemill.Map(s, func(p tidemill.Pair[string, tidemill.Joined[V, W]]) string {
		return fmt.Sprintf("%s:%s/%s", p.Key, sideText(p.Value.Left), sideText(p.Value.Right))
	})
}

func sideText(v any) string {
	if o, ok := v.(tidemill.Optional[int64]); ok {
		if !o.Valid {
			return "none"
		}
		v = o.Value
	}
	return fmt.Sprint(v)
}

func plus(values []int64) string {
	return strings.ReplaceAll(strings.Trim(fmt.Sprint(values), "[]"), " ", "+")
}

func sum(a, b int64) int64 { return a + b }

func minus(a, b int64) int64 { return a - b }

func windowReduce(v *vector, keep func(string, int64) bool, inverse func(a, b int64) int64) tidemill.WindowReduce[string, int64] {
	return tidemill.WindowReduce[string, int64]{Size: v.size, Slide: v.slide, Reduce: sum, Inverse: inverse, Keep: keep}
}

var operations = map[string]func(v *vector, s, other words) words{
	"map": func(_ *vector, s, _ words) words {
		return tidemill.Map(s, func(w string) string { return "<" + w + ">" })
	},
	"flatMap": func(_ *vector, s, _ words) words {
		return textOf(tidemill.FlatMap(numbersOf(s), func(n int64, emit func(int64)) { emit(n); emit(2 * n) }))
	},
	"filter": func(_ *vector, s, _ words) words {
		return textOf(numbersOf(s).Filter(func(n int64) bool { return n%2 == 0 }))
	},
	"mapPartitions": func(_ *vector, s, _ words) words {
		return textOf(tidemill.MapPartitions(numbersOf(s), func(rows []int64, emit func(int64)) {
			total := int64(0)
			for _, n := range rows {
				total += n
			}
			emit(total)
		}))
	},
	"union":        func(_ *vector, s, other words) words { return s.Union(other) },
	"count":        func(_ *vector, s, _ words) words { return textOf(s.Count()) },
	"reduce":       func(_ *vector, s, _ words) words { return textOf(numbersOf(s).Reduce(sum)) },
	"countByValue": func(_ *vector, s, _ words) words { return pairText(tidemill.CountByValue(s)) },
	"mapValues": func(_ *vector, s, _ words) words {
		return pairText(tidemill.MapValues(pairsOf(s), func(n int64) int64 { return n + 10 }))
	},
	"flatMapValues": func(_ *vector, s, _ words) words {
		return pairText(tidemill.FlatMapValues(pairsOf(s), func(n int64, emit func(int64)) { emit(n); emit(n + 10) }))
	},
	"groupByKey": func(_ *vector, s, _ words) words {
		return tidemill.GroupByKey(pairsOf(s), func(key string, values []int64, emit func(string)) { emit(key + ":" + plus(values)) })
	},
	"reduceByKey": func(_ *vector, s, _ words) words { return pairText(tidemill.ReduceByKey(pairsOf(s), sum)) },
	"combineByKey": func(_ *vector, s, _ words) words {
		type mean struct{ Sum, N int64 }
		means := tidemill.CombineByKey(pairsOf(s), func(n int64) mean { return mean{n, 1} },
			func(m mean, n int64) mean { return mean{m.Sum + n, m.N + 1} }, func(a, b mean) mean { return mean{a.Sum + b.Sum, a.N + b.N} })
		return tidemill.Map(means, func(p tidemill.Pair[string, mean]) string {
			return fmt.Sprintf("%s:%.1f", p.Key, float64(p.Value.Sum)/float64(p.Value.N))
		})
	},
	"aggregateByKey": func(_ *vector, s, _ words) words {
		return pairText(tidemill.AggregateByKey(pairsOf(s), 0, func(a, b int64) int64 { return max(a, b) }, func(a, b int64) int64 { return max(a, b) }))
	},
	"cogroup": func(_ *vector, s, other words) words {
		return tidemill.CoGroup(pairsOf(s), pairsOf(other), func(key string, left, right []int64, emit func(string)) {
			emit(key + ":" + plus(left) + "/" + plus(right))
		})
	},
	"join": func(_ *vector, s, other words) words { return joinText(tidemill.Join(pairsOf(s), pairsOf(other))) },
	"leftOuterJoin": func(_ *vector, s, other words) words {
		return joinText(tidemill.LeftOuterJoin(pairsOf(s), pairsOf(other)))
	},
	"rightOuterJoin": func(_ *vector, s, other words) words {
		return joinText(tidemill.RightOuterJoin(pairsOf(s), pairsOf(other)))
	},
	"fullOuterJoin": func(_ *vector, s, other words) words {
		return joinText(tidemill.FullOuterJoin(pairsOf(s), pairsOf(other)))
	},
	"transform": func(_ *vector, s, _ words) words {
		return textOf(tidemill.Transform(numbersOf(s), func(_ batch.Interval, rows []int64, emit func(int64)) error {
			slices.Sort(rows)
			for _, n := range rows {
				emit(n)
			}
			if len(rows) == 0 {
				emit(0)
			}
			return nil
		}))
	},
	"transformWith": func(_ *vector, s, other words) words {
		return tidemill.TransformWith(s, other, func(_ batch.Interval, a, b []string, emit func(string)) error {
			emit(fmt.Sprintf("%d-%d", len(a), len(b)))
			return nil
		})
	},
	"joinOfWindows": func(v *vector, s, other words) words {
		return joinText(tidemill.Join(pairsOf(s).Window(v.size, v.slide), pairsOf(other).Window(v.size, v.slide)))
	},

	"window":                func(v *vector, s, _ words) words { return s.Window(v.size, v.slide) },
	"countByWindow":         func(v *vector, s, _ words) words { return textOf(s.CountByWindow(v.size, v.slide)) },
	"countByValueAndWindow": func(v *vector, s, _ words) words { return pairText(tidemill.CountByValueAndWindow(s, v.size, v.slide)) },
	"reduceByKeyAndWindow": func(v *vector, s, _ words) words {
		return pairText(tidemill.ReduceByKeyAndWindow(pairsOf(s), windowReduce(v, nil, nil)))
	},
	"reduceByKeyAndWindowInverse": func(v *vector, s, _ words) words {
		return pairText(tidemill.ReduceByKeyAndWindow(pairsOf(s), windowReduce(v, nil, minus)))
	},
	"reduceByKeyAndWindowKeep": func(v *vector, s, _ words) words {
		return pairText(tidemill.ReduceByKeyAndWindow(pairsOf(s), windowReduce(v, func(_ string, n int64) bool { return n != 0 }, minus)))
	},
	"groupByKeyAndWindow": func(v *vector, s, _ words) words {
		return tidemill.GroupByKeyAndWindow(pairsOf(s), v.size, v.slide, func(key string, values []int64, emit func(string)) {
			emit(key + ":" + plus(values))
		})
	},
	"reduceByWindow": func(v *vector, s, _ words) words { return textOf(numbersOf(s).ReduceByWindow(sum, v.size, v.slide)) },
	"reduceByWindowInverse": func(v *vector, s, _ words) words {
		one := tidemill.KeyBy(numbersOf(s), func(int64) string { return "" })
		return textOf(tidemill.Map(tidemill.ReduceByKeyAndWindow(one, windowReduce(v, nil, minus)), func(p tidemill.Pair[string, int64]) int64 { return p.Value }))
	},
	"updateStateByKey":        updateSums,
	"updateStateByKeyRemove":  updateWithoutValues,
	"updateStateByKeyInitial": updateInitial,
	"mapWithState":            mapCounts,
	"mapWithStateSnapshots":   mapSnapshots,
	"mapWithStateRemove":      mapRemove,
	"mapWithStateTimeout":     mapTimeout,
	"processTTL":              processTTL,
	"processTTLOnRead":        processTTL,
	"processTimer":            processTimer,

	"windowOfWindow": func(v *vector, s, _ words) words {
		return pairText(pairsOf(s.Window(2*v.size, v.size).Window(v.slide, v.slide)))
	},
}

// readVectors reads a file of vectors: names of lines, then what they say.
func readVectors(t *testing.T, path string) []*vector {
	t.Helper()
	f, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	var all []*vector
	lines := bufio.NewScanner(f)
	for lines.Scan() {
		what, rest, _ := strings.Cut(lines.Text(), " ")
		rest = strings.TrimSpace(rest)
		switch what {
		case "", "#":
			continue
		case "name":
			all = append(all, &vector{name: rest})
			continue
		}
		v := all[len(all)-1]
		switch what {
		case "op":
			var size, slide int
			if n, _ := fmt.Sscan(rest, &v.op, &size, &slide); n == 0 {
				t.Fatalf("%s: %s: no operation: %q", path, v.name, rest)
			}
			v.size, v.slide = time.Duration(size)*time.Second, time.Duration(slide)*time.Second
		case "in":
			v.in = intervalsOf(rest)
		case "in2":
			v.in2 = intervalsOf(rest)
		case "out":
			v.out = intervalsOf(rest)
		default:
			t.Fatalf("%s: %s: %q is no line of a vector", path, v.name, what)
		}
	}
	return all
}

// intervalsOf returns the words between |. "" stands for no letters, quotes around a word are left out.
func intervalsOf(text string) [][]string {
	var all [][]string
	for _, part := range strings.Split(text, "|") {
		interval := []string{}
		for _, w := range strings.Fields(part) {
			interval = append(interval, strings.ReplaceAll(w, `"`, ""))
		}
		all = append(all, interval)
	}
	return all
}

// TestVectors runs every vector plainly, with other numbers of workers, and with a restart after every interval.
func TestVectors(t *testing.T) {
	for _, file := range []string{"basics", "windows", "state"} {
		for _, v := range readVectors(t, "testdata/dstreams/"+file+".txt") {
			t.Run(v.name, func(t *testing.T) {
				op := operations[v.op]
				if op == nil {
					t.Fatalf("no operation %q", v.op)
				}
				spec := streamtest.Spec[string]{Batches: v.in, Intervals: len(v.out)}
				others := streamtest.Spec[string]{Batches: v.in2}
				for _, workers := range []int{1, 3} {
					for _, restarts := range [][]int{nil, {1, 2, 3, 4, 5, 6, 7}} {
						spec.Config.Workers, spec.Restarts = workers, restarts
						got := streamtest.Operation2(t, spec, others, func(s, other words) words { return op(v, s, other) })
						if diff := cmp.Diff(sorted(v.out), sorted(got)); diff != "" {
							t.Errorf("%s, %d workers, restarts after %v (-want +got):\n%s", v.op, workers, restarts, diff)
						}
					}
				}
			})
		}
	}
}

func sorted(intervals [][]string) [][]string {
	var all [][]string
	for _, words := range intervals {
		words = append([]string{}, words...)
		slices.Sort(words)
		all = append(all, words)
	}
	return all
}
