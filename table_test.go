package tidemill_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/tidemill/tidemill"
)

func TestStreamIsJoinedWithATableInAFile(t *testing.T) {
	dir := t.TempDir()
	writeFile(t, filepath.Join(dir, "orders.csv"), "1,7\n2,8\n3,\n4,9\n")
	writeFile(t, filepath.Join(dir, "users.csv"), "id,name\n7,ada\n9,bob\nx,bad\n9,eve\n")
	writeFile(t, filepath.Join(dir, "more/1.json"), `{"id": 7, "name": "ada"}`+"\n")
	writeFile(t, filepath.Join(dir, "more/2.json"), `{"name": "bob", "id": 8}`+"\n")
	orders := "CREATE SOURCE orders (n BIGINT, user BIGINT) FROM 'file:DIR/orders.csv' FORMAT CSV;\n" +
		"CREATE TABLE users (id BIGINT, name TEXT) FROM 'file:DIR/users.csv' FORMAT CSV WITH (header = true);\n"
	tests := []struct {
		name, script, want string
		bad                int64
	}{
		{name: "a CSV file, with a bad row", script: orders + "SELECT n, name FROM orders JOIN users ON user = id", want: "n,name\n1,ada\n4,bob\n4,eve\n", bad: 1},
		{
			name: "a directory of JSON files", script: orders +
				"CREATE TABLE more (id BIGINT, name TEXT) FROM 'file:DIR/more/' FORMAT JSON; SELECT n, name FROM orders LEFT JOIN more ON user = id",
			want: "n,name\n1,ada\n2,bob\n3,\n4,\n",
		},
		{name: "a table that is joined twice, with columns of its own each time", script: orders +
			"SELECT n, a.name, b.id FROM orders JOIN users a ON user = a.id LEFT JOIN users b ON b.name = a.name", want: "n,name,id\n1,ada,7\n4,bob,9\n4,eve,9\n", bad: 1},
		{name: "a table that nothing joins is not read", script: orders + "CREATE TABLE no (a BIGINT) FROM 'file:DIR/none' FORMAT CSV; SELECT n FROM orders WHERE n = 1", want: "n\n1\n"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			out, status := runSQL(t, tidemill.Config{Workers: 2}, strings.ReplaceAll(tt.script, "DIR", dir))
			if out != tt.want {
				t.Errorf("want %q, got %q", tt.want, out)
			}
			// An id that is no number is bad where id is used, which is twice where the table is read twice.
			if status.Bad < tt.bad || tt.bad == 0 && status.Bad > 0 {
				t.Errorf("want %d bad rows, got %d", tt.bad, status.Bad)
			}
		})
	}
}

func TestFaultsOfATable(t *testing.T) {
	dir := t.TempDir()
	writeFile(t, filepath.Join(dir, "orders.csv"), "1\n")
	writeFile(t, filepath.Join(dir, "users.csv"), "1,"+strings.Repeat("x", 1<<20)+"\nx,y\n")
	tests := []struct {
		name, table, want string
		cfg               tidemill.Config
	}{
		{name: "an address that is no file", table: "FROM 'tcp://a:1' FORMAT CSV", want: `table "tcp://a:1": what it is, is unknown`},
		{name: "an option of streams", table: "FROM 'file:DIR/users.csv' FORMAT CSV WITH (follow = true)", want: "option follow is for streams"},
		{name: "an option that there is not", table: "FROM 'file:DIR/users.csv' FORMAT CSV WITH (headr = true)", want: "did you mean header?"},
		{name: "a refresh that is no time", table: "FROM 'file:DIR/users.csv' FORMAT CSV WITH (refresh = 'often')", want: "option refresh: want 'on change', or a time"},
		{name: "no format", table: "FROM 'file:DIR/users'", want: "format is missing"},
		{name: "a file that is not there", table: "FROM 'file:DIR/none.csv'", want: "table users: open source"},
		{name: "a file that is not there to look at", table: "FROM 'file:DIR/none.csv' WITH (refresh = 'on change')", want: "table users: look at file:"},
		{name: "more than fits into memory", table: "FROM 'file:DIR/users.csv'", cfg: tidemill.Config{MemoryBytes: 1 << 20}, want: "keep less state"},
		{name: "a bad row where these end the job", table: "FROM 'file:DIR/users.csv'", cfg: tidemill.Config{FailOnBadRow: true}, want: "table users: bad row: users.csv: line 2"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			script := "CREATE SOURCE orders (id BIGINT) FROM 'file:DIR/orders.csv' FORMAT CSV; CREATE TABLE users (id BIGINT, name TEXT) " +
				tt.table + "; SELECT name FROM orders JOIN users USING (id)"
			_, _, err := tryRun(t, tt.cfg, strings.ReplaceAll(script, "DIR", dir))
			if err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("want an error with %q, got %v", tt.want, err)
			}
		})
	}
}

func TestTableIsReadAgain(t *testing.T) {
	tests := []struct {
		name, refresh string
		want          string // of rows that come at 0.5, 1.5, 2.5 and 5.5 s, of which the file changes at 1 and at 2.2 s
	}{
		{name: "never", want: "v1 v1 v1 v1"},
		{name: "at the first interval after a change", refresh: "WITH (refresh = 'on change')", want: "v1 v1 v2 v3"},
		{name: "after a time", refresh: "WITH (refresh = '3 seconds')", want: "v1 v1 v1 v3"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "users.csv")
			replace := func(name string) {
				writeFile(t, path+".new", "1,"+name+"\n")
				if err := os.Rename(path+".new", path); err != nil {
					t.Fatal(err)
				}
			}
			replace("v1")
			synctest.Test(t, func(t *testing.T) {
				var out lockedBuffer
				f := newFeed("a")
				job := virtualJob(t, tidemill.Config{Stdout: &out}, `CREATE SOURCE s (id BIGINT) FROM 'tcp-listen://127.0.0.1:1' FORMAT CSV;
					CREATE TABLE users (id BIGINT, name TEXT) FROM 'file:`+path+`' `+tt.refresh+`;
					SELECT name FROM s JOIN users USING (id)`, f, nil)
				send := func() {
					f.splits[0] <- "1\n"
					time.Sleep(500 * time.Millisecond)
				}
				time.Sleep(500 * time.Millisecond)
				send() // until 1 s
				time.Sleep(100 * time.Millisecond)
				replace("v2")
				time.Sleep(400 * time.Millisecond)
				send() // at 1.5 s
				time.Sleep(200 * time.Millisecond)
				replace("v3")
				time.Sleep(300 * time.Millisecond)
				send()
				time.Sleep(2500 * time.Millisecond)
				send()
				finish(t, job)
				if got := strings.Join(strings.Fields(out.String())[1:], " "); got != tt.want {
					t.Errorf("want %s, got %s", tt.want, got)
				}
			})
		})
	}
}

func TestTableThatIsGoneStopsTheJob(t *testing.T) {
	path := writeFile(t, filepath.Join(t.TempDir(), "users.csv"), "1,ada\n")
	synctest.Test(t, func(t *testing.T) {
		f := newFeed("a")
		job := virtualJob(t, tidemill.Config{}, `CREATE SOURCE s (id BIGINT) FROM 'tcp-listen://127.0.0.1:1' FORMAT CSV;
			CREATE TABLE users (id BIGINT, name TEXT) FROM 'file:`+path+`' WITH (refresh = 'on change');
			SELECT name FROM s JOIN users USING (id)`, f, nil)
		time.Sleep(500 * time.Millisecond)
		if err := os.Remove(path); err != nil {
			t.Error(err)
		}
		if err := job.Wait(); err == nil || !strings.Contains(err.Error(), "table users: look at file:") {
			t.Errorf("want an error of the table, got %v", err)
		}
		if held := job.MemoryHeld(); held != 0 {
			t.Errorf("%d bytes are still held after the job", held)
		}
	})
}
