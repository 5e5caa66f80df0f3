/* SPDX-License-Identifier: MIT */
/*
 * See budget.h. The worst case of a group is its longest chain: a member begins to stop when all that come after it are
 * gone, so it is done at the latest of theirs plus its own time. Members are in the order of starting, so one pass
 * from the last to the first finds it.
 */
#include "daemon/budget.h"

#include "base/alloc.h"

static holt_time less(holt_time point, holt_time span)
{
	if (point == HOLT_NEVER)
		return HOLT_NEVER;
	return point > span ? point - span : 0;
}

static holt_time times(holt_time span, size_t n)
{
	holt_time sum = 0;

	while (n-- > 0)
		sum = holt__time_add(sum, span);
	return sum;
}

holt_time budget_finally(const struct node *n)
{
	return times(n->finally_timeout, n->finally.n);
}

holt_time budget_deadline(const struct node *n, holt_time now, holt_time parent)
{
	holt_time own = holt__time_add(now, n->timeout_stop);

	if (!n->parent)
		own = holt__time_min(own, holt__time_add(now, n->stop_budget));
	return holt__time_min(own, parent);
}

holt_time budget_members(const struct node *n, holt_time deadline)
{
	return less(deadline, budget_finally(n));
}

static holt_time worst_process(const struct node *n)
{
	const struct process_conf *p = n->process;
	holt_time t = holt__time_add(n->timeout_stop, p->send_sigkill ? KILL_WAIT : 0);

	return holt__time_add(t, times(n->timeout_stop, p->stop_post.n));
}

/* By when, counted from the group's stop, the member is gone; those after it have been worked out. */
static holt_time gone_after(const struct node *m, const holt_time *gone, bool parallel)
{
	holt_time begin = 0;

	for (size_t i = 0; !parallel && i < m->before.n; i++) {
		const struct node *later = m->before.v[i];

		while (later->parent && later->parent != m->parent)
			later = later->parent;
		if (later->parent == m->parent && later->order > m->order && gone[later->order] > begin)
			begin = gone[later->order];
	}
	return holt__time_add(begin, budget_worst(m));
}

holt_time budget_worst(const struct node *n)
{
	holt_time longest = 0, limit = holt__time_min(n->timeout_stop, n->parent ? HOLT_NEVER : n->stop_budget);
	holt_time *gone;

	if (!node_is_group(n))
		return worst_process(n);
	gone = holt__calloc(n->members.n + 1, sizeof *gone);
	for (size_t i = n->members.n; i-- > 0;) {
		if (!gone) { /* one after the other is never less */
			longest = holt__time_add(longest, budget_worst(n->members.v[i]));
			continue;
		}
		gone[i] = gone_after(n->members.v[i], gone, n->stop_parallel);
		if (gone[i] > longest)
			longest = gone[i];
	}
	holt__free(gone);
	/* a limit on the group cuts its members short, but not what killing the last ones may take */
	longest = holt__time_min(longest, holt__time_add(less(limit, budget_finally(n)), KILL_WAIT));
	return holt__time_add(longest, budget_finally(n));
}
