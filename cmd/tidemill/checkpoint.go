package main

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"text/tabwriter"

	"github.com/apache/arrow-go/v18/arrow"

	"github.com/tidemill/tidemill/batch"
	"github.com/tidemill/tidemill/checkpoint"
	"github.com/tidemill/tidemill/egress"
	"github.com/tidemill/tidemill/internal/vfs"
)

type checkpointCommand struct {
	Ls     checkpointLs     `cmd:"" help:"List the last commit, the splits and the state tables."`
	Show   checkpointShow   `cmd:"" help:"Print the rows of a state table."`
	Verify checkpointVerify `cmd:"" help:"Read every byte and say whether it is whole."`
	Save   checkpointSave   `cmd:"" help:"Copy the last commit under a name: a savepoint that a job can start from."`
}

type checkpointLs struct {
	Dir string `arg:"" help:"Checkpoint directory."`
}

// Run lists.
func (c *checkpointLs) Run(s streams) error {
	log, err := openReadOnly(c.Dir)
	if err != nil {
		return err
	}
	defer log.Close() //nolint:errcheck // nothing was written
	r := log.Last()
	if r == nil {
		fmt.Fprintln(s.stdout, "nothing was committed yet")
		return nil
	}
	fmt.Fprintf(s.stdout, "job %s, commit %d, interval %d, up to %s\n", r.Job, r.Commit, r.Last.ID, batch.Time(r.Last.End))
	w := tabwriter.NewWriter(s.stdout, 0, 4, 2, ' ', 0)
	if len(r.Splits) > 0 {
		fmt.Fprintln(w, "\nsource\tsplit\toffset\trows\tlargest time\tstate")
	}
	for _, sp := range r.Splits {
		state := "open"
		switch {
		case sp.Ended:
			state = "ended"
		case sp.Idle:
			state = "idle"
		}
		fmt.Fprintf(w, "%s\t%s\t%d\t%d\t%s\t%s\n", sp.Source, sp.Name, sp.Pos, sp.Rows, batch.Time(sp.LargestTime), state)
	}
	if tables := log.Tables(); len(tables) > 0 {
		fmt.Fprintln(w, "\ntable\tcommit\tbytes\trows, at most")
		for _, t := range tables {
			fmt.Fprintf(w, "%s\t%d\t%d\t%d\n", t.Name, t.Commit, t.Bytes, t.UpsertedRows)
		}
	}
	if names := savepoints(c.Dir); len(names) > 0 {
		fmt.Fprintf(w, "\nsavepoints\t%s\n", strings.Join(names, ", "))
	}
	return w.Flush()
}

// savepointDir is where savepoints are, below a checkpoint directory.
const savepointDir = "savepoints"

// savepoints returns the names of the savepoints in a checkpoint directory.
func savepoints(dir string) []string {
	entries, err := vfs.OS.ReadDir(filepath.Join(dir, savepointDir))
	if err != nil {
		return nil // most directories have none
	}
	var names []string
	for _, e := range entries {
		names = append(names, e.Name())
	}
	return names
}

type checkpointSave struct {
	Dir  string `arg:"" help:"Checkpoint directory; a job may be using it."`
	Name string `arg:"" help:"Name of the savepoint."`
	To   string `placeholder:"DIR" help:"Directory that the savepoint is made in (default: savepoints in the checkpoint directory)."`
}

// Run makes a savepoint.
func (c *checkpointSave) Run(s streams) error {
	if c.Name != filepath.Base(c.Name) || strings.HasPrefix(c.Name, ".") {
		return wrongError{fmt.Errorf("save checkpoint: want a name without / and without a dot in front, got %q", c.Name)}
	}
	if _, err := vfs.OS.Stat(c.Dir); err != nil {
		return wrongError{fmt.Errorf("save checkpoint: %w", err)}
	}
	parent := c.To
	if parent == "" {
		parent = filepath.Join(c.Dir, savepointDir)
	}
	to := filepath.Join(parent, c.Name)
	copied, err := checkpoint.Copy(vfs.OS, c.Dir, to)
	if err != nil {
		return err
	}
	r := copied.Record
	fmt.Fprintf(s.stdout, "%s: job %s, commit %d, up to %s, %d bytes\n", to, r.Job, r.Commit, batch.Time(r.Last.End), copied.Bytes)
	if !copied.HasJournal {
		fmt.Fprintln(s.stdout, "a job is using the directory: what it has received and not committed stays with it")
	}
	return nil
}

func openReadOnly(dir string) (*checkpoint.Log, error) {
	if _, err := vfs.OS.Stat(dir); err != nil {
		return nil, wrongError{fmt.Errorf("open checkpoint: %w", err)}
	}
	return checkpoint.OpenReadOnly(vfs.OS, dir, checkpoint.Options{})
}

type checkpointShow struct {
	Dir    string `arg:"" help:"Checkpoint directory."`
	Table  string `arg:"" help:"Name of the table, as ls shows it."`
	Output string `enum:"table,csv,json" default:"csv" help:"table, csv or json."`
}

// Run prints a table.
func (c *checkpointShow) Run(ctx context.Context, s streams) error {
	log, err := openReadOnly(c.Dir)
	if err != nil {
		return err
	}
	defer log.Close() //nolint:errcheck // nothing was written
	tables := log.Tables()
	i := slices.IndexFunc(tables, func(t checkpoint.TableInfo) bool { return t.Name == c.Table })
	if i < 0 {
		var names []string
		for _, t := range tables {
			names = append(names, t.Name)
		}
		return wrongError{fmt.Errorf("checkpoint %s: no table %q: there are %q", c.Dir, c.Table, names)}
	}
	pool := batch.NewPool(0)
	sink, err := egress.Open("", c.Output, nil, egress.OpenSpec{Stdout: s.stdout, Mem: pool, FS: vfs.OS, Schema: tables[i].Schema})
	if err != nil {
		return wrongError{err}
	}
	if err := sink.Open(ctx, egress.Spec{Name: c.Table, Schema: tables[i].Schema, Mode: "append"}, 0, nil); err != nil {
		return err
	}
	err = log.Restore(ctx, c.Table, func(_ int, rows arrow.RecordBatch) error {
		return sink.Write(ctx, batch.Interval{ID: 1}, batch.Batch{Rows: rows})
	})
	if err == nil {
		var token egress.Token
		if token, err = sink.Prepare(ctx, 1); err == nil {
			err = sink.Commit(ctx, 1, token)
		}
	}
	return errors.Join(err, sink.Close())
}

type checkpointVerify struct {
	Dir string `arg:"" help:"Checkpoint directory."`
}

// Run verifies.
func (c *checkpointVerify) Run(s streams) error {
	if _, err := vfs.OS.Stat(c.Dir); err != nil {
		return wrongError{fmt.Errorf("verify checkpoint: %w", err)}
	}
	report, err := checkpoint.Verify(vfs.OS, c.Dir)
	if err != nil {
		return err
	}
	w := tabwriter.NewWriter(s.stdout, 0, 4, 2, ' ', 0)
	fmt.Fprintln(w, "file\tkind\tbytes\tframes\trows\tloose bytes")
	for _, f := range report.Files {
		fmt.Fprintf(w, "%s\t%s\t%d\t%d\t%d\t%d\n", f.Path, f.Kind, f.Bytes, f.Frames, f.Rows, f.Loose)
	}
	if err := w.Flush(); err != nil {
		return err
	}
	if len(report.Faults) == 0 {
		fmt.Fprintln(s.stdout, "whole")
		return nil
	}
	errs := make([]error, len(report.Faults))
	for i := range report.Faults {
		errs[i] = &report.Faults[i]
	}
	return errors.Join(errs...)
}

// Help shows examples.
func (*checkpointCommand) Help() string {
	return `Examples:

    tidemill checkpoint ls state/
    tidemill checkpoint show state/ hot.aggregate --output csv
    tidemill checkpoint save state/ before-the-change`
}
