/* SPDX-License-Identifier: MIT */
/*
 * The switch on x86-64 (System V): six registers and the stack pointer. It ends with a jump, not with
 * ret: the processor's return prediction belongs to the stack that is left, so ret would miss each
 * time and cost three times as much.
 *
 * No .note.gnu.property is given: the linker then keeps shadow stacks off for whatever links this
 * in, as a switched stack has no shadow of its own.
 */
	.text

	.globl holt__context_jump
	.hidden holt__context_jump
	.type holt__context_jump, @function
	.p2align 5
holt__context_jump: /* rdi: from, rsi: to; each begins with the saved stack pointer and the result */
	.cfi_startproc
	pushq %rbp
	.cfi_adjust_cfa_offset 8
	.cfi_rel_offset %rbp, 0
	pushq %rbx
	.cfi_adjust_cfa_offset 8
	.cfi_rel_offset %rbx, 0
	pushq %r12
	.cfi_adjust_cfa_offset 8
	.cfi_rel_offset %r12, 0
	pushq %r13
	.cfi_adjust_cfa_offset 8
	.cfi_rel_offset %r13, 0
	pushq %r14
	.cfi_adjust_cfa_offset 8
	.cfi_rel_offset %r14, 0
	pushq %r15
	.cfi_adjust_cfa_offset 8
	.cfi_rel_offset %r15, 0
	movq %rsp, (%rdi)
	movq (%rsi), %rsp
	movl 8(%rsi), %eax
	popq %r15
	.cfi_adjust_cfa_offset -8
	.cfi_restore %r15
	popq %r14
	.cfi_adjust_cfa_offset -8
	.cfi_restore %r14
	popq %r13
	.cfi_adjust_cfa_offset -8
	.cfi_restore %r13
	popq %r12
	.cfi_adjust_cfa_offset -8
	.cfi_restore %r12
	popq %rbx
	.cfi_adjust_cfa_offset -8
	.cfi_restore %rbx
	popq %rbp
	.cfi_adjust_cfa_offset -8
	.cfi_restore %rbp
	popq %rcx
	.cfi_adjust_cfa_offset -8
	.cfi_register %rip, %rcx
	jmpq *%rcx
	.cfi_endproc
	.size holt__context_jump, . - holt__context_jump

	.globl holt__context_first
	.hidden holt__context_first
	.type holt__context_first, @function
	.p2align 4
holt__context_first: /* what a task's first function would return to; it never does. Backtraces end here. */
	.cfi_startproc
	.cfi_undefined %rip
	nop
	ud2
	.cfi_endproc
	.size holt__context_first, . - holt__context_first

	.section .note.GNU-stack, "", @progbits
