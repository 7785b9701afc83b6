package bench

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"time"
)

// Input is a file of generated lines.
type Input struct {
	// Name is that of the file, with an ending by which its format is known.
	Name string
	// Rows is the number of lines at scale 1.
	Rows int64
	// New returns the generator.
	New func() Generator
}

// File is an Input that was written.
type File struct {
	Path  string
	Rows  int64
	Bytes int64
	// Took is how long generating it took, writing included: 0 if the file was there.
	Took time.Duration
}

// rows returns the number of lines at a scale.
func (in *Input) rows(scale float64) int64 { return max(int64(float64(in.Rows)*scale), 1000) }

// Write writes the input into a directory, unless it is there.
func (in *Input) Write(dir string, scale float64) (file File, err error) {
	name, ending, _ := strings.Cut(in.Name, ".")
	file = File{Rows: in.rows(scale)}
	file.Path = filepath.Join(dir, fmt.Sprintf("%s-%d.%s", name, file.Rows, ending))
	if info, err := os.Stat(file.Path); err == nil {
		file.Bytes = info.Size()
		return file, nil
	}
	began := time.Now()
	f, err := os.Create(file.Path + ".part")
	if err != nil {
		return file, fmt.Errorf("write input %s: %w", in.Name, err)
	}
	w := bufio.NewWriterSize(f, 1<<20)
	lines := in.New()
	var line []byte
	for range file.Rows {
		line = lines.Append(line[:0])
		file.Bytes += int64(len(line))
		if _, err := w.Write(line); err != nil {
			return file, errors.Join(fmt.Errorf("write input %s: %w", in.Name, err), f.Close())
		}
	}
	if err := errors.Join(w.Flush(), f.Close(), os.Rename(file.Path+".part", file.Path)); err != nil {
		return file, fmt.Errorf("write input %s: %w", in.Name, err)
	}
	file.Took = time.Since(began)
	return file, nil
}

// blockBytes is the size of the reads of yardsticks, and the default size of the engine's blocks.
const blockBytes = 256 << 10

// eachBlock reads r to its end and calls fn with pieces of whole lines, in the same memory.
func eachBlock(r io.Reader, fn func(lines []byte)) error {
	buf := make([]byte, 0, 2*blockBytes)
	for {
		n, err := r.Read(buf[len(buf) : len(buf)+blockBytes])
		buf = buf[:len(buf)+n]
		end := bytes.LastIndexByte(buf, '\n') + 1
		if err == io.EOF {
			end = len(buf)
		}
		if end > 0 {
			fn(buf[:end])
			buf = buf[:copy(buf, buf[end:])]
		}
		if err == io.EOF {
			return nil
		}
		if err != nil {
			return err
		}
		if len(buf) > blockBytes {
			return fmt.Errorf("read lines: one is longer than %d bytes", blockBytes)
		}
	}
}

// discard reads r to its end.
func discard(r io.Reader) error {
	buf := make([]byte, blockBytes)
	for {
		if _, err := r.Read(buf); err == io.EOF {
			return nil
		} else if err != nil {
			return err
		}
	}
}
