//go:build !invariants

package invariants

import "fmt"

// Enabled says that the build has the tag invariants: costly checks run.
const Enabled = false

// Failf returns an error that begins with "bug:".
func Failf(format string, args ...any) error { return fmt.Errorf("bug: "+format, args...) }
