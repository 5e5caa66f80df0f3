/* SPDX-License-Identifier: MIT */
/*
 * What is in an EnvironmentFile=, in systemd's way: lines of NAME=value. # and ; begin a comment line. '…' and "…" may stand
 * around the value or parts of it; within "…" a backslash takes away the meaning of one of "\`$ and of a line's end, outside
 * of quotes that of any character. Blanks at both ends of what is not quoted are no part of the value. A newline may be
 * quoted. What is no assignment is skipped, and told.
 */
#pragma once
#include <stddef.h>

struct envfile {
	/* NAME=value, within the text. A negative result ends it. */
	int (*assign)(struct envfile *f, char *assignment);
	void (*skip)(struct envfile *f, unsigned line, const char *why);
};

/* Pure. TEXT is changed, TEXT[n] must be writable. 0, or what assign() returned. */
int envfile_parse(struct envfile *f, char *text, size_t n);
