package ingest

import (
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"os"
	"strings"
)

// idBytes is how much of a file's start tells it from another that got the same inode later: a line of most logs.
const idBytes = 256

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// fileID tells a file of a followed split from others, whatever it is called. Inodes alone do not: a file system gives the one
// of a removed file to the next that is made.
type fileID struct {
	inode uint64
	size  int64  // bytes of the file that were known
	sum   uint32 // CRC-32C of the first idBytes of these
}

// identify returns the ID of a file of which size bytes are known.
func identify(f *os.File, size int64) (fileID, error) {
	info, err := f.Stat()
	if err != nil {
		return fileID{}, err
	}
	start := make([]byte, min(size, idBytes))
	if _, err := f.ReadAt(start, 0); err != nil {
		return fileID{}, err
	}
	return fileID{inode: inodeOf(info), size: size, sum: crc32.Checksum(start, castagnoli)}, nil
}

// isAt says whether the file at path is the one of the ID, perhaps with more bytes. Without known bytes nothing is.
func (id fileID) isAt(path string, info os.FileInfo) bool {
	if id.inode != inodeOf(info) || id.size == 0 || info.Size() < id.size {
		return false
	}
	f, err := os.Open(path)
	if err != nil {
		return false
	}
	defer f.Close()
	other, err := identify(f, id.size)
	return err == nil && other == id
}

// followTag is the tag of a followed file's offsets: which file of its split they are in, and which files the split has left
// behind, so that these are not taken for new ones under their new names.
type followTag struct {
	generation int64 // how many files and truncations came before
	current    fileID
	left       []fileID
}

// String returns the tag as text: the generation, then the IDs as inode:size:sum.
func (t followTag) String() string {
	var b strings.Builder
	fmt.Fprintf(&b, "%d %x:%d:%x", t.generation, t.current.inode, t.current.size, t.current.sum)
	for _, id := range t.left {
		fmt.Fprintf(&b, " %x:%d:%x", id.inode, id.size, id.sum)
	}
	return b.String()
}

// parseFollowTag is the inverse of String. The empty text is the zero tag.
func parseFollowTag(text string) (followTag, error) {
	var t followTag
	if text == "" {
		return t, nil
	}
	first, rest, _ := strings.Cut(text, " ")
	if _, err := fmt.Sscanf(first, "%d", &t.generation); err != nil {
		return t, fmt.Errorf("offset of a followed file: %w: %q", err, text)
	}
	for i, word := range strings.Fields(rest) {
		var id fileID
		if _, err := fmt.Sscanf(word, "%x:%d:%x", &id.inode, &id.size, &id.sum); err != nil {
			return t, fmt.Errorf("offset of a followed file: %w: %q", err, text)
		}
		if i == 0 {
			t.current = id
		} else {
			t.left = append(t.left, id)
		}
	}
	if rest == "" {
		return t, errors.Join(fmt.Errorf("offset of a followed file: %q", text), io.ErrUnexpectedEOF)
	}
	return t, nil
}
