package bench

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"os"

	"github.com/apache/arrow-go/v18/arrow"

	"github.com/tidemill/tidemill"
)

// The programs that are measured on a workload.
const (
	// Engine is Tidemill.
	Engine = "tidemill"
	// OneWorker is Tidemill with one worker.
	OneWorker = "one worker"
	// Raw reads the same bytes and drops them.
	Raw = "raw"
	// Loop is what is written by hand for the workload alone.
	Loop = "loop"
	// Idiomatic is what one writes first in Go; its answer is the one that others are checked against.
	Idiomatic = "idiomatic"
)

// Request is one run of one program.
type Request struct {
	Workload string `json:"workload"`
	Program  string `json:"program"`
	// Scale is what the numbers of rows of all workloads are multiplied with.
	Scale float64 `json:"scale"`
	// File is the input, if the workload has one.
	File File `json:"file"`
	// Address is that of a sender of the file's bytes, for workloads over TCP.
	Address string `json:"address,omitempty"`
	// Workers is the number of the engine's workers, 0 for its default.
	Workers int `json:"workers,omitempty"`
	// CPUProfile is where to write a profile of what is measured, "" for nowhere.
	CPUProfile string `json:"cpu_profile,omitempty"`
}

// FindWorkload returns the workload of a name.
func FindWorkload(name string) (*Workload, error) {
	for _, w := range Workloads() {
		if w.Name == name {
			return w, nil
		}
	}
	return nil, fmt.Errorf("workload %q is unknown", name)
}

// Programs returns what can be measured on w.
func (w *Workload) Programs() []string {
	all := []string{Engine}
	if w.latency != nil {
		return all
	}
	if w.TCP {
		all = append(all, OneWorker)
	}
	if w.Input != nil {
		all = append(all, Raw)
	}
	if w.loop != nil {
		all = append(all, Loop)
	}
	return append(all, Idiomatic)
}

func (w *Workload) newSink() resultSink {
	if w.tallies {
		return &tally{}
	}
	return &collector{lastOnly: w.fold == foldLast}
}

// Execute runs a program in this process, and measures it.
func Execute(ctx context.Context, req Request) (Sample, error) {
	w, err := FindWorkload(req.Workload)
	if err != nil {
		return Sample{}, err
	}
	rows := w.rows(req.Scale)
	s, err := w.execute(ctx, req, rows)
	if err != nil {
		return s, fmt.Errorf("run %s of %s: %w", req.Program, w.Name, err)
	}
	s.Rows, s.Bytes = rows, req.File.Bytes
	return s, nil
}

func (w *Workload) execute(ctx context.Context, req Request, rows int64) (Sample, error) {
	var p program
	switch req.Program {
	case Engine:
		switch {
		case w.latency != nil:
			return runLatency(ctx, w, req, rows)
		case w.operators != nil:
			return runOperators(ctx, w, req, rows)
		}
		return runEngine(ctx, w, req, rows)
	case OneWorker:
		req.Workers = 1
		return runEngine(ctx, w, req, rows)
	case Raw:
		p = func(in stream) (func() Answer, error) { return func() Answer { return Answer{} }, discard(in) }
	case Loop:
		p = w.loop
	case Idiomatic:
		p = w.idiomatic
	}
	if p == nil {
		return Sample{}, errors.New("there is no such program")
	}
	in := stream{rows: rows}
	if w.operators != nil {
		in = w.operators.stream(rows)
	}
	if w.records != nil {
		in.records = w.records(rows)
	}
	m := begin()
	if err := w.open(ctx, req, &in); err != nil {
		return Sample{}, err
	}
	finish, err := p(in)
	s := m.end()
	if c, ok := in.Reader.(io.Closer); ok {
		err = errors.Join(err, c.Close())
	}
	if err == nil {
		s.Answer = finish()
	}
	return s, err
}

// open opens the bytes of a stream, if it has any.
func (w *Workload) open(ctx context.Context, req Request, in *stream) (err error) {
	switch {
	case w.Input == nil:
	case w.TCP:
		in.Reader, err = (&net.Dialer{}).DialContext(ctx, "tcp", req.Address)
	default:
		in.Reader, err = os.Open(req.File.Path)
	}
	return err
}

// runEngine measures a workload through the public interface: SQL in, rows out to a sink.
func runEngine(ctx context.Context, w *Workload, req Request, rows int64) (Sample, error) {
	uri := "file:" + req.File.Path
	if w.TCP {
		uri = "tcp://" + req.Address
	}
	var records []arrow.RecordBatch
	if w.records != nil {
		records = w.records(rows)
	}
	sink := w.newSink()
	m, err := beginProfiled(req.CPUProfile)
	if err != nil {
		return Sample{}, err
	}
	job, err := tidemill.New(tidemill.Config{Workers: req.Workers, Mode: w.mode(), Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		return Sample{}, err
	}
	if records != nil {
		_, err := job.FromRecordBatches("rows", records[0].Schema(), records, tidemill.SourceOptions{Columns: w.recordColumns})
		if err != nil {
			return Sample{}, err
		}
	}
	if err := job.SQL(w.script(uri, rows)); err != nil {
		return Sample{}, err
	}
	job.Table("result").ToSink("out", sink)
	if err := job.Start(ctx); err != nil {
		return Sample{}, err
	}
	err = job.Wait()
	s := m.end()
	if held := job.MemoryHeld(); err == nil && held != 0 {
		err = fmt.Errorf("the job holds %d bytes after its end", held)
	}
	if in := job.Status().RowsIn; err == nil && in != rows {
		err = fmt.Errorf("%d rows were read, the input has %d", in, rows)
	}
	if err == nil {
		s.Answer = sink.answer(w.fold)
	}
	return s, err
}
