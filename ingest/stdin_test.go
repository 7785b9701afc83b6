package ingest_test

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/tidemill/tidemill/ingest"
)

func TestStdinSource(t *testing.T) {
	format := lineFormat(t, "TEXT", nil)
	t.Run("a pipe is read to its end", func(t *testing.T) {
		r, w, err := os.Pipe()
		if err != nil {
			t.Fatal(err)
		}
		defer r.Close()
		source := mustOpen(t, "stdin:", format, ingest.OpenSpec{Stdin: r})
		if !source.Bounded() || source.Replayable() {
			t.Error("standard input is bounded and can't be replayed")
		}
		run := start(t, source, format, nil)
		send(t, w, "1\n")
		run.until(nil, func() bool { return run.textLocked("stdin") == "1\n" })
		send(t, w, "2")
		w.Close()
		if got, want := run.finish(), `stdin: "1\n2"`+"\n"; got != want {
			t.Errorf("got %s want %s", got, want)
		}
	})
	t.Run("a file is read to its end", func(t *testing.T) {
		f, err := os.Open(filepath.Join(writeFiles(t, "a", "1\n2\n"), "a"))
		if err != nil {
			t.Fatal(err)
		}
		defer f.Close()
		run := start(t, mustOpen(t, "stdin:", format, ingest.OpenSpec{Stdin: f}), format, nil)
		if got, want := run.finish(), `stdin: "1\n2\n"`+"\n"; got != want {
			t.Errorf("got %s want %s", got, want)
		}
	})
	t.Run("closing ends a read of a silent pipe, which stays open", func(t *testing.T) {
		r, w, err := os.Pipe()
		if err != nil {
			t.Fatal(err)
		}
		defer r.Close()
		defer w.Close()
		run := start(t, mustOpen(t, "stdin:", format, ingest.OpenSpec{Stdin: r}), format, nil)
		send(t, w, "1\n2")
		run.until(nil, func() bool { return run.textLocked("stdin") == "1\n" })
		run.close()
		send(t, w, "3\n")
		again := make([]byte, 2)
		if _, err := r.Read(again); err != nil || string(again) != "3\n" {
			t.Errorf("got %q, %v", again, err)
		}
	})
}
