package tidemill

import (
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"runtime"
	"slices"
	"time"

	"github.com/tidemill/tidemill/egress"
	"github.com/tidemill/tidemill/ingest"
	"github.com/tidemill/tidemill/internal/vfs"
)

// Config is the setting of a Context. The zero value of each field means its default.
type Config struct {
	// Interval is the time between the starts of two intervals. The default is 1 s.
	Interval time.Duration
	// CommitEvery is how often output becomes visible and state durable, at the end of an interval. The default is 1 s, or every
	// interval if that is longer.
	CommitEvery time.Duration
	// Workers is the number of goroutines that decode and compute. The default is GOMAXPROCS.
	Workers int
	// MemoryBytes bounds tables, panes and pools. The default is half of the machine's memory, 1 GiB where that is unknown.
	MemoryBytes int64
	// Checkpoint is the directory of state, offsets and journal. The default is none: a restart starts over.
	Checkpoint string
	// Parameters are the values of ${name} in SQL. They go before those that SET name = value gives there.
	Parameters map[string]string
	// DropState names operators, tables and sources whose state in the checkpoint may be given up where the job can't use it. The
	// default is none: such a job is refused. What the job can use is not given up.
	DropState []string
	// Compression is the codec of state images: s2 (default), zstd or none.
	Compression string
	// JournalBytes bounds the journal. The default is 4 GiB.
	JournalBytes int64
	// BlockBytes is the size of the pieces that input is cut into. The default is 256 KiB.
	BlockBytes int
	// MaxRecordBytes bounds one record; a longer one is a bad row. The default is 16 MiB.
	MaxRecordBytes int
	// FailOnBadRow stops the job at the first bad row. The default is to count, show the first ones, and go on.
	FailOnBadRow bool
	// ReplayEveryTick makes a job that fell behind run one interval for each tick it missed, as Spark does. The default is one
	// interval for all of them.
	ReplayEveryTick bool
	// Clock is the time by which intervals tick. The default is the system's.
	Clock Clock
	// Stdout takes the rows of a bare SELECT and of Print. The default is os.Stdout.
	Stdout io.Writer
	// Stdin is what stdin: reads. The default is os.Stdin.
	Stdin *os.File
	// Output is how a bare SELECT prints: table, csv or json, or live where Stdout is an egress.Screen, which shows the latest state
	// of the result in place. The default is csv.
	Output string
	// Mode is the output mode of results that do not say: append, update or complete. The default is append where a window
	// closes, update for other aggregates.
	Mode string
	// Align says where windows of time begin: at "epoch", the default, windows of an hour begin with the hour, at "start" they begin
	// with the first interval of the job, also after restarts.
	Align string
	// Lateness is how long after the end of a window a row still counts for it, in sinks that do not say. The default is 0. Windows
	// on arrival_time have none.
	Lateness time.Duration
	// Log takes what an operator of the job should know. The default is slog.Default.
	Log *slog.Logger
	// OnStatus is called after every interval, from the engine's goroutine: it must be quick.
	OnStatus func(Status)
	// SinkDir makes all sinks write files without headers in directories of their names below it, instead of where the job says. The
	// default is none. It serves trials of a job whose results must go nowhere.
	SinkDir string
	// Formats are formats of sources that bring dependencies with them, such as that of package ingest/parquet. The default is none.
	Formats []ingest.FormatKind
	// FileFormats are formats of file sinks that do, such as that of package egress/parquet. The default is none.
	FileFormats []egress.FileFormat
	// FS is the file system of checkpoints and file sinks. The default is the real one.
	FS vfs.FS
}

// String returns the settings as key=value pairs; it holds no secrets.
func (c Config) String() string {
	return fmt.Sprintf("interval=%s commit_every=%s workers=%d memory=%d checkpoint=%q compression=%s block=%d max_record=%d",
		c.Interval, c.CommitEvery, c.Workers, c.MemoryBytes, c.Checkpoint, c.Compression, c.BlockBytes, c.MaxRecordBytes)
}

// Validate reports all faults of the configuration.
func (c Config) Validate() error {
	var errs []error
	check := func(ok bool, format string, args ...any) {
		if !ok {
			errs = append(errs, fmt.Errorf("config: "+format, args...))
		}
	}
	check(c.Interval >= 0 && c.Interval%time.Microsecond == 0, "Interval must be whole microseconds and not negative: %s", c.Interval)
	check(c.CommitEvery >= 0, "CommitEvery must not be negative: %s", c.CommitEvery)
	check(c.Workers >= 0 && c.Workers <= 1024, "Workers must be 0 to 1024: %d", c.Workers)
	check(c.MemoryBytes >= 0, "MemoryBytes must not be negative: %d", c.MemoryBytes)
	check(c.JournalBytes >= 0, "JournalBytes must not be negative: %d", c.JournalBytes)
	check(c.BlockBytes >= 0, "BlockBytes must not be negative: %d", c.BlockBytes)
	check(c.MaxRecordBytes >= 0, "MaxRecordBytes must not be negative: %d", c.MaxRecordBytes)
	check(oneOf(c.Compression, "", "s2", "zstd", "none"), "Compression must be s2, zstd or none: %q", c.Compression)
	check(oneOf(c.Output, "", "table", "csv", "json", "live"), "Output must be table, csv, json or live: %q", c.Output)
	check(c.Align == "" || c.Align == "epoch" || c.Align == "start", "Align must be epoch or start: %q", c.Align)
	check(c.Lateness >= 0 && c.Lateness%time.Microsecond == 0, "Lateness must be whole microseconds and not negative: %s", c.Lateness)
	check(oneOf(c.Mode, "", "append", "update", "complete"), "Mode must be append, update or complete: %q", c.Mode)
	return errors.Join(errs...)
}

func oneOf(s string, all ...string) bool { return slices.Contains(all, s) }

func (c Config) withDefaults() Config {
	if c.Interval == 0 {
		c.Interval = time.Second
	}
	if c.CommitEvery == 0 {
		c.CommitEvery = time.Second
	}
	if c.Workers == 0 {
		c.Workers = runtime.GOMAXPROCS(0)
	}
	if c.MemoryBytes == 0 {
		c.MemoryBytes = defaultMemory()
	}
	if c.JournalBytes == 0 {
		c.JournalBytes = 4 << 30
	}
	if c.BlockBytes == 0 {
		c.BlockBytes = 256 << 10
	}
	if c.MaxRecordBytes == 0 {
		c.MaxRecordBytes = 16 << 20
	}
	if c.Compression == "" {
		c.Compression = "s2"
	}
	if c.Clock == nil {
		c.Clock = wallClock{}
	}
	if c.Stdout == nil {
		c.Stdout = os.Stdout
	}
	if c.Stdin == nil {
		c.Stdin = os.Stdin
	}
	if c.Output == "" {
		c.Output = "csv"
	}
	if c.Log == nil {
		c.Log = slog.Default()
	}
	if c.FS == nil {
		c.FS = vfs.OS
	}
	return c
}

// defaultMemory returns half of the machine's memory as Linux tells it, else 1 GiB.
func defaultMemory() int64 {
	info, err := os.ReadFile("/proc/meminfo")
	if err != nil {
		return 1 << 30
	}
	var kib int64
	if _, err := fmt.Sscanf(string(info), "MemTotal: %d kB", &kib); err != nil || kib <= 0 {
		return 1 << 30
	}
	return kib << 10 / 2
}
