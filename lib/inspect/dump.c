/* SPDX-License-Identifier: MIT */
/*
 * The public face of lib/task/tree.c, for the loop of the calling thread. It changes nothing, allocates nothing and
 * never suspends; what a FILE does is stdio's.
 */
#include <errno.h>

#include <holt/inspect.h>

#include "task/task.h"

enum { PATH_MAX_BYTES = 1024, WAITS_MAX_BYTES = 512 };

static struct holt__sched *running_here(void)
{
	return holt__here && holt__here->running ? holt__here : NULL;
}

static int write_line(void *arg, const struct holt__text *text)
{
	FILE *f = arg;

	errno = 0;
	if (fwrite(text->buf, 1, text->len, f) == text->len && putc('\n', f) != EOF)
		return 0;
	return errno ? -errno : -EIO;
}

int holt_dump(FILE *f)
{
	struct holt__sched *s = running_here();
	int saved = errno, r;

	holt__check_fork("holt_dump");
	if (!f)
		return -EINVAL;
	if (!s)
		return -EPERM;
	r = holt__tree(s, SIZE_MAX, write_line, f);
	errno = 0;
	if (fflush(f) != 0 && r == 0)
		r = errno ? -errno : -EIO;
	errno = saved;
	return r;
}

size_t holt_task_count(void)
{
	struct holt__sched *s = running_here();

	holt__check_fork("holt_task_count");
	return s ? s->n_tasks : 0;
}

static int depth_of(const holt_task *t)
{
	int depth = 0;

	while ((t = t->group->scope.task))
		depth++;
	return depth;
}

static int tell(const holt_task *t, int (*fn)(void *arg, const struct holt_task_info *i), void *arg)
{
	char path[PATH_MAX_BYTES], waits[WAITS_MAX_BYTES];
	struct holt__text path_text = HOLT__TEXT(path), waits_text = HOLT__TEXT(waits);
	bool parked = t->state == HOLT__PARKED;
	struct holt_task_info info = {
		.id = t->id,
		.group = t->group->id,
		.path = path,
		.state = holt__task_state(t),
		.waits_for = parked ? waits : NULL,
		.why = holt__scope_why(t->scope),
		.since = t->since,
		.deadline = t->scope->near,
		.depth = depth_of(t),
	};

	holt__task_path(t, &path_text);
	if (parked)
		holt__task_waits_for(t, &waits_text);
	return fn(arg, &info);
}

int holt_each_task(int (*fn)(void *arg, const struct holt_task_info *i), void *arg)
{
	struct holt__sched *s = running_here();
	struct holt__scope *root;

	holt__check_fork("holt_each_task");
	if (!fn)
		return -EINVAL;
	if (!s)
		return -EPERM;
	root = &s->root.scope;
	for (struct holt__scope *i = root; i; i = holt__tree_next(root, i, true)) {
		int r = i->kind == HOLT__TASK ? tell(i->task, fn, arg) : 0;

		if (r != 0)
			return r;
	}
	return 0;
}
