package ingest

import (
	"fmt"
	"strings"
)

// FilesVersion returns a text that changes whenever a file of a file: source does, as far as names, inodes, sizes and times of change
// tell: files that are replaced, written to, added or removed. It opens none of them.
func FilesVersion(uri string) (string, error) {
	files, err := filePattern(pathOf(strings.TrimPrefix(uri, "file:"))).list()
	if err != nil {
		return "", fmt.Errorf("look at %s: %w", uri, err)
	}
	var b strings.Builder
	for _, f := range files {
		fmt.Fprintf(&b, "%q %d %d %d\n", f.name, inodeOf(f.info), f.info.Size(), f.info.ModTime().UnixNano())
	}
	return b.String(), nil
}
