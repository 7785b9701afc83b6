package ingest

import (
	"context"
	"errors"
	"fmt"
	"net"
	"sync"
	"syscall"
	"time"
)

const (
	defaultConnectTimeout = 10 * time.Second
	// firstBackOff and lastBackOff bound the waits between attempts to connect again, which double.
	firstBackOff = 100 * time.Millisecond
	lastBackOff  = 5 * time.Second
	// whyReset is the reason of a record that a broken connection left unfinished.
	whyReset = "connection reset in the middle of a record"
)

// tcpSource reads what a server sends: one split, named by its address. With reconnect, connections follow each other in it,
// without end.
type tcpSource struct {
	uri, address   string
	reconnect      bool
	connectTimeout time.Duration

	lifetime lifetime
	mu       sync.Mutex
	conn     net.Conn // made by Open, taken by Read
}

var _ Source = (*tcpSource)(nil)

func newTCPSource(rest string, o *sourceOptions, _ Format, _ OpenSpec) Source {
	host, port := o.hostPort(rest)
	if host == "" && len(o.faults) == 0 {
		o.faultf("host is missing: write tcp://127.0.0.1:%s", port)
	}
	return &tcpSource{
		uri: o.uri, address: net.JoinHostPort(host, port),
		reconnect: o.isTrue("reconnect"), connectTimeout: o.duration("connect_timeout", defaultConnectTimeout),
	}
}

// Open connects, so that an address that is wrong is known at once. With reconnect, it leaves that to Read.
func (s *tcpSource) Open(ctx context.Context, after map[string]Position, events func(SplitEvent)) error {
	if !s.reconnect {
		ctx, leave, err := s.lifetime.enter(ctx)
		if err != nil {
			return err
		}
		defer leave()
		conn, err := s.dial(ctx)
		if err != nil {
			if errors.Is(err, syscall.ECONNREFUSED) {
				return fmt.Errorf("connect %s: connection refused: start what listens there first (to try by hand: nc -lk PORT), or set reconnect = true to wait for it", s.uri)
			}
			return fmt.Errorf("connect %s: %w", s.uri, err)
		}
		s.mu.Lock()
		s.conn = conn
		s.mu.Unlock()
	}
	events(SplitEvent{Split: 0, Name: s.address, Start: after[s.address].Upto})
	return nil
}

func (s *tcpSource) dial(ctx context.Context) (net.Conn, error) {
	dialer := net.Dialer{Timeout: s.connectTimeout}
	return dialer.DialContext(ctx, "tcp", s.address)
}

// Read reads a connection, and with reconnect the next.
func (s *tcpSource) Read(ctx context.Context, _ int32, w *BlockWriter) error {
	ctx, leave, err := s.lifetime.enter(ctx)
	if err != nil {
		return err
	}
	defer leave()
	s.mu.Lock()
	conn := s.conn
	s.conn = nil
	s.mu.Unlock()
	if conn == nil && !s.reconnect {
		return fmt.Errorf("read %s: not connected: a connection is read once", s.uri)
	}
	backOff := firstBackOff
	for {
		if conn == nil {
			conn, err = s.dial(ctx)
		}
		if err == nil {
			var read int64
			if read, err = readConn(ctx, conn, w); err != nil {
				return fmt.Errorf("read %s: %w", s.uri, err)
			}
			if !s.reconnect {
				return w.End(ctx)
			}
			if read > 0 {
				backOff = firstBackOff
			}
			conn = nil
		}
		// A server that takes connections and ends them at once is waited for as well.
		if err = sleep(ctx, backOff); err != nil {
			return err
		}
		backOff = min(2*backOff, lastBackOff)
	}
}

// sleep waits for d, or returns the error of ctx.
func sleep(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// readConn reads a connection until it ends, and closes it. A connection that breaks ends as well, after its unfinished record
// was made a bad row; the error is not that of the connection, then, but that of ctx or w.
func readConn(ctx context.Context, conn net.Conn, w *BlockWriter) (read int64, err error) {
	defer conn.Close()
	stop := context.AfterFunc(ctx, func() { conn.Close() })
	defer stop()
	read, err = readInto(ctx, conn, w)
	if ctx.Err() != nil {
		return read, ctx.Err()
	}
	if err == nil {
		return read, w.FinishRecord(ctx)
	}
	if _, isBroken := errors.AsType[*net.OpError](err); !isBroken {
		return read, err
	}
	return read, w.Abort(ctx, whyReset)
}

// Bounded says that the stream ends with its connection.
func (s *tcpSource) Bounded() bool { return !s.reconnect }

// Replayable is false: a peer sends once.
func (s *tcpSource) Replayable() bool { return false }

// Acknowledge has nobody to tell.
func (s *tcpSource) Acknowledge(context.Context, int32, Offset) error { return nil }

// Close closes the connection and waits for Read.
func (s *tcpSource) Close() error {
	s.lifetime.close()
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.conn != nil {
		defer func() { s.conn = nil }()
		return s.conn.Close()
	}
	return nil
}
