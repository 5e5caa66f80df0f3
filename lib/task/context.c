/* SPDX-License-Identifier: MIT */
/*
 * What both ways of switching share: the marks that tell ASan and TSan that the stack changes.
 */
#include "task/context.h"

#include <pthread.h>
#include <stdbool.h>
#include <string.h>

#ifdef HOLT__ASAN
#include <sanitizer/asan_interface.h>
#include <sanitizer/common_interface_defs.h>
#endif
#ifdef HOLT__TSAN
#include <sanitizer/tsan_interface.h>
#endif

void holt__context_init_here(struct holt__context *c)
{
	memset(c, 0, sizeof *c);
#ifdef HOLT__ASAN
	pthread_attr_t attr;
	void *low;

	if (pthread_getattr_np(pthread_self(), &attr) == 0) {
		pthread_attr_getstack(&attr, &low, &c->size);
		c->low = low;
		pthread_attr_destroy(&attr);
	}
#endif
#ifdef HOLT__TSAN
	c->fiber = __tsan_get_current_fiber();
#endif
}

#if defined(HOLT__ASAN) || defined(HOLT__TSAN)
void holt__context_make(struct holt__context *c, void (*entry)(void), void *low, void *high)
{
#ifdef HOLT__ASAN
	c->low = low;
	c->size = (size_t)((char *)high - (char *)low);
	c->fake_stack = NULL;
	__asan_unpoison_memory_region(low, c->size); /* the frames of the last task here were never left one by one */
#endif
#ifdef HOLT__TSAN
	if (!c->fiber)
		c->fiber = __tsan_create_fiber(0);
#endif
	holt__context_prepare(c, entry, low, high);
}
#endif

void holt__context_forget(struct holt__context *c)
{
#ifdef HOLT__TSAN
	if (c->fiber)
		__tsan_destroy_fiber(c->fiber);
	c->fiber = NULL;
#endif
	(void)c;
}

#if defined(HOLT__ASAN) || defined(HOLT__TSAN)
static inline void mark(struct holt__context *from, struct holt__context *to, bool last)
{
#ifdef HOLT__ASAN
	__sanitizer_start_switch_fiber(last ? NULL : &from->fake_stack, to->low, to->size);
#endif
#ifdef HOLT__TSAN
	__tsan_switch_to_fiber(to->fiber, 0);
#endif
	(void)from;
	(void)last;
}

/* Not instrumented: TSan would put the frame of one fiber on the shadow stack of the other. */
__attribute__((noinline, no_sanitize("thread"))) int holt__context_switch(struct holt__context *from, struct holt__context *to)
{
	int r;

	mark(from, to, false);
	r = holt__context_jump(from, to);
	holt__context_entered(from);
	return r;
}

__attribute__((noinline, no_sanitize("thread"))) _Noreturn void holt__context_leave(
	struct holt__context *from, struct holt__context *to)
{
	mark(from, to, true);
	holt__context_jump(from, to);
	__builtin_unreachable();
}
#endif

#ifdef HOLT__ASAN
void holt__context_entered(struct holt__context *c)
{
	__sanitizer_finish_switch_fiber(c->fake_stack, NULL, NULL);
}
#endif
