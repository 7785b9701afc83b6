package tidemill_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/tidemill/tidemill"
)

// lockedBuffer is stdout of a job under test.
type lockedBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *lockedBuffer) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

func (l *lockedBuffer) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}

// runSQL runs a job to its end and returns what it printed, and its last status.
func runSQL(t *testing.T, cfg tidemill.Config, script string) (string, tidemill.Status) {
	t.Helper()
	out, status, err := tryRun(t, cfg, script)
	if err != nil {
		t.Fatalf("run: %v\nscript:\n%s", err, script)
	}
	return out, status
}

func tryRun(t *testing.T, cfg tidemill.Config, script string) (string, tidemill.Status, error) {
	t.Helper()
	var out lockedBuffer
	cfg.Stdout = &out
	if cfg.Log == nil {
		cfg.Log = slog.New(slog.DiscardHandler)
	}
	job, err := tidemill.New(cfg)
	if err != nil {
		return "", tidemill.Status{}, err
	}
	if err := job.SQL(script); err != nil {
		return "", tidemill.Status{}, err
	}
	if err := job.Start(context.Background()); err != nil {
		return "", tidemill.Status{}, err
	}
	err = job.Wait()
	if held := job.MemoryHeld(); held != 0 {
		err = errors.Join(err, fmt.Errorf("%d bytes are still held after the job", held))
	}
	return out.String(), job.Status(), err
}

// sortedLines returns the lines of a CSV text without the header, sorted.
func sortedLines(text string) string {
	lines := strings.Split(strings.TrimSuffix(text, "\n"), "\n")
	if len(lines) > 0 {
		lines = lines[1:]
	}
	slices.Sort(lines)
	return strings.Join(lines, "\n")
}

func writeFile(t *testing.T, path, text string) string {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
	return path
}

// readSink returns all rows in the visible files of a file sink, in order of name.
func readSink(t *testing.T, dir string) string {
	t.Helper()
	entries, err := os.ReadDir(dir)
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		t.Fatal(err)
	}
	var all []byte
	for _, e := range entries {
		if e.IsDir() || strings.HasPrefix(e.Name(), ".") || strings.HasPrefix(e.Name(), "_") {
			continue
		}
		text, err := os.ReadFile(filepath.Join(dir, e.Name()))
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, text...)
	}
	return string(all)
}

// watch cancels a job that hangs, unless it is stopped before. A second in which this process did not get to run does not count.
func watch(t *testing.T, cancel context.CancelCauseFunc) (stop func()) {
	ended := make(chan struct{})
	var watcher sync.WaitGroup
	watcher.Go(func() {
		seconds := time.NewTicker(time.Second)
		defer seconds.Stop()
		for range 20 {
			select {
			case <-ended:
				return
			case <-seconds.C:
			}
		}
		all := make([]byte, 1<<20)
		t.Logf("the job hangs:\n%s", all[:runtime.Stack(all, true)])
		cancel(errors.New("the job hangs"))
	})
	return func() {
		close(ended)
		watcher.Wait()
	}
}
