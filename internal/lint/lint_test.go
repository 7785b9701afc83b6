// Package lint_test sees to it that the rules of .golangci.yml find what they are there for: a pattern of files that matches
// nothing makes no noise.
package lint_test

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// linterEnv names the linter's binary; make lint sets it.
const linterEnv = "TIDEMILL_LINTER"

const module = "github.com/tidemill/tidemill"

// target is a package in every layer that plants may import without a cycle.
const target = "target"

func TestWrongImportsAreReported(t *testing.T) {
	linter := os.Getenv(linterEnv)
	if linter == "" {
		t.Skipf("%s is not set: run make lint", linterEnv)
	}
	tests := []struct {
		name    string
		dir     string
		code    string // of the function of a file in dir
		imports string // quoted where it is not a layer of the module
		want    string // in the report; "" for none
	}{
		{name: "batch imports operators", dir: "batch", imports: "operators", want: "not allowed"},
		{name: "batch imports invariants", dir: "batch", imports: "internal/invariants"},
		{name: "expr imports operators", dir: "operators/expr", imports: "operators", want: "operators/expr may import only batch"},
		{name: "expr imports batch", dir: "operators/expr", imports: "batch"},
		{name: "operators import ingest", dir: "operators", imports: "ingest", want: "operators may import only batch"},
		{name: "operators import checkpoint", dir: "operators", imports: "checkpoint", want: "operators may import only batch"},
		{name: "operators import expr", dir: "operators", imports: "operators/expr"},
		{name: "ingest imports egress", dir: "ingest", imports: "egress", want: "ingest may import only batch"},
		{name: "a connector imports operators", dir: "ingest/kafka", imports: "operators", want: "ingest may import only batch"},
		{name: "ingest imports vfs", dir: "ingest", imports: "internal/vfs"},
		{name: "egress imports ingest", dir: "egress", imports: "ingest", want: "egress may import only batch"},
		{name: "egress imports batch", dir: "egress", imports: "batch"},
		{name: "checkpoint imports operators", dir: "checkpoint", imports: "operators", want: "not allowed"},
		{name: "checkpoint imports vfs", dir: "checkpoint", imports: "internal/vfs"},
		{name: "sql imports ingest", dir: "sql", imports: "ingest", want: "sql compiles to operators.Plan"},
		{name: "sql imports the library", dir: "sql", imports: "", want: "sql compiles to operators.Plan"},
		{name: "sql imports expr", dir: "sql", imports: "operators/expr"},
		{name: "the library imports a command", dir: ".", imports: "cmd", want: "the library knows no command"},
		{name: "the library imports the dashboard", dir: ".", imports: "dashboard", want: "the library does not know it"},
		{name: "the library imports a benchmark", dir: ".", imports: "bench", want: "the library knows no benchmark"},
		{name: "the library imports sql", dir: ".", imports: "sql"},
		{name: "a command imports a benchmark", dir: "cmd/tidemill", imports: "bench"},
		{name: "vfs imports batch", dir: "internal/vfs", imports: "batch", want: "the bottom imports nothing"},
		{name: "the library imports a test kit", dir: ".", imports: "internal/optest", want: "only tests may import it"},
		{name: "a package imports the oracle", dir: "operators", imports: "internal/oracle", want: "only tests may import it"},
		{name: "log is not slog", dir: "ingest", imports: `"log"`, want: "use log/slog"},
		{name: "random numbers without a seed", dir: "bench", imports: `"math/rand"`, want: "use math/rand/v2"},
		{name: "printing from the library", dir: "operators", imports: `"fmt"`, code: "fmt.Println()", want: "write to an io.Writer"},
		{name: "a file past vfs", dir: "checkpoint", imports: `"os"`, code: "_ = os.Remove(\"x\")", want: "use internal/vfs"},
		{name: "a file of a command", dir: "cmd/tidemill", imports: `"os"`, code: "_ = os.Remove(\"x\")"},
	}
	dir := t.TempDir()
	config, err := os.ReadFile("../../.golangci.yml")
	must(t, err)
	write(t, filepath.Join(dir, ".golangci.yml"), string(config))
	write(t, filepath.Join(dir, "go.mod"), "module "+module+"\n\ngo 1.26.0\n")
	for i, tt := range tests {
		path := strings.Trim(tt.imports, `"`)
		if path == tt.imports {
			path = module + "/" + tt.imports
			write(t, filepath.Join(dir, tt.imports, target, "target.go"), "// Package target is imported.\npackage target\n")
			path = strings.TrimSuffix(path, "/") + "/" + target
		}
		code, name := tt.code, "_ "
		if code != "" {
			name = ""
		}
		write(t, filepath.Join(dir, tt.dir, planted(i)), "package planted\n\nimport "+name+`"`+path+"\"\n\nfunc _() { "+code+" }\n")
	}
	report := run(t, dir, linter)
	for i, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			place := filepath.ToSlash(filepath.Join(tt.dir, planted(i))) + ":"
			var got []string
			for line := range strings.Lines(report) {
				if strings.HasPrefix(line, place) {
					got = append(got, line)
				}
			}
			switch {
			case tt.want == "" && len(got) > 0:
				t.Errorf("want no report, got\n%s", strings.Join(got, ""))
			case tt.want != "" && !slices.ContainsFunc(got, func(line string) bool { return strings.Contains(line, tt.want) }):
				t.Errorf("want a report with %q, got %q in\n%s", tt.want, got, report)
			}
		})
	}
}

// planted returns the file name of the i-th case.
func planted(i int) string { return fmt.Sprintf("planted%02d.go", i) }

// run returns the linter's report, one line per finding. Finding something is its exit status 1.
func run(t *testing.T, dir, linter string) string {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), linter, "run", "--enable-only", "depguard,forbidigo", "--output.text.print-issued-lines=false",
		"--output.text.colors=false", "./...")
	cmd.Dir = dir
	cmd.Env = append(os.Environ(), "GOWORK=off", "GOLANGCI_LINT_CACHE="+t.TempDir())
	out, err := cmd.CombinedOutput()
	if status := cmd.ProcessState; err != nil && (status == nil || status.ExitCode() != 1) {
		t.Fatalf("run %s: %v\n%s", linter, err, out)
	}
	return string(out)
}

func write(t *testing.T, name, text string) {
	t.Helper()
	must(t, os.MkdirAll(filepath.Dir(name), 0o755))
	must(t, os.WriteFile(name, []byte(text), 0o600))
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
