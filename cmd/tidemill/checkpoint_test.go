package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// checkpointed runs a job with a checkpoint that is stopped with groups in its state, and returns the directory.
func checkpointed(t *testing.T) (fill func(string) string, job string) {
	t.Helper()
	_, fill = inDir(t, map[string]string{"words.txt": strings.Repeat("a\nb\na\n", 1000)})
	job = fill("CREATE SOURCE words FROM 'file:DIR/words.txt' FORMAT TEXT WITH (max_rows_per_interval = 500); SELECT value, count(*) AS n FROM words GROUP BY value ORDER BY value")
	if _, stderr, status := call(t, "", "run", "--checkpoint", fill("DIR/state"), "-e", job); status != 0 {
		t.Fatalf("status %d:\n%s", status, stderr)
	}
	return fill, job
}

func TestCheckpointTellsWhatIsInIt(t *testing.T) {
	fill, _ := checkpointed(t)
	state := fill("DIR/state")
	stdout, stderr, status := call(t, "", "checkpoint", "ls", state)
	if status != 0 || stderr != "" {
		t.Fatalf("ls: status %d, stderr %q", status, stderr)
	}
	for _, want := range []string{"job ", "commit ", "words   words.txt  6000    3000", "ended", "select1.aggregate/panes"} {
		if !strings.Contains(stdout, want) {
			t.Errorf("ls lacks %q:\n%s", want, stdout)
		}
	}
	stdout, stderr, status = call(t, "", "checkpoint", "show", state, "select1.aggregate/panes", "--output", "json")
	if status != 0 || !strings.Contains(stdout, `"key.value":"a","rows":2000`) || !strings.Contains(stdout, `"key.value":"b","rows":1000`) {
		t.Errorf("show: status %d, stderr %q:\n%s", status, stderr, stdout)
	}
	_, stderr, status = call(t, "", "checkpoint", "show", state, "select1")
	if status != 2 || !strings.Contains(stderr, `no table "select1": there are ["select1.aggregate/panes"]`) {
		t.Errorf("show of no table: status %d, stderr %q", status, stderr)
	}
	stdout, stderr, status = call(t, "", "checkpoint", "verify", state)
	if status != 0 || !strings.HasSuffix(stdout, "whole\n") || stderr != "" {
		t.Errorf("verify: status %d, stderr %q:\n%s", status, stderr, stdout)
	}
	for _, command := range []string{"ls", "verify"} {
		if _, stderr, status := call(t, "", "checkpoint", command, fill("DIR/nope")); status != 2 || !strings.Contains(stderr, "no such file") {
			t.Errorf("%s of nothing: status %d, stderr %q", command, status, stderr)
		}
	}
}

func TestRunOverAnAlteredCheckpointIsRightOrRefused(t *testing.T) {
	damages := []struct {
		name   string
		isCut  bool
		damage func(text []byte) []byte
	}{
		{"a byte is flipped in the middle", false, func(b []byte) []byte { b[len(b)/2] ^= 0x40; return b }},
		{"the second half is gone", true, func(b []byte) []byte { return b[:len(b)/2] }},
		{"the file is empty", true, func(b []byte) []byte { return b[:0] }},
	}
	fill, job := checkpointed(t)
	state := fill("DIR/state")
	files := make(map[string][]byte)
	if err := filepath.WalkDir(state, func(path string, e os.DirEntry, err error) error {
		if err != nil || e.IsDir() {
			return err
		}
		text, err := os.ReadFile(path)
		name, _ := filepath.Rel(state, path)
		files[name] = text
		return err
	}); err != nil {
		t.Fatal(err)
	}
	const want = "value,n\na,2001\nb,1000\nc,1\n"
	for name, text := range files {
		if len(text) == 0 {
			continue
		}
		for _, d := range damages {
			t.Run(name+"/"+d.name, func(t *testing.T) {
				dir, again := inDir(t, nil)
				for n, text := range files {
					if n == name {
						text = d.damage(append([]byte(nil), text...))
					}
					if err := os.MkdirAll(filepath.Dir(filepath.Join(dir, "state", n)), 0o755); err != nil {
						t.Fatal(err)
					}
					writeFile(t, filepath.Join(dir, "state", n), string(text))
				}
				_, verifyText, verified := call(t, "", "checkpoint", "verify", again("DIR/state"))
				// The file has grown since.
				writeFile(t, filepath.Join(dir, "words.txt"), strings.Repeat("a\nb\na\n", 1000)+"a\nc\n")
				stdout, stderr, status := call(t, "", "run", "--checkpoint", again("DIR/state"), "--mode", "complete", "-e", strings.ReplaceAll(job, fill("DIR"), dir))
				switch {
				case status == 0 && stdout == want: // an older good record, or a part that is not needed
				case status == 0 && strings.HasPrefix(name, "records") && d.isCut && strings.HasSuffix(stdout, strings.TrimPrefix(want, "value,n\n")):
					// A record that is cut off was never decided, and there is no older one: the job starts over.
				case status == 1 && stdout == "" && strings.Contains(stderr, "state") && strings.Contains(stderr, filepath.Base(name)):
					if verified != 1 || !strings.Contains(verifyText, filepath.Base(name)) {
						t.Errorf("the job is refused, but verify says status %d, %q", verified, verifyText)
					}
				default:
					t.Errorf("status %d, stdout %q, stderr:\n%s", status, stdout, stderr)
				}
			})
		}
	}
}

func TestTwoJobsOnOneCheckpoint(t *testing.T) {
	t.Parallel()
	_, fill := inDir(t, nil)
	job := "CREATE SOURCE t (n BIGINT) FROM 'stdin:' FORMAT CSV; SELECT n FROM t"
	first := spawn(t, "run", "--checkpoint", fill("DIR/state"), "--interval", "20ms", "--commit-every", "20ms", "-e", job)
	if _, err := first.stdin.Write([]byte("1\n")); err != nil {
		t.Fatal(err)
	}
	first.waitFor(&first.stdout, "1\n")
	stdout, stderr, status := call(t, "2\n", "run", "--checkpoint", fill("DIR/state"), "-e", job)
	if status != 1 || stdout != "" || !strings.Contains(stderr, fill("DIR/state")) || !strings.Contains(stderr, "in use") {
		t.Errorf("the second job: status %d, stdout %q, stderr %q", status, stdout, stderr)
	}
	first.stdin.Close()
	first.isDone()
}
