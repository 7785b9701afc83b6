package tidemill

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"strings"
)

// DatabaseLookup finds rows in a table of a SQL database. Names are quoted and values are parameters, so that nothing of the data
// becomes part of a query.
type DatabaseLookup struct {
	DB *sql.DB
	// Table is the table's name.
	Table string
	// Quote surrounds names; left out, it is ", as in the standard. MySQL has `.
	Quote string
	// Numbered says that parameters are $1, $2, …, as in PostgreSQL, instead of ?.
	Numbered bool
}

var _ Lookup = (*DatabaseLookup)(nil)

// maxLookupParameters and maxLookupTerms bound the parameters of a query and the SELECTs in it: SQLite takes 999 parameters before
// 3.32, and 500 terms; others take more.
const (
	maxLookupParameters = 900
	maxLookupTerms      = 400
)

// Find asks for the rows of all keys, in as few queries as there can be.
func (d *DatabaseLookup) Find(ctx context.Context, by, columns []string, keys [][]any) ([][][]any, error) {
	if d.DB == nil || d.Table == "" {
		return nil, errors.New("a DatabaseLookup needs DB and Table")
	}
	found := make([][][]any, len(keys))
	for from, n := 0, max(1, min(maxLookupTerms, maxLookupParameters/len(by))); from < len(keys); from += n {
		to := min(len(keys), from+n)
		if err := d.query(ctx, by, columns, keys[from:to], found[from:to]); err != nil {
			return nil, err
		}
	}
	return found, nil
}

// query asks for the rows of keys. Each comes back with its key's number, since how a database compares texts is its own affair.
func (d *DatabaseLookup) query(ctx context.Context, by, columns []string, keys [][]any, found [][][]any) (err error) {
	var text strings.Builder
	var args []any
	for k, key := range keys {
		if k > 0 {
			text.WriteString(" UNION ALL ")
		}
		fmt.Fprintf(&text, "SELECT %d", k)
		for _, c := range columns {
			text.WriteString(", " + d.name(c))
		}
		text.WriteString(" FROM " + d.name(d.Table) + " WHERE ")
		for i, c := range by {
			if i > 0 {
				text.WriteString(" AND ")
			}
			args = append(args, key[i])
			text.WriteString(d.name(c) + " = " + d.parameter(len(args)))
		}
	}
	rows, err := d.DB.QueryContext(ctx, text.String(), args...)
	if err != nil {
		return fmt.Errorf("query table %s: %w", d.Table, err)
	}
	defer func() { err = errors.Join(err, rows.Close()) }()
	number := 0
	for rows.Next() {
		values := make([]any, len(columns))
		into := []any{&number}
		for i := range values {
			into = append(into, &values[i])
		}
		if err := rows.Scan(into...); err != nil {
			return fmt.Errorf("read a row of table %s: %w", d.Table, err)
		}
		found[number] = append(found[number], values)
	}
	if err := rows.Err(); err != nil {
		return fmt.Errorf("read table %s: %w", d.Table, err)
	}
	return nil
}

func (d *DatabaseLookup) name(s string) string {
	quote := d.Quote
	if quote == "" {
		quote = `"`
	}
	return quote + strings.ReplaceAll(s, quote, quote+quote) + quote
}

func (d *DatabaseLookup) parameter(n int) string {
	if d.Numbered {
		return fmt.Sprintf("$%d", n)
	}
	return "?"
}
