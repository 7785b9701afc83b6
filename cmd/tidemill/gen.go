package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"strings"
	"time"

	"github.com/tidemill/tidemill/bench"
)

type genCommand struct {
	Words   genWords   `cmd:"" help:"Lines of words with Zipf's distribution, or those of a text."`
	Rate    genRate    `cmd:"" help:"CSV lines of a timestamp and a number that counts up."`
	Events  genEvents  `cmd:"" help:"JSON lines: ts (ms), user, amount, type."`
	Nexmark genNexmark `cmd:"" help:"JSON lines of persons, auctions and bids (event_type 0, 1 and 2), as the Nexmark benchmark has them."`
}

// genFlags are common to all generators.
type genFlags struct {
	Rate int64  `placeholder:"N" help:"Lines per second (default: as fast as they are taken)."`
	Rows int64  `placeholder:"N" help:"Lines in all (default: without end)."`
	Seed uint64 `default:"1" help:"Seed of the random numbers."`
	To   string `default:"-" help:"Where to: -, file:PATH, tcp://HOST:PORT (connect) or tcp-listen://HOST:PORT (wait for one connection)."`
}

type genWords struct {
	genFlags
	From       string  `placeholder:"FILE" help:"Take the lines of this text, instead of random words."`
	Loop       bool    `help:"Begin again at the end of the text."`
	Vocabulary int     `default:"10000" help:"Number of different words."`
	PerLine    int     `default:"10" help:"Words per line."`
	Exponent   float64 `default:"1" help:"Of Zipf's distribution; 0 makes words equally frequent."`
}

// Run writes words.
func (g *genWords) Run(ctx context.Context, s streams) error {
	if g.From == "" {
		if g.Vocabulary < 1 || g.PerLine < 1 {
			return wrongError{errors.New("gen words: --vocabulary and --per-line must be positive")}
		}
		return g.write(ctx, s, bench.NewWords(g.Seed, g.Vocabulary, g.PerLine, g.Exponent))
	}
	text, err := os.ReadFile(g.From)
	if err != nil {
		return wrongError{fmt.Errorf("gen words: %w", err)}
	}
	return g.write(ctx, s, bench.NewText(text, g.Loop))
}

type genRate struct{ genFlags }

// Run writes numbers.
func (g *genRate) Run(ctx context.Context, s streams) error {
	return g.write(ctx, s, bench.NewRate(time.Now(), max(g.Rate, 1)))
}

type genEvents struct {
	genFlags
	Users    int `default:"1000" help:"Number of different users."`
	Disorder int `default:"0" placeholder:"N" help:"Every N-th line is up to 2 s early, such as 50; 0: none is."`
}

// Run writes events.
func (g *genEvents) Run(ctx context.Context, s streams) error {
	if g.Users < 1 || g.Disorder < 0 {
		return wrongError{errors.New("gen events: --users must be positive, --disorder not negative")}
	}
	return g.write(ctx, s, bench.NewEvents(g.Seed, time.Unix(1_700_000_000, 0), g.Users, g.Disorder))
}

type genNexmark struct{ genFlags }

// Run writes persons, auctions and bids.
func (g *genNexmark) Run(ctx context.Context, s streams) error {
	return g.write(ctx, s, bench.NewNexmark(g.Seed))
}

// pace is how often a generator with a rate writes.
const pace = 10 * time.Millisecond

// write writes lines until there are no more, enough, or the other side has closed.
func (g *genFlags) write(ctx context.Context, s streams, lines bench.Generator) (err error) {
	if g.Rate < 0 || g.Rows < 0 {
		return wrongError{errors.New("gen: --rate and --rows must not be negative")}
	}
	w, err := g.open(ctx, s)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, w.Close()) }()
	var (
		began   = time.Now()
		written int64
		buf     []byte
	)
	for ctx.Err() == nil {
		target := written + 1000
		if g.Rate > 0 {
			target = int64(time.Since(began).Seconds()*float64(g.Rate)) + 1
		}
		if g.Rows > 0 {
			target = min(target, g.Rows)
		}
		buf = buf[:0]
		for ; written < target; written++ {
			before := len(buf)
			if buf = lines.Append(buf); len(buf) == before {
				_, err := w.Write(buf)
				return calm(err)
			}
		}
		if _, err := w.Write(buf); err != nil {
			return calm(err)
		}
		if g.Rows > 0 && written >= g.Rows {
			return nil
		}
		if g.Rate > 0 {
			time.Sleep(pace)
		}
	}
	return ctx.Err()
}

// calm turns the end of the other side into no error.
func calm(err error) error {
	if err != nil && (errors.Is(err, net.ErrClosed) || strings.Contains(err.Error(), "broken pipe") || strings.Contains(err.Error(), "connection reset")) {
		return nil
	}
	return err
}

func (g *genFlags) open(ctx context.Context, s streams) (io.WriteCloser, error) {
	scheme, rest, _ := strings.Cut(g.To, ":")
	address := strings.TrimPrefix(rest, "//")
	switch {
	case g.To == "-":
		return keepOpen{s.stdout}, nil
	case scheme == "file" && rest != "":
		return os.Create(rest)
	case scheme == "tcp":
		return (&net.Dialer{Timeout: 10 * time.Second}).DialContext(ctx, "tcp", address)
	case scheme == "tcp-listen":
		if strings.HasPrefix(address, ":") {
			address = "127.0.0.1" + address
		}
		l, err := (&net.ListenConfig{}).Listen(ctx, "tcp", address)
		if err != nil {
			return nil, err
		}
		defer l.Close()
		fmt.Fprintf(s.stderr, "waiting for a connection on %s\n", l.Addr())
		return l.Accept()
	}
	return nil, wrongError{fmt.Errorf("gen: --to %q: want -, file:PATH, tcp://HOST:PORT or tcp-listen://HOST:PORT", g.To)}
}

// keepOpen is stdout, which is not ours to close.
type keepOpen struct{ io.Writer }

// Close does nothing.
func (keepOpen) Close() error { return nil }

// Help shows examples.
func (*genCommand) Help() string {
	return `Examples:

    tidemill gen words --rows 100000
    tidemill gen events --rate 1000 --to tcp-listen://127.0.0.1:9999`
}
