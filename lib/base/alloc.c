/* SPDX-License-Identifier: MIT */
/*
 * The seam for memory: libc's heap, unless somebody put another table in its place.
 */
#include "base/alloc.h"

#include <stdlib.h>
#include <string.h>

const struct holt__alloc holt__alloc_libc = { malloc, calloc, realloc, free };
const struct holt__alloc *holt__alloc = &holt__alloc_libc;
void (*holt__kept)(const void *p);

void *holt__malloc(size_t size)
{
	return holt__alloc->malloc(size);
}

void *holt__calloc(size_t n, size_t size)
{
	return holt__alloc->calloc(n, size);
}

void *holt__realloc(void *p, size_t size)
{
	return holt__alloc->realloc(p, size);
}

void holt__free(void *p)
{
	holt__alloc->free(p);
}

char *holt__strdup(const char *s)
{
	size_t n;
	char *copy;

	if (!s)
		return NULL;
	n = strlen(s) + 1;
	copy = holt__malloc(n);
	return copy ? memcpy(copy, s, n) : NULL;
}
