/* SPDX-License-Identifier: MIT */
/*
 * Where stacks come from: slabs of one mapping each, cut into stacks of equal size.
 *
 *	stack_low                                                    stack_low + size
 *	| guard page | grows down ...        <- frames | struct holt_task | colour |
 *
 * The record lies at the top, on the page of the first frames, so that a parked task costs one page. The colour,
 * a few cache lines that differ from stack to stack, keeps the tops from all falling into the same sets of the cache.
 *
 * A stack that ends is warm: it goes on top of a list and is the next one used. Pages are given back
 * in bulk only, when the loop has been idle, and never all of them.
 */
#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "task/task.h"

#if __has_include(<valgrind/valgrind.h>)
#include <valgrind/valgrind.h>
#else
#define VALGRIND_STACK_REGISTER(low, high) 0
#endif

enum { SLAB_BYTES = 4 << 20, COLOURS = 8, LINE = 64, KEEP_WARM = 256 };

struct holt__slab {
	struct holt__slab *next;
	void *base;
	size_t bytes;
};

int holt__stacks_init(struct holt__stacks *s, size_t size)
{
	size_t page = (size_t)sysconf(_SC_PAGESIZE);

	memset(s, 0, sizeof *s);
	if (size > SIZE_MAX / 8)
		return -EINVAL;
	size = size ? size : HOLT__STACK_DEFAULT;
	size = size < HOLT__STACK_MIN ? HOLT__STACK_MIN : size;
#if defined(HOLT__ASAN) || defined(HOLT__TSAN)
	size *= 4; /* instrumented frames are that much larger */
#endif
	s->page = page;
	s->size = (size + page - 1) / page * page;
	if (page > HOLT__STACK_MIN / 2)
		s->size += page; /* large pages: the guard shall not take the stack's room */
	return 0;
}

static int add_slab(struct holt__stacks *s)
{
	size_t n = s->size < SLAB_BYTES / 8 ? SLAB_BYTES / s->size : 1;
	struct holt__slab *slab = holt__malloc(sizeof *slab);
	void **cold = holt__realloc(s->cold, (s->total + n) * sizeof *cold);

	if (cold)
		s->cold = cold;
	if (!slab || !cold)
		goto fail;
	slab->bytes = n * s->size;
	slab->base = holt__sys->map(slab->bytes);
	if (!slab->base)
		goto fail;
	slab->next = s->slabs;
	s->slabs = slab;
	s->total += n;
	s->fresh = slab->base;
	s->fresh_end = s->fresh + slab->bytes;
	return 0;
fail:
	holt__free(slab);
	return -ENOMEM;
}

/* The record's place is a function of the stack's: it is found again after the page was given back. */
static holt_task *record(struct holt__stacks *s, void *low)
{
	uintptr_t colour = (uintptr_t)low / s->size % COLOURS;
	uintptr_t top = (uintptr_t)low + s->size - colour * LINE;
	holt_task *t = (holt_task *)((top - sizeof(holt_task)) & ~(uintptr_t)(LINE - 1));

	t->stacks = s;
	t->stack_low = low;
	return t;
}

holt_task *holt__stack_get_slowly(struct holt__stacks *s)
{
	char *low;

	s->n_warm_min = 0;
	if (s->n_cold > 0)
		return record(s, s->cold[--s->n_cold]);
	if (s->fresh == s->fresh_end && add_slab(s) < 0)
		return NULL;
	low = s->fresh;
	if (holt__sys->guard(low, s->page) < 0)
		return NULL;
	s->fresh += s->size;
	(void)VALGRIND_STACK_REGISTER(low + s->page, low + s->size);
	return record(s, low);
}

int holt__stacks_of_size(struct holt__stacks *first, size_t size, struct holt__stacks **ret)
{
	struct holt__stacks probe, *s;
	int r;

	if (size == 0) {
		*ret = first;
		return 0;
	}
	r = holt__stacks_init(&probe, size);
	if (r < 0)
		return r;
	for (s = first; s->size != probe.size && s->next; s = s->next)
		;
	if (s->size != probe.size) {
		s = holt__malloc(sizeof *s);
		if (!s)
			return -ENOMEM;
		*s = probe;
		s->next = first->next;
		first->next = s;
	}
	*ret = s;
	return 0;
}

/*
 * Gives back the pages of half of those that lay unused all the time since the last trim, the coldest first: they
 * are the end of the list.
 */
void holt__stacks_trim(struct holt__stacks *s)
{
	for (; s; s = s->next) {
		size_t spare = s->n_warm_min > KEEP_WARM ? s->n_warm_min - KEEP_WARM : 0;
		size_t keep = s->n_warm - (spare + 1) / 2;
		holt_task **end = &s->warm, *t;

		s->n_warm_min = s->n_warm;
		if (spare == 0)
			continue;
		for (size_t i = 0; i < keep; i++)
			end = &(*end)->spare;
		t = *end;
		*end = NULL;
		while (t) {
			holt_task *next = t->spare;
			char *low = t->stack_low;

			holt__context_forget(&t->context);
			holt__sys->forget(low + s->page, s->size - s->page);
			s->cold[s->n_cold++] = low;
			t = next;
		}
		s->n_warm = s->n_warm_min = keep;
	}
}

static void stacks_free(struct holt__stacks *s)
{
	while (s->warm) {
		holt_task *t = s->warm;

		s->warm = t->spare;
		holt__context_forget(&t->context);
	}
	while (s->slabs) {
		struct holt__slab *slab = s->slabs;

		s->slabs = slab->next;
		holt__sys->unmap(slab->base, slab->bytes);
		holt__free(slab);
	}
	holt__free(s->cold);
}

void holt__stacks_done(struct holt__stacks *first)
{
	struct holt__stacks *s = first->next;

	stacks_free(first);
	while (s) {
		struct holt__stacks *next = s->next;

		stacks_free(s);
		holt__free(s);
		s = next;
	}
	memset(first, 0, sizeof *first);
}
