/* SPDX-License-Identifier: MIT */
/*
 * Each start of a process has a number of its own, which its whole family inherits: HOLT_INVOCATION_ID, 128 random bits in 32
 * hexadecimal digits. By it a process that has lost its parent is known.
 */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

struct invocation {
	uint64_t v[2]; /* both 0: none */
};

enum { INVOCATION_DIGITS = 32 };

struct invocation invocation_new(void); /* never none */
void invocation_text(const struct invocation *i, char ret[INVOCATION_DIGITS + 1]);
bool invocation_parse(struct invocation *ret, const char *s, size_t n); /* exactly the digits, of both cases; not none */

static inline bool invocation_same(const struct invocation *a, const struct invocation *b)
{
	return a->v[0] == b->v[0] && a->v[1] == b->v[1];
}

/*
 * That of a process that lives, from its environment, as it was when it was executed. PROC: an open /proc. It is found quickest
 * when it is the first variable; beyond 256 KiB it is not looked for.
 *
 * invocation_read() may have to wait for that process: it needs its memory's lock, which it may hold itself while it waits
 * for a disk or a file server. invocation_of() does not read one that is in such a wait (nearly: it may come into it
 * between two calls).
 *
 * 0; -ENOENT: it has none; -EACCES: not ours to read; -EAGAIN: not now (it is about to execute something, or to end); -EBUSY: it
 * waits in the kernel; -ESRCH: it is gone, or dead; -errno of open() and read().
 */
int invocation_read(int proc, pid_t pid, struct invocation *ret);
int invocation_of(int proc, pid_t pid, struct invocation *ret);

/* A file of it (0: ours) in /proc, at most N - 1 bytes and a NUL: how many bytes, -errno. */
ssize_t proc_read(int proc, pid_t pid, const char *file, char *buf, size_t n);
struct proc_stat {
	char state;
	pid_t parent;
	bool has_environment; /* be it an empty one: it is not about to execute something, or to end */
};
int proc_stat(int proc, pid_t pid, struct proc_stat *ret); /* -ESRCH, -errno */
