/* SPDX-License-Identifier: MIT */
/*
 * The portable switch: makecontext to get onto a stack the first time, sigsetjmp and siglongjmp
 * ever after, without the signal mask. _FORTIFY_SOURCE is off in this file, as it takes a jump to
 * another stack for a mistake ("longjmp causes uninitialized stack frame").
 */
#undef _FORTIFY_SOURCE
#include "task/context.h"

#ifdef HOLT_CONTEXT_UCONTEXT

#include <ucontext.h>

#include "base/base.h"

/* A fresh context has sp set: its entry and bounds wait at the low end of its own stack until the first jump. */
struct fresh {
	void (*entry)(void);
	void *low, *high;
};

void holt__context_prepare(struct holt__context *c, void (*entry)(void), void *low, void *high)
{
	struct fresh *f = (struct fresh *)(((uintptr_t)high & ~(uintptr_t)63) - 64);

	*f = (struct fresh){ entry, low, high };
	c->sp = f;
}

static void enter(struct fresh *f)
{
	ucontext_t there;
	void (*entry)(void) = f->entry;

	getcontext(&there);
	there.uc_stack.ss_sp = f->low;
	there.uc_stack.ss_size = (size_t)((char *)f->high - (char *)f->low);
	there.uc_link = NULL;
	makecontext(&there, entry, 0);
	setcontext(&there); /* restores the mask it has just read: none is lost */
}

int holt__context_jump(struct holt__context *from, struct holt__context *to)
{
	struct fresh *f = to->sp;

	if (sigsetjmp(from->env, 0))
		return from->result;
	if (!f)
		siglongjmp(to->env, 1);
	to->sp = NULL;
	enter(f);
	__builtin_unreachable();
}

#endif
