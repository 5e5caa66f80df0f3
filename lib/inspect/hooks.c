/* SPDX-License-Identifier: MIT */
/*
 * Hooks: the words of <holt/inspect.h> for what the task floor tells those who look on.
 */
#include <errno.h>

#include <holt/inspect.h>

#include "task/task.h"

#define SAME(a, b) _Static_assert((int)(a) == (int)(b), "hooks are told what the task floor says")
SAME(HOLT_HOOK_SPAWNED, HOLT__SPAWNED);
SAME(HOLT_HOOK_RESUMED, HOLT__RESUMED);
SAME(HOLT_HOOK_SUSPENDED, HOLT__SUSPENDED);
SAME(HOLT_HOOK_CANCELED, HOLT__WAS_CANCELED);
SAME(HOLT_HOOK_ENDED, HOLT__HAS_ENDED);
SAME(HOLT_HOOK_FINALLY, HOLT__RUNS_FINALLY);

int holt_hooks_set(const struct holt_hooks *h)
{
	struct holt_loop *loop;
	struct holt__sched *s;

	holt__check_fork("holt_hooks_set");
	if (h && !h->on)
		return -EINVAL;
	loop = holt_loop_self();
	if (!loop)
		return -ENOMEM;
	s = holt__sched(loop);
	s->hooks.fn = h ? h->on : NULL;
	s->hooks.arg = h ? h->arg : NULL;
	holt__look_on(s);
	return 0;
}
