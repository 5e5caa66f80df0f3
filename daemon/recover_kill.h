/* SPDX-License-Identifier: MIT */
/*
 * Kills recorded processes and their families; see recover.h.
 */
#pragma once
#include "daemon/state.h"

struct recover_kill {
	unsigned killed; /* processes, each once */
	unsigned left;   /* that still live */
	bool *alive;     /* of each recorded process: it, or one of its family, still lives. To be freed */
};

/* Suspends, 5 s at most. 0, also if some are left; -ECANCELED; -ENOMEM; -errno: /proc cannot be read. */
int recover_kill(struct state *s, const struct recorded *r, struct recover_kill *ret);
