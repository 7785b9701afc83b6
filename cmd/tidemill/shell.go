package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/tidemill/tidemill"
	"github.com/tidemill/tidemill/batch"
	"github.com/tidemill/tidemill/operators"
	"github.com/tidemill/tidemill/sql"
)

type shellCommand struct {
	Scripts  []string      `arg:"" optional:"" name:"file" help:"Files with statements that come before the first prompt."`
	Interval time.Duration `default:"1s" help:"Time between two intervals."`
	Output   string        `placeholder:"FORMAT" help:"How a query prints: live (default on a terminal: the latest state, in place), csv (default elsewhere), table or json."`
	Mode     string        `placeholder:"MODE" help:"Output mode of results that do not say: append, update or complete."`
	Workers  int           `placeholder:"N" help:"Goroutines that decode and compute (default: one per core)."`
	Memory   byteSize      `placeholder:"SIZE" help:"Bound of tables, panes and pools, such as 512MB (default: half of the machine's)."`
}

// Help shows how a session goes.
func (*shellCommand) Help() string {
	return `A statement ends with a semicolon, and may have several lines. CREATE SOURCE, TABLE and VIEW define names; a query or CREATE SINK runs at once, until its sources end or Ctrl-C stops it. Tab completes, the arrow keys recall; statements are kept in $XDG_STATE_HOME/tidemill/history (TIDEMILL_HISTORY names another file, or none if it is empty).

Examples:

    tidemill sql
    tidemill sql sources.sql
    echo "SELECT count(*) AS n FROM orders;" | tidemill sql sources.sql`
}

// shell is a session: what was defined so far.
type shell struct {
	shellCommand
	streams

	isTerminal  bool // statements come from a person
	definitions []sql.Statement
	columns     map[string][]string // of what is defined, for completion
}

const shellHelp = `CREATE SOURCE | TABLE | VIEW …;   define a name          SELECT …;              run a query; Ctrl-C stops it
CREATE SINK … AS SELECT …;        run into a sink        EXPLAIN SELECT …;      its plan and the state it keeps
SHOW TABLES;                      what is defined        DESCRIBE name;         its columns
DROP name;                        forget a name          QUIT;                  leave, as Ctrl-D does
`

// Run reads statements until there are no more.
func (c *shellCommand) Run(ctx context.Context, s streams) error {
	sh := &shell{shellCommand: *c, streams: s, isTerminal: isTerminal(s.stdin) && isTerminal(s.stdout), columns: make(map[string][]string)}
	for _, path := range c.Scripts {
		text, err := os.ReadFile(path)
		if err != nil {
			return wrongError{fmt.Errorf("read statements: %w", err)}
		}
		if err := sh.runText(ctx, string(text)); err != nil {
			return err
		}
	}
	if !sh.isTerminal {
		text, err := io.ReadAll(bufio.NewReader(s.stdin))
		if err != nil {
			return fmt.Errorf("read statements: %w", err)
		}
		return sh.runText(ctx, string(text))
	}
	return sh.prompt(ctx)
}

// runText runs the statements of a script. The last one may lack its semicolon.
func (sh *shell) runText(ctx context.Context, text string) error {
	statements, rest := sql.Split(text)
	if rest != "" {
		last, _ := sql.Split(rest + "\n;")
		if len(last) == 0 { // a string or comment without an end: Parse says so
			last = []sql.Statement{{Text: rest}}
		}
		statements = append(statements, last...)
	}
	for i := range statements {
		if err := sh.execute(ctx, statements[i]); errors.Is(err, errQuit) {
			return nil
		} else if err != nil {
			return err
		}
	}
	return nil
}

// prompt asks for statements until the person leaves.
func (sh *shell) prompt(ctx context.Context) error {
	in, err := newPrompt(sh)
	if err != nil {
		return err
	}
	fmt.Fprintf(sh.stdout, "tidemill %s: a statement ends with ;, HELP; says more, Ctrl-D leaves.\n", version)
	text := ""
	for {
		line, err := in.read(text == "")
		switch {
		case errors.Is(err, errInterrupted):
			text = ""
			continue
		case errors.Is(err, io.EOF):
			fmt.Fprintln(sh.stdout)
			return nil
		case err != nil:
			return fmt.Errorf("read statements: %w", err)
		}
		if text += line + "\n"; isCommandWord(text) {
			text += ";"
		}
		statements, rest := sql.Split(text)
		if text = rest; text != "" {
			text += "\n"
		}
		for i := range statements {
			in.remember(statements[i].Text + ";")
			err := sh.execute(ctx, statements[i])
			if errors.Is(err, errQuit) {
				return nil
			}
			if err != nil {
				printError(sh.stderr, err)
				text = ""
				break
			}
		}
	}
}

// isCommandWord says whether a line is a word that needs no semicolon.
func isCommandWord(text string) bool {
	switch strings.ToUpper(strings.TrimSpace(text)) {
	case "QUIT", "EXIT", "HELP":
		return true
	}
	return false
}

// errQuit ends the session.
var errQuit = errors.New("the session is over")

// execute defines what a statement creates, or runs it.
func (sh *shell) execute(ctx context.Context, st sql.Statement) error {
	switch st.Kind {
	case "QUIT", "EXIT":
		return errQuit
	case "HELP":
		fmt.Fprint(sh.stdout, shellHelp)
		return nil
	case "SHOW":
		return sh.show()
	case "DESCRIBE", "DESC":
		return sh.describe(st.Name)
	case "DROP":
		words := strings.Fields(st.Text)
		return sh.drop(strings.Trim(words[len(words)-1], "`"))
	case "EXPLAIN":
		return sh.explain(sql.Statement{Text: strings.TrimSpace(st.Text[len("EXPLAIN"):])})
	case "CREATE SOURCE", "CREATE TABLE", "CREATE VIEW":
		return sh.define(st)
	}
	return sh.run(ctx, st)
}

// job returns a job of all definitions and a statement.
func (sh *shell) job(cfg tidemill.Config, st sql.Statement, newJob func(tidemill.Config) (*tidemill.Context, error)) (*tidemill.Context, error) {
	cfg.Interval, cfg.Mode, cfg.Workers, cfg.MemoryBytes = sh.Interval, sh.Mode, sh.Workers, int64(sh.Memory)
	job, err := newJob(cfg)
	if err != nil {
		return nil, wrongError{err}
	}
	before := 0
	for i := range sh.definitions {
		if err := job.SQL(sh.definitions[i].Text); err != nil {
			return nil, wrongError{err}
		}
		before += strings.Count(sh.definitions[i].Text, "\n") + 2 // a line for the semicolon
	}
	err = job.SQL(st.Text)
	if err == nil {
		err = countLinesFrom(job.Check(), before)
	}
	if err != nil {
		return nil, wrongError{err}
	}
	return job, nil
}

// countLinesFrom makes faults count their lines from the statement, which has so many before it.
func countLinesFrom(err error, before int) error {
	if all, ok := errors.AsType[sql.Errors](err); ok {
		for _, e := range all {
			if e.Pos.Line > before {
				e.Pos.Line -= before
			}
		}
	}
	return err
}

// define remembers a definition that is right.
func (sh *shell) define(st sql.Statement) error {
	if i := sh.index(st.Name); i >= 0 {
		return wrongError{fmt.Errorf("%s %q is there already: DROP %s; goes before", strings.ToLower(strings.TrimPrefix(sh.definitions[i].Kind, "CREATE ")), st.Name, st.Name)}
	}
	if sh.isTerminal && strings.HasPrefix(strings.ToLower(st.From), "stdin:") {
		return wrongError{errors.New("statements come from stdin: read a file, or listen with tcp-listen://127.0.0.1:PORT")}
	}
	if st.Kind == "CREATE TABLE" { // is bound where a join reads it
		if _, err := sql.Parse(st.Text); err != nil {
			return wrongError{err}
		}
		sh.definitions = append(sh.definitions, st)
		return nil
	}
	both := st
	both.Text += "\n;\nSELECT * FROM " + quoteName(st.Name)
	job, err := sh.job(tidemill.Config{Stdin: sh.stdin, Log: newReporter(sh.stderr, false).logger()}, both, tidemill.New)
	if err != nil {
		return err
	}
	names, _, err := columnsOf(job)
	if err != nil {
		return err
	}
	sh.columns[st.Name] = names
	sh.definitions = append(sh.definitions, st)
	return nil
}

func quoteName(name string) string { return "`" + strings.ReplaceAll(name, "`", "``") + "`" }

// columnsOf returns the names and types of the rows of a job with one result.
func columnsOf(job *tidemill.Context) (names, types []string, err error) {
	p, err := job.Plan()
	if err != nil {
		return nil, nil, wrongError{err}
	}
	for _, n := range p.Nodes {
		if _, isOutput := n.Spec.(*operators.OutputSpec); !isOutput {
			continue
		}
		for _, f := range n.Schema.Fields() {
			names, types = append(names, f.Name), append(types, batch.TypeName(f.Type))
		}
	}
	return names, types, nil
}

// index returns which definition has a name, -1 if none has.
func (sh *shell) index(name string) int {
	return slices.IndexFunc(sh.definitions, func(d sql.Statement) bool { return strings.EqualFold(d.Name, name) })
}

func (sh *shell) unknown(name string) error {
	return wrongError{fmt.Errorf("nothing is called %q: SHOW TABLES; says what there is", name)}
}

// show lists what is defined.
func (sh *shell) show() error {
	w := tabwriter.NewWriter(sh.stdout, 0, 4, 2, ' ', 0)
	for i := range sh.definitions {
		d := &sh.definitions[i]
		fmt.Fprintf(w, "%s\t%s\t%s\n", d.Name, strings.ToLower(strings.TrimPrefix(d.Kind, "CREATE ")), d.From)
	}
	return w.Flush()
}

// describe prints the columns of a source or view.
func (sh *shell) describe(name string) error {
	i := sh.index(name)
	if i < 0 {
		return sh.unknown(name)
	}
	if sh.definitions[i].Kind == "CREATE TABLE" {
		fmt.Fprintln(sh.stdout, sh.definitions[i].Text)
		return nil
	}
	job, err := sh.job(tidemill.Config{Stdin: sh.stdin}, sql.Statement{Text: "SELECT * FROM " + quoteName(name)}, tidemill.New)
	if err != nil {
		return err
	}
	names, types, err := columnsOf(job)
	if err != nil {
		return err
	}
	w := tabwriter.NewWriter(sh.stdout, 0, 4, 2, ' ', 0)
	for i := range names {
		fmt.Fprintf(w, "%s\t%s\n", names[i], types[i])
	}
	return w.Flush()
}

// drop forgets a name, unless others need it.
func (sh *shell) drop(name string) error {
	i := sh.index(name)
	if i < 0 {
		return sh.unknown(name)
	}
	was := sh.definitions
	sh.definitions = slices.Delete(slices.Clone(was), i, i+1)
	for _, d := range sh.definitions {
		if d.Kind != "CREATE VIEW" {
			continue
		}
		if _, err := sh.job(tidemill.Config{Stdin: sh.stdin}, sql.Statement{Text: "SELECT * FROM " + quoteName(d.Name)}, tidemill.New); err != nil {
			sh.definitions = was
			return wrongError{fmt.Errorf("view %q reads %q: drop it before", d.Name, name)}
		}
	}
	delete(sh.columns, was[i].Name)
	return nil
}

// explain prints the plan of a statement.
func (sh *shell) explain(st sql.Statement) error {
	job, err := sh.job(tidemill.Config{Stdin: sh.stdin}, st, tidemill.New)
	if err != nil {
		return err
	}
	p, err := job.Plan()
	if err != nil {
		return wrongError{err}
	}
	fmt.Fprint(sh.stdout, p.String())
	return nil
}

// run runs a query or a sink until it ends or is stopped.
func (sh *shell) run(ctx context.Context, st sql.Statement) error {
	reporter := newReporter(sh.stderr, false)
	cfg := tidemill.Config{
		Stdin: sh.stdin, Stdout: reporter.stdout(sh.stdout), Output: sh.Output, Log: reporter.logger(), OnStatus: reporter.onStatus,
	}
	switch {
	case cfg.Output != "":
	case isTerminal(sh.stdout):
		cfg.Output = "live"
	default:
		cfg.Output = "csv"
	}
	job, err := sh.job(cfg, st, tidemill.New)
	if err != nil {
		return err
	}
	return runJob(ctx, job, reporter, 0)
}
