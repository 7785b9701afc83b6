//go:build invariants

package invariants

import "fmt"

// Enabled says that the build has the tag invariants: costly checks run.
const Enabled = true

// Failf panics with a broken invariant.
func Failf(format string, args ...any) error { panic(fmt.Sprintf("bug: "+format, args...)) }
