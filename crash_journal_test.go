package tidemill_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"path"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/tidemill/tidemill"
	"github.com/tidemill/tidemill/checkpoint"
	"github.com/tidemill/tidemill/internal/vfs"
)

const socketJob = `
CREATE SOURCE s (id BIGINT, word TEXT) FROM 'tcp-listen://ADDRESS' FORMAT CSV WITH (connections = COUNT, max_connections = 8);
CREATE SINK raw INTO 'file:/job/out/raw' FORMAT CSV AS SELECT id, word FROM s;
CREATE SINK windows INTO 'file:/job/out/windows' FORMAT CSV AS
  SELECT window.end, word, count(*) AS c FROM s GROUP BY window(arrival_time, '20 milliseconds'), word`

// socketRun is a job that listens.
type socketRun struct {
	t       *testing.T
	job     *tidemill.Context
	address string
	log     lockedBuffer
}

// listen starts a job for a number of connections. It returns the error of the start.
func listen(t *testing.T, fs vfs.FS, connections int, change func(*tidemill.Config)) (*socketRun, error) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	must(t, err)
	r := &socketRun{t: t, address: l.Addr().String()}
	must(t, l.Close())
	cfg := tidemill.Config{
		FS: fs, Checkpoint: crashState, Interval: 5 * time.Millisecond, CommitEvery: 1, Workers: 2,
		Stdout: io.Discard, Log: slog.New(slog.NewTextHandler(&r.log, nil)),
	}
	change(&cfg)
	r.job, err = tidemill.New(cfg)
	must(t, err)
	must(t, r.job.SQL(strings.NewReplacer("ADDRESS", r.address, "COUNT", strconv.Itoa(connections)).Replace(socketJob)))
	return r, r.job.Start(context.Background())
}

// send sends rows over a connection and waits until the job closes it. It returns false if the job ended before.
func (r *socketRun) send(rows string) bool {
	r.t.Helper()
	for {
		conn, err := net.Dial("tcp", r.address)
		if err == nil {
			defer conn.Close()
			if _, err := io.WriteString(conn, rows); err == nil {
				err = conn.(*net.TCPConn).CloseWrite()
				_, rerr := io.ReadAll(conn)
				return errors.Join(err, rerr) == nil
			}
			return false
		}
		select {
		case <-r.job.Done():
			return false
		case <-time.After(time.Millisecond):
		}
	}
}

func (r *socketRun) wait() error {
	r.t.Helper()
	watchdog := time.AfterFunc(time.Minute, func() { panic("the job hangs") })
	defer watchdog.Stop()
	err := r.job.Wait()
	if held := r.job.MemoryHeld(); held != 0 {
		r.t.Errorf("%d bytes are still held after %v", held, err)
	}
	return err
}

func (r *socketRun) mustWait() {
	r.t.Helper()
	if err := r.wait(); err != nil {
		r.t.Fatal(err)
	}
}

// checkSockets asserts that no row came twice, that the windows counted what the raw sink has, and that each connection's rows are
// there from its first to some row: all of them if it is confirmed.
func checkSockets(t *testing.T, fs vfs.FS, conns [][]string, isConfirmed func(int) bool, how string) {
	t.Helper()
	raw := sinkLines(t, fs, path.Join(crashOut, "raw"))
	seen := make(map[string]bool)
	words := make(map[string]int)
	for _, row := range raw {
		if seen[row] {
			t.Fatalf("%s: row comes twice: %s", how, row)
		}
		seen[row] = true
		_, word, _ := strings.Cut(row, ",")
		words[word]++
	}
	found := 0
	for i, rows := range conns {
		n := 0
		for n < len(rows) && seen[rows[n]] {
			n++
		}
		found += n
		if n < len(rows) && isConfirmed(i) {
			t.Fatalf("%s: connection %d was confirmed, and has only %d of %d rows", how, i, n, len(rows))
		}
	}
	if found != len(raw) {
		t.Fatalf("%s: %d rows are there, of which %d begin a connection", how, len(raw), found)
	}
	for _, row := range sinkLines(t, fs, path.Join(crashOut, "windows")) {
		parts := strings.Split(row, ",")
		n, err := strconv.Atoi(parts[2])
		must(t, err)
		words[parts[1]] -= n
	}
	for word, n := range words {
		if n != 0 {
			t.Fatalf("%s: windows lack %d rows of %s", how, n, word)
		}
	}
}

// TestCrashOfAJobThatListens crashes a job at file operations while connections bring rows that nobody sends again. What a
// connection had brought when the job closed it survives the end of the process, and what was visible survives that of the machine.
func TestCrashOfAJobThatListens(t *testing.T) {
	t.Logf("-seed=%d", *seed)
	step := int64(17)
	if *fullFlag {
		step = 1
	}
	points := 0
	defer func() { t.Logf("crash points visited: %d", points) }()
	for n := 1 + int64(*seed%uint64(step)); ; n += step {
		var conns [][]string
		var confirmed []bool
		for c := range 6 {
			var rows []string
			for i := range 40 {
				rows = append(rows, fmt.Sprintf("%d,w%d", 100*c+i, i%3))
			}
			conns = append(conns, rows)
		}
		mem := vfs.NewMem()
		failing := vfs.NewFailing(mem, vfs.FailSpec{Nth: n, Err: errPower, Forever: true, Torn: n%2 == 0})
		r, err := listen(t, failing, len(conns), func(*tidemill.Config) {})
		if err == nil {
			for _, rows := range conns {
				ok := r.send(strings.Join(rows, "\n") + "\n")
				confirmed = append(confirmed, ok && !failing.Failed())
				if !ok {
					break
				}
			}
			err = r.wait()
		}
		if !failing.Failed() {
			must(t, err)
			checkSockets(t, mem, conns, func(int) bool { return true }, "without a crash")
			return
		}
		points++
		sent := len(confirmed)
		for k := range uint64(3) {
			after, how := mem, place(n)+", process killed"
			isConfirmed := func(i int) bool { return i >= sent || confirmed[i] }
			if k < 2 {
				after, how = mem.Crash(*seed+k), fmt.Sprintf("%s, machine crashed with seed %d", place(n), *seed+k)
				isConfirmed = func(i int) bool { return i >= sent }
			}
			visible := sinkLines(t, after, path.Join(crashOut, "raw"))
			r, err := listen(t, after, max(1, len(conns)-sent), func(*tidemill.Config) {})
			must(t, err)
			for _, rows := range conns[sent:] {
				r.send(strings.Join(rows, "\n") + "\n")
			}
			if sent == len(conns) { // a connection without rows ends the job
				r.send("")
			}
			r.mustWait()
			checkSockets(t, after, conns, isConfirmed, how)
			final := sinkLines(t, after, path.Join(crashOut, "raw"))
			for _, row := range visible {
				if !slices.Contains(final, row) {
					t.Fatalf("%s: row was visible and is gone: %s", how, row)
				}
			}
		}
	}
}

func TestConnectionsThatEndedLeaveTheRecord(t *testing.T) {
	const conns = 10_000
	mem := vfs.NewMem()
	r, err := listen(t, mem, conns, func(*tidemill.Config) {})
	must(t, err)
	for i := range conns {
		if !r.send(fmt.Sprintf("%d,w\n", i)) {
			t.Fatalf("connection %d was not taken: %v", i, r.wait())
		}
	}
	r.mustWait()
	splits := func() []checkpoint.SplitState {
		log, err := checkpoint.OpenReadOnly(mem, crashState, checkpoint.Options{})
		must(t, err)
		defer log.Close()
		return log.Last().Splits
	}
	if n := len(splits()); n > 1000 {
		t.Errorf("the record names %d splits", n)
	}
	r, err = listen(t, mem, 1, func(*tidemill.Config) {})
	must(t, err)
	r.send("10000,w\n")
	r.mustWait()
	if last := splits(); last[len(last)-1].Name != "conn-10001" {
		t.Errorf("the last split is %s", last[len(last)-1].Name)
	}
	if n := len(sinkLines(t, mem, path.Join(crashOut, "raw"))); n != conns+1 {
		t.Errorf("rows: want %d, got %d", conns+1, n)
	}
}

// TestFullJournalSlowsItsSource sends far more than the journal may hold to a job that would commit once in an hour.
func TestFullJournalSlowsItsSource(t *testing.T) {
	const bound = 20_000
	mem := vfs.NewMem()
	r, err := listen(t, mem, 3, func(cfg *tidemill.Config) {
		cfg.CommitEvery, cfg.JournalBytes, cfg.BlockBytes = time.Hour, bound, 4<<10
	})
	must(t, err)
	var conns [][]string
	for c := range 3 {
		var rows []string
		for i := range 4000 {
			rows = append(rows, fmt.Sprintf("%d,w%d", 10000*c+i, i%3))
		}
		conns = append(conns, rows)
		if !r.send(strings.Join(rows, "\n") + "\n") {
			t.Fatalf("connection %d was not taken: %v", c, r.wait())
		}
	}
	r.mustWait()
	checkSockets(t, mem, conns, func(int) bool { return true }, "full journal")
	if !strings.Contains(r.log.String(), "the journal is full: its sources wait for a commit") {
		t.Errorf("the job does not say that it waits: %s", r.log.String())
	}
}

// fullJournalDisk is a file system without room in the journal's directory.
type fullJournalDisk struct {
	vfs.FS
	isFull  atomic.Bool
	refused atomic.Int64
}

type fullFile struct {
	vfs.File
	fs *fullJournalDisk
}

func (f *fullJournalDisk) OpenAppend(name string) (vfs.File, error) {
	file, err := f.FS.OpenAppend(name)
	if err == nil && strings.HasSuffix(name, ".jnl") {
		file = &fullFile{file, f}
	}
	return file, err
}

func (f *fullFile) Write(p []byte) (int, error) {
	if f.fs.isFull.Load() {
		f.fs.refused.Add(1)
		return 0, syscall.ENOSPC
	}
	return f.File.Write(p)
}

func TestFullDiskOfTheJournalSlowsItsSource(t *testing.T) {
	mem := vfs.NewMem()
	disk := &fullJournalDisk{FS: mem}
	r, err := listen(t, disk, 2, func(cfg *tidemill.Config) { cfg.BlockBytes = 4 << 10 })
	must(t, err)
	var conns [][]string
	for c := range 2 {
		var rows []string
		for i := range 3000 {
			rows = append(rows, fmt.Sprintf("%d,w%d", 10000*c+i, i%3))
		}
		conns = append(conns, rows)
		if c == 1 {
			disk.isFull.Store(true)
			go func() {
				for disk.refused.Load() < 5 {
					time.Sleep(time.Millisecond)
				}
				disk.isFull.Store(false)
			}()
		}
		if !r.send(strings.Join(rows, "\n") + "\n") {
			t.Fatalf("connection %d was not taken: %v", c, r.wait())
		}
	}
	r.mustWait()
	checkSockets(t, mem, conns, func(int) bool { return true }, "full disk")
	if !strings.Contains(r.log.String(), "no room for the journal: its sources wait until there is") {
		t.Errorf("the job does not say that it waits: %s", r.log.String())
	}
}
