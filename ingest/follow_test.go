package ingest_test

import (
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/tidemill/tidemill/ingest"
)

// followRun is a followed source whose polls come when the test wants them.
type followRun struct {
	*sourceRun
	polls chan time.Time
}

func follow(t *testing.T, path string, f ingest.Format, after map[string]ingest.Position) *followRun {
	t.Helper()
	polls := make(chan time.Time)
	source := mustOpen(t, "file:"+path, f, ingest.OpenSpec{Polls: polls}, "follow", "true")
	if source.Bounded() || !source.Replayable() {
		t.Error("followed files are not bounded, but can be replayed")
	}
	return &followRun{start(t, source, f, after), polls}
}

// wait polls until the splits are as wanted.
func (r *followRun) wait(want string) {
	r.t.Helper()
	want = strings.ReplaceAll(want, "\t", "")
	deadline := time.Now().Add(10 * time.Second)
	for time.Now().Before(deadline) && r.failed == nil {
		r.polls <- time.Time{}
		runtime.Gosched()
		r.until(func() {}, func() bool { return true })
		if r.String() == want {
			return
		}
	}
	r.t.Fatalf("%v: got\n%swant\n%s", r.failed, r.String(), want)
}

// positions returns where the splits are.
func (r *followRun) positions() map[string]ingest.Position {
	after := map[string]ingest.Position{}
	for name, split := range r.splits {
		after[name] = split.writer.Position()
	}
	return after
}

func rename(t testing.TB, from, to string) {
	t.Helper()
	if err := os.Rename(from, to); err != nil {
		t.Fatal(err)
	}
}

func TestFollowReadsGrowingAndNewFiles(t *testing.T) {
	format := lineFormat(t, "TEXT", nil)
	dir := writeFiles(t, "a", "1\n2")
	run := follow(t, dir, format, nil)
	run.wait(`a: "1\n"` + "\n")
	appendTo(t, filepath.Join(dir, "a"), "3\n4\n")
	run.wait(`a: "1\n23\n4\n"` + "\n")
	appendTo(t, filepath.Join(dir, "b"), "5\n")
	appendTo(t, filepath.Join(dir, "c.gz"), gzipped("6\n"))
	run.wait(`a: "1\n23\n4\n"
		b: "5\n", late
		c.gz: "6\n", late
		`)
	after := run.positions()
	run.close()
	appendTo(t, filepath.Join(dir, "b"), "7\n")
	run = follow(t, dir, format, after)
	run.wait(`a: ""
		b: "7\n"
		`)
}

func TestFollowWaitsForAFileThatIsNotThereYet(t *testing.T) {
	format := lineFormat(t, "TEXT", nil)
	for _, pattern := range []string{"a.log", "*.log"} {
		dir := t.TempDir()
		run := follow(t, filepath.Join(dir, pattern), format, nil)
		run.wait("")
		appendTo(t, filepath.Join(dir, "a.log"), "1\n")
		run.wait(`a.log: "1\n", late` + "\n")
		run.close()
	}
}

func TestFollowGoesOnAfterRotation(t *testing.T) {
	csv := lineFormat(t, "CSV", withHeader)
	for _, pattern := range []string{"app.log", "", "app*"} {
		t.Run(fmt.Sprintf("pattern %q", pattern), func(t *testing.T) {
			dir := writeFiles(t, "app.log", "x\n1\n")
			path := filepath.Join(dir, "app.log")
			run := follow(t, filepath.Join(dir, pattern), csv, nil)
			run.wait(`app.log: "1\n", header x` + "\n")
			appendTo(t, path, "2\n3")
			rename(t, path, path+".1")
			run.wait(`app.log: "1\n2\n", header x` + "\n")
			appendTo(t, path+".1", "4\n5") // who writes has not noticed yet
			appendTo(t, path, "y\n6\n")
			run.wait(`app.log: "1\n2\n34\n56\n", header x, header y` + "\n")
			rename(t, path+".1", path+".2")
			rename(t, path, path+".1")
			appendTo(t, path, "z\n7\n")
			run.wait(`app.log: "1\n2\n34\n56\n7\n", header x, header y, header z` + "\n")
			for range 3 {
				run.wait(run.String())
			}
			// Truncated, as copytruncate does.
			if err := os.Truncate(path, 0); err != nil {
				t.Fatal(err)
			}
			run.wait(run.String())
			appendTo(t, path, "z\n8\n9\n")
			run.wait(`app.log: "1\n2\n34\n56\n7\n8\n9\n", header x, header y, header z` + "\n")
		})
	}
}

func TestFollowGoesOnAfterARestart(t *testing.T) {
	format := lineFormat(t, "TEXT", nil)
	tests := []struct {
		name string
		do   func(t *testing.T, path string) // while nobody follows
		want string
	}{
		{name: "nothing happened", do: func(*testing.T, string) {}, want: `app.log: ""`},
		{name: "the file has grown", do: func(t *testing.T, path string) { appendTo(t, path, "2\n") }, want: `app.log: "2\n"`},
		{
			name: "the file has grown and was rotated twice",
			do: func(t *testing.T, path string) {
				appendTo(t, path, "2\n")
				rename(t, path, path+".2")
				appendTo(t, path+".1", "3\n")
				appendTo(t, path, "4\n")
				for i, name := range []string{path + ".2", path + ".1", path} {
					at := time.Unix(int64(1000+i), 0)
					if err := os.Chtimes(name, at, at); err != nil {
						t.Fatal(err)
					}
				}
			},
			want: `app.log: "2\n3\n4\n"`,
		},
		{
			name: "the file was rotated and there is no new one yet",
			do: func(t *testing.T, path string) {
				appendTo(t, path, "2\n")
				rename(t, path, path+".1")
			},
			want: `app.log: "2\n"`,
		},
		{
			name: "the file was truncated",
			do: func(t *testing.T, path string) {
				if err := os.Truncate(path, 0); err != nil {
					t.Fatal(err)
				}
				appendTo(t, path, "5\n")
			},
			want: `app.log: "5\n"`,
		},
		{
			name: "the file was replaced and the old one is gone",
			do: func(t *testing.T, path string) {
				appendTo(t, path+".new", "6\n")
				rename(t, path+".new", path)
			},
			want: `app.log: "6\n", bad line 3 offset 4: file was replaced while nobody read it, and the old one is gone: what was not read of it is lost: ""`,
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			path := filepath.Join(writeFiles(t, "app.log", "0\n1\n"), "app.log")
			run := follow(t, path, format, nil)
			run.wait(`app.log: "0\n1\n"` + "\n")
			after := run.positions()
			run.close()
			tt.do(t, path)
			run = follow(t, path, format, after)
			run.wait(tt.want + "\n")
			after = run.positions()
			run.close()
			follow(t, path, format, after).wait(`app.log: ""` + "\n")
		})
	}
}

func TestFollowKnowsRotatedFilesAfterARestart(t *testing.T) {
	format := lineFormat(t, "TEXT", nil)
	dir := writeFiles(t, "app.log", "0\n")
	path := filepath.Join(dir, "app.log")
	run := follow(t, dir, format, nil)
	run.wait(`app.log: "0\n"` + "\n")
	for i := range 12 {
		for k := i; k > 0; k-- {
			rename(t, fmt.Sprintf("%s.%d", path, k), fmt.Sprintf("%s.%d", path, k+1))
		}
		rename(t, path, path+".1")
		appendTo(t, path, fmt.Sprintf("%d\n", i+1))
		run.wait(strings.Replace(run.String(), `\n"`, fmt.Sprintf(`\n%d\n"`, i+1), 1))
		if i%4 == 3 {
			after := run.positions()
			run.close()
			run = follow(t, dir, format, after)
			run.wait(`app.log: ""` + "\n")
			appendTo(t, path, "x\n")
			run.wait(`app.log: "x\n"` + "\n")
		}
	}
}

func TestFollowOfMoreFilesThanPlaces(t *testing.T) {
	format := lineFormat(t, "TEXT", nil)
	dir := filepath.Join(writeFiles(t, manyFiles(100)...), "m")
	follow(t, dir, format, nil).wait(manyWanted(100))
}
