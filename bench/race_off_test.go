//go:build !race

package bench_test

// raceIsOn says that the race detector slows everything down.
const raceIsOn = false
