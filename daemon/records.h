/* SPDX-License-Identifier: MIT */
/*
 * The part of the state directory that is the file of records; see state.h. Between state.c and records.c only.
 */
#pragma once
#include <sys/stat.h>

#include "daemon/state.h"

/* Opens S/records, or makes it; what cannot be of this boot is dropped. -EPERM, -errno, with WHY. */
int records_open(struct state *s, struct holt__text *why);

/* A file in S, to be read and appended to, or made (0600). Not ours, writable by others, a link: -EPERM; -errno; with WHY. */
int state_open_file(const struct state *s, const char *name, struct holt__text *why);

const char *state_distrust(const struct stat *st); /* NULL: it is ours alone */

/*
 * Pure: what a text of records comes to, without its first line. It is changed, and ret points into it. It looks from the end to
 * the beginning: so what is over has been seen before what it ended, and a number that was in use twice is told apart. -ENOMEM.
 */
int records_parse(struct recorded *ret, char *text, size_t n);
