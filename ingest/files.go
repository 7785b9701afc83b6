package ingest

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// foundFile is a file that a pattern stands for.
type foundFile struct {
	name string // stable, relative to the pattern's base
	path string
	info os.FileInfo
}

// filePattern is the path of a file: source: a file, a directory or a glob in the syntax of filepath.Match.
type filePattern string

// isGlob says that the path has signs of a glob and that no file has that very name.
func (p filePattern) isGlob() bool {
	if !strings.ContainsAny(string(p), `*?[`) {
		return false
	}
	_, err := os.Lstat(string(p))
	return err != nil
}

// list returns the files of the pattern in order of name. Directories are not entered; names that begin with . or _ are not
// data, but for a path that names one file. A glob or path without file is an error that is fs.ErrNotExist.
func (p filePattern) list() ([]foundFile, error) {
	if p.isGlob() {
		return p.listGlob()
	}
	info, err := os.Stat(string(p))
	if err != nil {
		return nil, err
	}
	if !info.IsDir() {
		if !info.Mode().IsRegular() {
			return nil, fmt.Errorf("%s is no regular file: pipe it in and read stdin: instead", p)
		}
		return []foundFile{{name: filepath.Base(string(p)), path: string(p), info: info}}, nil
	}
	entries, err := os.ReadDir(string(p))
	if err != nil {
		return nil, err
	}
	var files []foundFile
	for _, e := range entries {
		if files, err = appendData(files, e.Name(), filepath.Join(string(p), e.Name())); err != nil {
			return nil, err
		}
	}
	return files, nil
}

func (p filePattern) listGlob() ([]foundFile, error) {
	paths, err := filepath.Glob(string(p))
	if err != nil {
		return nil, fmt.Errorf("glob %q: %w", string(p), err)
	}
	if len(paths) == 0 {
		return nil, fmt.Errorf("no file matches: %w", fs.ErrNotExist)
	}
	base := p.base()
	var files []foundFile
	for _, path := range paths {
		name, err := filepath.Rel(base, path)
		if err != nil {
			return nil, err
		}
		if files, err = appendData(files, filepath.ToSlash(name), path); err != nil {
			return nil, err
		}
	}
	slices.SortFunc(files, func(a, b foundFile) int { return strings.Compare(a.name, b.name) })
	return files, nil
}

// base returns the directory that names are relative to: the part of the path before the first sign of a glob.
func (p filePattern) base() string {
	dir := string(p)
	for strings.ContainsAny(dir, `*?[`) {
		dir = filepath.Dir(dir)
	}
	return dir
}

// appendData appends a file if it is one and is data.
func appendData(files []foundFile, name, path string) ([]foundFile, error) {
	if base := filepath.Base(path); base[0] == '.' || base[0] == '_' {
		return files, nil
	}
	info, err := os.Stat(path)
	if errors.Is(err, fs.ErrNotExist) { // removed since it was listed, or a link to nowhere
		return files, nil
	}
	if err != nil {
		return nil, err
	}
	if info.Mode().IsRegular() {
		files = append(files, foundFile{name: name, path: path, info: info})
	}
	return files, nil
}
