package main

import (
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/tidemill/tidemill/sql"
)

// jobFlags say what the job is.
type jobFlags struct {
	Job  string            `arg:"" optional:"" help:"File with SQL statements; - is stdin."`
	Set  map[string]string `placeholder:"NAME=VALUE" mapsep:"none" help:"Value of $${name} in the SQL; may be given more than once."`
	Exec []string          `short:"e" help:"SQL statements, instead of a file; may be given more than once." placeholder:"SQL" sep:"none"`
}

// text returns the SQL of the job.
func (j *jobFlags) text(stdin io.Reader) (string, error) {
	switch {
	case j.Job != "" && len(j.Exec) > 0:
		return "", wrongError{errors.New("give a job file or -e, not both")}
	case len(j.Exec) > 0:
		return strings.Join(j.Exec, "\n;\n"), nil
	case j.Job == "":
		return "", wrongError{errors.New("no job: give a file with SQL, or -e 'SQL'")}
	case j.Job == "-":
		text, err := io.ReadAll(stdin)
		return string(text), err
	}
	text, err := os.ReadFile(j.Job)
	if err != nil {
		return "", wrongError{fmt.Errorf("read job: %w", err)}
	}
	return string(text), nil
}

// printError prints err for a person: mistakes in SQL with their line and a caret.
func printError(w io.Writer, err error) {
	var all sql.Errors
	var one *sql.Error
	name := paintOf(w).red("tidemill:")
	switch {
	case errors.As(err, &all):
		for _, e := range all {
			fmt.Fprintf(w, "%s %s\n", name, e.Detail())
		}
	case errors.As(err, &one):
		fmt.Fprintf(w, "%s %s\n", name, one.Detail())
	default:
		fmt.Fprintf(w, "%s %s\n", name, err)
	}
}
