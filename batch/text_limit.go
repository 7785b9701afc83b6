package batch

import (
	"errors"
	"fmt"
	"math"
)

// ErrTextLimit says that the rows of one column have more than 2 GiB of text together: the offsets of Arrow's TEXT have 32 bits.
var ErrTextLimit = errors.New("text of one column exceeds 2 GiB")

// checkText panics with an error that wraps ErrTextLimit if a column can't have so many bytes of text. Appending has no way to
// fail, for the price of a check per value; RecoverTextLimit makes an error of the panic.
func checkText(size int) {
	if size > math.MaxInt32 {
		panic(fmt.Errorf("%w: %d bytes in one batch: use shorter intervals, or keep fewer rows or columns", ErrTextLimit, size))
	}
}

// RecoverTextLimit sets err if the function that defers it panicked because a Column was to hold more text than it can. Other
// panics go on.
func RecoverTextLimit(err *error) {
	switch cause := recover().(type) {
	case nil:
	case error:
		if !errors.Is(cause, ErrTextLimit) {
			panic(cause)
		}
		*err = cause
	default:
		panic(cause)
	}
}
