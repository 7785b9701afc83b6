package tidemill_test

import (
	"bytes"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/tidemill/tidemill"
	"github.com/tidemill/tidemill/internal/spark"
	"github.com/tidemill/tidemill/operators/expr"
)

var rewrite = flag.Bool("rewrite", false, "write what the tests get into testdata and docs/functions.md")

// golden compares got with a file, or writes it there with -rewrite.
func golden(t *testing.T, path, got string) {
	t.Helper()
	if *rewrite {
		writeFile(t, path, got)
		return
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), got); diff != "" {
		t.Errorf("%s (-want +got, -rewrite writes it):\n%s", path, diff)
	}
}

// blocks returns the code blocks of a document in a language that are marked to be run.
func blocks(t *testing.T, path, language string) []string {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	var all []string
	for _, m := range regexp.MustCompile("(?s)<!-- run: "+language+" -->\n```"+language+"\n(.*?)\n```").FindAllSubmatch(text, -1) {
		all = append(all, string(m[1]))
	}
	if len(all) == 0 {
		t.Fatalf("%s has no block to run", path)
	}
	return all
}

func TestSQLInDocumentsRuns(t *testing.T) {
	for _, path := range []string{"README.md", "docs/sql.md"} {
		for i, script := range blocks(t, path, "sql") {
			name := fmt.Sprintf("%s-%d", strings.TrimSuffix(filepath.Base(path), ".md"), i+1)
			t.Run(name, func(t *testing.T) {
				script := strings.ReplaceAll(script, "file:out/", "file:"+filepath.Join(t.TempDir(), "out"))
				out, status := runSQL(t, tidemill.Config{Workers: 2}, script)
				golden(t, filepath.Join("testdata", "docs", name+".csv"), out)
				checkLedger(t, status)
			})
		}
	}
}

// TestEveryBlockOfSQLIsRun finds blocks that someone forgot to mark.
func TestEveryBlockOfSQLIsRun(t *testing.T) {
	for _, path := range []string{"README.md", "docs/sql.md"} {
		text, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		if all, run := bytes.Count(text, []byte("```sql\n")), len(blocks(t, path, "sql")); all != run {
			t.Errorf("%s has %d blocks of SQL, %d are run: mark them by <!-- run: sql -->", path, all, run)
		}
	}
}

// arrivalTimes are windows of the time at which the test runs.
var arrivalTimes = regexp.MustCompile(`\d{4}-\d\d-\d\dT\d\d:00:00Z`)

func TestGoInDocumentsRuns(t *testing.T) {
	if testing.Short() {
		t.Skip("it builds programs")
	}
	for _, path := range []string{"README.md", "docs/sql.md"} {
		for i, program := range blocks(t, path, "go") {
			name := fmt.Sprintf("%s-go-%d", strings.TrimSuffix(filepath.Base(path), ".md"), i+1)
			path := writeFile(t, filepath.Join(".cache", name, "main.go"), program)
			defer os.RemoveAll(filepath.Dir(path))
			cmd := exec.Command("go", "run", "./"+path)
			var stderr bytes.Buffer
			cmd.Stderr = &stderr
			out, err := cmd.Output()
			if err != nil {
				t.Fatalf("%s: %v\n%s", name, err, stderr.String())
			}
			golden(t, filepath.Join("testdata", "docs", name+".csv"), arrivalTimes.ReplaceAllString(string(out), "TIME"))
		}
	}
}

func TestReferenceOfFunctionsIsComplete(t *testing.T) {
	var b strings.Builder
	b.WriteString("# Functions\n\nWritten by `go test -run Reference -rewrite .` from the registry; names and results are Spark's, in ANSI mode. " +
		"A call that can't be\ncomputed makes a bad row. Aggregates are in [sql.md](sql.md). Examples are what Spark answers: `make spark-golden`.\n\n" +
		"| name | forms | result | example |\n|---|---|---|---|\n")
	cell := func(s string) string { return strings.ReplaceAll(s, "|", `\|`) }
	for _, name := range expr.Names() {
		if expr.Doc(name) == "" {
			t.Errorf("%s has no documentation", name)
		}
		forms := make([]string, 0, 4)
		for _, s := range expr.Signatures(name) {
			forms = append(forms, "`"+cell(s)+"`")
		}
		example, found := spark.Example(name)
		if !found {
			t.Errorf("%s has no case in internal/spark/functions", name)
		}
		_, value, _ := strings.Cut(example.Answer, " ")
		fmt.Fprintf(&b, "| `%s` | %s | %s | `%s` is `%s` |\n",
			cell(name), strings.Join(forms, "<br>"), cell(expr.Doc(name)), cell(example.Case), cell(value))
	}
	golden(t, "docs/functions.md", b.String())
}
