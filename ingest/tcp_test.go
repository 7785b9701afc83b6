package ingest_test

import (
	"fmt"
	"io"
	"net"
	"strings"
	"sync"
	"testing"

	"github.com/tidemill/tidemill/ingest"
)

// serve listens on loopback and hands each connection to one of the functions, in order; the connection is closed after it.
// The URI is that of a client.
func serve(t *testing.T, each ...func(c *net.TCPConn)) (uri string) {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	var serving sync.WaitGroup
	serving.Go(func() {
		for _, handle := range each {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			handle(conn.(*net.TCPConn))
			conn.Close()
		}
	})
	t.Cleanup(func() {
		listener.Close()
		serving.Wait()
	})
	return "tcp://" + listener.Addr().String()
}

func dial(t *testing.T, address string) *net.TCPConn {
	t.Helper()
	conn, err := net.Dial("tcp", address)
	if err != nil {
		t.Fatal(err)
	}
	return conn.(*net.TCPConn)
}

func send(t *testing.T, w io.Writer, text string) {
	t.Helper()
	if _, err := io.WriteString(w, text); err != nil {
		t.Error(err)
	}
}

// reset ends a connection with RST. What was sent must have been read by then, or the peer may never see it.
func reset(t *testing.T, c *net.TCPConn) {
	t.Helper()
	if err := c.SetLinger(0); err != nil {
		t.Error(err)
	}
	c.Close()
}

func TestTCPSourceEndsWithItsConnection(t *testing.T) {
	format := lineFormat(t, "TEXT", nil)
	tests := []struct {
		name, want string
		serve      func(c *net.TCPConn)
	}{
		{name: "a peer that sends and closes", want: `"1\n2"`, serve: func(c *net.TCPConn) { send(t, c, "1\n2") }},
		{name: "a peer that sends nothing", want: `""`, serve: func(*net.TCPConn) {}},
		{name: "a peer that sends byte by byte", want: `"12\n34\n5"`, serve: func(c *net.TCPConn) {
			for _, b := range []byte("12\n34\n5") {
				send(t, c, string(b))
			}
		}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			uri := serve(t, tt.serve)
			source := mustOpen(t, uri, format, ingest.OpenSpec{})
			if !source.Bounded() || source.Replayable() {
				t.Error("a connection is bounded and can't be replayed")
			}
			want := strings.TrimPrefix(uri, "tcp://") + ": " + tt.want + "\n"
			if got := start(t, source, format, nil).finish(); got != want {
				t.Errorf("got %s want %s", got, want)
			}
		})
	}
}

func TestTCPSourceThatIsRefusedSaysWhatToDo(t *testing.T) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	uri := "tcp://" + listener.Addr().String()
	listener.Close()
	source := mustOpen(t, uri, lineFormat(t, "TEXT", nil), ingest.OpenSpec{}, "connect_timeout", "2s")
	defer source.Close()
	err = source.Open(t.Context(), nil, func(ingest.SplitEvent) {})
	if err == nil || !strings.HasPrefix(err.Error(), "connect "+uri+": connection refused: start what listens there first") {
		t.Errorf("got %v", err)
	}
}

func TestTCPSourceReset(t *testing.T) {
	format := lineFormat(t, "TEXT", nil)
	sawFirst := make(chan struct{})
	uri := serve(t, func(c *net.TCPConn) {
		send(t, c, "1\n2\n3")
		<-sawFirst
		reset(t, c)
	}, func(c *net.TCPConn) {
		send(t, c, "4\n5")
	}, func(c *net.TCPConn) {
		send(t, c, "6\n")
		_, _ = io.Copy(io.Discard, c) // until the source closes
	})
	address := strings.TrimPrefix(uri, "tcp://")
	source := mustOpen(t, uri, format, ingest.OpenSpec{}, "reconnect", "true")
	if source.Bounded() {
		t.Error("it never ends")
	}
	run := start(t, source, format, nil)
	run.until(nil, func() bool { return run.textLocked(address) == "1\n2\n" })
	close(sawFirst)
	run.until(nil, func() bool { return strings.HasSuffix(run.textLocked(address), "6\n") })
	run.close()
	// The unfinished record of the reset is bad; the one of the connection that was closed in order is a record.
	want := address + `: "1\n2\n4\n56\n", bad line 3 offset 4: connection reset in the middle of a record: "3"` + "\n"
	if got := run.String(); got != want {
		t.Errorf("got %s want %s", got, want)
	}
}

func TestTCPListenSourceReadsEveryConnectionAsASplit(t *testing.T) {
	const peers = 100
	format := lineFormat(t, "TEXT", nil)
	source := mustOpen(t, "tcp-listen://:0", format, ingest.OpenSpec{}, "connections", fmt.Sprint(peers), "max_connections", "8")
	if !source.Bounded() || source.Replayable() {
		t.Error("a number of connections is bounded and can't be replayed")
	}
	run := start(t, source, format, map[string]ingest.Position{"conn-7": {}, "conn-3": {}})
	address := source.(ingest.Listener).Addr().String()
	if !strings.HasPrefix(address, "127.0.0.1:") {
		t.Errorf("without host, the address is %s", address)
	}
	var sending sync.WaitGroup
	for i := range peers {
		sending.Go(func() {
			conn := dial(t, address)
			defer conn.Close()
			send(t, conn, fmt.Sprintf("%d\n", i))
			send(t, conn, strings.Repeat("x", i))
		})
	}
	sending.Wait()
	run.finish()
	if len(run.splits) != peers || run.splits["conn-8"] == nil || run.splits["conn-107"] == nil {
		t.Errorf("%d splits, conn-8 to conn-107 are wanted", len(run.splits))
	}
	seen := map[string]bool{}
	for _, split := range run.splits {
		first, rest, _ := strings.Cut(split.text.String(), "\n")
		seen[first+" "+fmt.Sprint(len(rest))] = true
	}
	for i := range peers {
		if !seen[fmt.Sprint(i, " ", i)] {
			t.Errorf("of peer %d something is missing", i)
		}
	}
}

func TestTCPListenSourceReset(t *testing.T) {
	format := lineFormat(t, "TEXT", nil)
	source := mustOpen(t, "tcp-listen://127.0.0.1:0", format, ingest.OpenSpec{}, "connections", "1")
	run := start(t, source, format, nil)
	conn := dial(t, source.(ingest.Listener).Addr().String())
	send(t, conn, "1\n2")
	run.until(nil, func() bool { return run.textLocked("conn-1") == "1\n" })
	reset(t, conn)
	want := `conn-1: "1\n", bad line 2 offset 2: connection reset in the middle of a record: "2", late` + "\n"
	if got := run.finish(); got != want {
		t.Errorf("got %s want %s", got, want)
	}
}

func TestTCPSourcesCloseWhilePeersAreSilent(t *testing.T) {
	format := lineFormat(t, "TEXT", nil)
	source := mustOpen(t, "tcp-listen://127.0.0.1:0", format, ingest.OpenSpec{})
	listening := start(t, source, format, nil)
	client := start(t, mustOpen(t, "tcp://"+source.(ingest.Listener).Addr().String(), format, ingest.OpenSpec{}), format, nil)
	conn := dial(t, source.(ingest.Listener).Addr().String())
	defer conn.Close()
	send(t, conn, "1\n")
	listening.until(nil, func() bool { return listening.textLocked("conn-2") == "1\n" })
	client.close()
	listening.close()
	if source.Bounded() {
		t.Error("it never ends")
	}
}
