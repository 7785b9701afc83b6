// Package lookups_test looks rows up in a real database. It is apart, so that no other test is built with one.
package lookups_test

import (
	"bytes"
	"database/sql"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"

	_ "modernc.org/sqlite"

	"github.com/tidemill/tidemill"
)

func TestStreamIsJoinedWithATableOfADatabase(t *testing.T) {
	dir := t.TempDir()
	db, err := sql.Open("sqlite", filepath.Join(dir, "users.db"))
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	if _, err := db.Exec(`CREATE TABLE "the ""users" (id INTEGER, city TEXT, name TEXT, height REAL);
		INSERT INTO "the ""users" VALUES (7, 'x'' OR 1=1 --', 'ada', 1.5), (7, 'oslo', 'eve', NULL), (9, 'oslo', 'bob', 2), (9, 'oslo', 'rob', 3)`); err != nil {
		t.Fatal(err)
	}
	var rows strings.Builder
	rows.WriteString("1,7,x' OR 1=1 --\n2,9,oslo\n3,8,oslo\n4,7,oslo\n")
	for i := range 2000 { // more keys than a query has
		fmt.Fprintf(&rows, "0,%d,nowhere\n", 100+i)
	}
	if err := os.WriteFile(filepath.Join(dir, "orders.csv"), []byte(rows.String()), 0o644); err != nil {
		t.Fatal(err)
	}
	const join = "SELECT n, name, height FROM orders JOIN users u ON user = id AND orders.city = u.city"
	for _, tt := range []struct {
		name, table, want, wantErr string
	}{
		{name: "rows by two keys", table: `the "users`, want: "n,name,height\n1,ada,1.5\n2,bob,2.0\n2,rob,3.0\n4,eve,\n"},
		{name: "a table that is not there", table: "no; DROP TABLE x", wantErr: "query table no; DROP TABLE x: SQL logic error: no such table"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			var out bytes.Buffer
			job, err := tidemill.New(tidemill.Config{Workers: 1, Stdout: &out, Log: slog.New(slog.DiscardHandler)})
			if err != nil {
				t.Fatal(err)
			}
			job.Lookup("db", &tidemill.DatabaseLookup{DB: db, Table: tt.table})
			err = job.SQL("CREATE SOURCE orders (n BIGINT, user BIGINT, city TEXT) FROM 'file:" + dir + "/orders.csv' FORMAT CSV;" +
				"CREATE TABLE users (id BIGINT, city TEXT, name TEXT, height DOUBLE) FROM 'lookup:db';" + join)
			if err == nil {
				if err = job.Start(t.Context()); err == nil {
					err = job.Wait()
				}
			}
			switch {
			case tt.wantErr != "":
				if err == nil || !strings.Contains(err.Error(), tt.wantErr) {
					t.Errorf("want an error with %q, got %v", tt.wantErr, err)
				}
			case err != nil || out.String() != tt.want:
				t.Errorf("want %q, got %q, %v", tt.want, out.String(), err)
			}
		})
	}
}
