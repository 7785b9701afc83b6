#include "textflag.h"

// func markBlocks(m, buf *byte, blocks int, set *byteSet) (high uint32)
//
// Y0 to Y3 hold the set: flip, limit, a, b. Y4 is the OR of all bytes. Each turn takes 64 bytes in two halves: a byte is at most
// limit if the smaller of both is the byte itself.
TEXT ·markBlocks(SB), NOSPLIT, $0-36
	MOVQ m+0(FP), DI
	MOVQ buf+8(FP), SI
	MOVQ blocks+16(FP), CX
	MOVQ set+24(FP), DX
	VPBROADCASTB 0(DX), Y0
	VPBROADCASTB 1(DX), Y1
	VPBROADCASTB 2(DX), Y2
	VPBROADCASTB 3(DX), Y3
	VPXOR Y4, Y4, Y4

turn:
	VMOVDQU 0(SI), Y5
	VMOVDQU 32(SI), Y6
	VPOR Y5, Y4, Y4
	VPOR Y6, Y4, Y4
	VPXOR Y0, Y5, Y7
	VPXOR Y0, Y6, Y8
	VPMINUB Y1, Y7, Y9
	VPMINUB Y1, Y8, Y10
	VPCMPEQB Y7, Y9, Y9
	VPCMPEQB Y8, Y10, Y10
	VPCMPEQB Y2, Y5, Y7
	VPCMPEQB Y2, Y6, Y8
	VPOR Y7, Y9, Y9
	VPOR Y8, Y10, Y10
	VPCMPEQB Y3, Y5, Y7
	VPCMPEQB Y3, Y6, Y8
	VPOR Y7, Y9, Y9
	VPOR Y8, Y10, Y10
	VPMOVMSKB Y9, AX
	VPMOVMSKB Y10, BX
	SHLQ $32, BX
	ORQ BX, AX
	MOVQ AX, 0(DI)
	ADDQ $64, SI
	ADDQ $8, DI
	DECQ CX
	JNZ turn

	VPMOVMSKB Y4, AX
	VZEROUPPER
	MOVL AX, high+32(FP)
	RET
