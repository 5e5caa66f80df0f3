/* SPDX-License-Identifier: MIT */
/*
 * Whose hand a file may be from. What root is told to execute must not be something that another could have written: neither
 * the file, nor a folder above it (in which it could be replaced), nor a symbolic link on the way.
 *
 * trust_open() goes the way itself, from the root, one name at a time, each opened below what was looked at before, never
 * following a link unseen. So what it looked at is what it opened: nothing can be put in between.
 *
 * The rule, trust_verdict(): it belongs to root or to somebody else who is trusted, and neither its group nor all can write it. A
 * folder with the sticky bit may be written by all, as /tmp: in there, nobody can replace what is not theirs.
 */
#pragma once
#include <limits.h>
#include <sys/stat.h>
#include <sys/types.h>

#include "base/base.h"

struct trust {
	uid_t uids[3];
	unsigned n;
};

/* Root; ourselves; as root under sudo also who called it ($SUDO_UID). */
void trust_init(struct trust *t);

/* NULL: only who is trusted can have written this. Else why not: "belongs to another user". */
const char *trust_verdict(const struct trust *t, const struct stat *st);

struct refusal {
	char path[PATH_MAX]; /* what is not trusted: the file, or what is above it */
	const char *why;
};

/*
 * As open(2), read-only flags only, with O_CLOEXEC; relative to the working directory. Returns the descriptor, which the caller owns;
 * -EPERM with *ret_refusal: it is not trusted; -ESTALE: it was replaced meanwhile; -ELOOP, -ENAMETOOLONG and what open() says.
 */
int trust_open(const struct trust *t, const char *path, int flags, struct refusal *ret_refusal);
