/* SPDX-License-Identifier: MIT */
/*
 * Children by name: a table of chains, which grows with their number, so that a supervisor may hold very many. Growing may
 * fail without harm: the chains become longer.
 */
#include <string.h>

#include "base/alloc.h"
#include "supervise/supervise.h"

static size_t slot_of(const struct holt__names *n, const char *name)
{
	uint64_t hash = 14695981039346656037u; /* FNV-1a */

	for (; *name; name++)
		hash = (hash ^ (unsigned char)*name) * 1099511628211u;
	return (hash ^ hash >> 32) & (n->n_slots - 1);
}

void holt__names_init(struct holt__names *n)
{
	n->slots = n->few;
	n->n_slots = HOLT__NAMES_FIRST;
}

void holt__names_done(struct holt__names *n)
{
	if (n->slots != n->few)
		holt__free(n->slots);
}

static void put(struct holt__names *n, struct holt__child *c)
{
	struct holt__child **slot = &n->slots[slot_of(n, c->name)];

	c->namesake = *slot;
	*slot = c;
}

static void grow(struct holt__names *n)
{
	struct holt__names old = *n;
	struct holt__child **slots = holt__calloc(n->n_slots * 4, sizeof(*slots));

	if (!slots)
		return;
	n->slots = slots;
	n->n_slots *= 4;
	for (size_t i = 0; i < old.n_slots; i++) {
		struct holt__child *c = old.slots == n->few ? n->few[i] : old.slots[i];

		while (c) {
			struct holt__child *next = c->namesake;

			put(n, c);
			c = next;
		}
	}
	if (old.slots != n->few)
		holt__free(old.slots);
}

void holt__names_add(struct holt__names *n, struct holt__child *c)
{
	if (n->n >= n->n_slots)
		grow(n);
	put(n, c);
	n->n++;
}

void holt__names_remove(struct holt__names *n, struct holt__child *c)
{
	struct holt__child **p = &n->slots[slot_of(n, c->name)];

	while (*p != c)
		p = &(*p)->namesake;
	*p = c->namesake;
	n->n--;
}

struct holt__child *holt__names_find(const struct holt__names *n, const char *name)
{
	struct holt__child *c = n->slots[slot_of(n, name)];

	while (c && strcmp(c->name, name) != 0)
		c = c->namesake;
	return c;
}
