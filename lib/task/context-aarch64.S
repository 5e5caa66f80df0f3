/* SPDX-License-Identifier: MIT */
/*
 * The switch on aarch64 (AAPCS64): x19 to x30, d8 to d15 and the stack pointer. Both entries carry BTI
 * landing pads, which older processors take as no-ops.
 */
	.text

	.globl holt__context_jump
	.hidden holt__context_jump
	.type holt__context_jump, %function
	.p2align 4
holt__context_jump: /* x0: from, x1: to; each begins with the saved stack pointer and the result */
	.cfi_startproc
	hint #34 /* bti c */
	sub sp, sp, #160
	.cfi_adjust_cfa_offset 160
	stp x19, x20, [sp, #0]
	.cfi_rel_offset x19, 0
	.cfi_rel_offset x20, 8
	stp x21, x22, [sp, #16]
	.cfi_rel_offset x21, 16
	.cfi_rel_offset x22, 24
	stp x23, x24, [sp, #32]
	.cfi_rel_offset x23, 32
	.cfi_rel_offset x24, 40
	stp x25, x26, [sp, #48]
	.cfi_rel_offset x25, 48
	.cfi_rel_offset x26, 56
	stp x27, x28, [sp, #64]
	.cfi_rel_offset x27, 64
	.cfi_rel_offset x28, 72
	stp x29, x30, [sp, #80]
	.cfi_rel_offset x29, 80
	.cfi_rel_offset x30, 88
	stp d8, d9, [sp, #96]
	stp d10, d11, [sp, #112]
	stp d12, d13, [sp, #128]
	stp d14, d15, [sp, #144]
	mov x2, sp
	str x2, [x0]
	ldr x2, [x1]
	ldr w0, [x1, #8]
	mov sp, x2
	ldp x19, x20, [sp, #0]
	ldp x21, x22, [sp, #16]
	ldp x23, x24, [sp, #32]
	ldp x25, x26, [sp, #48]
	ldp x27, x28, [sp, #64]
	ldp x29, x30, [sp, #80]
	ldp d8, d9, [sp, #96]
	ldp d10, d11, [sp, #112]
	ldp d12, d13, [sp, #128]
	ldp d14, d15, [sp, #144]
	add sp, sp, #160
	.cfi_adjust_cfa_offset -160
	ret
	.cfi_endproc
	.size holt__context_jump, . - holt__context_jump

	.globl holt__context_first
	.hidden holt__context_first
	.type holt__context_first, %function
	.p2align 4
holt__context_first: /* a fresh stack starts here; x19: what to call. Nothing lies above: backtraces end. */
	.cfi_startproc
	.cfi_undefined x30
	hint #38 /* bti jc */
	mov x29, #0
	mov x30, #0
	blr x19
	brk #1
	.cfi_endproc
	.size holt__context_first, . - holt__context_first

	.section .note.GNU-stack, "", %progbits

	/* BTI is in force only where every object says so. */
	.section .note.gnu.property, "a"
	.p2align 3
	.word 4
	.word 16
	.word 5
	.asciz "GNU"
	.word 0xc0000000
	.word 4
	.word 1
	.word 0
