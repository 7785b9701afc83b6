package ingest

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/memory"

	"github.com/tidemill/tidemill/batch"
)

// OpenSpec is what a source needs of its surroundings.
type OpenSpec struct {
	// Mem is the allocator of columnar sources. It must not be nil for these.
	Mem memory.Allocator
	// Now is the clock. The default is the machine's.
	Now func() batch.Time
	// Stdin is what stdin: reads. The default is os.Stdin. The source never closes it.
	Stdin *os.File
	// Polls makes a followed file source look for new bytes and files, once per value. The default is every 200 ms.
	Polls <-chan time.Time
}

// ColumnSource is a Source that delivers rows, not bytes: it has no format.
type ColumnSource interface {
	Source
	// Columns returns the columns of its rows under the engine's types. It may have to open something for that. The result must not be
	// changed. Blocks may have more columns, in another order, and of the types that NewColumnDecoder converts.
	Columns() ([]arrow.Field, error)
}

// Columned is a Source that can tell the columns of its files, where these are of a ColumnFormat.
type Columned interface {
	Source
	// FileColumns returns the columns of the first file under the engine's types. It needs no Open.
	FileColumns(ctx context.Context, mem memory.Allocator) ([]arrow.Field, error)
}

// Listener is a Source that peers connect to.
type Listener interface {
	Source
	// Addr returns the address that was bound by Open, with the port that the system chose if the URI's was 0.
	Addr() net.Addr
}

// Discoverer is a Source whose splits are not all known when Open returns. It has ended when Complete is closed and every
// split has ended. Any other source announces nothing after Open.
type Discoverer interface {
	Source
	// Complete returns a channel that is closed when no further split will appear. It is never closed by a source without end.
	Complete() <-chan struct{}
}

// engineOptions are read by the engine, whatever the source. Open lets them pass.
var engineOptions = []string{"max_rows_per_interval", "idle", "journal", "max_ahead"}

// schemes has the kinds of sources, with the options of each in the order of the reference page.
var schemes = []struct {
	name    string
	form    string
	options []string
	make    func(rest string, o *sourceOptions, f Format, spec OpenSpec) Source
}{
	{"file", "file:PATH", []string{"follow", "ordered"}, newFileSource},
	{"stdin", "stdin:", nil, newStdinSource},
	{"tcp", "tcp://HOST:PORT", []string{"reconnect", "connect_timeout"}, newTCPSource},
	{"tcp-listen", "tcp-listen://HOST:PORT", []string{"max_connections", "connections"}, newTCPListenSource},
	{"rate", "rate:", []string{"rows_per_second", "rows"}, newRateSource},
}

// SourceOptions returns the names of all options that are a source's or the engine's, and not a format's.
func SourceOptions() []string {
	names := slices.Clone(engineOptions)
	for _, s := range schemes {
		names = append(names, s.options...)
	}
	return names
}

// Open returns the source that a URI names: file:PATH, stdin:, tcp://HOST:PORT, tcp-listen://HOST:PORT or rate:. It opens
// nothing: that is for Source.Open. options must be among SourceOptions; all faults are reported at once. f is nil for a
// ColumnSource. A Source may also be a Listener, a Discoverer or a ColumnSource.
func Open(uri string, options map[string]string, f Format, spec OpenSpec) (Source, error) {
	if spec.Now == nil {
		spec.Now = func() batch.Time { return batch.TimeOf(time.Now()) }
	}
	if spec.Stdin == nil {
		spec.Stdin = os.Stdin
	}
	scheme, rest, _ := strings.Cut(uri, ":")
	var forms []string
	for _, s := range schemes {
		forms = append(forms, s.form)
	}
	known := -1
	for i, s := range schemes {
		if s.name == scheme {
			known = i
		}
	}
	if known < 0 || !strings.Contains(uri, ":") {
		return nil, fmt.Errorf("source %q: what it is, is unknown: write one of %s", uri, strings.Join(forms, ", "))
	}
	s := schemes[known]
	o := &sourceOptions{uri: uri, values: options}
	possible := slices.Concat(s.options, engineOptions)
	for _, name := range sortedKeys(options) {
		if !slices.Contains(possible, name) {
			o.faultf("option %q is unknown: %s", name, suggest(name, possible))
		}
	}
	o.whole("max_rows_per_interval", 0, 1)
	source := s.make(rest, o, f, spec)
	isColumnar := s.name == "rate"
	switch {
	case isColumnar && f != nil:
		o.faultf("has columns of its own: leave the format %s out", f.Name())
	case !isColumnar && f == nil:
		o.faultf("format is missing: write FORMAT TEXT, CSV, JSON or another")
	}
	if len(o.faults) > 0 {
		return nil, errors.Join(o.faults...)
	}
	return source, nil
}

// MaxRowsPerInterval returns the option of that name, 0 where there is none.
func MaxRowsPerInterval(options map[string]string) (int64, error) {
	o := &sourceOptions{uri: "options", values: options}
	rows := o.whole("max_rows_per_interval", 0, 1)
	return rows, errors.Join(o.faults...)
}

// sourceOptions reads options and collects their faults.
type sourceOptions struct {
	uri    string
	values map[string]string
	faults []error
}

func (o *sourceOptions) faultf(format string, args ...any) {
	o.faults = append(o.faults, fmt.Errorf("source %q: %w", o.uri, fmt.Errorf(format, args...)))
}

// isTrue returns a boolean option that is false by default.
func (o *sourceOptions) isTrue(name string) bool {
	text, ok := o.values[name]
	if ok && !strings.EqualFold(text, "true") && !strings.EqualFold(text, "false") {
		o.faultf("option %s: want true or false, got %q", name, text)
	}
	return strings.EqualFold(text, "true")
}

// whole returns an integer option.
func (o *sourceOptions) whole(name string, byDefault, least int64) int64 {
	text, ok := o.values[name]
	if !ok {
		return byDefault
	}
	v, err := strconv.ParseInt(text, 10, 64)
	if err != nil || v < least {
		o.faultf("option %s: want a whole number from %d on, got %q", name, least, text)
	}
	return v
}

// duration returns a positive duration.
func (o *sourceOptions) duration(name string, byDefault time.Duration) time.Duration {
	text, ok := o.values[name]
	if !ok {
		return byDefault
	}
	v, err := time.ParseDuration(text)
	if err != nil || v <= 0 {
		o.faultf("option %s: want a duration such as 10s or 500ms, got %q", name, text)
	}
	return v
}

// hostPort returns the address of a URI of the form scheme://HOST:PORT.
func (o *sourceOptions) hostPort(rest string) (host, port string) {
	address, ok := strings.CutPrefix(rest, "//")
	host, port, err := net.SplitHostPort(address)
	number, portErr := strconv.ParseUint(port, 10, 16)
	scheme, _, _ := strings.Cut(o.uri, ":")
	switch {
	case !ok || err != nil:
		o.faultf("want %s://HOST:PORT, such as %s://127.0.0.1:9999", scheme, scheme)
	case portErr != nil:
		o.faultf("want a port from 0 to 65535, got %q", port)
	case number == 0 && scheme == "tcp":
		o.faultf("port 0 can't be connected to")
	}
	return host, port
}

// readInto writes what r yields until its end, which is no error, and returns how many bytes that were, or rows of a ColumnFormat.
// Bytes that came with an error are written before it is returned.
func readInto(ctx context.Context, r io.Reader, w *BlockWriter) (read int64, err error) {
	if f, ok := w.spec.Format.(ColumnFormat); ok {
		return readColumns(ctx, f, ColumnInput{Reader: r}, 0, w)
	}
	for {
		if err := ctx.Err(); err != nil {
			return read, err
		}
		n, err := r.Read(w.Space())
		if n > 0 {
			read += int64(n)
			if err := w.Wrote(ctx, n); err != nil {
				return read, err
			}
		}
		if err == io.EOF {
			return read, nil
		}
		if err != nil {
			return read, err
		}
	}
}
