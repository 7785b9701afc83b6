package egress

import (
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"strconv"
	"strings"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/memory"

	"github.com/tidemill/tidemill/internal/vfs"
)

// OpenSpec is what sinks need of the process that they run in.
type OpenSpec struct {
	// FS is the file system of file: sinks.
	FS vfs.FS
	// Stdout is where a bare SELECT and stdout: sinks print.
	Stdout io.Writer
	// Mem is the allocator for rows that wait for their commit.
	Mem memory.Allocator
	// Schema is that of the rows. Where it is given, Open refuses a format that can't hold them; else Sink.Open does.
	Schema *arrow.Schema
	// Formats are those of file: sinks besides CSV, JSON, TEXT and ARROW.
	Formats []FileFormat
}

// Compressions of file: sinks, as in the option of that name.
const (
	compressionNone   = ""
	compressionGzip   = "gzip"
	compressionZstd   = "zstd"
	compressionS2     = "s2"
	compressionSnappy = "snappy"
	compressionLZ4    = "lz4"
)

// settings are the options of a sink, checked.
type settings struct {
	format      string // CSV, JSON, TEXT, TABLE
	header      bool
	delimiter   byte
	null        string
	compression string
	rollRows    int64 // 0: no limit
	rollBytes   int64 // 0: no limit

	columns       FileFormat // nil for text
	columnOptions map[string]string
}

// Open returns the sink for a URI: "" (a bare SELECT, printed) and stdout:, file:DIRECTORY, blackhole:. It checks format and
// options, reports all that is wrong with them at once, and touches nothing outside: Sink.Open does. Formats are CSV, JSON and
// TEXT, and TABLE for what is printed, where "" is CSV; a bare SELECT may be LIVE on a Stdout that is a Screen. The option mode belongs to the plan and is passed over.
func Open(uri, format string, options map[string]string, spec OpenSpec) (Sink, error) {
	scheme, path, _ := strings.Cut(uri, ":")
	set, err := parseSettings(scheme, format, options, spec.Formats)
	if err != nil {
		return nil, fmt.Errorf("sink %q: %w", uri, err)
	}
	if spec.Schema != nil && scheme != "blackhole" {
		if err := set.check(spec.Schema, spec.Mem); err != nil {
			return nil, fmt.Errorf("sink %q: %w", uri, err)
		}
	}
	switch scheme {
	case "", "stdout":
		if path != "" {
			return nil, fmt.Errorf("sink %q: nothing may follow \"stdout:\"", uri)
		}
		set.header = set.header || uri == ""
		if set.format == "LIVE" {
			screen, ok := spec.Stdout.(Screen)
			if !ok {
				return nil, errors.New("format LIVE needs a terminal: print as TABLE, CSV or JSON")
			}
			return newLive(screen, spec.Mem), nil
		}
		return newStdout(spec.Stdout, spec.Mem, set), nil
	case "file":
		dir, err := directoryOf(path)
		if err != nil {
			return nil, fmt.Errorf("sink %q: %w", uri, err)
		}
		return newFile(spec.FS, dir, set, spec.Mem), nil
	case "blackhole":
		return NewBlackhole(), nil
	}
	return nil, fmt.Errorf("sink %q: want blackhole:, stdout: or file:DIRECTORY", uri)
}

func directoryOf(path string) (string, error) {
	if rest, ok := strings.CutPrefix(path, "//"); ok {
		if !strings.HasPrefix(rest, "/") {
			return "", errors.New("a host is named: write file:DIRECTORY, or file:///DIRECTORY from the root")
		}
		path = rest
	}
	if path == "" || strings.ContainsRune(path, 0) {
		return "", errors.New("no directory: write file:DIRECTORY")
	}
	return path, nil
}

// optionsOf has the formats and options that a scheme knows.
var optionsOf = map[string]struct{ formats, options []string }{
	"":          {[]string{"CSV", "JSON", "LIVE", "TABLE", "TEXT"}, nil},
	"stdout":    {[]string{"CSV", "JSON", "TABLE", "TEXT"}, nil},
	"file":      {[]string{"CSV", "JSON", "TEXT", "ARROW"}, []string{"compression", "roll_bytes", "roll_rows"}},
	"blackhole": {[]string{"CSV", "JSON", "TABLE", "TEXT", ""}, nil},
}

// check says whether files of the settings can hold rows of a schema.
func (set *settings) check(schema *arrow.Schema, mem memory.Allocator) error {
	if set.columns == nil {
		return checkSchema(set.format, schema)
	}
	w, err := newColumnWriter(set.columns, set.columnOptions, schema, mem)
	if err == nil {
		w.close()
	}
	return err
}

func parseSettings(scheme, format string, options map[string]string, more []FileFormat) (settings, error) {
	known, ok := optionsOf[scheme]
	if !ok {
		return settings{}, nil
	}
	set := settings{format: strings.ToUpper(format), delimiter: ','}
	if set.format == "" && (scheme == "" || scheme == "stdout") {
		set.format = "CSV"
	}
	names := append([]string{"mode"}, known.options...)
	formats := known.formats
	if scheme == "file" {
		formats = slices.Clone(formats)
		for _, f := range append([]FileFormat{arrowFormat{}}, more...) {
			if !slices.Contains(formats, f.Name()) {
				formats = append(formats, f.Name())
			}
			if f.Name() == set.format {
				set.columns, set.columnOptions = f, make(map[string]string)
				names = append(names, f.Options()...)
			}
		}
	}
	if set.format == "CSV" {
		names = append(names, "delimiter", "header", "null")
	}
	var faults []error
	switch {
	case slices.Contains(formats, set.format):
	case set.format == "":
		faults = append(faults, fmt.Errorf("no format: add FORMAT %s", strings.Join(formats, ", ")))
	default:
		faults = append(faults, fmt.Errorf("format %q is not known here: want %s", format, strings.Join(formats, ", ")))
	}
	for _, key := range slices.Sorted(maps.Keys(options)) {
		if !slices.Contains(names, key) {
			slices.Sort(names)
			faults = append(faults, fmt.Errorf("option %q is not known here: known are %s", key, strings.Join(slices.Compact(names), ", ")))
			continue
		}
		if set.columns != nil && slices.Contains(set.columns.Options(), key) {
			set.columnOptions[key] = options[key]
			continue
		}
		if err := set.parse(key, options[key]); err != nil {
			faults = append(faults, fmt.Errorf("option %s: %w", key, err))
		}
	}
	if strings.IndexByte(set.null, set.delimiter) >= 0 {
		faults = append(faults, fmt.Errorf("option null: must not have the delimiter: %q", set.null))
	}
	return set, errors.Join(faults...)
}

func (set *settings) parse(key, value string) (err error) {
	switch key {
	case "header":
		if set.header, err = strconv.ParseBool(value); err != nil {
			return fmt.Errorf("want true or false, got %q", value)
		}
	case "delimiter":
		if value == `\t` {
			value = "\t"
		}
		if len(value) != 1 || value[0] >= 0x80 || strings.ContainsAny(value, "\"\r\n\x00") {
			return fmt.Errorf("want one ASCII character other than a quote or a line end, got %q", value)
		}
		set.delimiter = value[0]
	case "null":
		if strings.ContainsAny(value, "\"\r\n") {
			return fmt.Errorf("must not have quotes or line ends: %q", value)
		}
		set.null = value
	case "compression":
		switch strings.ToLower(value) {
		case "none", "":
		case compressionGzip, compressionZstd, compressionS2, compressionSnappy, compressionLZ4:
			set.compression = strings.ToLower(value)
		default:
			return fmt.Errorf("want none, gzip, zstd, s2, snappy or lz4, got %q", value)
		}
	case "roll_rows":
		if set.rollRows, err = strconv.ParseInt(value, 10, 64); err != nil || set.rollRows <= 0 {
			return fmt.Errorf("want a number above 0, got %q", value)
		}
	case "roll_bytes":
		if set.rollBytes = parseBytes(value); set.rollBytes <= 0 {
			return fmt.Errorf("want a number of bytes above 0 such as 67108864 or 64MiB, got %q", value)
		}
	}
	return nil
}

// parseBytes returns a number of bytes, 0 if text is none or above 2^62.
func parseBytes(text string) int64 {
	unit := int64(1)
	for i, suffix := range []string{"KiB", "MiB", "GiB"} {
		if number, ok := strings.CutSuffix(text, suffix); ok {
			text, unit = strings.TrimSpace(number), 1<<(10*(i+1))
			break
		}
	}
	n, err := strconv.ParseInt(text, 10, 64)
	if err != nil || n < 0 || n > (1<<62)/unit {
		return 0
	}
	return n * unit
}
