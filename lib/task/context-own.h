/* SPDX-License-Identifier: MIT */
/*
 * The first frame for our own switch: what a stack looks like that was never left. Only what is read of it is
 * written: the frame pointer is 0 and the first return leads to holt__context_first, where backtraces end.
 */
#pragma once
#include <stdint.h>

struct holt__context;
void holt__context_first(void);

#if defined(__x86_64__)
static inline void holt__context_prepare(struct holt__context *c, void (*entry)(void), void *low, void *high)
{
	enum { FRAME_WORDS = 8, RBP = 5, RESUME = 6, RETURN = 7 }; /* r15 to r12, rbx, rbp, where to go on; entry's return */
	uintptr_t *top = (uintptr_t *)((uintptr_t)high & ~(uintptr_t)15) - FRAME_WORDS;

	(void)low;
	top[RBP] = 0;
	top[RESUME] = (uintptr_t)entry; /* by a jump: a call that never returns would upset the prediction of returns */
	top[RETURN] = (uintptr_t)holt__context_first + 1;
	c->sp = top;
}
#elif defined(__aarch64__)
static inline void holt__context_prepare(struct holt__context *c, void (*entry)(void), void *low, void *high)
{
	enum { FRAME_WORDS = 20, X19 = 0, X29 = 10, X30 = 11 }; /* x19 to x30, then d8 to d15 */
	uintptr_t *top = (uintptr_t *)((uintptr_t)high & ~(uintptr_t)15) - FRAME_WORDS;

	(void)low;
	top[X19] = (uintptr_t)entry;
	top[X29] = 0;
	top[X30] = (uintptr_t)holt__context_first;
	c->sp = top;
}
#else
#error "no switch of our own for this machine: build with CONTEXT=ucontext"
#endif
