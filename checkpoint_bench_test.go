//go:build unix

package tidemill_test

import (
	"bufio"
	"context"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"syscall"
	"testing"
	"time"

	"github.com/tidemill/tidemill"
)

const stateKeys = 1_000_000

// writeKeys writes a file of rows key,value: first each key once, in a scattered order, then rounds of a million rows over a
// part of the keys.
func writeKeys(b *testing.B, path string, rounds, keysPerRound int) (rows int64) {
	b.Helper()
	f, err := os.Create(path)
	if err != nil {
		b.Fatal(err)
	}
	w := bufio.NewWriterSize(f, 1<<20)
	var line []byte
	write := func(key, value int) {
		line = strconv.AppendInt(line[:0], int64(key), 10)
		line = append(line, ',')
		line = strconv.AppendInt(line, int64(value), 10)
		w.Write(append(line, '\n'))
		rows++
	}
	const scatter = 7_654_321 // has no divisor with stateKeys in common
	for i := range stateKeys {
		write(i*scatter%stateKeys, i%1000)
	}
	for range rounds {
		for i := range 1_000_000 {
			write(i*scatter%keysPerRound, i%1000)
		}
	}
	if err := w.Flush(); err != nil {
		b.Fatal(err)
	}
	if err := f.Close(); err != nil {
		b.Fatal(err)
	}
	return rows
}

// BenchmarkCommits runs a job with a million groups over a file, as fast as it goes, and reports the rows per second after the
// first commit, and how long commits held the workers up. All groups, or a twentieth of them, change in each second.
func BenchmarkCommits(b *testing.B) {
	for _, part := range []struct {
		name   string
		rounds int
		keys   int
	}{{"all", 20, stateKeys}, {"5%", 80, stateKeys / 20}} {
		input := filepath.Join(b.TempDir(), "in.csv")
		rows := writeKeys(b, input, part.rounds, part.keys)
		for _, commit := range []string{"none", "1s"} {
			b.Run("touched="+part.name+"/commit="+commit, func(b *testing.B) {
				var rates, cpuRates []float64
				var stalls []time.Duration
				for b.Loop() {
					cfg := tidemill.Config{}
					if commit != "none" {
						cfg.Checkpoint = filepath.Join(b.TempDir(), "state")
					}
					rate, cpuRate, s := runKeys(b, cfg, input, rows)
					rates, cpuRates, stalls = append(rates, rate), append(cpuRates, cpuRate), append(stalls, s...)
				}
				slices.Sort(rates)
				slices.Sort(cpuRates)
				slices.Sort(stalls)
				b.ReportMetric(rates[len(rates)/2]/1e6, "Mrows/s")
				b.ReportMetric(cpuRates[len(cpuRates)/2]/1e6, "Mrows/cpu-s")
				if commit != "none" && len(stalls) > 0 {
					b.ReportMetric(stalls[0].Seconds()*1e3, "stall-ms-min")
					b.ReportMetric(stalls[len(stalls)/2].Seconds()*1e3, "stall-ms-p50")
					b.ReportMetric(stalls[len(stalls)-1].Seconds()*1e3, "stall-ms-max")
					b.ReportMetric(float64(len(stalls)), "commits")
				}
			})
		}
	}
}

// cpuTime returns the processor time that the process has used.
func cpuTime(b *testing.B) time.Duration {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		b.Fatal(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// runKeys runs the job and returns the rows per second, and per second of processor time, after the first commit, and the
// stalls of the commits after that, which are several intervals apart.
func runKeys(b *testing.B, cfg tidemill.Config, input string, rows int64) (rate, cpuRate float64, stalls []time.Duration) {
	b.Helper()
	var from time.Time
	var fromCPU time.Duration
	var fromRows int64
	wasStalled := false
	cfg.Log = slog.New(slog.DiscardHandler)
	cfg.OnStatus = func(s tidemill.Status) {
		switch {
		case s.RowsIn < stateKeys || s.Commit == 0: // the first commit has all groups
		case from.IsZero():
			from, fromCPU, fromRows = time.Now(), cpuTime(b), s.RowsIn
		case s.Stall > 0 && !s.Ended && wasStalled: // it began at the end of one interval, and the next one waited for the rest
			stalls[len(stalls)-1] += s.Stall
			wasStalled = false
		case s.Stall > 0 && !s.Ended:
			stalls = append(stalls, s.Stall)
			wasStalled = true
		default:
			wasStalled = false
		}
	}
	job, err := tidemill.New(cfg)
	if err != nil {
		b.Fatal(err)
	}
	if err := job.SQL(fmt.Sprintf(`CREATE SOURCE e (k BIGINT, v BIGINT) FROM 'file:%s' FORMAT CSV WITH (max_rows_per_interval = 1000000);
CREATE SINK s INTO 'blackhole:' AS SELECT k, count(*) AS c, sum(v) AS s FROM e GROUP BY k`, input)); err != nil {
		b.Fatal(err)
	}
	if err := job.Start(context.Background()); err != nil {
		b.Fatal(err)
	}
	if err := job.Wait(); err != nil {
		b.Fatal(err)
	}
	n := float64(rows - fromRows)
	return n / time.Since(from).Seconds(), n / (cpuTime(b) - fromCPU).Seconds(), stalls
}
