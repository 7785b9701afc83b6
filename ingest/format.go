package ingest

import (
	"errors"
	"fmt"
	"slices"
	"strings"
)

// formatSpec is what a format is called and which options it takes.
type formatSpec struct {
	name    string
	options []string
	make    func(options map[string]string) (Format, error)
}

// formatSpecs are in the order of the reference page.
var formatSpecs = []formatSpec{
	{name: "TEXT", make: plain(textFormat{})},
	{name: "CSV", options: []string{"header", "delimiter", "null"}, make: func(options map[string]string) (Format, error) { return newCSVFormat(options) }},
	{name: "JSON", make: plain(jsonFormat{})},
	{name: "ARROW", make: plain(arrowFormat{})},
	{name: "AVRO", make: plain(avroFormat{})},
	{name: "MSGPACK", make: plain(msgpackFormat{})},
	{name: "REGEX", options: []string{"pattern"}, make: newRegexFormat},
}

// FormatKind is a format that is not built in.
type FormatKind struct {
	// Name is the SQL name, in upper case.
	Name string
	// Options are the names of its options.
	Options []string
	// New returns the format. The error reports all faults of the options, which are among Options.
	New func(options map[string]string) (Format, error)
}

// kindsOf returns what formats there are.
func kindsOf(more []FormatKind) []formatSpec {
	all := slices.Clone(formatSpecs)
	for _, f := range more {
		all = append(all, formatSpec{name: f.Name, options: f.Options, make: f.New})
	}
	return all
}

// plain returns what makes a format that has no options.
func plain(f Format) func(map[string]string) (Format, error) {
	return func(map[string]string) (Format, error) { return f, nil }
}

// FormatOptions returns the names of the options that a format takes, one that is built in or one of more, and nil for a format that
// does not exist. The result is shared and must not be changed.
func FormatOptions(name string, more ...FormatKind) []string {
	for _, f := range kindsOf(more) {
		if strings.EqualFold(f.name, name) {
			return f.options
		}
	}
	return nil
}

// NewFormat returns a format by its SQL name, in any case: TEXT, CSV, JSON, ARROW, AVRO, MSGPACK or REGEX. All faults of the options are reported at once.
//
// CSV takes `header` (true or false, default false: the first record of a split has the names of its columns), `delimiter` (one
// ASCII character or \t, default a comma) and `null` (the unquoted text that means NULL, default the empty text).
//
// More are formats that are not built in.
func NewFormat(name string, options map[string]string, more ...FormatKind) (Format, error) {
	kinds := kindsOf(more)
	known := slices.IndexFunc(kinds, func(f formatSpec) bool { return strings.EqualFold(f.name, name) })
	if known < 0 {
		var names []string
		for _, f := range kinds {
			names = append(names, f.name)
		}
		return nil, fmt.Errorf("format %q is unknown: %s", name, suggest(strings.ToUpper(name), names))
	}
	f := kinds[known]
	var faults []error
	for _, option := range sortedKeys(options) {
		if slices.Contains(f.options, option) {
			continue
		}
		if len(f.options) == 0 {
			faults = append(faults, fmt.Errorf("format %s: option %q is unknown: it has no options", f.name, option))
			continue
		}
		faults = append(faults, fmt.Errorf("format %s: option %q is unknown: %s", f.name, option, suggest(strings.ToLower(option), f.options)))
	}
	format, err := f.make(options)
	if err != nil {
		faults = append(faults, err)
	}
	if len(faults) > 0 {
		return nil, errors.Join(faults...)
	}
	return format, nil
}

func sortedKeys(m map[string]string) []string {
	keys := make([]string, 0, len(m))
	for k := range m {
		keys = append(keys, k)
	}
	slices.Sort(keys)
	return keys
}

// suggest returns what is possible, after the name that is nearest to what was written if one is near enough to be a slip.
func suggest(written string, possible []string) string {
	text := "possible are " + strings.Join(possible, ", ")
	nearest, least := "", 3 // more than two edits are no slip of the pen
	for _, name := range possible {
		if d := editDistance(written, name); d < least && d < len(name) {
			nearest, least = name, d
		}
	}
	if nearest == "" {
		return text
	}
	return fmt.Sprintf("did you mean %s? %s", nearest, text)
}

// editDistance returns how many bytes must be inserted, removed or replaced to make b of a: Wagner and Fischer 1974.
func editDistance(a, b string) int {
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		diagonal := row[0]
		row[0] = i + 1
		for j := range len(b) {
			cost := diagonal
			if a[i] != b[j] {
				cost = 1 + min(diagonal, row[j], row[j+1])
			}
			diagonal, row[j+1] = row[j+1], cost
		}
	}
	return row[len(b)]
}
