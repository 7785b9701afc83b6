package tidemill_test

import (
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"path/filepath"
	"regexp"
	"testing"
)

// TestNamesInTheDocumentOfStreamsExist finds functions that docs/dstreams.md calls and that are not there.
func TestNamesInTheDocumentOfStreamsExist(t *testing.T) {
	text, err := os.ReadFile("docs/dstreams.md")
	must(t, err)
	exported := make(map[string]bool)
	for _, pattern := range []string{"*.go", "streamtest/*.go"} {
		files, err := filepath.Glob(pattern)
		must(t, err)
		for _, name := range files {
			f, err := parser.ParseFile(token.NewFileSet(), name, nil, parser.SkipObjectResolution)
			must(t, err)
			for _, d := range f.Decls {
				if fn, ok := d.(*ast.FuncDecl); ok {
					exported[fn.Name.Name] = true
				}
			}
		}
	}
	calls := regexp.MustCompile(`\b([A-Z]\w+)(?:\[T\])?\(`).FindAllSubmatch(text, -1)
	if len(calls) < 25 {
		t.Fatalf("the document calls %d functions only", len(calls))
	}
	for _, call := range calls {
		if name := string(call[1]); !exported[name] {
			t.Errorf("docs/dstreams.md calls %s, which does not exist", name)
		}
	}
}
