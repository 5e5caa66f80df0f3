/* SPDX-License-Identifier: MIT */
/*
 * What a start needs, looked up, checked and allocated before the child is made: from the options of
 * holt_process_start to what lib/sys/spawn.c takes.
 */
#pragma once
#include <holt/work.h>

#include "sys/spawn.h"
#include "work/ids.h"

struct holt__plan {
	struct holt__spawn spawn;
	struct holt__ids ids;
	char **paths, **env; /* env NULL: given as it is */
	int *fds;
	struct holt__spawn_limit *limits;
	int ours[3], theirs[3]; /* the ends of pipes; -1: none */
};

/* On failure spawn.failed says of what. Either way holt__plan_done follows. */
int holt__plan_make(struct holt__plan *plan, const struct holt_process_options *o);
void holt__plan_done(struct holt__plan *plan); /* closes both ends of what is left of the pipes */
