package bench

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"strconv"
	"time"
)

// Send listens on a loopback port, tells its address, and sends the file of path to each connection, one after the other, until ctx
// ends.
func Send(ctx context.Context, path string, tell func(address string)) error {
	text, err := os.ReadFile(path)
	if err != nil {
		return fmt.Errorf("send: %w", err)
	}
	return listen(ctx, tell, func(conn net.Conn) error {
		// Pieces of this size cost the least CPU time on both sides of a loopback connection.
		for rest := text; len(rest) > 0; {
			n, err := conn.Write(rest[:min(len(rest), blockBytes)])
			if err != nil {
				return err
			}
			rest = rest[n:]
		}
		return nil
	})
}

// SendPaced listens on a loopback port, tells its address, and sends rows CSV lines to each connection, perSecond of them a second:
// the time at which the line is due, in microseconds since 1970, and some text. It sends what is due five times a millisecond, so that
// waiting for the sender is a small part of a latency. It keeps to the times whether the other side reads
// or not, so that a stall is not hidden by a sender who waits too.
func SendPaced(ctx context.Context, perSecond, rows int64, tell func(address string)) error {
	const pace = 200 * time.Microsecond
	return listen(ctx, tell, func(conn net.Conn) error {
		start := time.Now().Add(pace)
		var lines []byte
		for sent := int64(0); sent < rows; {
			nap(max(time.Until(start.Add(time.Duration(sent)*time.Second/time.Duration(perSecond))), pace))
			due := min(rows, int64(time.Since(start))*perSecond/int64(time.Second)+1)
			lines = lines[:0]
			for ; sent < due; sent++ {
				at := start.Add(time.Duration(sent) * time.Second / time.Duration(perSecond))
				lines = strconv.AppendInt(lines, at.UnixMicro(), 10)
				lines = append(lines, ",the quick brown fox jumps over the lazy dog, and then over another one that is as lazy\n"...)
			}
			if _, err := conn.Write(lines); err != nil {
				return err
			}
		}
		return nil
	})
}

// SendEcho listens on a loopback port, tells its address, and sends back what comes.
func SendEcho(ctx context.Context, tell func(address string)) error {
	return listen(ctx, tell, func(conn net.Conn) error {
		_, err := io.Copy(conn, conn)
		return err
	})
}

// listen serves one connection after the other. An error of serve is the other side's going away.
func listen(ctx context.Context, tell func(address string), serve func(net.Conn) error) error {
	l, err := (&net.ListenConfig{}).Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return fmt.Errorf("send: %w", err)
	}
	defer l.Close()
	defer context.AfterFunc(ctx, func() { l.Close() })()
	tell(l.Addr().String())
	for {
		conn, err := l.Accept()
		if errors.Is(err, net.ErrClosed) {
			return nil
		}
		if err != nil {
			return fmt.Errorf("send: %w", err)
		}
		stop := context.AfterFunc(ctx, func() { conn.Close() })
		_ = serve(conn) // the other side may have seen enough
		stop()
		conn.Close()
	}
}
