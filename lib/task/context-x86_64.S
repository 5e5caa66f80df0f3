/* SPDX-License-Identifier: MIT */
/*
 * Where backtraces of tasks end on x86-64. The switch itself is inline, in task/context.h.
 *
 * No .note.gnu.property is given: the linker then keeps shadow stacks off for whatever links this
 * in, as a switched stack has no shadow of its own.
 */
	.text
	.globl holt__context_first
	.hidden holt__context_first
	.type holt__context_first, @function
	.p2align 4
holt__context_first: /* what a task's first function would return to; it never does */
	.cfi_startproc
	.cfi_undefined %rip
	nop
	ud2
	.cfi_endproc
	.size holt__context_first, . - holt__context_first

	.section .note.GNU-stack, "", @progbits
