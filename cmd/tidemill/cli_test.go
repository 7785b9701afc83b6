package main

import (
	"flag"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

var rewrite = flag.Bool("rewrite", false, "write what the tests get into testdata")

// golden compares got with a file in testdata, or writes it there with -rewrite.
func golden(t *testing.T, name, got string) {
	t.Helper()
	path := filepath.Join("testdata", name)
	if *rewrite {
		writeFile(t, path, got)
		return
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), got); diff != "" {
		t.Errorf("%s (-want +got):\n%s", name, diff)
	}
}

// inDir makes a new directory with files and replaces DIR in texts by its path.
func inDir(t *testing.T, files map[string]string) (dir string, fill func(string) string) {
	t.Helper()
	dir = t.TempDir()
	for name, text := range files {
		path := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		writeFile(t, path, text)
	}
	return dir, func(s string) string { return strings.ReplaceAll(s, "DIR", dir) }
}

// entries returns what is in a directory.
func entries(t *testing.T, dir string) string {
	t.Helper()
	all, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, e := range all {
		names = append(names, e.Name())
	}
	return strings.Join(names, " ")
}

const people = `CREATE SOURCE t (name TEXT, age BIGINT) FROM 'file:DIR/people.csv' FORMAT CSV; `

var peopleFile = map[string]string{"people.csv": "ada,36\n\"\",0\n,\nbob,x\n"}

func TestWrongJobIsRefusedBeforeAnythingIsOpened(t *testing.T) {
	tests := []struct {
		name   string
		args   []string
		stderr []string // all of them are in it
	}{
		{
			name:   "a column with a slip",
			args:   []string{"-e", people + "SELECT nmae FROM t"},
			stderr: []string{"line 1, column ", `unknown column "nmae": did you mean "name"?`, "SELECT nmae FROM t\n", "        ^\n"},
		},
		{
			name:   "a function with a slip",
			args:   []string{"-e", people + "\nSELECT\n  uper(name) FROM t"},
			stderr: []string{`line 3, column 3: unknown function "uper": did you mean "upper"?`, "\n    uper(name) FROM t\n    ^\n"},
		},
		{
			name:   "a table with a slip",
			args:   []string{"-e", strings.Replace(people, "SOURCE t", "SOURCE people", 1) + "SELECT name FROM poeple"},
			stderr: []string{`unknown table "poeple": did you mean "people"?`},
		},
		{
			name:   "no statement at all",
			args:   []string{"-e", people + "SELEC name FROM t"},
			stderr: []string{"line 1, column ", `expected CREATE SOURCE, CREATE TABLE, CREATE VIEW, CREATE SINK, SELECT or WITH, found "SELEC"`, "^\n"},
		},
		{
			name:   "an unfinished text",
			args:   []string{"-e", people + "SELECT 'abc FROM t"},
			stderr: []string{"line 1, column ", "^\n"},
		},
		{
			name:   "a type that does not fit",
			args:   []string{"-e", people + "SELECT name FROM t WHERE age"},
			stderr: []string{"WHERE takes a BOOLEAN, got BIGINT", "^\n"},
		},
		{
			name:   "two mistakes are reported at once",
			args:   []string{"-e", people + "SELECT nmae, agee FROM t"},
			stderr: []string{`unknown column "nmae": did you mean "name"?`, `unknown column "agee": did you mean "age"?`},
		},
		{
			name:   "a job without a result",
			args:   []string{"-e", people},
			stderr: []string{"the script has no result: add a SELECT or CREATE SINK"},
		},
		{
			name:   "a source of an unknown kind",
			args:   []string{"-e", "CREATE SOURCE t (a TEXT) FROM 'fil:x.csv' FORMAT CSV; SELECT a FROM t"},
			stderr: []string{"line 1, column 15: ", `source "fil:x.csv"`, "file:PATH, stdin:, tcp://HOST:PORT", "^\n"},
		},
		{
			name:   "an unknown format is the only complaint",
			args:   []string{"-e", "CREATE SOURCE t (a TEXT) FROM 'file:x.csv' FORMAT CVS; SELECT a FROM t"},
			stderr: []string{"line 1, column 15: ", `format "CVS" is unknown: did you mean CSV?`, "^\n"},
		},
		{
			name: "options with slips and bad values are reported at once",
			args: []string{"-e", "CREATE SOURCE t (a TEXT) FROM 'file:x.csv' FORMAT CSV WITH (folow = true, heder = true, idle = 'x'); SELECT a FROM t"},
			stderr: []string{
				`option "folow" is unknown: did you mean follow?`, `option "heder" is unknown: did you mean header?`, `option idle: want a time such as '10 seconds', got "x"`,
			},
		},
		{
			name:   "a sink of an unknown kind",
			args:   []string{"-e", people + "\nCREATE SINK out INTO 'fil:x' FORMAT CSV AS SELECT name FROM t"},
			stderr: []string{"line 2, column 13: ", `sink "fil:x"`, "file:DIRECTORY", "^\n"},
		},
		{
			name:   "an option of a sink with a slip",
			args:   []string{"-e", people + "\nCREATE SINK out INTO 'file:DIR/out' FORMAT CSV WITH (haeder = true) AS SELECT name FROM t"},
			stderr: []string{"line 2, column 13: ", `option "haeder" is not known here`, "header"},
		},
		{name: "no job", stderr: []string{"no job: give a file with SQL, or -e 'SQL'"}},
		{name: "a job file and -e", args: []string{"x.sql", "-e", "SELECT 1"}, stderr: []string{"give a job file or -e, not both"}},
		{name: "a job file that is not there", args: []string{"DIR/nope.sql"}, stderr: []string{"read job: open ", "nope.sql: no such file"}},
		{name: "an unknown flag", args: []string{"--intervall", "1s"}, stderr: []string{`unknown flag --intervall, did you mean "--interval"?`}},
		{name: "a time without a unit", args: []string{"--for", "10", "-e", people + "SELECT name FROM t"}, stderr: []string{"--for"}},
		{name: "a size that is none", args: []string{"--memory", "lots", "-e", people + "SELECT name FROM t"}, stderr: []string{`--memory: want a size such as 512MB, got "lots"`}},
		{name: "an output that is none", args: []string{"--output", "xml", "-e", people + "SELECT name FROM t"}, stderr: []string{`Output must be table, csv, json or live: "xml"`}},
		{name: "a mode that is none", args: []string{"--mode", "replace", "-e", people + "SELECT name FROM t"}, stderr: []string{`Mode must be append, update or complete: "replace"`}},
		{name: "too many workers", args: []string{"--workers", "5000", "-e", people + "SELECT name FROM t"}, stderr: []string{"Workers must be 0 to 1024: 5000"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			dir, fill := inDir(t, peopleFile)
			args := []string{"run", "--checkpoint", fill("DIR/state")}
			for _, a := range tt.args {
				args = append(args, fill(a))
			}
			stdout, stderr, status := call(t, "", args...)
			if status != 2 || stdout != "" {
				t.Errorf("want status 2 and an empty stdout, got %d and %q", status, stdout)
			}
			for _, want := range tt.stderr {
				if !strings.Contains(stderr, want) {
					t.Errorf("stderr lacks %q:\n%s", want, stderr)
				}
			}
			if n := strings.Count(stderr, tt.stderr[len(tt.stderr)-1]); n > 1 && tt.stderr[len(tt.stderr)-1] != "^\n" {
				t.Errorf("the message is there %d times:\n%s", n, stderr)
			}
			if got := entries(t, dir); got != "people.csv" {
				t.Errorf("the refused job left files behind: %s", got)
			}
		})
	}
}

func TestRowsGoToStdoutAndAllElseToStderr(t *testing.T) {
	tests := []struct {
		name           string
		args           []string
		stdin          string
		stdout, stderr string
	}{
		{
			name:   "csv has a header, and tells NULL from an empty text",
			args:   []string{"--output", "csv", "-e", people + "SELECT name, age FROM t"},
			stdout: "name,age\nada,36\n\"\",0\n,\n",
			stderr: "1 bad row in t: 1 × column age: … is not a BIGINT\n  people.csv: line 4: byte offset 14: column age: \"x\" is not a BIGINT\ndone: 4 rows in, 3 rows out, 1 bad row, 0.0 s\n",
		},
		{
			name:   "json has one object a line, and writes NULL",
			args:   []string{"--output", "json", "-e", people + "SELECT name, age FROM t WHERE age IS NULL OR age > 1"},
			stdout: "{\"name\":\"ada\",\"age\":36}\n{\"name\":null,\"age\":null}\n",
			stderr: "1 bad row in t: 1 × column age: … is not a BIGINT\n  people.csv: line 4: byte offset 14: column age: \"x\" is not a BIGINT\ndone: 4 rows in, 2 rows out, 1 bad row, 0.0 s\n",
		},
		{
			name:   "a column that is not used may be anything",
			args:   []string{"-e", people + "SELECT name FROM t"},
			stdout: "name\nada\n\"\"\n\nbob\n",
			stderr: "done: 4 rows in, 4 rows out, 0.0 s\n",
		},
		{
			name:   "several -e are one job, comments at their ends do no harm",
			args:   []string{"-e", people + "-- a source", "-e", "SELECT name FROM t WHERE age = 36 -- a query", "-e", "SELECT 1 + 1 AS two FROM t WHERE age = 36"},
			stdout: "name\nada\ntwo\n2\n",
			stderr: "1 bad row in t: 1 × column age: … is not a BIGINT\n  people.csv: line 4: byte offset 14: column age: \"x\" is not a BIGINT\ndone: 4 rows in, 2 rows out, 1 bad row, 0.0 s\n",
		},
		{
			name:   "the job comes from stdin",
			args:   []string{"-"},
			stdin:  people + "SELECT upper(name) AS n FROM t WHERE name = 'ada'",
			stdout: "n\nADA\n",
			stderr: "done: 4 rows in, 1 row out, 0.0 s\n",
		},
		{
			name:   "the rows come from stdin",
			args:   []string{"-e", "CREATE SOURCE t FROM 'stdin:' FORMAT TEXT; SELECT upper(value) AS v FROM t"},
			stdin:  "one\ntwo",
			stdout: "v\nONE\nTWO\n",
			stderr: "done: 2 rows in, 2 rows out, 0.0 s\n",
		},
		{
			name:   "quiet jobs print rows only",
			args:   []string{"-q", "-e", people + "SELECT name, age FROM t"},
			stdout: "name,age\nada,36\n\"\",0\n,\n",
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			_, fill := inDir(t, peopleFile)
			args := []string{"run"}
			for _, a := range tt.args {
				args = append(args, fill(a))
			}
			stdout, stderr, status := call(t, fill(tt.stdin), args...)
			if status != 0 {
				t.Errorf("want status 0, got %d", status)
			}
			if diff := cmp.Diff(tt.stdout, stdout); diff != "" {
				t.Errorf("stdout (-want +got):\n%s", diff)
			}
			if diff := cmp.Diff(tt.stderr, withoutTime(stderr)); diff != "" {
				t.Errorf("stderr (-want +got):\n%s", diff)
			}
		})
	}
}

// withoutTime replaces the time that a job took, at the end of its last line, by 0.0 s.
func withoutTime(stderr string) string {
	text, isLine := strings.CutSuffix(stderr, " s\n")
	if i := strings.LastIndex(text, ", "); isLine && i >= 0 {
		return text[:i] + ", 0.0 s\n"
	}
	return stderr
}

func TestTableIsAlignedAndReadable(t *testing.T) {
	_, fill := inDir(t, peopleFile)
	stdout, _, status := call(t, "", "run", "--output", "table", "-e", fill(people+"SELECT name, age FROM t"))
	if status != 0 {
		t.Fatalf("status %d", status)
	}
	golden(t, "table.txt", stdout)
}

func TestOnErrorFailEndsAtTheFirstBadRow(t *testing.T) {
	_, fill := inDir(t, peopleFile)
	stdout, stderr, status := call(t, "", "run", "--on-error", "fail", "-e", fill(people+"SELECT name, age FROM t"))
	if status != 1 || stdout != "" {
		t.Errorf("want status 1 and no rows, got %d and %q", status, stdout)
	}
	for _, want := range []string{"stopped by an error: ", "tidemill: bad row: source t: people.csv: line 4: byte offset 14: column age: \"x\" is not a BIGINT\n"} {
		if !strings.Contains(stderr, want) {
			t.Errorf("stderr lacks %q:\n%s", want, stderr)
		}
	}
}

func TestCheckAndExplainOpenNothing(t *testing.T) {
	const job = `
CREATE SOURCE e (ts BIGINT, user TEXT, amount DOUBLE, at AS timestamp_millis(ts), WATERMARK FOR at AS at - INTERVAL '2 seconds')
  FROM 'tcp-listen://127.0.0.1:1' FORMAT JSON;
CREATE SINK totals INTO 'file:DIR/out' FORMAT JSON AS
  SELECT window.start, user, sum(amount) AS total FROM e WHERE amount > 0 GROUP BY window(at, '10 seconds'), user ORDER BY total DESC LIMIT 3;
SELECT user FROM e WHERE user LIKE 'a%'`
	for _, command := range []string{"check", "explain"} {
		t.Run(command, func(t *testing.T) {
			dir, fill := inDir(t, nil)
			stdout, stderr, status := call(t, "", command, "-e", fill(job))
			if status != 0 || stderr != "" {
				t.Errorf("want status 0 and an empty stderr, got %d and %q", status, stderr)
			}
			golden(t, command+".txt", stdout)
			if got := entries(t, dir); got != "" {
				t.Errorf("%s left files behind: %s", command, got)
			}
			stdout, stderr, status = call(t, "", command, "-e", fill(strings.Replace(job, "user LIKE", "usr LIKE", 1)))
			if status != 2 || stdout != "" || !strings.Contains(stderr, `did you mean "user"?`) {
				t.Errorf("a wrong job: status %d, stdout %q, stderr:\n%s", status, stdout, stderr)
			}
		})
	}
	_, stderr, status := call(t, "", "check", "-e", "CREATE SOURCE t FROM 'file:nope.csv' FORMAT CSV; SELECT * FROM t")
	if status != 2 || !strings.Contains(stderr, "give a column list") {
		t.Errorf("columns to infer: status %d, stderr:\n%s", status, stderr)
	}
}

func TestHelpOfEveryCommandIsForPeople(t *testing.T) {
	commands := []string{"", "run", "check", "explain", "gen", "gen words", "gen rate", "gen events", "checkpoint", "checkpoint ls", "checkpoint show", "checkpoint verify", "checkpoint save", "version"}
	for _, command := range commands {
		stdout, stderr, status := call(t, "", append(strings.Fields(command), "--help")...)
		if status != 0 || stderr != "" {
			t.Errorf("%s --help: status %d, stderr %q", command, status, stderr)
		}
		if !strings.HasPrefix(stdout, strings.TrimSpace("Usage: tidemill "+command)) {
			t.Errorf("%s --help: no usage:\n%s", command, stdout)
		}
		if found := regexp.MustCompile(`=(INT|INT-64|DURATION|STRING|BYTE-SIZE|"")\b.*|(?m:^ +--[a-z-]+(=\S+)?$)`).FindString(stdout); found != "" {
			t.Errorf("%s --help: a flag shows Go's type, or has no text: %s", command, found)
		}
		for line := range strings.Lines(stdout) {
			if len(strings.TrimSpace(line)) > 100 {
				t.Errorf("%s --help: a line is too long: %s", command, line)
			}
		}
	}
	stdout, _, status := call(t, "")
	if status != 0 || !strings.HasPrefix(stdout, "Usage: tidemill <command>") {
		t.Errorf("without arguments: status %d, stdout %q", status, stdout)
	}
	if _, stderr, status := call(t, "", "rnu"); status != 2 || !strings.Contains(stderr, `did you mean "run"?`) {
		t.Errorf("unknown command: status %d, stderr %q", status, stderr)
	}
}

func TestVersionNamesGoAndPlatform(t *testing.T) {
	stdout, stderr, status := call(t, "", "version")
	if status != 0 || stderr != "" || !strings.HasPrefix(stdout, "tidemill dev go1.") || !strings.HasSuffix(stdout, "/amd64\n") && !strings.HasSuffix(stdout, "/arm64\n") {
		t.Errorf("status %d, stdout %q, stderr %q", status, stdout, stderr)
	}
}
