#include "go_asm.h"
#include "textflag.h"

// func maskPairVector(dst *uint64, text *byte, words, distance int, a, b byte) (high uint32)
//
// Y6 is the OR of all bytes.
TEXT ·maskPairVector(SB), NOSPLIT, $0-44
	MOVQ         dst+0(FP), DI
	MOVQ         text+8(FP), SI
	MOVQ         words+16(FP), CX
	MOVQ         distance+24(FP), DX
	VPBROADCASTB a+32(FP), Y0
	VPBROADCASTB b+33(FP), Y1
	ADDQ         SI, DX
	VPXOR        Y6, Y6, Y6

pairs:
	VMOVDQU   (SI), Y2
	VMOVDQU   32(SI), Y4
	VPOR      Y2, Y6, Y6
	VPOR      Y4, Y6, Y6
	VPCMPEQB  Y2, Y0, Y2
	VPCMPEQB  (DX), Y1, Y3
	VPCMPEQB  Y4, Y0, Y4
	VPCMPEQB  32(DX), Y1, Y5
	VPAND     Y2, Y3, Y2
	VPAND     Y4, Y5, Y4
	VPMOVMSKB Y2, AX
	VPMOVMSKB Y4, BX
	SHLQ      $32, BX
	ORQ       BX, AX
	MOVQ      AX, (DI)
	ADDQ      $64, SI
	ADDQ      $64, DX
	ADDQ      $8, DI
	DECQ      CX
	JNZ       pairs
	VPMOVMSKB Y6, AX
	MOVL      AX, high+40(FP)
	VZEROUPPER
	RET

DATA lowNibbles<>+0(SB)/8, $0x0F0F0F0F0F0F0F0F
GLOBL lowNibbles<>(SB), RODATA|NOPTR, $8

// func maskClassVector(dst *uint64, text *byte, words int, tables *[32]byte)
//
// A byte is in the class where all bits that its upper half asks for are set in the entry of its lower half. VPSHUFB gives 0 for
// bytes from 0x80 on.
TEXT ·maskClassVector(SB), NOSPLIT, $0-32
	MOVQ           dst+0(FP), DI
	MOVQ           text+8(FP), SI
	MOVQ           words+16(FP), CX
	MOVQ           tables+24(FP), DX
	VBROADCASTI128 (DX), Y0
	VBROADCASTI128 16(DX), Y1
	VPBROADCASTQ   lowNibbles<>(SB), Y2

classes:
	VMOVDQU   (SI), Y3
	VMOVDQU   32(SI), Y4
	VPSHUFB   Y3, Y0, Y5
	VPSHUFB   Y4, Y0, Y6
	VPSRLW    $4, Y3, Y3
	VPSRLW    $4, Y4, Y4
	VPAND     Y2, Y3, Y3
	VPAND     Y2, Y4, Y4
	VPSHUFB   Y3, Y1, Y3
	VPSHUFB   Y4, Y1, Y4
	VPAND     Y3, Y5, Y5
	VPAND     Y4, Y6, Y6
	VPCMPEQB  Y3, Y5, Y5
	VPCMPEQB  Y4, Y6, Y6
	VPMOVMSKB Y5, AX
	VPMOVMSKB Y6, BX
	SHLQ      $32, BX
	ORQ       BX, AX
	MOVQ      AX, (DI)
	ADDQ      $64, SI
	ADDQ      $8, DI
	DECQ      CX
	JNZ       classes
	VZEROUPPER
	RET

// Writes the index of the lowest bit of AX to the i-th place from DI, and clears it. Where AX is 0, it writes base+64.
#define position(i) \
	TZCNTQ AX, R10;         \
	ADDL   R9, R10;         \
	MOVL   R10, (4*i)(DI);  \
	BLSRQ  AX, AX

// func positionsVector(dst *int32, mask *uint64, words int) int
//
// Eight places are written at a time, right or not.
TEXT ·positionsVector(SB), NOSPLIT, $0-32
	MOVQ dst+0(FP), DI
	MOVQ mask+8(FP), SI
	MOVQ words+16(FP), CX
	MOVQ DI, R11
	XORL R9, R9

next:
	MOVQ    (SI), AX
	POPCNTQ AX, R8
	LEAQ    (DI)(R8*4), R12

eight:
	position(0)
	position(1)
	position(2)
	position(3)
	position(4)
	position(5)
	position(6)
	position(7)
	ADDQ $32, DI
	CMPQ DI, R12
	JLT  eight
	MOVQ R12, DI
	ADDQ $8, SI
	ADDL $64, R9
	DECQ CX
	JNZ  next
	SUBQ R11, DI
	SHRQ $2, DI
	MOVQ DI, ret+24(FP)
	RET

// func splitRowVector(r *rowSplit)
//
// AX from, BX the last index at which a place fits, CX to, DX length of the part, SI text, DI where to copy to, R9 where to write
// the next end, R10 the next place.
TEXT ·splitRowVector(SB), NOSPLIT, $0-8
	MOVQ    r+0(FP), R8
	MOVQ    rowSplit_text(R8), SI
	MOVQ    rowSplit_dst(R8), R13
	MOVQ    rowSplit_at(R8), DI
	ADDQ    R13, DI
	MOVQ    rowSplit_ends(R8), R9
	MOVQ    rowSplit_n(R8), CX
	LEAQ    4(R9)(CX*4), R9
	MOVQ    rowSplit_found(R8), R10
	MOVQ    rowSplit_next(R8), CX
	LEAQ    (R10)(CX*4), R10
	MOVQ    rowSplit_width(R8), R11
	MOVQ    rowSplit_from(R8), AX
	MOVQ    rowSplit_end(R8), BX
	SUBQ    R11, BX

part:
	MOVLQSX (R10), CX
	CMPQ    CX, BX
	JGT     last
	ADDQ    $4, R10
	MOVQ    CX, DX
	SUBQ    AX, DX
	JLE     odd

copy:
	VMOVDQU (SI)(AX*1), Y0
	VMOVDQU Y0, (DI)
	CMPQ    DX, $32
	JHI     long

copied:
	ADDQ    DX, DI
	MOVQ    DI, R12
	SUBQ    R13, R12
	MOVL    R12, (R9)
	ADDQ    $4, R9
	LEAQ    (CX)(R11*1), AX
	JMP     part

	// The place is not behind from: it overlaps the one before, or the part is empty, or it is one more to be merged.
odd:
	JLT     part
	CMPB    rowSplit_merges(R8), $0
	JEQ     copy
	CMPQ    AX, rowSplit_from(R8)
	JEQ     copy
	INCQ    AX
	JMP     part

long:
	MOVQ    $32, R12
	ADDQ    SI, AX

block:
	VMOVDQU (AX)(R12*1), Y0
	VMOVDQU Y0, (DI)(R12*1)
	ADDQ    $32, R12
	CMPQ    R12, DX
	JLT     block
	JMP     copied

	// The last part ends with the row. Behind it, AX is behind the row too.
last:
	MOVQ rowSplit_end(R8), CX
	MOVQ CX, DX
	SUBQ AX, DX
	JGE  copy

	SUBQ R13, DI
	MOVQ DI, rowSplit_at(R8)
	SUBQ rowSplit_ends(R8), R9
	SHRQ $2, R9
	DECQ R9
	MOVQ R9, rowSplit_n(R8)
	SUBQ rowSplit_found(R8), R10
	SHRQ $2, R10
	MOVQ R10, rowSplit_next(R8)
	VZEROUPPER
	RET
