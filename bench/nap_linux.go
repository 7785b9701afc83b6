package bench

import (
	"time"

	"golang.org/x/sys/unix"
)

// nap sleeps, in the kernel: where time.Sleep ends on whole milliseconds while nothing else is to be done, this is late by some 60 µs.
func nap(d time.Duration) {
	if d <= 0 {
		return
	}
	t := unix.NsecToTimespec(d.Nanoseconds())
	_ = unix.Nanosleep(&t, nil) // a nap that a signal ends early does no harm: who naps looks at the clock
}
