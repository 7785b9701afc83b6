package ingest

import (
	"context"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"
)

// openFollowed makes a split of every file that there is or was. Files that a split has left behind under another name are none.
func (s *fileSource) openFollowed(files []foundFile, after map[string]Position) {
	var tags []followTag
	for _, position := range after {
		if tag, err := parseFollowTag(position.Upto.Tag); err == nil { // Read reports it
			tags = append(tags, tag)
		}
	}
	for _, f := range files {
		start, wasThere := after[f.name]
		s.known[f.name] = struct{}{}
		if start.Ended && !s.canGrow(f.name) {
			continue
		}
		if !wasThere && (isLeftBy(tags, f) || f.isMoved()) {
			delete(s.known, f.name)
			continue
		}
		s.addFollowed(f.name, f.path, start)
	}
	// A file may have been renamed while nobody looked, with something left to read.
	for _, name := range sortedNames(after) {
		if _, ok := s.known[name]; ok || !s.canGrow(name) {
			continue
		}
		s.known[name] = struct{}{}
		s.addFollowed(name, s.pathOf(name), after[name])
	}
}

// addFollowed adds a split whose file may have another name by now, which must not be taken for a new file.
func (s *fileSource) addFollowed(name, path string, start Position) {
	sp := &fileSplit{name: name, path: path, start: start}
	if tag, err := parseFollowTag(start.Upto.Tag); err == nil {
		sp.followed.left = slices.Concat(tag.left, []fileID{tag.current})
	}
	s.splits = append(s.splits, sp)
}

func sortedNames(m map[string]Position) []string {
	var names []string
	for name := range m {
		names = append(names, name)
	}
	slices.Sort(names)
	return names
}

// pathOf returns the path of a split's file.
func (s *fileSource) pathOf(name string) string {
	path := string(s.pattern)
	if s.pattern.isGlob() {
		return filepath.Join(s.pattern.base(), filepath.FromSlash(name))
	}
	if info, err := os.Stat(path); err == nil && info.IsDir() {
		return filepath.Join(path, name)
	}
	return path
}

// isMoved says that the file has no longer the name that it was listed with. It may have been taken for another, then: files
// are being rotated. The next poll sees it again.
func (f foundFile) isMoved() bool {
	info, err := os.Stat(f.path)
	return err != nil || !os.SameFile(info, f.info)
}

// isLeftBy says whether a file is one that splits are in or have left.
func isLeftBy(tags []followTag, f foundFile) bool {
	for _, tag := range tags {
		if tag.current.isAt(f.path, f.info) {
			return true
		}
		for _, id := range tag.left {
			if id.isAt(f.path, f.info) {
				return true
			}
		}
	}
	return false
}

// poll looks for new files and wakes the readers, until ctx ends.
func (s *fileSource) poll(ctx context.Context, events func(SplitEvent)) {
	polls := s.polls
	if polls == nil {
		ticker := time.NewTicker(pollInterval)
		defer ticker.Stop()
		polls = ticker.C
	}
	for {
		select {
		case <-polls:
		case <-ctx.Done():
			return
		}
		for _, event := range s.findNew() {
			events(event)
		}
		s.mu.Lock()
		close(s.polled)
		s.polled = make(chan struct{})
		s.mu.Unlock()
	}
}

// findNew makes splits of files that were not there before. A pattern that can't be listed now may be at the next poll.
func (s *fileSource) findNew() []SplitEvent {
	files, err := s.pattern.list()
	if err != nil {
		return nil
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	var found []SplitEvent
	for _, f := range files {
		if _, ok := s.known[f.name]; ok || s.isOpenOrLeft(f) || f.isMoved() {
			continue
		}
		s.known[f.name] = struct{}{}
		s.splits = append(s.splits, &fileSplit{name: f.name, path: f.path})
		found = append(found, SplitEvent{Split: int32(len(s.splits) - 1), Name: f.name, Late: true})
	}
	return found
}

// isOpenOrLeft is isLeftBy for the splits of this run.
func (s *fileSource) isOpenOrLeft(f foundFile) bool {
	for _, sp := range s.splits {
		if sp.followed.info != nil && os.SameFile(sp.followed.info, f.info) {
			return true
		}
		for _, id := range sp.followed.left {
			if id.isAt(f.path, f.info) {
				return true
			}
		}
	}
	return false
}

// nextPoll returns a channel that is closed at the next poll.
func (s *fileSource) nextPoll() <-chan struct{} {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.polled
}

// findRotated returns the file of an ID under its new name beside path, and the files that took its place since, the oldest
// first. Their names begin as that of path does.
func findRotated(path string, id fileID) []string {
	dir, base := filepath.Split(path)
	stem := strings.TrimSuffix(base, filepath.Ext(base))
	entries, err := os.ReadDir(filepath.Clean(dir))
	if err != nil {
		return nil
	}
	var candidates []foundFile
	at := -1
	for _, e := range entries {
		if e.Name() == base || !strings.HasPrefix(e.Name(), stem) || isCompressedName(e.Name()) {
			continue
		}
		f := foundFile{name: e.Name(), path: filepath.Join(dir, e.Name())}
		if f.info, err = os.Stat(f.path); err == nil && f.info.Mode().IsRegular() {
			candidates = append(candidates, f)
		}
	}
	slices.SortFunc(candidates, func(a, b foundFile) int { return a.info.ModTime().Compare(b.info.ModTime()) })
	for i, f := range candidates {
		if id.isAt(f.path, f.info) {
			at = i
		}
	}
	if at < 0 {
		return nil
	}
	var paths []string
	for _, f := range candidates[at:] {
		paths = append(paths, f.path)
	}
	return paths
}
