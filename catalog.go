package tidemill

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"time"

	"github.com/apache/arrow-go/v18/arrow"

	"github.com/tidemill/tidemill/batch"
	"github.com/tidemill/tidemill/ingest"
	"github.com/tidemill/tidemill/sql"
)

// inferTimeout bounds how long the first rows of a source are waited for, to infer its columns.
const inferTimeout = 30 * time.Second

// catalog tells the binder the columns of sources that have no column list.
type catalog struct{ c *Context }

// Columns returns the columns that a source has by itself, or those inferred from its first rows.
func (k catalog) Columns(def *sql.SourceDef) ([]arrow.Field, error) {
	spec, err := k.c.newSource(def)
	if err != nil {
		return nil, err
	}
	if s, ok := spec.source.(ingest.ColumnSource); ok {
		return s.Columns()
	}
	if spec.format.Name() == "TEXT" {
		return spec.format.Infer(nil)
	}
	_, isColumns := spec.format.(ingest.ColumnFormat)
	files, isFiles := spec.source.(ingest.Columned)
	if isColumns && !isFiles {
		return nil, errors.New("a connection can't be read twice: give a column list")
	}
	if k.c.isCheck {
		return nil, errors.New("its columns are inferred from its first rows, which are not read here: give a column list")
	}
	if isColumns {
		ctx, cancel := context.WithTimeout(context.Background(), inferTimeout)
		defer cancel()
		return files.FileColumns(ctx, k.c.pool)
	}
	sample, err := k.c.sample(def.URI, spec)
	if err != nil {
		return nil, fmt.Errorf("infer columns: %w", err)
	}
	fields, err := spec.format.Infer(sample)
	if err != nil {
		return nil, fmt.Errorf("infer columns: %w", err)
	}
	k.c.cfg.Log.Info("columns inferred", "source", def.Name, "columns", describeFields(fields))
	return fields, nil
}

func describeFields(fields []arrow.Field) string {
	all := make([]string, len(fields))
	for i, f := range fields {
		all[i] = f.Name + " " + batch.TypeName(f.Type)
	}
	return strings.Join(all, ", ")
}

// sample returns the first records of a source, cut on a record end, with the header if there is one. What is read of stdin is put
// back; a connection can't be read twice.
func (c *Context) sample(uri string, spec sourceSpec) ([]byte, error) {
	if !spec.source.Replayable() {
		if uri != "stdin:" {
			return nil, errors.New("a connection can't be read twice: give a column list")
		}
		return c.peekStdin()
	}
	ctx, cancel := context.WithTimeout(context.Background(), inferTimeout)
	defer cancel()
	first := int32(-1)
	if err := spec.source.Open(ctx, nil, func(ev ingest.SplitEvent) {
		if first < 0 {
			first = ev.Split
		}
	}); err != nil {
		return nil, err
	}
	if first < 0 {
		return nil, errors.Join(errors.New("there are no rows: give a column list"), spec.source.Close())
	}
	var sample []byte
	errEnough := errors.New("enough")
	w := ingest.NewBlockWriter(ingest.WriterSpec{
		Split: first, Source: spec.name, Format: spec.format, Now: c.now, Blocks: ingest.NewBlockPool(c.pool),
		Bad: func(ingest.BadRow) {},
		Send: func(_ context.Context, b *ingest.Block) error {
			if len(b.Header) > 0 {
				sample = append(append(sample, b.Header...), '\n')
			}
			sample = append(sample, b.Bytes...)
			return errEnough
		},
	})
	err := spec.source.Read(ctx, first, w)
	if len(sample) == 0 {
		sample = w.Header()
	}
	w.Close()
	if errors.Is(err, errEnough) || len(sample) > 0 {
		err = nil
	}
	return sample, errors.Join(err, spec.source.Close())
}

// peekStdin reads the first lines of stdin, then lets sources read them again, through a pipe, before the rest.
func (c *Context) peekStdin() ([]byte, error) {
	head := make([]byte, 0, 64<<10)
	for len(head) < cap(head) {
		n, err := c.cfg.Stdin.Read(head[len(head):cap(head)])
		head = head[:len(head)+n]
		if err == io.EOF || err == nil && n > 0 && head[len(head)-1] == '\n' {
			break
		}
		if err != nil {
			return nil, err
		}
	}
	r, w, err := os.Pipe()
	if err != nil {
		return nil, err
	}
	rest := c.cfg.Stdin
	c.cfg.Stdin = r
	go func() {
		defer w.Close() // the reader sees its end either way
		if _, err := w.Write(head); err == nil {
			io.Copy(w, rest) //nolint:errcheck // a broken pipe means that nobody reads any more
		}
	}()
	return head, nil
}
