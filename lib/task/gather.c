/* SPDX-License-Identifier: MIT */
/*
 * holt_gather: a group that is opened, filled and closed in one call.
 */
#include <errno.h>

#include "task/task.h"

static int call(void *arg)
{
	struct holt_call *c = arg;

	return c->result = c->fn(c->arg);
}

static void result_says_it(void *arg, const struct holt_failure *f)
{
	(void)arg;
	(void)f;
}

int holt_gather(struct holt_call *calls, size_t n, enum holt_kind kind)
{
	holt_group *g = NULL;
	holt_task *t;
	int r;

	if ((n > 0 && !calls) || (unsigned)kind > HOLT_EACH)
		return -EINVAL;
	for (size_t i = 0; i < n; i++) {
		if (!calls[i].fn)
			return -EINVAL;
		calls[i].result = -ECANCELED;
	}
	r = holt__enter(&t);
	if (r < 0)
		return r;
	r = holt_group_open(&g, .name = "gather", .kind = kind, .failed = result_says_it);
	for (size_t i = 0; i < n; i++) {
		if (r >= 0)
			r = holt_spawn(g, call, &calls[i]);
		if (r < 0)
			calls[i].result = r; /* was not run */
	}
	return g ? holt_group_close(g, r < 0 ? r : 0) : r;
}
