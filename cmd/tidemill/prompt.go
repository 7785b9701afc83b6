package main

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"unicode"

	"golang.org/x/term"

	"github.com/tidemill/tidemill/operators/expr"
)

// errInterrupted says that Ctrl-C was typed at the prompt.
var errInterrupted = errors.New("interrupted")

const (
	firstPrompt = "tidemill> "
	nextPrompt  = "       -> "
	ctrlC       = 3
)

// prompt reads lines from a terminal, with history and completion.
type prompt struct {
	shell       *shell
	keys        *keyboard
	terminal    *term.Terminal
	history     history
	completions []string // shown last
}

// keyboard is a terminal's input that notes Ctrl-C, which the line editor can't tell from Ctrl-D.
type keyboard struct {
	in          *os.File
	interrupted bool
}

// Read reads what was typed.
func (k *keyboard) Read(p []byte) (int, error) {
	n, err := k.in.Read(p)
	k.interrupted = slices.Contains(p[:n], ctrlC)
	return n, err
}

func newPrompt(sh *shell) (*prompt, error) {
	p := &prompt{shell: sh, keys: &keyboard{in: sh.stdin}}
	if err := p.history.open(historyPath()); err != nil {
		return nil, err
	}
	p.restart()
	return p, nil
}

// restart makes a line editor without anything typed yet.
func (p *prompt) restart() {
	p.terminal = term.NewTerminal(struct {
		io.Reader
		io.Writer
	}{p.keys, p.shell.stdout}, firstPrompt)
	p.terminal.History = &p.history
	p.terminal.AutoCompleteCallback = p.complete
}

// read returns a line. Its error is io.EOF for Ctrl-D and errInterrupted for Ctrl-C.
func (p *prompt) read(isFirst bool) (string, error) {
	p.terminal.SetPrompt(nextPrompt)
	if isFirst {
		p.terminal.SetPrompt(firstPrompt)
	}
	if width, height, err := term.GetSize(int(p.keys.in.Fd())); err == nil && width > 0 {
		_ = p.terminal.SetSize(width, height) // fails with the write of a redrawn line, which the next write does too
	}
	before, err := term.MakeRaw(int(p.keys.in.Fd()))
	if err != nil {
		return "", err
	}
	line, err := p.terminal.ReadLine()
	if restoreErr := term.Restore(int(p.keys.in.Fd()), before); err == nil {
		err = restoreErr
	}
	if errors.Is(err, io.EOF) && p.keys.interrupted {
		fmt.Fprintln(p.shell.stdout, "^C")
		p.restart()
		return "", errInterrupted
	}
	return line, err
}

// remember adds a statement to the history.
func (p *prompt) remember(statement string) {
	if err := p.history.append(strings.Join(strings.Fields(statement), " ")); err != nil {
		fmt.Fprintf(p.shell.stderr, "tidemill: keep history: %s\n", err)
	}
}

// keywords complete words that are neither functions nor names.
var keywords = strings.Fields(`ALL AND ANTI AS ASC BETWEEN BIGINT BOOLEAN BY CASE CAST CREATE CROSS CSV DATE DECIMAL DESC DESCRIBE DISTINCT
	DOUBLE DROP ELSE END EXISTS EXPLAIN FALSE FOR FORMAT FROM FULL GROUP HAVING HELP IN INNER INTERVAL INTO IS JOIN JSON LATERAL LEFT
	LIKE LIMIT MATCH_RECOGNIZE NOT NULL ON OR ORDER OUTER OVER PARQUET PARTITION QUIT RIGHT SELECT SEMI SHOW SINK SOURCE TABLE TABLES TEXT
	THEN TIMESTAMP TRUE UNION USING VIEW WATERMARK WHEN WHERE WITH`)

// complete is called for each key. At Tab it completes the word before the cursor as far as all candidates agree, and the second
// time shows them.
func (p *prompt) complete(line string, pos int, key rune) (newLine string, newPos int, ok bool) {
	if key != '\t' {
		p.completions = nil
		return "", 0, false
	}
	start := pos
	for start > 0 && (line[start-1] == '_' || line[start-1] >= 0x80 || unicode.IsLetter(rune(line[start-1])) || unicode.IsDigit(rune(line[start-1]))) {
		start--
	}
	word := line[start:pos]
	if word == "" {
		return line, pos, true
	}
	found := p.shell.candidates(word)
	if len(found) == 0 {
		return line, pos, true
	}
	whole := commonPrefix(found)
	if len(found) == 1 {
		whole += " "
	}
	if whole == word && slices.Equal(found, p.completions) {
		fmt.Fprintln(p.terminal, strings.Join(found, "  "))
	}
	p.completions = found
	return line[:start] + whole + line[pos:], start + len(whole), true
}

// candidates returns the names, columns, functions and keywords that begin with a word, in its case if they are no names.
func (sh *shell) candidates(word string) []string {
	var found []string
	add := func(name string) {
		if len(name) >= len(word) && strings.EqualFold(name[:len(word)], word) {
			found = append(found, name)
		}
	}
	for i := range sh.definitions {
		add(sh.definitions[i].Name)
	}
	for _, columns := range sh.columns {
		for _, c := range columns {
			add(c)
		}
	}
	isLower := strings.ToLower(word) == word
	for _, k := range keywords {
		if isLower {
			k = strings.ToLower(k)
		}
		add(k)
	}
	for _, f := range expr.Names() {
		if expr.IsFunction(f) && unicode.IsLetter(rune(f[0])) && !strings.Contains(f, " ") {
			if !isLower {
				f = strings.ToUpper(f)
			}
			add(f)
		}
	}
	slices.Sort(found)
	return slices.Compact(found)
}

// commonPrefix returns what all of some texts begin with, but for the case of letters, as the first has it.
func commonPrefix(all []string) string {
	prefix := all[0]
	for _, s := range all[1:] {
		n := 0
		for n < min(len(prefix), len(s)) && strings.EqualFold(prefix[n:n+1], s[n:n+1]) {
			n++
		}
		prefix = prefix[:n]
	}
	return prefix
}

// maxHistory is how many statements are kept from one session to the next.
const maxHistory = 1000

// history has the statements of this and earlier sessions, the oldest first.
type history struct {
	path string // "": nothing is kept
	all  []string
}

// historyPath returns where statements are kept, "" for nowhere.
func historyPath() string {
	if path, ok := os.LookupEnv("TIDEMILL_HISTORY"); ok {
		return path
	}
	state := os.Getenv("XDG_STATE_HOME")
	if state == "" {
		home, err := os.UserHomeDir()
		if err != nil {
			return ""
		}
		state = filepath.Join(home, ".local", "state")
	}
	return filepath.Join(state, "tidemill", "history")
}

func (h *history) open(path string) error {
	h.path = path
	if path == "" {
		return nil
	}
	text, err := os.ReadFile(path)
	if errors.Is(err, os.ErrNotExist) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("read history: %w", err)
	}
	for line := range strings.Lines(string(text)) {
		h.all = append(h.all, strings.TrimRight(line, "\n"))
	}
	if more := len(h.all) - maxHistory; more > 0 {
		h.all = h.all[more:]
		return os.WriteFile(path, []byte(strings.Join(h.all, "\n")+"\n"), 0o600)
	}
	return nil
}

// append keeps a statement, unless it is the last one again.
func (h *history) append(statement string) error {
	if len(h.all) > 0 && h.all[len(h.all)-1] == statement {
		return nil
	}
	h.all = append(h.all, statement)
	if h.path == "" {
		return nil
	}
	if err := os.MkdirAll(filepath.Dir(h.path), 0o700); err != nil {
		return err
	}
	f, err := os.OpenFile(h.path, os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	_, err = f.WriteString(statement + "\n")
	return errors.Join(err, f.Close())
}

// Add is called for each line; whole statements are kept, by append.
func (h *history) Add(string) {}

// Len returns how many statements there are.
func (h *history) Len() int { return len(h.all) }

// At returns a statement; 0 is the newest.
func (h *history) At(i int) string { return h.all[len(h.all)-1-i] }
