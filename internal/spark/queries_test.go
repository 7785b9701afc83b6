package spark_test

import (
	"context"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/apache/arrow-go/v18/arrow"

	"github.com/tidemill/tidemill"
	"github.com/tidemill/tidemill/batch"
	"github.com/tidemill/tidemill/internal/spark"
)

func TestQueriesAnswerAsSpark(t *testing.T) {
	dir := t.TempDir()
	sources := make(map[string]string)
	for _, table := range spark.Tables() {
		path := filepath.Join(dir, table.Name+".json")
		if err := os.WriteFile(path, []byte(table.Rows), 0o600); err != nil {
			t.Fatal(err)
		}
		sources[table.Name] = fmt.Sprintf("CREATE SOURCE %s (%s) FROM 'file:%s' FORMAT JSON", table.Name, table.Columns, path)
	}
	differences := newAccepted(t)
	for _, q := range spark.Queries() {
		got, err := run(sources, q.Case)
		if err != nil {
			got = "ERROR " + err.Error()
		}
		differences.compare(fmt.Sprintf("queries/%s.txt:%d", q.Area, q.Line), q.Name, q.Answer, got)
	}
}

// isOrdered finds an ORDER BY outside of brackets, once what is in brackets is gone.
var inBrackets = regexp.MustCompile(`\([^()]*\)`)

func isOrdered(query string) bool {
	for {
		outer := inBrackets.ReplaceAllString(query, "")
		if outer == query {
			return strings.Contains(strings.ToUpper(query), "ORDER BY")
		}
		query = outer
	}
}

// run returns the answer to a query: names and types of its columns, then its rows, sorted unless the query says how.
func run(sources map[string]string, query string) (string, error) {
	job, err := tidemill.New(tidemill.Config{Interval: time.Hour, Workers: 2, FailOnBadRow: true, Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		return "", err
	}
	for name, source := range sources {
		if regexp.MustCompile(`\b` + name + `\b`).MatchString(query) {
			if err := job.SQL(source); err != nil {
				return "", err
			}
		}
	}
	if err := job.SQL("CREATE VIEW answer AS " + query); err != nil {
		return "", err
	}
	header := ""
	var lines []string
	job.Table("answer").ForeachBatch("out", func(_ context.Context, _ batch.Interval, rows arrow.RecordBatch) error {
		var columns []string
		for _, f := range rows.Schema().Fields() {
			columns = append(columns, f.Name+" "+typeText(f.Type))
		}
		header = strings.Join(columns, ", ")
		for i := range int(rows.NumRows()) {
			values := make([]string, rows.NumCols())
			for k, c := range rows.Columns() {
				values[k] = valueText(c, i)
			}
			lines = append(lines, strings.Join(values, " | "))
		}
		return nil
	})
	if err := job.Start(context.Background()); err != nil {
		return "", err
	}
	if err := job.Wait(); err != nil {
		return "", err
	}
	if !isOrdered(query) {
		slices.Sort(lines)
	}
	return strings.Join(append([]string{header}, lines...), "\n"), nil
}
