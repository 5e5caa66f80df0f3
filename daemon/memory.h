/* SPDX-License-Identifier: MIT */
/*
 * The memory of a configuration: taken piece by piece, given back as a whole. Whatever is equal is kept once: strings,
 * arrays, structures. So a tree of thousands of processes that are run alike holds one copy of how.
 *
 * Things with an alignment are put in from the lower end of a block, strings from the upper one, so that neither leaves
 * holes. The table by which equals are found is needed while a file is loaded only: memory_settle() drops it.
 *
 * Beside it, the growing array that all of the loader is made of.
 */
#pragma once
#include "base/base.h"

struct config_memory;

int memory_open(struct config_memory **ret);                 /* -ENOMEM */
struct config_memory *memory_close(struct config_memory *m); /* NULL */

void *memory_get(struct config_memory *m, size_t size); /* zeroed, aligned for pointers; NULL: out of memory */
/* n bytes that are equal to data, perhaps those given to somebody before. Never to be changed. NULL for n 0, and out of memory. */
void *memory_same(struct config_memory *m, const void *data, size_t n);
char *memory_string(struct config_memory *m, const char *s, size_t n); /* the same for a string; it gets its NUL */
void memory_settle(struct config_memory *m);
size_t memory_size(const struct config_memory *m); /* bytes taken from the heap */

/* All-zero is an empty one. */
struct list {
	void *v;
	size_t n, room;
};

void *list_add(struct list *l, size_t item_size);            /* a zeroed item at its end; NULL: out of memory */
int list_add_bytes(struct list *l, const char *s, size_t n); /* of a list of characters */
void list_free(struct list *l);
