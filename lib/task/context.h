/* SPDX-License-Identifier: MIT */
/*
 * Mechanism only: a saved point of execution, and the switch between two of them. Who runs
 * next, and where stacks come from, is decided elsewhere.
 *
 * The switch saves what the C calling convention lets a callee keep, and no signal mask, no floating point
 * control words: a task that changes those changes them for its thread, as in any library.
 * HOLT_CONTEXT_UCONTEXT chooses the portable way: makecontext for the first entry, then sigsetjmp
 * and siglongjmp without the mask (swapcontext would make a system call each time).
 */
#pragma once
#include <stddef.h>

#ifdef HOLT_CONTEXT_UCONTEXT
#include <setjmp.h>
#endif

#if defined(__SANITIZE_ADDRESS__)
#define HOLT__ASAN 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define HOLT__ASAN 1
#endif
#endif
#if defined(__SANITIZE_THREAD__)
#define HOLT__TSAN 1
#elif defined(__has_feature)
#if __has_feature(thread_sanitizer)
#define HOLT__TSAN 1
#endif
#endif

struct holt__context {
	void *sp;
	void *fp, *ip; /* x86-64: where to go on; aarch64 keeps all on the stack */
#ifdef HOLT_CONTEXT_UCONTEXT
	sigjmp_buf env;
#endif
#ifdef HOLT__ASAN
	void *fake_stack;
	const void *low; /* the stack's bounds, for the switch into it */
	size_t size;
#endif
#ifdef HOLT__TSAN
	void *fiber;
#endif
};

/* The thread's own stack, from which tasks are entered. */
void holt__context_init_here(struct holt__context *c);

/* Makes c a fresh one: the first switch to it calls entry, which never returns, on the stack [low, high). */
void holt__context_make(struct holt__context *c, void (*entry)(void), void *low, void *high);

/* What a stack that is about to be given back to the system (or to another size) leaves behind. */
void holt__context_forget(struct holt__context *c);

/* last: from will never run again. */
void holt__context_switch_marked(struct holt__context *from, struct holt__context *to, int last);
/* The first thing on a fresh stack, for the sanitizers. */
#ifdef HOLT__ASAN
void holt__context_entered(struct holt__context *c);
#else
#define holt__context_entered(c) ((void)(c))
#endif

/* The two things that each machine does in its own way. */
void holt__context_prepare(struct holt__context *c, void (*entry)(void), void *low, void *high);

#if defined(__x86_64__) && !defined(HOLT_CONTEXT_UCONTEXT)
/*
 * Inline, so that each task's calls and returns stay in pairs for the processor's return prediction: a switch that
 * is called, and left by a jump, makes the next return miss (18 ns a switch, measured, against 5). The compiler
 * saves what it needs of the other registers.
 */
static inline __attribute__((always_inline)) void holt__context_jump(struct holt__context *from, struct holt__context *to)
{
	__asm__ volatile("movq %%rsp, 0(%0)\n\t"
			 "movq %%rbp, 8(%0)\n\t"
			 "leaq 1f(%%rip), %%rax\n\t"
			 "movq %%rax, 16(%0)\n\t"
			 "movq 0(%1), %%rsp\n\t"
			 "movq 8(%1), %%rbp\n\t"
			 "jmpq *16(%1)\n"
			 "1:"
			 : "+D"(from), "+S"(to)
			 :
			 : "rax", "rbx", "rcx", "rdx", "r8", "r9", "r10", "r11", "r12", "r13", "r14", "r15", "xmm0", "xmm1", "xmm2",
			   "xmm3", "xmm4", "xmm5", "xmm6", "xmm7", "xmm8", "xmm9", "xmm10", "xmm11", "xmm12", "xmm13", "xmm14", "xmm15",
#ifdef __AVX512F__
			   "xmm16", "xmm17", "xmm18", "xmm19", "xmm20", "xmm21", "xmm22", "xmm23", "xmm24", "xmm25", "xmm26", "xmm27",
			   "xmm28", "xmm29", "xmm30", "xmm31", "k1", "k2", "k3", "k4", "k5", "k6", "k7",
#endif
			   "cc", "memory");
}
#else
void holt__context_jump(struct holt__context *from, struct holt__context *to);
#endif

static inline void holt__context_switch(struct holt__context *from, struct holt__context *to, int last)
{
#if defined(HOLT__ASAN) || defined(HOLT__TSAN) || defined(HOLT_CONTEXT_UCONTEXT)
	holt__context_switch_marked(from, to, last);
#else
	(void)last;
	holt__context_jump(from, to);
#endif
}
