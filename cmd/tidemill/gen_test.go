package main

import (
	"bufio"
	"encoding/json"
	"io"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

func TestGeneratorsWriteTheirLines(t *testing.T) {
	words, stderr, status := call(t, "", "gen", "words", "--rows", "3", "--per-line", "4")
	if lines := strings.Split(words, "\n"); status != 0 || stderr != "" || len(lines) != 4 || len(strings.Fields(lines[2])) != 4 {
		t.Errorf("words: status %d, stderr %q, stdout %q", status, stderr, words)
	}
	if again, _, _ := call(t, "", "gen", "words", "--rows", "3", "--per-line", "4"); again != words {
		t.Errorf("the same seed gives %q, then %q", words, again)
	}
	if other, _, _ := call(t, "", "gen", "words", "--rows", "3", "--per-line", "4", "--seed", "2"); other == words {
		t.Errorf("another seed gives the same: %q", other)
	}
	path := filepath.Join(t.TempDir(), "text")
	writeFile(t, path, "one\ntwo\n")
	if text, _, _ := call(t, "", "gen", "words", "--from", path, "--loop", "--rows", "5"); text != "one\ntwo\none\ntwo\none\n" {
		t.Errorf("a text in a loop: %q", text)
	}
	rate, _, _ := call(t, "", "gen", "rate", "--rows", "2", "--rate", "1000")
	if lines := strings.Split(rate, "\n"); len(lines) != 3 || !strings.HasSuffix(lines[0], ",0") || !strings.HasSuffix(lines[1], ",1") {
		t.Errorf("rate: %q", rate)
	}
	out := filepath.Join(t.TempDir(), "events")
	if _, stderr, status := call(t, "", "gen", "events", "--rows", "100", "--to", "file:"+out); status != 0 {
		t.Errorf("events to a file: status %d, %s", status, stderr)
	}
	text, err := os.ReadFile(out)
	if err != nil {
		t.Fatal(err)
	}
	lines := strings.Split(strings.TrimSuffix(string(text), "\n"), "\n")
	var event struct {
		TS         int64
		User, Type string
		Amount     float64
	}
	if err := json.Unmarshal([]byte(lines[99]), &event); err != nil || len(lines) != 100 || event.TS < 1_700_000_000_000 || event.User == "" || event.Type == "" {
		t.Errorf("events: %v, %d lines, the last is %q", err, len(lines), lines[99])
	}
}

func TestNexmarkHasItsProportions(t *testing.T) {
	out, stderr, status := call(t, "", "gen", "nexmark", "--rows", "5000")
	if status != 0 {
		t.Fatalf("status %d, %s", status, stderr)
	}
	var kinds [3]int
	var hotAuctions, hotBidders, hotSellers int
	for line := range strings.Lines(out) {
		var event struct {
			EventType               int `json:"event_type"`
			Auction, Bidder, Seller int64
		}
		if err := json.Unmarshal([]byte(line), &event); err != nil {
			t.Fatalf("%v: %s", err, line)
		}
		kinds[event.EventType]++
		switch event.EventType {
		case 1:
			hotSellers += isOne(event.Seller%100 == 0)
		case 2:
			hotAuctions += isOne(event.Auction%100 == 0)
			hotBidders += isOne(event.Bidder%100 == 1)
		}
	}
	if want := [3]int{100, 300, 4600}; kinds != want {
		t.Errorf("want %v persons, auctions and bids, got %v", want, kinds)
	}
	for _, tt := range []struct {
		name      string
		got, of   int
		low, high float64
	}{
		{name: "half of the bids are on hot auctions", got: hotAuctions, of: kinds[2], low: 0.47, high: 0.54},
		{name: "three quarters of the bids are of hot bidders", got: hotBidders, of: kinds[2], low: 0.72, high: 0.79},
		{name: "three quarters of the auctions are of hot sellers", got: hotSellers, of: kinds[1], low: 0.67, high: 0.83},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if share := float64(tt.got) / float64(tt.of); share < tt.low || share > tt.high {
				t.Errorf("want a share between %g and %g, got %.3f", tt.low, tt.high, share)
			}
		})
	}
}

func isOne(is bool) int {
	if is {
		return 1
	}
	return 0
}

func TestGeneratorFlagsThatMakeNoSense(t *testing.T) {
	for _, tt := range [][]string{
		{"rate", "--rate=-1"}, {"rate", "--rows=-1"}, {"words", "--vocabulary=0"}, {"events", "--users=0"}, {"rate", "--to=ftp:x"}, {"words", "--from=/nope"},
	} {
		if stdout, stderr, status := call(t, "", append([]string{"gen"}, tt...)...); status != 2 || stdout != "" || !strings.Contains(stderr, "gen") {
			t.Errorf("gen %v: status %d, stderr %q", tt, status, stderr)
		}
	}
}

func TestGeneratorConnectsAndWaitsOverTCP(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	c := spawn(t, "gen", "rate", "--rows", "5", "--to", "tcp://"+l.Addr().String())
	conn, err := l.Accept()
	if err != nil {
		t.Fatal(err)
	}
	text, err := io.ReadAll(conn)
	if err != nil || strings.Count(string(text), "\n") != 5 {
		t.Errorf("connected: %v, %q", err, text)
	}
	if status := c.status(); status != 0 {
		t.Errorf("connected: status %d, %s", status, c.stderr.String())
	}

	c = spawn(t, "gen", "words", "--to", "tcp-listen://:0")
	c.waitFor(&c.stderr, "\n")
	address := strings.TrimSpace(strings.TrimPrefix(c.stderr.String(), "waiting for a connection on "))
	conn, err = net.DialTimeout("tcp", address, 5*time.Second)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := bufio.NewReader(conn).ReadString('\n'); err != nil {
		t.Fatal(err)
	}
	conn.Close() // who has seen enough ends the generator calmly
	if status := c.status(); status != 0 {
		t.Errorf("listening: status %d, %s", status, c.stderr.String())
	}
}
