package main

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"unicode/utf8"

	"golang.org/x/sys/unix"
)

// terminal understands what the command writes to one: it has the lines that a person would see.
type terminal struct {
	lines    [][]rune
	row, col int
}

func (t *terminal) String() string {
	var lines []string
	for _, l := range t.lines {
		lines = append(lines, strings.TrimRight(string(l), " "))
	}
	return strings.TrimRight(strings.Join(lines, "\n"), "\n")
}

// Write shows p.
func (t *terminal) Write(p []byte) (int, error) {
	for s := string(p); s != ""; {
		if t.row >= len(t.lines) {
			t.lines = append(t.lines, nil)
			continue
		}
		r, size := utf8.DecodeRuneInString(s)
		switch {
		case r == '\n':
			t.row, t.col = t.row+1, 0
		case r == '\r':
			t.col = 0
		case strings.HasPrefix(s, "\x1b["):
			end := strings.IndexFunc(s[2:], func(r rune) bool { return r >= '@' }) + 2
			t.obey(s[end], s[2:end])
			size = end + 1
		default:
			line := t.lines[t.row]
			for len(line) <= t.col {
				line = append(line, ' ')
			}
			line[t.col] = r
			t.lines[t.row] = line
			t.col++
		}
		s = s[size:]
	}
	return len(p), nil
}

func (t *terminal) obey(command byte, argument string) {
	n, err := strconv.Atoi(argument)
	if err != nil {
		n = 1
	}
	switch command {
	case 'A':
		t.row = max(0, t.row-n)
	case 'J':
		t.lines = t.lines[:t.row+1]
		t.lines[t.row] = t.lines[t.row][:min(t.col, len(t.lines[t.row]))]
	case 'm':
	default:
		panic(fmt.Sprintf("escape %c", command))
	}
}

func TestScreenKeepsTableAndStatusBelowWhatScrollsBy(t *testing.T) {
	tests := []struct {
		name string
		do   func(s *screen)
		want string
	}{
		{"a status is written again", func(s *screen) { s.setStatus("one of many"); s.setStatus("two") }, "two"},
		{"a table is drawn in the place of a longer one", func(s *screen) {
			_ = s.Draw([]string{"n", "-", "1", "2", "3"})
			_ = s.Draw([]string{"n", "-", "7"})
		}, "n\n-\n7"},
		{"what is written goes above both", func(s *screen) {
			_ = s.Draw([]string{"n", "-", "1"})
			s.setStatus("status")
			fmt.Fprintln(s, "a log line")
			s.setStatus("later")
			fmt.Fprintln(s, "another")
			_ = s.Draw([]string{"n", "-", "2", "3"})
		}, "a log line\nanother\nn\n-\n2\n3\nlater"},
		{"at the end the table stays and the status goes", func(s *screen) {
			_ = s.Draw([]string{"n", "-", "1"})
			s.setStatus("status")
			s.end()
			fmt.Fprintln(s, "done")
			_ = s.Draw([]string{"m", "-", "5"})
		}, "n\n-\n1\ndone\nm\n-\n5"},
		{"a status is not wider than the terminal", func(s *screen) { s.setStatus(strings.Repeat("x", 100)) }, strings.Repeat("x", 39)},
		{"a line without end is ended", func(s *screen) {
			fmt.Fprint(s, "half")
			s.setStatus("status")
		}, "half\nstatus"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			for _, paint := range []paint{false, true} {
				var term terminal
				tt.do(&screen{w: &term, paint: paint, size: func() (int, int) { return 40, 20 }})
				if got := term.String(); got != tt.want {
					t.Errorf("paint %t: want\n%s\ngot\n%s", paint, tt.want, got)
				}
			}
		})
	}
}

// onTerminal starts the command on a pseudo-terminal, and returns it with a function that types.
func onTerminal(t *testing.T, env []string, args ...string) (c *child, typed func(string)) {
	t.Helper()
	ptmx, err := os.OpenFile("/dev/ptmx", os.O_RDWR, 0)
	if err != nil {
		t.Skipf("there is no pseudo-terminal: %v", err)
	}
	fd := int(ptmx.Fd())
	n, err := unix.IoctlGetInt(fd, unix.TIOCGPTN)
	if err == nil {
		err = unix.IoctlSetPointerInt(fd, unix.TIOCSPTLCK, 0)
	}
	if err == nil {
		err = unix.IoctlSetWinsize(fd, unix.TIOCSWINSZ, &unix.Winsize{Row: 24, Col: 100})
	}
	if err != nil {
		t.Fatal(err)
	}
	tty, err := os.OpenFile("/dev/pts/"+strconv.Itoa(n), os.O_RDWR|unix.O_NOCTTY, 0)
	if err != nil {
		t.Fatal(err)
	}
	c = &child{t: t, cmd: exec.Command(binary, args...), stdin: ptmx}
	c.cmd.Stdin, c.cmd.Stdout, c.cmd.Stderr = tty, tty, tty
	c.cmd.Env = append(os.Environ(), env...)
	c.cmd.SysProcAttr = &unix.SysProcAttr{Setsid: true, Setctty: true}
	if err := c.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	tty.Close()
	read := make(chan struct{})
	go func() {
		defer close(read)
		buf := make([]byte, 4096)
		for {
			n, err := ptmx.Read(buf)
			_, _ = c.stdout.Write(buf[:n])
			if err != nil {
				return
			}
		}
	}()
	t.Cleanup(func() {
		if c.cmd.ProcessState == nil {
			c.cmd.Process.Kill()
			c.cmd.Wait()
		}
		<-read // the terminal ends with the process
		ptmx.Close()
	})
	return c, func(s string) {
		if _, err := ptmx.WriteString(s); err != nil {
			t.Fatal(err)
		}
	}
}

func TestSessionOnATerminal(t *testing.T) {
	t.Parallel()
	dir, fill := inDir(t, map[string]string{"people.csv": "ada,36\nbob,7\nada,1\n"})
	history := filepath.Join(dir, "state", "history")
	c, typed := onTerminal(t, []string{"TIDEMILL_HISTORY=" + history, "TERM=xterm", "NO_COLOR="}, "sql")
	c.waitFor(&c.stdout, firstPrompt)
	typed(fill("CREATE SOURCE people (name TEXT, age BIGINT)\rFROM 'file:DIR/people.csv' FORMAT CSV;\r"))
	c.waitFor(&c.stdout, nextPrompt)
	typed("SELECT name, count(*) AS n FROM peo\tGROUP BY name;\r")
	c.waitFor(&c.stdout, "done: 3 rows in, 2 rows out")
	c.waitFor(&c.stdout, "\x1b[1mname  n\x1b[0m")
	typed("SELECT nmae FROM people;\r")
	c.waitFor(&c.stdout, "\x1b[1;31mtidemill:\x1b[0m line 1, column 8")
	typed("SELECT unfinished\x03")
	c.waitFor(&c.stdout, "^C")
	typed("CREATE SOURCE r FROM 'rate:' WITH (rows_per_second = 1000);\rSELECT count(*) AS counted FROM r;\r")
	c.waitFor(&c.stdout, "rows/s")
	c.waitFor(&c.stdout, "A\x1b[J\x1b[1mcounted") // drawn in the place of the one before
	typed("\x03")
	typed("CREATE SOURCE s FROM 'stdin:' FORMAT TEXT;\r")
	c.waitFor(&c.stdout, "statements come from stdin")
	typed("\x04")
	if err := c.cmd.Wait(); err != nil {
		t.Fatalf("%v\n%s", err, c.stdout.String())
	}
	kept, err := os.ReadFile(history)
	if err != nil {
		t.Fatal(err)
	}
	if want := "SELECT name, count(*) AS n FROM people GROUP BY name;\n"; !strings.Contains(string(kept), want) || strings.Contains(string(kept), "unfinished") {
		t.Errorf("history wants %q, and nothing that was given up:\n%s", want, kept)
	}
}

func TestNoColorIsObeyed(t *testing.T) {
	t.Parallel()
	for _, env := range []string{"NO_COLOR=1", "TERM=dumb"} {
		c, _ := onTerminal(t, []string{env}, "check", "-e", "SELECT")
		if err := c.cmd.Wait(); err == nil {
			t.Error("want status 2")
		}
		c.waitFor(&c.stdout, "tidemill: line 1")
		if text := c.stdout.String(); strings.Contains(text, "\x1b") {
			t.Errorf("%s: want plain text, got %q", env, text)
		}
	}
}
