package expr

import "golang.org/x/sys/cpu"

// hasVectors says whether the vector forms of masks can run.
var hasVectors = cpu.X86.HasAVX2 && cpu.X86.HasBMI1 && cpu.X86.HasPOPCNT

// maskPairVector is pair.mask for words of which all bytes can be read. The result is 0 if these are all ASCII.
//
//go:noescape
func maskPairVector(dst *uint64, text *byte, words, distance int, a, b byte) (high uint32)

// maskClassVector is byteClass.mask for words of which all bytes can be read.
//
//go:noescape
func maskClassVector(dst *uint64, text *byte, words int, tables *[32]byte)

// positionsVector is positions for at least one word.
//
//go:noescape
func positionsVector(dst *int32, mask *uint64, words int) int

// splitRowVector is rowSplit.split.
//
//go:noescape
func splitRowVector(r *rowSplit)
