package tidemill_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/apache/arrow-go/v18/arrow"

	"github.com/tidemill/tidemill"
	"github.com/tidemill/tidemill/batch"
	"github.com/tidemill/tidemill/internal/vfs"
)

// numbersFile writes a CSV file of the numbers from 0.
func numbersFile(t *testing.T, rows int) string {
	t.Helper()
	var text strings.Builder
	for i := range rows {
		fmt.Fprintln(&text, i)
	}
	return writeFile(t, filepath.Join(t.TempDir(), "numbers.csv"), text.String())
}

// newJob returns a job that prints to nobody.
func newJob(t *testing.T, cfg tidemill.Config) *tidemill.Context {
	t.Helper()
	cfg.Log = slog.New(slog.DiscardHandler)
	if cfg.Stdout == nil {
		cfg.Stdout = io.Discard
	}
	job, err := tidemill.New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	return job
}

// ends starts a job, waits for its end, asserts that it left no memory, and returns its error.
func ends(t *testing.T, job *tidemill.Context) error {
	t.Helper()
	if err := job.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	err := job.Wait()
	if held := job.MemoryHeld(); held != 0 {
		t.Errorf("%d bytes are still held after the job", held)
	}
	return err
}

func numbers(job *tidemill.Context, path string) tidemill.DStream {
	return job.Source("numbers", "file:"+path, tidemill.SourceOptions{Format: "CSV", Columns: "n BIGINT", Options: map[string]string{"max_rows_per_interval": "100"}})
}

func TestErrorOfAFunctionEndsTheJob(t *testing.T) {
	t.Parallel()
	errFull := errors.New("the table is full")
	tests := []struct {
		name string
		fn   func() error
		want string
	}{
		{name: "an error", fn: func() error { return errFull }, want: "sink rows: write interval 3: the table is full"},
		{name: "a panic", fn: func() error { panic("no such key") }, want: "sink rows: write interval 3: function panics: no such key"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			job := newJob(t, tidemill.Config{Workers: 2})
			seen := 0
			numbers(job, numbersFile(t, 5000)).ForeachBatch("rows", func(_ context.Context, iv batch.Interval, rows arrow.RecordBatch) error {
				seen++
				if iv.ID == 3 {
					return tt.fn()
				}
				return nil
			})
			err := ends(t, job)
			if err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("want %q, got %v", tt.want, err)
			}
			if tt.name == "an error" && !errors.Is(err, errFull) {
				t.Errorf("the function's error is not in %v", err)
			}
			if seen != 3 {
				t.Errorf("calls: want 3, got %d", seen)
			}
		})
	}
}

func TestCancelledContextEndsTheJob(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithCancelCause(t.Context())
	job := newJob(t, tidemill.Config{})
	if err := job.SQL("CREATE SOURCE r FROM 'rate:' WITH (rows_per_second = 1000); SELECT value FROM r"); err != nil {
		t.Fatal(err)
	}
	if err := job.Start(ctx); err != nil {
		t.Fatal(err)
	}
	errEnough := errors.New("enough")
	cancel(errEnough)
	if err := job.Wait(); !errors.Is(err, errEnough) {
		t.Errorf("want the cause, got %v", err)
	}
	if held := job.MemoryHeld(); held != 0 {
		t.Errorf("%d bytes are still held after the job", held)
	}
}

func TestMemoryBoundNamesTheOperatorAndLeavesTheCheckpointWhole(t *testing.T) {
	t.Parallel()
	state := filepath.Join(t.TempDir(), "state")
	path := numbersFile(t, 400_000)
	job := newJob(t, tidemill.Config{Workers: 2, MemoryBytes: 24 << 20, Checkpoint: state, CommitEvery: time.Millisecond})
	numbers := job.Source("numbers", "file:"+path, tidemill.SourceOptions{Format: "CSV", Columns: "n BIGINT", Options: map[string]string{"max_rows_per_interval": "20000"}})
	numbers.GroupBy("n").Agg("count(*) AS c", "sum(n) AS s", "avg(n) AS a").To("out", "blackhole:", tidemill.SinkOptions{})
	err := ends(t, job)
	if !errors.Is(err, batch.ErrMemory) || !strings.Contains(err.Error(), "operator out.aggregate") || !strings.Contains(err.Error(), "--memory") {
		t.Fatalf("want ErrMemory with the operator, got %v", err)
	}
	// With more memory the job goes on from its last commit.
	var out lockedBuffer
	job = newJob(t, tidemill.Config{Workers: 2, Checkpoint: state, Stdout: &out, Output: "csv"})
	numbers = job.Source("numbers", "file:"+path, tidemill.SourceOptions{Format: "CSV", Columns: "n BIGINT"})
	numbers.GroupBy("n").Agg("count(*) AS c", "sum(n) AS s", "avg(n) AS a").To("out", "blackhole:", tidemill.SinkOptions{})
	if err := ends(t, job); err != nil {
		t.Fatal(err)
	}
	s := job.Status()
	if s.RowsIn == 0 || s.RowsIn >= 400_000 {
		t.Errorf("the second run read %d rows: it did not go on where the first one was", s.RowsIn)
	}
	for _, op := range s.Operators {
		if op.State != nil && op.State.Rows+op.State.Retired != 400_000 {
			t.Errorf("the state has %d rows, want 400000", op.State.Rows+op.State.Retired)
		}
	}
}

func TestTwoJobsInOneProcess(t *testing.T) {
	t.Parallel()
	path := numbersFile(t, 1000)
	var outs [2]lockedBuffer
	var jobs [2]*tidemill.Context
	for i := range jobs {
		jobs[i] = newJob(t, tidemill.Config{Stdout: &outs[i], Workers: 1 + i})
		numbers(jobs[i], path).Where(fmt.Sprintf("n %% 2 = %d", i)).GroupBy().Agg("count(*) AS c", "sum(n) AS s").ForeachBatch("nothing", func(context.Context, batch.Interval, arrow.RecordBatch) error { return nil })
		numbers := jobs[i].Table("numbers").Where(fmt.Sprintf("n = %d", i+500))
		numbers.Print()
		if err := jobs[i].Start(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	for i, job := range jobs {
		if err := job.Wait(); err != nil {
			t.Error(err)
		}
		if want := fmt.Sprintf("n\n%d\n", i+500); outs[i].String() != want {
			t.Errorf("job %d: want %q, got %q", i, want, outs[i].String())
		}
		if held := job.MemoryHeld(); held != 0 {
			t.Errorf("job %d: %d bytes are still held", i, held)
		}
		checkLedger(t, job.Status())
	}
}

func TestJobStartsOnce(t *testing.T) {
	t.Parallel()
	job := newJob(t, tidemill.Config{})
	job.Stop() // nothing to stop yet
	numbers(job, numbersFile(t, 10)).Print()
	if err := ends(t, job); err != nil {
		t.Fatal(err)
	}
	if err := job.Start(t.Context()); err == nil || !strings.Contains(err.Error(), "was started before") {
		t.Errorf("the second start: %v", err)
	}
	job.Stop() // long done
}

func TestWrongDescriptionsAreAllReported(t *testing.T) {
	t.Parallel()
	_, err := tidemill.New(tidemill.Config{Workers: -1, Mode: "replace", Compression: "lz4", Interval: -time.Second})
	for _, want := range []string{"Workers must be 0 to 1024: -1", `Mode must be append, update or complete: "replace"`, `Compression must be s2, zstd or none: "lz4"`, "Interval must be"} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("want %q in %v", want, err)
		}
	}
	job := newJob(t, tidemill.Config{Checkpoint: filepath.Join(t.TempDir(), "state")})
	numbers(job, "nowhere.csv").Select("m + 1 AS x").Print()
	if err := job.Start(t.Context()); err == nil || !strings.Contains(err.Error(), `unknown column "m": there are n, arrival_time`) {
		t.Errorf("an unknown column: %v", err)
	}
	check, err := tidemill.NewCheck(tidemill.Config{})
	if err != nil {
		t.Fatal(err)
	}
	numbers(check, "nowhere.csv").Print()
	if err := check.Check(); err != nil {
		t.Errorf("a job to check: %v", err)
	}
	if err := check.Start(t.Context()); err == nil || !strings.Contains(err.Error(), "to be checked only") {
		t.Errorf("start of a job to check: %v", err)
	}
}

func TestFullDiskEndsTheJobAndTheNextRunIsExact(t *testing.T) {
	t.Parallel()
	path := numbersFile(t, 20_000)
	dir := t.TempDir()
	disk := vfs.NewFull(vfs.OS, 40_000)
	run := func() error {
		job := newJob(t, tidemill.Config{Checkpoint: filepath.Join(dir, "state"), CommitEvery: time.Millisecond, FS: disk})
		numbers := job.Source("numbers", "file:"+path, tidemill.SourceOptions{Format: "CSV", Columns: "n BIGINT", Options: map[string]string{"max_rows_per_interval": "1000"}})
		numbers.To("out", "file:"+filepath.Join(dir, "out"), tidemill.SinkOptions{Format: "CSV"})
		return ends(t, job)
	}
	if err := run(); !errors.Is(err, syscall.ENOSPC) || !strings.Contains(err.Error(), dir) {
		t.Fatalf("want no space left, with the file, got %v", err)
	}
	disk.Lift()
	if err := run(); err != nil {
		t.Fatal(err)
	}
	lines := strings.Split(strings.TrimSuffix(readSink(t, filepath.Join(dir, "out")), "\n"), "\n")
	if len(lines) != 20_000 || lines[0] != "0" || lines[19_999] != "19999" {
		t.Errorf("%d rows, from %s to %s", len(lines), lines[0], lines[len(lines)-1])
	}
}

func TestSinkThatCannotBeWrittenIsNamed(t *testing.T) {
	t.Parallel()
	path := numbersFile(t, 10)
	inTheWay := writeFile(t, filepath.Join(t.TempDir(), "out"), "a file")
	job := newJob(t, tidemill.Config{})
	numbers(job, path).To("result", "file:"+inTheWay, tidemill.SinkOptions{Format: "CSV"})
	err := job.Start(t.Context())
	if err == nil {
		err = job.Wait()
	}
	if err == nil || !strings.Contains(err.Error(), "sink result") || !strings.Contains(err.Error(), inTheWay) {
		t.Errorf("want an error with sink and path, got %v", err)
	}
}
