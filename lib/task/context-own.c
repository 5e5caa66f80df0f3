/* SPDX-License-Identifier: MIT */
/*
 * The first frame for our own switch: what a stack looks like that was never left.
 */
#include "task/context.h"

#ifndef HOLT_CONTEXT_UCONTEXT

#include <stdint.h>
#include <string.h>

#include "base/base.h"

void holt__context_first(void);

void holt__context_prepare(struct holt__context *c, void (*entry)(void), void *low, void *high)
{
	uintptr_t *top = (uintptr_t *)((uintptr_t)high & ~(uintptr_t)15);

	(void)low;
#if defined(__x86_64__)
	enum { FRAME_WORDS = 7, RESUME = 6 }; /* as holt__context_jump saves them: r15 to r12, rbx, rbp, where to go on */

	*--top = (uintptr_t)holt__context_first + 1; /* entry's return address, as if called there */
	top -= FRAME_WORDS;
	memset(top, 0, FRAME_WORDS * sizeof *top);
	top[RESUME] = (uintptr_t)entry; /* by a jump: a call that never returns would upset the prediction of returns */
#elif defined(__aarch64__)
	enum { FRAME_WORDS = 20, X19 = 0, X30 = 11 }; /* as holt__context_jump saves them: x19 to x30, then d8 to d15 */

	top -= FRAME_WORDS;
	memset(top, 0, FRAME_WORDS * sizeof *top);
	top[X19] = (uintptr_t)entry;
	top[X30] = (uintptr_t)holt__context_first;
#else
#error "no switch of our own for this machine: build with CONTEXT=ucontext"
#endif
	c->sp = top;
}

#endif
