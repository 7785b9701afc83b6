package egress

import (
	"bytes"
	"errors"
	"fmt"
	"strings"
)

// jobChars is how much of the job's random id is in file names: two jobs with one sink name in one directory differ in it.
const jobChars = 8

// filePrefix returns what the names of all files of one sink of one job begin with, and of no other.
func filePrefix(spec Spec) string {
	return escapeName(spec.Name) + "-" + escapeName(spec.Job[:min(jobChars, len(spec.Job))]) + "-"
}

// escapeName writes what is not a letter of ASCII, a digit or a later underscore as %XX, so that no name of a sink leaves the
// directory, looks hidden or meets another one.
func escapeName(name string) string {
	var b strings.Builder
	for i := range len(name) {
		c := name[i]
		isPlain := c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' || c == '_' && i > 0
		if isPlain {
			b.WriteByte(c)
		} else {
			fmt.Fprintf(&b, "%%%02X", c)
		}
	}
	return b.String()
}

// fileName returns the name of the n-th file of a commit. Names of one sink sort in the order of their rows: the widths hold
// for 300 years of commits each second, and 10000 files in each.
func (s *fileSink) fileName(commit uint64, n int) string {
	return fmt.Sprintf("%s%010d-%04d%s", s.prefix, commit, n, s.set.extension())
}

func (set *settings) extension() string {
	if set.columns != nil {
		return set.columns.Extension()
	}
	ext := map[string]string{"CSV": ".csv", "JSON": ".json", "TEXT": ".txt"}[set.format]
	return ext + map[string]string{
		compressionGzip: ".gz", compressionZstd: ".zst", compressionS2: ".s2", compressionSnappy: ".sz", compressionLZ4: ".lz4",
	}[set.compression]
}

// fileToken names the files of commits: the directory and the names, which are the same in and out of staging.
type fileToken struct {
	dir   string
	names []string
}

// errToken says that a token is not one of this sink.
var errToken = errors.New("the checkpoint's note on prepared files is not of this sink: it is damaged, or of another job")

// encode returns the names, one in a line, and the directory, which may itself have line ends.
func (t fileToken) encode() Token {
	var b bytes.Buffer
	for _, name := range t.names {
		b.WriteString(name)
		b.WriteByte('\n')
	}
	b.WriteByte('\n')
	b.WriteString(t.dir)
	return b.Bytes()
}

// parseToken is the inverse of encode, and checks that all names are of the sink with the given prefix.
func parseToken(t Token, prefix string) (fileToken, error) {
	if len(t) == 0 {
		return fileToken{}, nil
	}
	names, dir, ok := strings.Cut(string(t), "\n\n")
	if !ok {
		return fileToken{}, errToken
	}
	token := fileToken{dir: dir, names: strings.Split(names, "\n")}
	for _, name := range token.names {
		if !strings.HasPrefix(name, prefix) || strings.ContainsAny(name, `/\`) {
			return fileToken{}, fmt.Errorf("%w: %q", errToken, name)
		}
	}
	return token, nil
}
