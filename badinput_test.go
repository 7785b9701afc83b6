package tidemill_test

import (
	"context"
	"fmt"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/tidemill/tidemill"
)

// badRowsOf returns what a job tells of bad rows, one line each.
func badRowsOf(job *tidemill.Context) string {
	var lines []string
	for _, b := range job.BadRows() {
		for _, row := range b.First {
			lines = append(lines, tidemill.DescribeBadRow(row))
		}
		if n := int(b.Count) - len(b.First); n > 0 {
			lines = append(lines, fmt.Sprintf("and %d more", n))
		}
	}
	return strings.Join(lines, "\n")
}

func TestBadInput(t *testing.T) {
	const csv = "CREATE SOURCE t (a TEXT, n BIGINT) FROM 'file:%s' FORMAT CSV; SELECT a, n FROM t"
	const header = "CREATE SOURCE t (a TEXT, n BIGINT) FROM 'file:%s' FORMAT CSV WITH (header = true); SELECT a, n FROM t"
	const json = "CREATE SOURCE t (a TEXT, n BIGINT) FROM 'file:%s' FORMAT JSON; SELECT a, n FROM t"
	const text = "CREATE SOURCE t FROM 'file:%s' FORMAT TEXT; SELECT value FROM t"
	tests := []struct {
		name   string
		script string
		in     string
		want   string // without the header
		bad    string
	}{
		{name: "an empty file", script: csv, in: ""},
		{name: "a header alone", script: header, in: "a,n\n"},
		{name: "no line end behind the last record", script: csv, in: "x,1\ny,2", want: "x,1\ny,2\n"},
		{name: "line ends of two bytes", script: csv, in: "x,1\r\ny,2\r\n", want: "x,1\ny,2\n"},
		{name: "a byte order mark", script: header, in: "\ufeffn,a\n1,x\n", want: "x,1\n"},
		{name: "a byte order mark before JSON", script: json, in: "\ufeff{\"a\":\"x\",\"n\":1}\n", want: "x,1\n"},
		{name: "blank lines", script: csv, in: "\nx,1\n\n\ny,2\n\n", want: "x,1\ny,2\n"},
		{
			name: "fields missing and too many", script: csv, in: "x\nx,1,2\ny,3\n", want: "y,3\n",
			bad: "in: line 1: byte offset 0: column n missing: 1 of 2 columns\nin: line 2: byte offset 2: too many columns: 3 of 2",
		},
		{
			name: "numbers that are none, or out of range", script: csv, in: "a,9223372036854775808\nb,1.5\nc,-9223372036854775808\nd,1e3\ne,\n", want: "c,-9223372036854775808\ne,\n",
			bad: `in: line 1: byte offset 0: column n: "9223372036854775808" is out of range for BIGINT` + "\n" +
				`in: line 2: byte offset 22: column n: "1.5" is not a BIGINT` + "\n" + `in: line 4: byte offset 51: column n: "1e3" is not a BIGINT`,
		},
		{
			name: "keys missing, extra and twice", script: json, in: `{"n":1}` + "\n" + `{"a":"x","z":{"y":[1,2]},"n":2}` + "\n" + `{"a":"x","a":"y","n":3}` + "\n" + `{}` + "\n",
			want: ",1\nx,2\ny,3\n,\n", // the last of two counts
		},
		{
			name: "no JSON", script: json, in: `{"a":"x","n":1` + "\n" + `[1,2]` + "\n" + `{"a":"y","n":2}` + "\n", want: "y,2\n",
			bad: "in: line 1: byte offset 0: invalid JSON at byte 14 of the record: want ',' or '}', got the end of the record\n" +
				"in: line 2: byte offset 15: invalid JSON at byte 0 of the record: want an object, got '['",
		},
		{name: "NUL bytes", script: text, in: "a\x00b\n\x00\n", want: "a\x00b\n\"\x00\"\n"},
		{name: "bytes that are no UTF-8", script: csv, in: "\xff\xfe,1\nok,2\n", want: "ok,2\n", bad: "in: line 1: byte offset 0: invalid UTF-8 at byte 0 of the record"},
		{name: "a text that is cut in the middle of a character", script: text, in: "ok\n\xe2\x82", want: "ok\n", bad: "in: line 2: byte offset 3: invalid UTF-8 at byte 0 of the record"},
		{name: "a quote that is never closed", script: csv, in: "x,1\n\"y,2\nz,3\n", want: "x,1\n", bad: "in: line 2: byte offset 4: a quoted field does not end"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			path := writeFile(t, filepath.Join(t.TempDir(), "in"), tt.in)
			var out lockedBuffer
			job := newJob(t, tidemill.Config{Stdout: &out, Workers: 2})
			if err := job.SQL(fmt.Sprintf(tt.script, path)); err != nil {
				t.Fatal(err)
			}
			if err := ends(t, job); err != nil {
				t.Fatal(err)
			}
			_, got, _ := strings.Cut(out.String(), "\n")
			if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Errorf("rows (-want +got):\n%s", diff)
			}
			if diff := cmp.Diff(tt.bad, badRowsOf(job)); diff != "" {
				t.Errorf("bad rows (-want +got):\n%s", diff)
			}
			checkLedger(t, job.Status())
		})
	}
}

func TestGroupsOfNullEmptyAndZeroStayApart(t *testing.T) {
	t.Parallel()
	path := writeFile(t, filepath.Join(t.TempDir(), "in.csv"), ",\n\"\",0\n,0\n\"\",\n,\n\"\",0\n")
	for _, tt := range []struct{ keys, want string }{
		{"a", "\"\",3\n,3"}, {"n", ",3\n0,3"}, {"a, n", "\"\",,1\n\"\",0,2\n,,2\n,0,1"}, {"n = 0", ",3\ntrue,3"},
	} {
		got, status := runSQL(t, tidemill.Config{Mode: "complete", Interval: time.Hour}, fmt.Sprintf("CREATE SOURCE t (a TEXT, n BIGINT) FROM 'file:%s' FORMAT CSV; SELECT %s, count(*) AS c FROM t GROUP BY %s", path, tt.keys, tt.keys))
		if diff := cmp.Diff(tt.want, sortedLines(got)); diff != "" {
			t.Errorf("GROUP BY %s (-want +got):\n%s", tt.keys, diff)
		}
		checkLedger(t, status)
	}
}

func TestLineOfTwentyMegabytesIsOneBadRowInLittleMemory(t *testing.T) {
	path := filepath.Join(t.TempDir(), "in")
	writeFile(t, path, "first\n"+strings.Repeat("x", 20<<20)+"\nlast\n")
	var out lockedBuffer
	var peak int64
	job := newJob(t, tidemill.Config{Stdout: &out, MemoryBytes: 64 << 20, OnStatus: func(s tidemill.Status) { peak = max(peak, s.MemoryBytes) }})
	if err := job.SQL(fmt.Sprintf("CREATE SOURCE t FROM 'file:%s' FORMAT TEXT; SELECT value FROM t", path)); err != nil {
		t.Fatal(err)
	}
	if err := ends(t, job); err != nil {
		t.Fatal(err)
	}
	if got := out.String(); got != "value\nfirst\nlast\n" {
		t.Errorf("got %.100q", got)
	}
	if bad := badRowsOf(job); !strings.HasPrefix(bad, "in: line 2: byte offset 6: ") || !strings.Contains(bad, "longer than") || strings.Contains(bad, "\n") {
		t.Errorf("bad rows: %s", bad)
	}
	if peak > 48<<20 {
		t.Errorf("peak: %d bytes", peak)
	}
}

func TestDirectoryWithoutFiles(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	out, status := runSQL(t, tidemill.Config{}, fmt.Sprintf("CREATE SOURCE t (a TEXT) FROM 'file:%s/' FORMAT CSV; SELECT a FROM t", dir))
	if out != "" || status.RowsIn != 0 {
		t.Errorf("got %q, %d rows", out, status.RowsIn)
	}
	_, _, err := tryRun(t, tidemill.Config{}, fmt.Sprintf("CREATE SOURCE t (a TEXT) FROM 'file:%s/nope/' FORMAT CSV; SELECT a FROM t", dir))
	if err == nil || !strings.Contains(err.Error(), "source t: ") || !strings.Contains(err.Error(), "nope/") {
		t.Errorf("a directory that is not there: %v", err)
	}
	_, _, err = tryRun(t, tidemill.Config{}, fmt.Sprintf("CREATE SOURCE t FROM 'file:%s/' FORMAT CSV; SELECT a FROM t", dir))
	if err == nil || !strings.Contains(err.Error(), "give a column list") {
		t.Errorf("columns to infer: %v", err)
	}
}

// await waits until a condition of a live job holds.
func await(t *testing.T, what string, holds func() bool) {
	t.Helper()
	for deadline := time.Now().Add(20 * time.Second); !holds(); time.Sleep(2 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("%s does not come", what)
		}
	}
}

// live starts a job with short intervals.
func live(t *testing.T, script string) (*tidemill.Context, *lockedBuffer) {
	t.Helper()
	out := &lockedBuffer{}
	job, err := tidemill.New(tidemill.Config{Interval: 5 * time.Millisecond, CommitEvery: time.Millisecond, Stdout: out, Log: slog.New(slog.DiscardHandler), Workers: 2})
	if err != nil {
		t.Fatal(err)
	}
	if err := job.SQL(script); err != nil {
		t.Fatal(err)
	}
	if err := job.Start(context.Background()); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		job.Stop()
		job.Wait()
	})
	return job, out
}

func TestFollowedFileGrows(t *testing.T) {
	t.Parallel()
	path := writeFile(t, filepath.Join(t.TempDir(), "in.csv"), "1\n2")
	job, out := live(t, fmt.Sprintf("CREATE SOURCE t (n BIGINT) FROM 'file:%s' FORMAT CSV WITH (follow = true); SELECT n FROM t", path))
	await(t, "the first row", func() bool { return out.String() == "n\n1\n" })
	file, err := os.OpenFile(path, os.O_APPEND|os.O_WRONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	if _, err := file.WriteString("3\n4\n"); err != nil { // the record that was begun goes on
		t.Fatal(err)
	}
	await(t, "the rest", func() bool { return out.String() == "n\n1\n23\n4\n" })
	finish(t, job)
}

// tcpJob starts a job over a listener of the test's, and returns the connection that it made.
func tcpJob(t *testing.T) (*tidemill.Context, *lockedBuffer, *net.TCPConn) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	job, out := live(t, fmt.Sprintf("CREATE SOURCE t (a TEXT, n BIGINT) FROM 'tcp://%s' FORMAT CSV; SELECT a, n FROM t", l.Addr()))
	conn, err := l.Accept()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	return job, out, conn.(*net.TCPConn)
}

func TestPeerThatSendsAByteAtATime(t *testing.T) {
	t.Parallel()
	job, out, conn := tcpJob(t)
	for _, b := range []byte("äx,1\ny,2\n") {
		if _, err := conn.Write([]byte{b}); err != nil {
			t.Fatal(err)
		}
	}
	conn.Close()
	if err := job.Wait(); err != nil {
		t.Fatal(err)
	}
	if got := out.String(); got != "a,n\näx,1\ny,2\n" {
		t.Errorf("got %q", got)
	}
	finish(t, job)
}

func TestPeerThatNeverSendsDoesNotKeepTheJobFromStopping(t *testing.T) {
	t.Parallel()
	job, out, _ := tcpJob(t)
	await(t, "an interval", func() bool { return job.Status().Interval.ID > 0 })
	finish(t, job)
	if got := out.String(); got != "" {
		t.Errorf("got %q", got)
	}
}

func TestPeerThatResetsInTheMiddleOfARecord(t *testing.T) {
	t.Parallel()
	job, out, conn := tcpJob(t)
	if _, err := conn.Write([]byte("x,1\ny,2\nz,")); err != nil {
		t.Fatal(err)
	}
	await(t, "two rows", func() bool { return out.String() == "a,n\nx,1\ny,2\n" })
	if err := conn.SetLinger(0); err != nil { // a reset, not an end
		t.Fatal(err)
	}
	conn.Close()
	if err := job.Wait(); err != nil {
		t.Fatal(err)
	}
	if got := badRowsOf(job); !strings.Contains(got, "line 3: byte offset 8: connection reset in the middle of a record") {
		t.Errorf("bad rows: %s", got)
	}
	if s := job.Status(); s.RowsIn != 3 || s.Bad != 1 {
		t.Errorf("want 3 rows in, 1 of them bad, got %d and %d", s.RowsIn, s.Bad)
	}
	finish(t, job)
}
