package ingest

import (
	"context"
	"fmt"
	"net"
	"strconv"
	"strings"
	"sync"
	"time"
)

// defaultMaxConnections is how many peers are read at a time; more wait in the system's backlog.
const defaultMaxConnections = 64

// connPrefix begins the names of a listener's splits: conn-1, conn-2, and so on, in order of arrival.
const connPrefix = "conn-"

// tcpListenSource takes connections; each is a split.
type tcpListenSource struct {
	uri, address string
	places       chan struct{} // a token per open connection
	connections  int64         // how many are taken in all; 0 is no end

	lifetime lifetime
	complete chan struct{}
	listener net.Listener

	mu    sync.Mutex
	conns map[int32]net.Conn // waiting for Read
}

var (
	_ Listener   = (*tcpListenSource)(nil)
	_ Discoverer = (*tcpListenSource)(nil)
)

func newTCPListenSource(rest string, o *sourceOptions, _ Format, _ OpenSpec) Source {
	host, port := o.hostPort(rest)
	if host == "" {
		host = "127.0.0.1" // what is open to the network has to be written down
	}
	places := o.whole("max_connections", defaultMaxConnections, 1)
	return &tcpListenSource{
		uri: o.uri, address: net.JoinHostPort(host, port),
		places: make(chan struct{}, max(places, 1)), connections: o.whole("connections", 0, 1),
		complete: make(chan struct{}), conns: map[int32]net.Conn{},
	}
}

// Open binds the address and starts to take connections.
func (s *tcpListenSource) Open(ctx context.Context, after map[string]Position, events func(SplitEvent)) error {
	first := 1
	for name := range after {
		if n, err := strconv.Atoi(strings.TrimPrefix(name, connPrefix)); err == nil && strings.HasPrefix(name, connPrefix) {
			first = max(first, n+1)
		}
	}
	config := net.ListenConfig{}
	listener, err := config.Listen(ctx, "tcp", s.address)
	if err != nil {
		return fmt.Errorf("listen %s: %w", s.uri, err)
	}
	// What runs on after Open must not end with Open's context.
	running, leave, err := s.lifetime.enter(context.WithoutCancel(ctx))
	if err != nil {
		listener.Close()
		return err
	}
	s.listener = listener
	go func() {
		defer leave()
		s.accept(running, first, events)
	}()
	return nil
}

func (s *tcpListenSource) accept(ctx context.Context, first int, events func(SplitEvent)) {
	defer s.listener.Close()
	stop := context.AfterFunc(ctx, func() { s.listener.Close() })
	defer stop()
	for split := int32(0); s.connections == 0 || int64(split) < s.connections; {
		select {
		case s.places <- struct{}{}:
		case <-ctx.Done():
			return
		}
		conn, err := s.listener.Accept()
		if ctx.Err() != nil {
			if err == nil {
				conn.Close()
			}
			return
		}
		if err != nil { // out of file descriptors, or the peer is gone again
			<-s.places
			if sleep(ctx, firstBackOff) != nil {
				return
			}
			continue
		}
		s.mu.Lock()
		s.conns[split] = conn
		s.mu.Unlock()
		events(SplitEvent{Split: split, Name: connPrefix + strconv.Itoa(first+int(split)), Late: true})
		split++
	}
	close(s.complete)
}

// Addr returns the address that Open has bound.
func (s *tcpListenSource) Addr() net.Addr { return s.listener.Addr() }

// Complete returns a channel that is closed when the last of the connections that the options ask for has come.
func (s *tcpListenSource) Complete() <-chan struct{} { return s.complete }

// Read reads a connection until it ends.
func (s *tcpListenSource) Read(ctx context.Context, split int32, w *BlockWriter) error {
	ctx, leave, err := s.lifetime.enter(ctx)
	if err != nil {
		return err
	}
	defer leave()
	s.mu.Lock()
	conn := s.conns[split]
	delete(s.conns, split)
	s.mu.Unlock()
	if conn == nil {
		return fmt.Errorf("read %s: split %d is not open", s.uri, split)
	}
	defer func() { <-s.places }()
	if tcp, ok := conn.(*net.TCPConn); ok {
		// A peer that vanished without a word would keep its place for ever.
		if err := tcp.SetKeepAlivePeriod(time.Minute); err != nil {
			conn.Close()
			return fmt.Errorf("read %s: %w", s.uri, err)
		}
	}
	if _, err := readConn(ctx, conn, w); err != nil {
		return fmt.Errorf("read %s: %w", s.uri, err)
	}
	return w.End(ctx)
}

// Bounded says that a number of connections was given.
func (s *tcpListenSource) Bounded() bool { return s.connections > 0 }

// Replayable is false: a peer sends once.
func (s *tcpListenSource) Replayable() bool { return false }

// Acknowledge has nobody to tell.
func (s *tcpListenSource) Acknowledge(context.Context, int32, Offset) error { return nil }

// Close closes the listener and all connections, and waits for Read.
func (s *tcpListenSource) Close() error {
	s.lifetime.close()
	s.mu.Lock()
	defer s.mu.Unlock()
	for split, conn := range s.conns {
		conn.Close()
		delete(s.conns, split)
	}
	return nil
}
