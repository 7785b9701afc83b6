package main

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// sinkRows is how often each row is in each sink.
type sinkRows map[string]map[string]int64

// readSinks returns the visible rows of all sinks that a run wrote below dir.
func readSinks(dir string) (sinkRows, error) {
	all := make(sinkRows)
	out := filepath.Join(dir, "out")
	sinks, err := os.ReadDir(out)
	if errors.Is(err, fs.ErrNotExist) {
		return all, nil
	}
	if err != nil {
		return nil, err
	}
	for _, sink := range sinks {
		rows := make(map[string]int64)
		files, err := os.ReadDir(filepath.Join(out, sink.Name()))
		if err != nil {
			return nil, err
		}
		for _, f := range files {
			if strings.HasPrefix(f.Name(), ".") { // not visible
				continue
			}
			if err := addRows(rows, filepath.Join(out, sink.Name(), f.Name())); err != nil {
				return nil, err
			}
		}
		all[sink.Name()] = rows
	}
	return all, nil
}

func addRows(rows map[string]int64, path string) error {
	f, err := os.Open(path)
	if err != nil {
		return err
	}
	defer f.Close()
	for r := bufio.NewReader(f); ; {
		line, err := r.ReadString('\n')
		if line != "" {
			rows[strings.TrimSuffix(line, "\n")]++
		}
		if err == io.EOF {
			return nil
		}
		if err != nil {
			return fmt.Errorf("read %s: %w", path, err)
		}
	}
}

func (s sinkRows) count() (n int64) {
	for _, rows := range s {
		for _, k := range rows {
			n += k
		}
	}
	return n
}

// compare returns how many rows of s got lacks, and how many it has too many. It reports the first ones of each sink.
func (s sinkRows) compare(got sinkRows, report func(format string, args ...any)) (lost, doubled int64) {
	names := maps.Clone(s)
	maps.Copy(names, got)
	for _, sink := range slices.Sorted(maps.Keys(names)) {
		rows := maps.Clone(s[sink])
		if rows == nil {
			rows = make(map[string]int64)
		}
		for row, n := range got[sink] {
			rows[row] -= n
		}
		shown := 0
		for _, row := range slices.Sorted(maps.Keys(rows)) {
			n := rows[row]
			what := "lost"
			if n < 0 {
				what = "too many"
			}
			lost, doubled = lost+max(n, 0), doubled+max(-n, 0)
			if n != 0 && shown < shownRows {
				shown++
				report("sink %s: %d × %s: %s", sink, max(n, -n), what, row)
			}
		}
	}
	return lost, doubled
}
