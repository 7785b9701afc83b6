// Package invariants checks what must hold whatever the data: a broken one panics in builds with the tag invariants, which
// tests have, and is an error that begins with "bug:" in others.
package invariants
