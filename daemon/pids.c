/* SPDX-License-Identifier: MIT */
/*
 * The table of process numbers. The rule: between an entry and the place where its search begins, nothing is free.
 */
#include "daemon/pids.h"

#include <errno.h>
#include <string.h>

#include "base/alloc.h"

enum { FIRST_SIZE = 16 };

/* Where its search begins. Numbers are given out one after another: the multiplication spreads them. */
static size_t home(const struct pids *p, pid_t pid)
{
	return (size_t)((uint32_t)pid * 2654435769U) >> 4 & (p->size - 1);
}

static size_t place(const struct pids *p, pid_t pid)
{
	size_t i = home(p, pid);

	while (p->entries[i].pid && p->entries[i].pid != pid)
		i = (i + 1) & (p->size - 1);
	return i;
}

int pids_reserve(struct pids *p, size_t n)
{
	struct pids larger = { .n = p->n, .size = p->size ? p->size : FIRST_SIZE };

	if (n > SIZE_MAX / 2 / sizeof *p->entries - p->n)
		return -ENOMEM;
	while (larger.size / 4 * 3 < p->n + n)
		larger.size *= 2;
	if (larger.size == p->size)
		return 0;
	larger.entries = holt__calloc(larger.size, sizeof *larger.entries);
	if (!larger.entries)
		return -ENOMEM;
	for (size_t i = 0; i < p->size; i++)
		if (p->entries[i].pid)
			larger.entries[place(&larger, p->entries[i].pid)] = p->entries[i];
	holt__free(p->entries);
	*p = larger;
	return 0;
}

uint32_t *pids_find(const struct pids *p, pid_t pid)
{
	size_t i;

	if (!p->size || !pid)
		return NULL;
	i = place(p, pid);
	return p->entries[i].pid ? &p->entries[i].value : NULL;
}

int pids_put(struct pids *p, pid_t pid, uint32_t value)
{
	uint32_t *at = pids_find(p, pid);
	int r;

	if (at) {
		*at = value;
		return 0;
	}
	r = pids_reserve(p, 1);
	if (r < 0)
		return r;
	p->entries[place(p, pid)] = (struct pids_entry){ pid, value };
	p->n++;
	return 0;
}

void pids_remove(struct pids *p, pid_t pid)
{
	size_t mask = p->size - 1, gap, i;

	if (!pids_find(p, pid))
		return;
	gap = place(p, pid);
	for (i = (gap + 1) & mask; p->entries[i].pid; i = (i + 1) & mask) {
		/* It moves into the gap, if its search comes by there. */
		if (((i - home(p, p->entries[i].pid)) & mask) < ((i - gap) & mask))
			continue;
		p->entries[gap] = p->entries[i];
		gap = i;
	}
	p->entries[gap].pid = 0;
	p->n--;
}

void pids_free(struct pids *p)
{
	holt__free(p->entries);
	memset(p, 0, sizeof *p);
}
