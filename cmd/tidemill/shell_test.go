package main

import (
	"context"
	"io"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/alecthomas/kong"
	"github.com/google/go-cmp/cmp"
)

func TestSession(t *testing.T) {
	const source = "CREATE SOURCE people (name TEXT, age BIGINT) FROM 'file:DIR/people.csv' FORMAT CSV;\n"
	tests := []struct {
		name           string
		stdin          string
		stdout, stderr string // stderr: is in it
		status         int
	}{
		{
			name:   "a query reads what was defined before it",
			stdin:  source + "CREATE VIEW adults AS SELECT name FROM people WHERE age > 18; -- and\n\nSELECT * FROM adults",
			stdout: "name\nada\n", stderr: "done: 3 rows in, 1 row out",
		},
		{
			name:   "each query is a job of its own",
			stdin:  source + "SELECT count(*) AS n FROM people; SELECT max(age) AS age FROM people;",
			stdout: "n\n3\nage\n36\n",
		},
		{
			name:   "names are listed, described and forgotten",
			stdin:  source + "CREATE VIEW v AS SELECT name AS who FROM people; SHOW TABLES; DESCRIBE v; DROP VIEW v; DROP people; SHOW TABLES;",
			stdout: "people  source  file:DIR/people.csv\nv       view    \nwho  TEXT\n",
		},
		{
			name:  "what a view reads can't be forgotten",
			stdin: source + "CREATE VIEW v AS SELECT name FROM people; DROP SOURCE people;", status: 2,
			stderr: `view "v" reads "people": drop it before`,
		},
		{
			name: "a name is given once", stdin: source + source, status: 2,
			stderr: `source "people" is there already: DROP people; goes before`,
		},
		{name: "an unknown name", stdin: "DESCRIBE nobody;", status: 2, stderr: `nothing is called "nobody": SHOW TABLES; says what there is`},
		{
			name: "a mistake is counted from the beginning of its statement", stdin: source + "SELECT\n nmae FROM people;", status: 2,
			stderr: "line 2, column 2: unknown column \"nmae\"",
		},
		{
			name: "a mistake in a view is found when it is defined", stdin: source + "CREATE VIEW v AS SELECT agee FROM people;", status: 2,
			stderr: "line 1, column 25: unknown column \"agee\"",
		},
		{
			name: "a plan is explained", stdin: source + "EXPLAIN SELECT name FROM people;",
			stdout: "",
		},
		{name: "nothing behind QUIT runs", stdin: "QUIT; nonsense;"},
		{name: "a text without end", stdin: "SELECT 'abc", status: 2, stderr: "the string has no end"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			_, fill := inDir(t, map[string]string{"people.csv": "ada,36\nbob,7\ncy,\n"})
			stdout, stderr, status := call(t, fill(tt.stdin), "sql")
			if status != tt.status || !strings.Contains(stderr, tt.stderr) {
				t.Errorf("want status %d and %q in stderr, got %d and\n%s", tt.status, tt.stderr, status, stderr)
			}
			if strings.Contains(tt.stdin, "EXPLAIN") {
				if !strings.Contains(stdout, "scan people") {
					t.Errorf("want a plan, got\n%s", stdout)
				}
				return
			}
			if diff := cmp.Diff(fill(tt.stdout), stdout); diff != "" {
				t.Errorf("rows (-want +got):\n%s", diff)
			}
		})
	}
}

func TestSessionBeginsWithFiles(t *testing.T) {
	dir, fill := inDir(t, map[string]string{"people.csv": "ada,36\n"})
	script := writeFile(t, filepath.Join(dir, "sources.sql"), fill("CREATE SOURCE people (name TEXT, age BIGINT) FROM 'file:DIR/people.csv' FORMAT CSV"))
	stdout, stderr, status := call(t, "SELECT age FROM people", "sql", "--output", "json", script)
	if status != 0 || stdout != "{\"age\":36}\n" {
		t.Errorf("got status %d, %q and\n%s", status, stdout, stderr)
	}
}

func TestHistoryIsBounded(t *testing.T) {
	path := writeFile(t, filepath.Join(t.TempDir(), "history"), strings.Repeat("SELECT 1;\n", maxHistory)+"the last;\n")
	var h history
	if err := h.open(path); err != nil {
		t.Fatal(err)
	}
	if err := h.append("the last;"); err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if h.Len() != maxHistory || h.At(0) != "the last;" || strings.Count(string(text), "\n") != maxHistory {
		t.Errorf("want %d statements in memory and in the file, the last one once: %d, %q, %d", maxHistory, h.Len(), h.At(0), strings.Count(string(text), "\n"))
	}
}

// TestExamplesOfHelpAreRight parses the command lines in the help of all commands, and the SQL in them.
func TestExamplesOfHelpAreRight(t *testing.T) {
	var c cli
	parser, err := kong.New(&c, kong.Name("tidemill"), kong.Exit(func(int) {}), kong.Writers(io.Discard, io.Discard), kong.BindTo(context.Background(), (*context.Context)(nil)))
	if err != nil {
		t.Fatal(err)
	}
	count := 0
	for _, node := range parser.Model.Leaves(true) {
		for n := node; n.Type == kong.CommandNode; n = n.Parent {
			provider, ok := reflect.TypeAssert[kong.HelpProvider](n.Target.Addr())
			if !ok {
				continue
			}
			for line := range strings.Lines(provider.Help()) {
				args, isExample := strings.CutPrefix(strings.TrimSpace(line), "tidemill ")
				if !isExample {
					continue
				}
				count++
				words := shellWords(args)
				if words[0] != strings.Fields(n.Path())[0] && !strings.HasPrefix(n.Path(), words[0]) {
					t.Errorf("the help of %s shows another command: %s", n.Path(), line)
				}
				c = cli{}
				if _, err := parser.Parse(words); err != nil {
					t.Errorf("%s: %v", args, err)
				}
				for _, text := range c.Run.Exec {
					if _, stderr, status := call(t, "", "check", "-e", text); status != 0 {
						t.Errorf("%s: %s", args, stderr)
					}
				}
			}
			break
		}
	}
	if count < 10 || reflect.ValueOf(c).IsZero() {
		t.Errorf("want at least 10 examples, got %d", count)
	}
}

// shellWords splits a line at blanks that are not between double quotes.
func shellWords(line string) []string {
	var words []string
	for i, part := range strings.Split(line, `"`) {
		if i%2 == 1 {
			words = append(words, part)
			continue
		}
		words = append(words, strings.Fields(part)...)
	}
	return words
}

func TestShellsCompleteArguments(t *testing.T) {
	for line, want := range map[string][]string{
		"tidemill run --align ": {"epoch", "start"},
		"tidemill chec":         {"check", "checkpoint"},
	} {
		t.Setenv("COMP_LINE", line)
		stdout, _, status := call(t, "")
		got := strings.Fields(stdout)
		slices.Sort(got)
		if status != 0 || !slices.Equal(got, want) {
			t.Errorf("%s: want %q, got %q (status %d)", line, want, got, status)
		}
	}
}
