/* SPDX-License-Identifier: MIT */
/*
 * The tree of tasks in words, a line for each group and each task, parents first:
 *
 *	echod (3 tasks)
 *	└─ echod/main [2]                        waiting 3s, accept fd 3
 *	   └─ echod/conns (2 tasks)
 *	      ├─ echod/conns/echo#12             waiting 1.2s, read fd 9, deadline in 28s
 *	      └─ echod/conns/echo#14             ready
 *
 * One code for the log, for a file and for the handler of a fatal signal. So it allocates nothing and takes no
 * locks; what it needs is a page of stack. It looks only at the tree: a handler that runs while the tree is
 * being changed may meet a half made link, and a fault in it ends the process as the signal would have.
 */
#include "task/task.h"

enum { LINE_MAX_BYTES = 1024, LEVELS_MAX = 20, COLUMN = 48 };

const char *holt__task_state(const holt_task *t)
{
	if (t == holt__self)
		return "running";
	return t->state == HOLT__PARKED ? "waiting" : "ready";
}

/* ---- the branches */

/* Tasks and groups; not the group of a supervisor's child, which holds nobody. */
static bool has_line(const struct holt__scope *s)
{
	return s->kind != HOLT__SCOPE && !(s->flags & HOLT__IN_TURN);
}

/* The task or group that has a line, and s below it; NULL: s is the root. */
static const struct holt__scope *shown_above(const struct holt__scope *s)
{
	do {
		s = s->parent;
	} while (s && !has_line(s));
	return s;
}

static bool is_followed(const struct holt__scope *s)
{
	const struct holt__scope *above;

	if (s->kind == HOLT__TASK)
		return s->next != NULL;
	above = shown_above(s); /* what a task opened inside a group of its own comes before that group's members */
	return above && above->kind == HOLT__GROUP && holt__container(above, holt_group, scope)->first;
}

/* Returns the columns that it takes. */
static size_t add_branches(struct holt__text *text, const struct holt__scope *s)
{
	bool bars[LEVELS_MAX];
	size_t n = 0, columns;

	if (!s->parent)
		return 0;
	for (const struct holt__scope *i = shown_above(s); i && i->parent; i = shown_above(i)) {
		if (n == LEVELS_MAX) {
			holt__text_add(text, "...");
			break;
		}
		bars[n++] = is_followed(i);
	}
	columns = text->len + 3 * n + 3;
	while (n > 0)
		holt__text_add(text, bars[--n] ? "│  " : "   ");
	holt__text_add(text, is_followed(s) ? "├─ " : "└─ ");
	return columns;
}

/* ---- what is told of both */

static const char *level_name(enum holt__level level)
{
	static const char *const names[] = {
		[HOLT__RUN] = "",
		[HOLT__STOP] = "stopping",
		[HOLT__CANCEL] = "canceled",
		[HOLT__BREAK] = "canceled, shields broken",
		[HOLT__END] = "canceled, all shields broken",
	};

	return names[level];
}

/* The level that the code inside s sees; or, behind a shield, what waits outside of it. */
static void add_level(struct holt__text *text, const struct holt__scope *s)
{
	enum holt__level level = s->seen;
	const char *why = holt__scope_why(s);

	for (const struct holt__scope *i = s; i && level == HOLT__RUN; i = i->parent)
		level = i->seen;
	if (level == HOLT__RUN)
		return;
	holt__text_add(text, s->seen == HOLT__RUN ? ", shielded, outside " : ", ");
	holt__text_add(text, level_name(level));
	if (why) {
		holt__text_add(text, ": ");
		holt__text_add(text, why);
	}
}

static void add_point(struct holt__text *text, const char *what, holt_time point, holt_time now)
{
	holt__text_add(text, what);
	if (point <= now) {
		holt__text_add(text, " now");
		return;
	}
	holt__text_add(text, " in ");
	holt__text_span(text, point - now);
}

static void add_heartbeat(struct holt__text *text, holt_time due, holt_time now)
{
	if (due > now) {
		add_point(text, ", heartbeat due", due, now);
		return;
	}
	holt__text_add(text, ", heartbeat overdue for ");
	holt__text_span(text, now - due);
}

/* ---- the lines */

static void add_group(struct holt__text *text, const holt_group *g, holt_time now)
{
	size_t before = text->len;

	holt__group_path(g, text);
	if (!g->name) {
		holt__text_add(text, text->len > before ? "/" : "");
		holt__text_add(text, g->scope.parent ? "(group)" : "(root)");
	}
	holt__text_add(text, " (");
	holt__text_tasks(text, g->count, g->background);
	if (g->limit > 0) {
		holt__text_add(text, " of ");
		holt__text_uint(text, g->limit);
	}
	holt__text_add(text, ")");
	if (g->phase != HOLT__OPEN)
		holt__text_add(text, g->phase == HOLT__CLOSING ? ", closing" : ", in its finally handlers");
	add_level(text, &g->scope);
	if (!holt__timer_started(&g->escalate))
		return;
	if (g->scope.seen <= HOLT__STOP)
		add_point(text, ", canceled", g->escalate.at, now);
	else
		add_point(text, g->scope.seen < HOLT__END ? ", next step" : ", exit", g->escalate.at, now);
}

static void add_task(struct holt__text *text, const holt_task *t, size_t columns, holt_time now)
{
	size_t before = text->len;

	holt__task_path(t, text);
	columns += text->len - before;
	before = text->len;
	if (!t->repeats) {
		holt__text_add(text, " [");
		holt__text_uint(text, t->id);
		holt__text_add(text, "]");
	}
	columns += text->len - before;
	holt__text_pad(text, ' ', columns < COLUMN ? COLUMN - columns : 1);
	holt__text_add(text, holt__task_state(t));
	holt__text_add(text, " ");
	holt__text_span(text, t == holt__self ? now - holt__time_min(t->loop->now, now) : now - holt__time_min(t->since, now));
	if (t->state == HOLT__PARKED && t != holt__self) {
		holt__text_add(text, ", ");
		holt__task_waits_for(t, text);
	}
	if (t->background)
		holt__text_add(text, ", in the background");
	if (t->scope->near != HOLT_NEVER)
		add_point(text, ", deadline", t->scope->near, now);
	if (t->heartbeat)
		add_heartbeat(text, t->heartbeat, now);
	add_level(text, t->scope);
}

/*
 * Calls line for each of them, at most so many times; the text is NUL-terminated, without a newline.
 * What line returns other than 0 ends the walk, and is returned.
 */
int holt__tree(struct holt__sched *s, size_t at_most, int (*line)(void *arg, const struct holt__text *text), void *arg)
{
	struct holt__scope *root = &s->root.scope;
	holt_time now = holt__fresh_now();
	char buf[LINE_MAX_BYTES];
	int r;

	for (struct holt__scope *i = root; i; i = holt__tree_next(root, i, true)) {
		struct holt__text text = HOLT__TEXT(buf);
		size_t columns;

		if (!has_line(i))
			continue;
		if (at_most-- == 0) {
			holt__text_add(&text, "... there are ");
			holt__text_tasks(&text, s->n_tasks, 0);
			return line(arg, &text);
		}
		columns = add_branches(&text, i);
		if (i->kind == HOLT__GROUP)
			add_group(&text, holt__scope_group(i), now);
		else
			add_task(&text, i->task, columns, now);
		r = line(arg, &text);
		if (r != 0)
			return r;
	}
	return 0;
}
