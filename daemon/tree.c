/* SPDX-License-Identifier: MIT */
/*
 * The tree's task: the runner behind a shield, with somebody beside it who hears of a stop and of a cancellation and says so, and a
 * finally handler for when the shield is broken.
 */
#include <errno.h>
#include <holt/group.h>
#include <holt/run.h>
#include <holt/scope.h>
#include <holt/task.h>

#include "daemon/finish.h"
#include "daemon/runner.h"

#define FAR_AWAY (100ULL * 365 * 24 * HOLT_HOUR) /* a shield's deadline, for one that only the end breaks */

/* Hears of a stop, and then of a cancellation, in place of the runner. */
static int hear(void *arg)
{
	struct runner *r = arg;
	struct holt_scope s;
	int e;

	holt_scope_begin(&s, HOLT_NEVER, HOLT_ON_STOP);
	e = holt_sleep(HOLT_NEVER);
	e = (int)holt_scope_end(&s, e);
	if (e == -ESHUTDOWN) {
		runner_end(r);
		e = holt_sleep(HOLT_NEVER);
	}
	if (!r->ended)
		runner_hurry(r);
	return e;
}

static int run_behind_shield(struct runner *r)
{
	struct holt_scope s;
	int e;

	holt_scope_begin(&s, holt_in(FAR_AWAY), HOLT_SHIELD);
	e = runner_run(r);
	return (int)holt_scope_end(&s, e);
}

/* The shield is broken: kill, and then still do what finally owes. */
static int bring_down(void *arg, int result)
{
	struct runner *r = arg;

	if (r->ended && r->clean)
		return 0;
	(void)result;
	runner_hurry(r);
	runner_hurry(r);
	finish_resume(r);
	return runner_run(r);
}

int runner_task(void *arg)
{
	struct runner *r = arg;
	holt_group *g;
	int e = holt_group_open(&g, .name = "tree");

	if (e < 0)
		return e;
	e = holt_finally(g, bring_down, r);
	if (e == 0)
		e = holt_spawn(g, hear, r, .background = true);
	if (e == 0)
		e = run_behind_shield(r);
	return holt_group_close(g, e);
}
