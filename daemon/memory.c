/* SPDX-License-Identifier: MIT */
/*
 * See memory.h. The table of equals is open addressing on a 32-bit hash, at most three quarters full.
 */
#include "daemon/memory.h"

#include <errno.h>
#include <string.h>

#include "base/alloc.h"

enum { BLOCK_MIN = 4000, BLOCK_MAX = 60000, ALIGN = sizeof(void *) };

struct block {
	struct block *next;
	size_t size, low, high; /* what is free lies between low and high */
	_Alignas(8) char bytes[];
};

struct equal {
	void *p;
	unsigned n, hash; /* n: bytes, a string's with its NUL */
};

struct config_memory {
	struct block *blocks; /* the newest first; only of that one more is given out */
	size_t size;
	struct equal *table;
	size_t n, room; /* of the table; room is a power of two, or 0 */
};

int memory_open(struct config_memory **ret)
{
	struct config_memory *m = holt__calloc(1, sizeof *m);

	if (!m)
		return -ENOMEM;
	m->size = sizeof *m;
	*ret = m;
	return 0;
}

struct config_memory *memory_close(struct config_memory *m)
{
	struct block *next;

	if (!m)
		return NULL;
	for (struct block *b = m->blocks; b; b = next) {
		next = b->next;
		holt__free(b);
	}
	holt__free(m->table);
	holt__free(m);
	return NULL;
}

/* A block of its own for what is large, and blocks that grow with the whole: little is left over at the end. */
static struct block *new_block(struct config_memory *m, size_t least)
{
	size_t size = m->size / 8 < BLOCK_MIN ? BLOCK_MIN : m->size / 8 > BLOCK_MAX ? BLOCK_MAX : m->size / 8;
	struct block *b, **at = &m->blocks;

	if (least > size / 4) {
		size = least;
		if (m->blocks)
			at = &m->blocks->next; /* the newest one still has room */
	}
	size = (size + ALIGN - 1) / ALIGN * ALIGN;
	b = holt__malloc(sizeof *b + size);
	if (!b)
		return NULL;
	*b = (struct block){ .next = *at, .size = size, .high = size };
	*at = b;
	m->size += sizeof *b + size;
	return b;
}

static struct block *block_for(struct config_memory *m, size_t n)
{
	struct block *b = m->blocks;

	return b && b->high - b->low >= n ? b : new_block(m, n);
}

void *memory_get(struct config_memory *m, size_t size)
{
	struct block *b;

	size = (size + ALIGN - 1) / ALIGN * ALIGN;
	b = block_for(m, size);
	if (!b)
		return NULL;
	b->low += size;
	return memset(b->bytes + b->low - size, 0, size);
}

static char *get_bytes(struct config_memory *m, size_t n)
{
	struct block *b = block_for(m, n);

	if (!b)
		return NULL;
	b->high -= n;
	return b->bytes + b->high;
}

static unsigned hash_of(const char *s, size_t n)
{
	uint64_t h = n * 0x9e3779b97f4a7c15, word;

	for (; n >= sizeof word; s += sizeof word, n -= sizeof word) {
		memcpy(&word, s, sizeof word);
		h = (h ^ word) * 0xff51afd7ed558ccd;
		h ^= h >> 32;
	}
	for (; n > 0; s++, n--)
		h = (h ^ (unsigned char)*s) * 0x100000001b3;
	return (unsigned)(h ^ h >> 29);
}

static int grow_table(struct config_memory *m)
{
	size_t room = m->room ? 2 * m->room : 128;
	struct equal *table = holt__calloc(room, sizeof *table);

	if (!table)
		return -ENOMEM;
	for (size_t i = 0; i < m->room; i++) {
		size_t at = m->table[i].hash & (room - 1);

		if (!m->table[i].p)
			continue;
		while (table[at].p)
			at = (at + 1) & (room - 1);
		table[at] = m->table[i];
	}
	holt__free(m->table);
	m->table = table;
	m->room = room;
	return 0;
}

/* terminated: n bytes and a NUL, else n bytes that are aligned. The two never are equals: a string's n counts its NUL. */
static void *same(struct config_memory *m, const char *data, size_t n, bool terminated)
{
	unsigned hash = hash_of(data, n) + terminated, stored = (unsigned)n + terminated;
	size_t at;
	char *p;

	if (4 * m->n >= 3 * m->room && grow_table(m) < 0)
		return NULL;
	for (at = hash & (m->room - 1); m->table[at].p; at = (at + 1) & (m->room - 1)) {
		const struct equal *e = &m->table[at];

		if (e->hash == hash && e->n == stored && memcmp(e->p, data, n) == 0 && (!terminated || !((char *)e->p)[n]) &&
			(terminated || (uintptr_t)e->p % ALIGN == 0))
			return e->p;
	}
	p = terminated ? get_bytes(m, n + 1) : memory_get(m, n);
	if (!p)
		return NULL;
	memcpy(p, data, n);
	if (terminated)
		p[n] = 0;
	m->table[at] = (struct equal){ p, stored, hash };
	m->n++;
	return p;
}

void *memory_same(struct config_memory *m, const void *data, size_t n)
{
	return n ? same(m, data, n, false) : NULL;
}

char *memory_string(struct config_memory *m, const char *s, size_t n)
{
	return same(m, s, n, true);
}

void memory_settle(struct config_memory *m)
{
	holt__free(m->table);
	m->table = NULL;
	m->n = m->room = 0;
}

size_t memory_size(const struct config_memory *m)
{
	return m->size;
}

/* ---- growing arrays */

static int make_room(struct list *l, size_t n, size_t item_size)
{
	size_t room = l->room ? l->room : 8;
	void *v;

	while (room < n)
		room += room / 2;
	if (room == l->room)
		return 0;
	v = holt__realloc(l->v, room * item_size);
	if (!v)
		return -ENOMEM;
	l->v = v;
	l->room = room;
	return 0;
}

void *list_add(struct list *l, size_t item_size)
{
	if (make_room(l, l->n + 1, item_size) < 0)
		return NULL;
	return memset((char *)l->v + l->n++ * item_size, 0, item_size);
}

int list_add_bytes(struct list *l, const char *s, size_t n)
{
	if (make_room(l, l->n + n, 1) < 0)
		return -ENOMEM;
	if (n)
		memcpy((char *)l->v + l->n, s, n);
	l->n += n;
	return 0;
}

void list_free(struct list *l)
{
	holt__free(l->v);
	*l = (struct list){ 0 };
}
