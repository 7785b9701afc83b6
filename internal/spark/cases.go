// Package spark reads what Spark has answered to the cases below functions/ and queries/, for the tests that compare tidemill with
// that, and for the reference of functions. README.md describes the files.
package spark

import (
	"embed"
	"fmt"
	"io/fs"
	"path"
	"slices"
	"strings"
)

//go:embed functions/*.txt queries/*.txt data/* differences.txt
var files embed.FS

// answerSign stands between an expression and Spark's answer.
const answerSign = " ==> "

// Function is a case of functions/.
type Function struct {
	Area string // name of its file: string
	Line int
	Case string // an expression over constants
	// Answer is Spark's: a type and a value, or ERROR and the class of the error. It is "" where Spark was not asked yet.
	Answer string
	// heading has the names of functions that the case is about.
	heading string
}

// Example returns the case that shows what a function does: the first that is about it and has its name. found is false if there is
// none.
func Example(name string) (example Function, found bool) {
	for _, f := range Functions() {
		if strings.Contains(" "+f.heading+" ", " "+name+" ") && hasName(strings.ToLower(f.Case), name) {
			return f, true
		}
	}
	return Function{}, false
}

// hasName says whether an expression in small letters has name in it, not as a part of another one.
func hasName(expression, name string) bool {
	if name == "[]" {
		name = "["
	}
	isWord := func(c byte) bool { return c == '_' || c >= 'a' && c <= 'z' || c >= '0' && c <= '9' }
	for {
		at := strings.Index(expression, name)
		if at < 0 {
			return false
		}
		end := at + len(name)
		if !isWord(name[0]) || (at == 0 || !isWord(expression[at-1])) && (end == len(expression) || !isWord(expression[end])) {
			return true
		}
		expression = expression[end:]
	}
}

// Query is a case of queries/.
type Query struct {
	Area   string
	Line   int
	Name   string // the sentence above it
	Case   string
	Answer string // lines: names and types of the columns, then the rows; ERROR and the class of an error; "" if Spark was not asked yet
}

// Table is a line of data/tables.txt.
type Table struct {
	Name    string
	Columns string // as in CREATE SOURCE, with the watermark
	Rows    string // a JSON object a line
}

// Difference is an accepted one.
type Difference struct {
	// Case is a case of functions/, the name of a case of queries/, or "type X" for types that are called otherwise.
	Case     string
	Tidemill string // its answer, in the form of Spark's; for a type the other name
	Because  string
}

// Functions returns the cases of functions/, by file.
func Functions() []Function {
	var all []Function
	for area, text := range areas("functions") {
		heading := ""
		for i, line := range strings.Split(text, "\n") {
			if names, isHeading := strings.CutPrefix(line, "## "); isHeading {
				heading = names
			}
			if strings.TrimSpace(line) == "" || line[0] == '#' {
				continue
			}
			c, answer, _ := strings.Cut(line, answerSign)
			all = append(all, Function{Area: area, Line: i + 1, Case: strings.TrimSpace(c), Answer: answer, heading: heading})
		}
	}
	return all
}

// Queries returns the cases of queries/, by file.
func Queries() []Query {
	var all []Query
	for area, text := range areas("queries") {
		line := 1
		for block := range strings.SplitSeq(text, "\n\n") {
			trimmed := strings.Trim(block, "\n")
			q, isQuery := newQuery(trimmed)
			if isQuery {
				q.Area, q.Line = area, line+len(block)-len(strings.TrimLeft(block, "\n"))
				all = append(all, q)
			}
			line += strings.Count(block, "\n") + 2
		}
	}
	return all
}

// newQuery reads a block; isQuery is false where it has comments only.
func newQuery(block string) (q Query, isQuery bool) {
	text, answer, _ := strings.Cut(block, "\n==>\n")
	var statement []string
	for line := range strings.SplitSeq(text, "\n") {
		if comment, isComment := strings.CutPrefix(line, "#"); isComment {
			q.Name = strings.TrimSpace(q.Name + comment)
			continue
		}
		statement = append(statement, line)
	}
	q.Case, _, _ = strings.Cut(strings.Join(statement, "\n"), "\n--- spark\n")
	q.Answer = answer
	return q, q.Case != ""
}

// Tables returns the tables that the cases of queries/ may read.
func Tables() []Table {
	var all []Table
	for line := range strings.SplitSeq(read("data/tables.txt"), "\n") {
		name, columns, found := strings.Cut(line, ":")
		if found && line[0] != '#' {
			all = append(all, Table{Name: name, Columns: strings.TrimSpace(columns), Rows: read("data/" + name + ".json")})
		}
	}
	return all
}

// Differences returns the accepted ones. A block of differences.txt that is not whole is an error.
func Differences() ([]Difference, error) {
	var all []Difference
	for block := range strings.SplitSeq(read("differences.txt"), "\n\n") {
		var d Difference
		var answer []string
		for line := range strings.SplitSeq(strings.Trim(block, "\n"), "\n") {
			switch got, isTidemill := strings.CutPrefix(line, "  tidemill: "); {
			case line == "" || line[0] == '#':
			case isTidemill:
				answer = append(answer, got)
			case strings.HasPrefix(line, "  because: "):
				d.Because = strings.TrimPrefix(line, "  because: ")
			case d.Case == "":
				d.Case = line
			default:
				return nil, fmt.Errorf("differences.txt: line in a block is neither tidemill: nor because: %q", line)
			}
		}
		d.Tidemill = strings.Join(answer, "\n")
		switch {
		case d.Case == "" && d.Because == "" && answer == nil:
		case d.Case == "" || d.Because == "" || answer == nil:
			return nil, fmt.Errorf("differences.txt: a block has a case, lines tidemill: and a line because: %q", block)
		default:
			all = append(all, d)
		}
	}
	return all, nil
}

// areas yields name and text of each file of a folder, in order of name.
func areas(folder string) func(yield func(name, text string) bool) {
	entries, err := fs.ReadDir(files, folder)
	if err != nil {
		panic(err) // it is embedded
	}
	slices.SortFunc(entries, func(a, b fs.DirEntry) int { return strings.Compare(a.Name(), b.Name()) })
	return func(yield func(name, text string) bool) {
		for _, e := range entries {
			if !yield(strings.TrimSuffix(e.Name(), ".txt"), read(path.Join(folder, e.Name()))) {
				return
			}
		}
	}
}

func read(name string) string {
	text, err := files.ReadFile(name)
	if err != nil {
		panic(err) // it is embedded
	}
	return string(text)
}
