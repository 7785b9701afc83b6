package ingest_test

import (
	"bytes"
	"context"
	"math/rand/v2"
	"sync"
	"testing"

	"github.com/tidemill/tidemill/batch"
	"github.com/tidemill/tidemill/ingest"
)

// blockChecker joins the blocks of a split and fails the test where they do not follow each other.
type blockChecker struct {
	t        testing.TB
	text     []byte
	next     ingest.Position
	seq      uint64
	interval uint64
	arrival  batch.Time
	rowsOf   map[uint64]int64 // interval → rows
}

func (c *blockChecker) take(b *ingest.Block) {
	defer b.Free()
	if b.Seq != c.seq || b.FirstRow != c.next.Rows || b.FirstLine != c.next.Lines || b.From != c.next.Upto {
		c.t.Errorf("block %d from %v row %d line %d follows %d %+v", b.Seq, b.From, b.FirstRow, b.FirstLine, c.seq, c.next)
	}
	if b.To.Pos-b.From.Pos != int64(len(b.Bytes)) || int64(bytes.Count(b.Bytes, []byte{'\n'})) != b.NumLines || b.NumRows < 1 {
		c.t.Errorf("block %d: %v to %v, %d rows, %d lines, %d bytes", b.Seq, b.From, b.To, b.NumRows, b.NumLines, len(b.Bytes))
	}
	if b.Interval < c.interval || b.Arrival < c.arrival {
		c.t.Errorf("block %d: interval %d after %d, arrival %d after %d", b.Seq, b.Interval, c.interval, b.Arrival, c.arrival)
	}
	if cap(b.Bytes)-len(b.Bytes) < batch.Slack {
		c.t.Errorf("block %d: slack of %d bytes", b.Seq, cap(b.Bytes)-len(b.Bytes))
	}
	c.seq, c.interval, c.arrival = b.Seq+1, b.Interval, b.Arrival
	c.next = ingest.Position{Upto: b.To, Rows: b.FirstRow + b.NumRows, Lines: b.FirstLine + b.NumLines}
	c.text = append(c.text, b.Bytes...)
	if c.rowsOf == nil {
		c.rowsOf = map[uint64]int64{}
	}
	c.rowsOf[b.Interval] += b.NumRows
}

// randomLines returns lines of which some are long and some empty.
func randomLines(random *rand.Rand, n, longest int) []byte {
	var text []byte
	for range n {
		size := random.IntN(20)
		if random.IntN(50) == 0 {
			size = random.IntN(longest)
		}
		for range size {
			text = append(text, byte('a'+random.IntN(26)))
		}
		text = append(text, '\n')
	}
	return text
}

func TestBlockWriterGivesItsInputWhereverItIsCut(t *testing.T) {
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	random := rand.New(rand.NewPCG(seed, 0))
	for round := range 60 {
		text := randomLines(random, random.IntN(400), 3000)
		checker := &blockChecker{t: t}
		limit := int64(1 + random.IntN(60))
		requests := make(chan struct{}, 1)
		spec := ingest.WriterSpec{
			Format: lineFormat(t, "TEXT", nil), BlockBytes: 256 << random.IntN(6), Blocks: ingest.NewBlockPool(newPool(t)),
			Now:  func() batch.Time { return 7 },
			Send: func(_ context.Context, b *ingest.Block) error { checker.take(b); return nil },
		}
		if round%2 == 1 {
			spec.Limiter = ingest.NewLimiter(limit, func() {
				select {
				case requests <- struct{}{}:
				default:
				}
			})
		}
		w := ingest.NewBlockWriter(spec)
		stop := make(chan struct{})
		var ticker sync.WaitGroup
		ticker.Go(func() {
			for interval := uint64(1); ; interval++ {
				if spec.Limiter != nil {
					select {
					case <-requests:
					case <-stop:
						return
					}
				}
				select {
				case <-stop:
					return
				default:
				}
				w.Lock()
				if err := w.CutLocked(t.Context()); err != nil {
					t.Error(err)
				}
				if p := w.PositionLocked(); p != checker.next && !p.Ended {
					t.Errorf("position %+v, want %+v", p, checker.next)
				}
				w.SetIntervalLocked(interval, batch.Time(interval))
				w.Unlock()
			}
		})
		for rest := text; len(rest) > 0; {
			n := min(len(rest), 1+random.IntN(1+random.IntN(2000)))
			if err := w.Write(t.Context(), rest[:n]); err != nil {
				t.Fatal(err)
			}
			rest = rest[n:]
		}
		if err := w.End(t.Context()); err != nil {
			t.Fatal(err)
		}
		close(stop)
		ticker.Wait()
		w.Close()
		if !bytes.Equal(checker.text, text) {
			t.Fatalf("round %d: %d bytes in, %d out", round, len(text), len(checker.text))
		}
		if want := (ingest.Position{Upto: checker.next.Upto, Rows: checker.next.Rows, Lines: checker.next.Lines, Ended: true}); w.Position() != want {
			t.Errorf("position at the end: %+v, want %+v", w.Position(), want)
		}
		if spec.Limiter == nil {
			continue
		}
		left := checker.next.Rows
		for interval := uint64(0); left > 0; interval++ { // every interval but the last is full
			if rows := checker.rowsOf[interval]; rows != min(limit, left) {
				t.Errorf("interval %d has %d rows, limit %d, %d left", interval, rows, limit, left)
				break
			}
			left -= min(limit, left)
		}
	}
}
