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
	void *sp;   /* own switch: the registers lie there */
	int result; /* what the switch back to here returns */
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

/* What a stack that is about to be given back to the system leaves behind. */
void holt__context_forget(struct holt__context *c);

/* The first thing on a fresh stack, for the sanitizers. */
#ifdef HOLT__ASAN
void holt__context_entered(struct holt__context *c);
#else
#define holt__context_entered(c) ((void)(c))
#endif

/* The two things that each machine does in its own way. Jump returns from->result when somebody switches back. */
int holt__context_jump(struct holt__context *from, struct holt__context *to);
#ifdef HOLT_CONTEXT_UCONTEXT
void holt__context_prepare(struct holt__context *c, void (*entry)(void), void *low, void *high);
#else
#include "task/context-own.h"
#endif

/* Makes c a fresh one: the first switch to it calls entry, which never returns, on the stack [low, high). */
#if defined(HOLT__ASAN) || defined(HOLT__TSAN)
void holt__context_make(struct holt__context *c, void (*entry)(void), void *low, void *high);
#else
#define holt__context_make(c, entry, low, high) holt__context_prepare(c, entry, low, high)
#endif

#if defined(HOLT__ASAN) || defined(HOLT__TSAN)
int holt__context_switch(struct holt__context *from, struct holt__context *to);
_Noreturn void holt__context_leave(struct holt__context *from, struct holt__context *to);
#else
/*
 * Call it as the last deed of a function, so that it becomes a jump: then a task that is woken goes straight back to
 * where its blocking call was made. Each return instead would be one that the processor predicts wrongly, as its
 * memory of calls is that of the task before (measured: 54 ns for a queue's round trip, against 30).
 */
static inline __attribute__((always_inline)) int holt__context_switch(struct holt__context *from, struct holt__context *to)
{
	return holt__context_jump(from, to);
}

/* From will never run again. */
static inline __attribute__((always_inline)) _Noreturn void holt__context_leave(
	struct holt__context *from, struct holt__context *to)
{
#if defined(__x86_64__) && !defined(HOLT_CONTEXT_UCONTEXT)
	(void)from;
	__asm__ volatile("movq (%0), %%rsp\n\t"
			 "movl 8(%0), %%eax\n\t"
			 "popq %%r15\n\tpopq %%r14\n\tpopq %%r13\n\tpopq %%r12\n\tpopq %%rbx\n\tpopq %%rbp\n\t"
			 "popq %%rcx\n\t"
			 "jmpq *%%rcx"
			 :
			 : "r"(to)
			 : "memory");
#else
	holt__context_jump(from, to);
#endif
	__builtin_unreachable();
}
#endif
