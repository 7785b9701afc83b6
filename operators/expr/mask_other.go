//go:build !amd64

package expr

// hasVectors says whether the vector forms of masks can run.
var hasVectors = false

func maskPairVector(*uint64, *byte, int, int, byte, byte) uint32 { return 0 }

func maskClassVector(*uint64, *byte, int, *[32]byte) {}

func positionsVector(*int32, *uint64, int) int { return 0 }

func splitRowVector(*rowSplit) {}
