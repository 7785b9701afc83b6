package sql_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/tidemill/tidemill/sql"
)

func TestSplit(t *testing.T) {
	tests := []struct {
		name string
		text string
		want []sql.Statement
		rest string
	}{
		{name: "nothing", text: " \n-- and a comment; with a sign\n"},
		{
			name: "what is created has a kind, a name and a place",
			text: "create source `my t` (a TEXT, b AS concat(a, ' FROM ')) FROM 'file:x.csv' FORMAT CSV; CREATE VIEW v AS SELECT 1;",
			want: []sql.Statement{
				{Text: "create source `my t` (a TEXT, b AS concat(a, ' FROM ')) FROM 'file:x.csv' FORMAT CSV", Kind: "CREATE SOURCE", Name: "my t", From: "file:x.csv"},
				{Text: "CREATE VIEW v AS SELECT 1", Kind: "CREATE VIEW", Name: "v"},
			},
		},
		{
			name: "a semicolon in texts, names and comments ends nothing",
			text: "/* a;b */ SELECT ';', `a;b` -- c;d\n ;;",
			want: []sql.Statement{{Text: "SELECT ';', `a;b` -- c;d", Kind: "SELECT"}},
		},
		{name: "a statement without an end is the rest", text: "SHOW TABLES; \nSELECT\n 1", want: []sql.Statement{{Text: "SHOW TABLES", Kind: "SHOW", Name: "TABLES"}}, rest: "SELECT\n 1"},
		{name: "a text without an end", text: "SELECT 'a; b;", rest: "SELECT 'a; b;"},
		{name: "a comment without an end", text: "/* a; b;", rest: "/* a; b;"},
		{name: "a comment without an end in a statement", text: "SELECT /* a; b;", rest: "SELECT /* a; b;"},
		{name: "signs that nothing begins with", text: "SELECT @ $; #;", want: []sql.Statement{{Text: "SELECT @ $", Kind: "SELECT"}, {Text: "#"}}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got, rest := sql.Split(tt.text)
			if diff := cmp.Diff(tt.want, got); diff != "" || rest != tt.rest {
				t.Errorf("rest %q, want %q; statements (-want +got):\n%s", rest, tt.rest, diff)
			}
		})
	}
}
