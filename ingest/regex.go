package ingest

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"regexp"
	"strings"
	"unicode/utf8"

	"github.com/apache/arrow-go/v18/arrow"

	"github.com/tidemill/tidemill/batch"
)

// regexFormat takes lines apart by a pattern whose named groups are the columns. A line that the pattern does not match as a whole is
// bad, a blank line no row; a group that took no part in the match is NULL.
type regexFormat struct {
	pattern *regexp.Regexp
	names   []string // of the groups that have one, in order
}

var _ Format = regexFormat{}

func newRegexFormat(options map[string]string) (Format, error) {
	text, ok := options["pattern"]
	if !ok {
		return regexFormat{}, errors.New(`format REGEX: option pattern is missing: write a regular expression with named groups, such as '(?P<level>\w+): (?P<message>.*)'`)
	}
	expanded, err := expandGrok(text, 0)
	if err != nil {
		return regexFormat{}, fmt.Errorf("format REGEX: option pattern: %w", err)
	}
	pattern, err := regexp.Compile(`^(?:` + expanded + `)$`)
	if err != nil {
		return regexFormat{}, fmt.Errorf("format REGEX: option pattern: %w", err)
	}
	f := regexFormat{pattern: pattern}
	for _, name := range pattern.SubexpNames() {
		if name != "" {
			f.names = append(f.names, name)
		}
	}
	if len(f.names) == 0 {
		return regexFormat{}, fmt.Errorf("format REGEX: option pattern: no group has a name: write (?P<name>…) or %%{WORD:name}: %q", text)
	}
	return f, nil
}

// grokPatterns are parts that %{NAME} and %{NAME:column} stand for, under the names that Logstash gave them.
var grokPatterns = map[string]string{
	"WORD": `\w+`, "NOTSPACE": `\S+`, "SPACE": `\s*`, "DATA": `.*?`, "GREEDYDATA": `.*`, "INT": `[+-]?\d+`,
	"NUMBER": `[+-]?(?:\d+(?:\.\d*)?|\.\d+)`, "BASE16NUM": `(?:0[xX])?[0-9a-fA-F]+`, "USERNAME": `[\w.-]+`, "USER": `[\w.-]+`,
	"QUOTEDSTRING": `"(?:\\.|[^\\"])*"`, "QS": `"(?:\\.|[^\\"])*"`, "UUID": `[0-9A-Fa-f]{8}-(?:[0-9A-Fa-f]{4}-){3}[0-9A-Fa-f]{12}`,
	"IPV4": `\d{1,3}(?:\.\d{1,3}){3}`, "IPV6": `[0-9A-Fa-f:.]*:[0-9A-Fa-f:.]+`, "IP": `(?:%{IPV4}|%{IPV6})`,
	"HOSTNAME": `[0-9A-Za-z](?:[0-9A-Za-z-]*)(?:\.[0-9A-Za-z-]+)*\.?`, "IPORHOST": `(?:%{IP}|%{HOSTNAME})`,
	"PATH": `(?:/[^\s?*]*)+`, "URIPATH": `(?:/[^\s?#]*)+`, "URIPATHPARAM": `(?:/[^\s?#]*)+(?:\?\S*)?`, "LOGLEVEL": `[A-Za-z]+`,
	"TIMESTAMP_ISO8601": `\d{4}-\d\d-\d\d[T ]\d\d:\d\d(?::\d\d(?:[.,]\d+)?)?(?:Z|[+-]\d\d:?\d\d)?`,
	"HTTPDATE":          `\d\d/[A-Z][a-z]{2}/\d{4}:\d\d:\d\d:\d\d [+-]\d{4}`,
	"COMMONAPACHELOG": `%{IPORHOST:clientip} %{NOTSPACE:ident} %{NOTSPACE:auth} \[%{HTTPDATE:timestamp}\] ` +
		`"(?:%{WORD:verb} %{NOTSPACE:request}(?: HTTP/%{NUMBER:httpversion})?|%{DATA:rawrequest})" %{INT:response} (?:%{INT:bytes}|-)`,
	"COMBINEDAPACHELOG": `%{COMMONAPACHELOG} %{QS:referrer} %{QS:agent}`,
}

var grokReference = regexp.MustCompile(`%\{([A-Z0-9_]+)(?::([A-Za-z_][A-Za-z0-9_]*))?\}`)

// maxGrokDepth is deeper than any of grokPatterns refers to others.
const maxGrokDepth = 8

// expandGrok replaces %{NAME} by its pattern, and %{NAME:column} by a group of that name.
func expandGrok(text string, depth int) (expanded string, err error) {
	if depth > maxGrokDepth {
		return "", errors.New("its parts refer to each other")
	}
	expanded = grokReference.ReplaceAllStringFunc(text, func(reference string) string {
		m := grokReference.FindStringSubmatch(reference)
		part, ok := grokPatterns[m[1]]
		if !ok {
			err = errors.Join(err, fmt.Errorf("%s is unknown: %s", reference, suggest(m[1], sortedKeys(grokPatterns))))
			return ""
		}
		inner, innerErr := expandGrok(part, depth+1)
		err = errors.Join(err, innerErr)
		if m[2] == "" {
			return "(?:" + inner + ")"
		}
		return "(?P<" + m[2] + ">" + inner + ")"
	})
	return expanded, err
}

// Name returns REGEX.
func (regexFormat) Name() string { return "REGEX" }

// NewFramer returns a framer that ends records at \n.
func (regexFormat) NewFramer() Framer { return newlineFramer{} }

// HasHeader returns false.
func (regexFormat) HasHeader() bool { return false }

// Infer returns a column for each named group. Lines that do not match do not count.
func (f regexFormat) Infer(sample []byte) ([]arrow.Field, error) {
	columns := namedColumns(f.names)
	if twice := hasTwice(columns); twice != "" {
		return nil, fmt.Errorf("format REGEX: two groups are called %s: give a column list", twice)
	}
	var times timeParser
	records := 0
	for len(sample) > 0 && records < maxInferred {
		line, rest, _ := bytes.Cut(sample, newline)
		sample = rest
		line = bytes.TrimSuffix(line, []byte("\r"))
		groups := f.pattern.FindSubmatchIndex(line)
		if groups == nil || !utf8.Valid(line) {
			continue
		}
		records++
		k := 0
		for g, name := range f.pattern.SubexpNames() {
			if name == "" {
				continue
			}
			if from, to := groups[2*g], groups[2*g+1]; from >= 0 && from < to {
				columns[k].addText(line[from:to], &times)
			}
			k++
		}
	}
	if records == 0 {
		return nil, fmt.Errorf("format REGEX: no line matches the pattern: %w", errNothingToInfer)
	}
	return inferredFields(columns), nil
}

// NewDecoder returns a decoder of columns that are named as groups are, in any case.
func (f regexFormat) NewDecoder(spec DecodeSpec) (Decoder, error) {
	base, err := newRecordDecoder("REGEX", spec)
	if err != nil {
		return nil, err
	}
	base.stops = lineStops
	d := &regexDecoder{recordDecoder: base, pattern: f.pattern}
	var faults []error
	for _, i := range spec.Used {
		name, group := spec.Declared[i].Name, -1
		for g, has := range f.pattern.SubexpNames() {
			if has != "" && strings.EqualFold(has, name) && group < 0 {
				group = g
			}
		}
		if group < 0 {
			faults = append(faults, fmt.Errorf("format REGEX: column %q is no group of the pattern: %s", name, suggest(name, f.names)))
		}
		d.groups = append(d.groups, group)
	}
	if len(faults) > 0 {
		base.release()
		return nil, errors.Join(faults...)
	}
	return d, nil
}

type regexDecoder struct {
	*recordDecoder
	pattern *regexp.Regexp
	groups  []int // of each column
}

var _ Decoder = (*regexDecoder)(nil)

// Decode returns one row per line.
func (d *regexDecoder) Decode(_ context.Context, b *Block, bad func(BadRow)) (batch.Batch, error) {
	d.begin(b, bad)
	rows := 0
	for p := 0; p < d.limit; rows++ {
		if rows == int(b.NumRows) {
			rows++
			break
		}
		end := p + bytes.IndexByte(d.buf[p:d.limit], '\n') + 1
		d.decodeLine(rows, p, end)
		p = end
	}
	return d.finish(rows)
}

func (d *regexDecoder) decodeLine(row, start, end int) {
	if !d.checkUTF8(row, start, end) {
		return
	}
	line := trimLineEnd(d.buf[start:end])
	if len(line) == 0 {
		d.kill(row)
		return
	}
	found := d.pattern.FindSubmatchIndex(line) // which allocates: regexp takes no memory of its caller's
	if found == nil {
		d.reject(row, start, end, "", "the line does not match the pattern")
		return
	}
	for k := range d.columns {
		c := &d.columns[k]
		from, to := found[2*d.groups[k]], found[2*d.groups[k]+1]
		if from < 0 || from == to && c.kind != text {
			c.setNull(row)
			continue
		}
		// Slack behind the value is that of the block.
		v := d.buf[start+from : start+to]
		if f := c.setFromText(row, v, &d.times); f != noFault {
			why := c.explain(f, v)
			d.rewind(row)
			d.reject(row, start, end, c.name, why)
			return
		}
	}
}

// Close releases all memory.
func (d *regexDecoder) Close() { d.release() }
