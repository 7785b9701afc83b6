//go:build unix

package ingest

import (
	"io"
	"os"

	"golang.org/x/sys/unix"
)

// interruptible reads a file that may block, such as a terminal or a pipe that was inherited: Go's deadlines need files that
// are non-blocking, which would have to be set for every process that shares the file. It waits in poll(2) instead, for input
// or for a byte in a pipe of its own.
type interruptible struct {
	file         *os.File
	awake, alarm *os.File // the two ends of the pipe
	fds          [2]unix.PollFd
}

var _ io.ReadCloser = (*interruptible)(nil)

func newInterruptible(file *os.File) (*interruptible, error) {
	awake, alarm, err := os.Pipe()
	if err != nil {
		return nil, err
	}
	r := &interruptible{file: file, awake: awake, alarm: alarm}
	r.fds[0] = unix.PollFd{Events: unix.POLLIN}
	r.fds[1] = unix.PollFd{Events: unix.POLLIN}
	for i, f := range []*os.File{file, awake} {
		conn, err := f.SyscallConn()
		if err != nil {
			_ = r.Close()
			return nil, err
		}
		if err := conn.Control(func(fd uintptr) { r.fds[i].Fd = int32(fd) }); err != nil {
			_ = r.Close()
			return nil, err
		}
	}
	return r, nil
}

// Read returns io.ErrClosedPipe after interrupt.
func (r *interruptible) Read(p []byte) (int, error) {
	for {
		_, err := unix.Poll(r.fds[:], -1)
		if err == unix.EINTR {
			continue
		}
		if err != nil {
			return 0, os.NewSyscallError("poll", err)
		}
		if r.fds[1].Revents != 0 {
			return 0, io.ErrClosedPipe
		}
		if r.fds[0].Revents != 0 {
			return r.file.Read(p)
		}
	}
}

// interrupt ends Read, now and later.
func (r *interruptible) interrupt() { _, _ = r.alarm.Write([]byte{0}) }

// Close releases the pipe. The file stays open.
func (r *interruptible) Close() error {
	r.awake.Close()
	return r.alarm.Close()
}
