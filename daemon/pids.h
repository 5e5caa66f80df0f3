/* SPDX-License-Identifier: MIT */
/*
 * A table from process numbers to a word each: open addressing, linear probing, at most three quarters full. Removing moves
 * back who would no longer be found, so there are no tombstones, and a table that has seen a million processes is
 * as quick as a new one. Pure; it never gets smaller.
 */
#pragma once
#include <stdint.h>
#include <sys/types.h>

#include "base/base.h"

/* To be zeroed. */
struct pids {
	struct pids_entry {
		pid_t pid; /* 0: free */
		uint32_t value;
	} * entries;
	size_t n, size; /* size: 0 or a power of two */
};

int pids_reserve(struct pids *p, size_t n);              /* so many more fit without memory; -ENOMEM */
int pids_put(struct pids *p, pid_t pid, uint32_t value); /* in place of the one before; -ENOMEM for a new one */
uint32_t *pids_find(const struct pids *p, pid_t pid);    /* NULL: not there. Until the next put or remove */
void pids_remove(struct pids *p, pid_t pid);
void pids_free(struct pids *p);
