package bench

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net"
	"slices"
	"sync"
	"time"
)

// measureFloor measures the timer and the loopback of the machine for some tenths of a second.
func (l *Latency) measureFloor(ctx context.Context) (err error) {
	const times = 200
	var overshoot []int64
	for range times {
		began := time.Now()
		nap(time.Millisecond)
		overshoot = append(overshoot, (time.Since(began) - time.Millisecond).Microseconds())
	}
	ctx, cancel := context.WithCancel(ctx)
	address, echoed := make(chan string, 1), make(chan error, 1)
	go func() { echoed <- SendEcho(ctx, func(a string) { address <- a }) }()
	var conn net.Conn
	select {
	case a := <-address:
		conn, err = (&net.Dialer{}).DialContext(ctx, "tcp", a)
	case err := <-echoed:
		cancel()
		return err
	}
	defer func() {
		cancel()
		err = errors.Join(err, <-echoed)
	}()
	if err != nil {
		return err
	}
	defer conn.Close()
	message := make([]byte, 256)
	var trips []int64
	for range 10 * times {
		began := time.Now()
		if _, err := conn.Write(message); err != nil {
			return err
		}
		if _, err := io.ReadFull(conn, message); err != nil {
			return err
		}
		trips = append(trips, time.Since(began).Microseconds())
	}
	slices.Sort(overshoot)
	slices.Sort(trips)
	l.Timer, l.RTT = percentile(overshoot, 0.99), percentile(trips, 0.99)
	return nil
}

// measureBare measures a program without an engine, with what a paced sender sends in some seconds. The first tenth is for warming up.
func (l *Latency) measureBare(ctx context.Context, address string) error {
	const lasts = 2 * time.Second
	conn, err := (&net.Dialer{}).DialContext(ctx, "tcp", address)
	if err != nil {
		return err
	}
	var mu sync.Mutex
	var came []int64 // due times of the running interval
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		eachLine(conn, func(line []byte) {
			mu.Lock()
			came = append(came, number(line))
			mu.Unlock()
		})
	}()
	var late, pending []int64
	begin := time.Now()
	for isLast := false; !isLast; {
		select {
		case <-ended: // it sent all there is
			isLast = true
		default:
			isLast = time.Since(begin) >= lasts || ctx.Err() != nil
		}
		nap(time.Until(time.Now().Truncate(l.Interval).Add(l.Interval)))
		mu.Lock()
		pending, came = came, pending[:0]
		mu.Unlock()
		now := time.Now()
		for _, due := range pending {
			late = append(late, now.UnixMicro()-due)
		}
	}
	conn.Close()
	<-ended
	if len(late) == 0 {
		return errors.New("measure the latency of a bare program: no row came")
	}
	late = late[len(late)/10:]
	slices.Sort(late)
	l.BareP50, l.BareP99 = percentile(late, 0.5), percentile(late, 0.99)
	return ctx.Err()
}

// eachLine calls line with every whole line of a connection until that ends.
func eachLine(conn net.Conn, line func([]byte)) {
	buf, n := make([]byte, blockBytes), 0
	for {
		more, err := conn.Read(buf[n:])
		if err != nil {
			return
		}
		rest := buf[:n+more]
		for {
			end := bytes.IndexByte(rest, '\n')
			if end < 0 {
				break
			}
			line(rest[:end])
			rest = rest[end+1:]
		}
		n = copy(buf, rest)
	}
}

// number returns the number that a line begins with.
func number(line []byte) (v int64) {
	for _, c := range line {
		if c < '0' || c > '9' {
			break
		}
		v = v*10 + int64(c-'0')
	}
	return v
}
