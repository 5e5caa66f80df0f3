/* SPDX-License-Identifier: MIT */
/*
 * Every byte that the library takes from the heap, it takes here. Tests and the simulator
 * put their own table in place, so that the n-th allocation can be made to fail.
 */
#pragma once
#include <stddef.h>

struct holt__alloc {
	void *(*malloc)(size_t size);
	void *(*calloc)(size_t n, size_t size);
	void *(*realloc)(void *p, size_t size);
	void (*free)(void *p);
};

extern const struct holt__alloc holt__alloc_libc;
extern const struct holt__alloc *holt__alloc; /* replaced only while no loop runs */

extern void (*holt__kept)(const void *p); /* told of what the process keeps from run to run; NULL: nobody looks for leaks */

void *holt__malloc(size_t size);
void *holt__calloc(size_t n, size_t size);
void *holt__realloc(void *p, size_t size);
void holt__free(void *p);
char *holt__strdup(const char *s); /* NULL for NULL, and when out of memory */
