/* SPDX-License-Identifier: MIT */
/*
 * Groups: who is in them, how they escalate, and what comes out at the close.
 *
 * Escalation. A group that was stopped becomes canceled when its grace is over; one that was canceled at T with a
 * cleanup of C breaks its members' shields at T + C/2 and those of finally handlers at T + C; a root then has a
 * tenth of C, within 100 ms and 1 s, until the process leaves. One timer a group does all of it, for what was
 * asked of this group itself, or where its own time is shorter than what comes from outside; all
 * else reaches it through the tree.
 *
 * A -ECANCELED is judged when it comes: from outside, if what surrounds the group was canceled then, else
 * the group's own doing, if it was canceled.
 */
#include <errno.h>
#include <string.h>

#include "base/messages.h"
#include "base/options.h"
#include "sys/log.h"
#include "task/task.h"

/* The innermost group at s or around it. A group that the same task has opened around another one is its parent, too. */
static holt_group *group_around(struct holt__scope *s)
{
	while (s && s->kind != HOLT__GROUP)
		s = s->parent;
	return s ? holt__scope_group(s) : NULL;
}

holt_group *holt__group_parent(const holt_group *g)
{
	return group_around(g->scope.parent);
}

/* ---- escalation */

/* The grace that a stop of this group alone has: its own, else that of the next one out that says something. */
static holt_time grace_of(const holt_group *g)
{
	for (; g; g = holt__group_parent(g))
		if (g->grace)
			return g->grace == HOLT_NOW ? 0 : g->grace;
	return 0;
}

bool holt__group_zero_grace(const holt_group *g)
{
	return g->grace == HOLT_NOW || (g->scope.own >= HOLT__STOP && grace_of(g) == 0);
}

static void leave_process(holt_group *root)
{
	struct holt__sched *s = root->sched;
	char first[512] = "", since[64];
	struct holt__text text = HOLT__TEXT(since);

	holt__text_span(&text, holt__fresh_now() - root->canceled_at);
	holt__name_who_ignores(&root->scope, LOG_CRIT, since, first, sizeof first);
	if (s->overdue)
		s->overdue(s, first[0] ? first : "the end took too long");
	holt__log_flush(HOLT__LAST_WORDS);
	holt__sys->exit(1);
}

static void escalate(struct holt__timer *timer)
{
	holt_group *g = holt__container(timer, holt_group, escalate);

	if (g->scope.seen < HOLT__CANCEL)
		holt__scope_ask(&g->scope, HOLT__CANCEL, HOLT__NONE, NULL);
	else if (g->scope.seen < HOLT__BREAK)
		holt__scope_ask(&g->scope, HOLT__BREAK, HOLT__NONE, NULL);
	else if (g->scope.seen < HOLT__END)
		holt__scope_ask(&g->scope, HOLT__END, HOLT__NONE, NULL);
	else
		leave_process(g);
}

static void escalate_at(holt_group *g, holt_time at)
{
	holt__timer_stop(&g->escalate);
	g->escalate.fire = escalate;
	holt__timer_start(&g->sched->loop.timers, &g->escalate, at);
}

static void became_canceled(holt_group *g, holt_time now)
{
	holt_group *outer = holt__group_parent(g);
	holt_time from_outside = outer && outer->scope.seen >= HOLT__CANCEL ? outer->end_at : HOLT_NEVER;
	holt_time end = holt__time_add(now, g->cleanup);

	g->canceled_at = now;
	g->end_at = holt__time_min(end, from_outside);
	g->own_budget = g->scope.own >= HOLT__CANCEL || end < from_outside;
	holt__timer_stop(&g->escalate);
}

/* The scope's seen rose: starts what comes next, if that is ours to do. */
void holt__group_level_rose(holt_group *g, enum holt__level before, holt_time now)
{
	enum holt__level level = g->scope.seen;

	if (level == HOLT__STOP) {
		holt_time span = g->scope.own >= HOLT__STOP ? grace_of(g) : g->grace;

		if (span)
			escalate_at(g, holt__time_add(now, span));
	}
	if (level >= HOLT__CANCEL && before < HOLT__CANCEL)
		became_canceled(g, now);
	if (level >= HOLT__CANCEL && g->own_budget && g->end_at != HOLT_NEVER) {
		holt_time cleanup = g->end_at - g->canceled_at, last = cleanup / 10;

		last = last < 100 * HOLT_MS ? 100 * HOLT_MS : last > HOLT_SEC ? HOLT_SEC : last;
		if (level == HOLT__CANCEL)
			escalate_at(g, g->canceled_at + cleanup / 2);
		else if (level == HOLT__BREAK)
			escalate_at(g, g->end_at);
		else if (!g->scope.task)
			escalate_at(g, holt__time_add(g->end_at, last));
	}
	if (!g->scope.task && g->sched->level_changed)
		g->sched->level_changed(g->sched);
	if (g->hooks)
		g->hooks->level_rose(g);
}

/* ---- members */

bool holt__task_inside(const holt_task *t, const holt_group *g)
{
	for (; t; t = t->group->scope.task)
		if (t->group == g)
			return true;
	return false;
}

void holt__group_note_canceled(holt_group *g)
{
	if (holt__scope_outside(&g->scope) >= HOLT__CANCEL)
		g->canceled_outside = true;
	else if (g->scope.seen >= HOLT__CANCEL)
		g->canceled_inside = true;
}

static void tell_failure(holt_group *g, const holt_task *t, const char *path)
{
	struct holt_failure f = { .path = path, .id = t->id, .result = t->result };

	if (g->failed)
		g->failed(g->failed_arg, &f);
	else if (g->kind == HOLT_EACH || (g->kind == HOLT_ALL && g->has_failure))
		holt__log_id(HOLT__MSG_FAILED, LOG_WARNING, "%s failed: %s", path, strerror(-t->result));
}

/* Whether this failure will be the result, or be logged beside it, is known at the close only. */
static void keep_why(holt_group *g, const char *why)
{
	holt__free(g->failure_why);
	g->failure_why = NULL;
	if (!g->failed && (!g->scope.why || strcmp(g->scope.why, why) != 0))
		g->failure_why = holt__strdup(why);
}

static HOLT__COLD void member_failed(holt_group *g, holt_task *t)
{
	char why[384];
	struct holt__text text = HOLT__TEXT(why);

	holt__task_path(t, &text);
	tell_failure(g, t, why);
	if (g->kind == HOLT_ALL && g->has_failure)
		return;
	g->has_failure = true;
	g->failure = t->result;
	if (g->kind == HOLT_EACH)
		return;
	holt__text_add(&text, " failed: ");
	holt__text_add(&text, strerror(-t->result));
	if (g->kind == HOLT_ALL)
		holt__scope_ask(&g->scope, HOLT__CANCEL, HOLT__FAILURE, why);
	keep_why(g, why);
}

static void member_won(holt_group *g, holt_task *t)
{
	if (g->has_winner)
		return;
	g->has_winner = true;
	g->winner = t->result;
	holt__scope_ask(&g->scope, HOLT__CANCEL, HOLT__WINNER, NULL);
}

static void cancel_background(holt_group *g)
{
	for (struct holt__scope *s = g->first; s; s = s->next)
		holt__scope_ask(s, HOLT__CANCEL, HOLT__CLOSED, NULL);
}

/* Gives the place that has become free to the spawner that waits longest, who need not ask again. */
static void free_place(holt_group *g)
{
	g->count--;
	if (g->room.head && g->count < g->limit) {
		g->count++;
		holt__wake_first(&g->room, 0);
	}
}

static void keep_ended(holt_group *g, holt_task *t)
{
	struct holt__waiter *w = g->next_waiters.head;

	if (w) {
		*(holt_task **)w->data = t;
		holt__wake(w->task, 0);
		return;
	}
	t->spare = NULL;
	*g->ended_last = t;
	g->ended_last = &t->spare;
}

void holt__group_became_idle(holt_group *g)
{
	holt__wake_all(&g->idle, 0);
	holt__wake_all(&g->next_waiters, -ENOENT);
	if (g->phase != HOLT__CLOSING)
		return;
	if (g->first)
		cancel_background(g);
	else if (g->scope.task)
		holt__wake(g->scope.task, 0);
}

/* What comes of a member's end beside success. */
void holt__group_member_result(holt_group *g, holt_task *t)
{
	if (t->result == -ECANCELED)
		holt__group_note_canceled(g);
	else if (t->result < 0)
		member_failed(g, t);
	else if (g->kind == HOLT_ANY && !t->background)
		member_won(g, t);
}

/* The end of a member whose place or whose reference somebody else takes. */
void holt__group_member_handed_on(holt_group *g, holt_task *t)
{
	if (t->background)
		g->background--;
	else
		free_place(g);
	if (g->keep && !t->background)
		keep_ended(g, t);
	else
		holt_task_unref(t);
}

int holt__group_reserve_slowly(holt_group *g)
{
	holt_task *t;
	int r = holt__enter_to_wait(&t);

	if (r < 0)
		return r;
	if (holt__task_inside(t, g))
		return -EDEADLK;
	return holt__wait_here(t, &g->room, NULL, NULL, "room in group", g);
}

void holt__group_unreserve(holt_group *g)
{
	free_place(g);
	if (g->count == 0)
		holt__group_became_idle(g);
}

/* ---- opening, waiting */

void holt__group_init(
	holt_group *g, struct holt__sched *s, holt_group *outer, const struct holt_group_options *o, const char *name)
{
	memset(g, 0, sizeof *g);
	g->kind = (uint8_t)o->kind;
	g->limit = o->limit;
	g->keep = o->keep;
	g->grace = o->grace;
	g->cleanup = o->cleanup ? o->cleanup : outer ? HOLT_NEVER : HOLT__CLEANUP_DEFAULT;
	if (outer)
		g->cleanup = holt__time_min(g->cleanup, outer->cleanup);
	g->failed = o->failed;
	g->failed_arg = o->failed_arg;
	g->ended_last = &g->ended_first;
	g->sched = s;
	g->id = ++s->last_id;
	g->name = name;
}

int holt_group_open_with(holt_group **ret_group, const struct holt_group_options *options)
{
	struct holt_group_options o;
	holt_task *t = holt__self;
	holt_group *g;
	size_t n;
	int r;

	r = holt__options(&o, sizeof o, options);
	if (r < 0)
		return r;
	if (!ret_group || (unsigned)o.kind > HOLT_EACH)
		return -EINVAL;
	if (!t) {
		holt__check_fork("holt_group_open");
		return -EPERM;
	}
	n = o.name ? strlen(o.name) + 1 : 0;
	g = holt__malloc(sizeof *g + n);
	if (!g)
		return -ENOMEM;
	holt__group_init(g, holt__sched(t->loop), group_around(t->scope), &o, n ? memcpy(g + 1, o.name, n) : NULL);
	holt__scope_open(&g->scope, t->scope, t, HOLT__GROUP, 0, o.deadline ? o.deadline : HOLT_NEVER);
	holt__scope_push(t, &g->scope, o.deadline ? o.deadline : HOLT_NEVER);
	*ret_group = g;
	return 0;
}

int holt_finally(holt_group *g, holt_finally_fn fn, void *arg)
{
	struct holt__finally *f;

	holt__check_fork("holt_finally");
	if (!g || !fn)
		return -EINVAL;
	if (g->sched != holt__here)
		return -EPERM;
	if (g->phase == HOLT__FINISHING)
		return -ESHUTDOWN;
	f = holt__malloc(sizeof *f);
	if (!f)
		return -ENOMEM;
	*f = (struct holt__finally){ .next = g->finally, .fn = fn, .arg = arg };
	g->finally = f;
	return 0;
}

void holt_group_stop(holt_group *g, const char *why)
{
	holt__check_fork("holt_group_stop");
	if (!g)
		return;
	holt__check_thread(g->sched, "holt_group_stop");
	holt__scope_ask(&g->scope, HOLT__STOP, HOLT__STOPPED, why);
}

void holt_group_cancel(holt_group *g, const char *why)
{
	holt__check_fork("holt_group_cancel");
	if (!g)
		return;
	holt__check_thread(g->sched, "holt_group_cancel");
	holt__scope_ask(&g->scope, HOLT__CANCEL, HOLT__CANCELED, why);
}

size_t holt_group_count(holt_group *g)
{
	return g ? g->count : 0;
}

int holt_group_wait(holt_group *g)
{
	holt_task *t;
	int r;

	if (!g)
		return -EINVAL;
	r = holt__enter(&t);
	if (r < 0)
		return r;
	if (g->sched != holt__here)
		return -EPERM;
	if (holt__task_inside(t, g))
		return -EDEADLK;
	return g->count == 0 ? 0 : holt__wait_here(t, &g->idle, NULL, NULL, "group", g);
}

int holt_group_next(holt_group *g, holt_task **ret_task)
{
	holt_task *t;
	int r;

	if (!g || !ret_task || !g->keep)
		return -EINVAL;
	r = holt__enter(&t);
	if (r < 0)
		return r;
	if (g->sched != holt__here)
		return -EPERM;
	if (holt__task_inside(t, g))
		return -EDEADLK;
	if (g->ended_first) {
		*ret_task = g->ended_first;
		g->ended_first = g->ended_first->spare;
		if (!g->ended_first)
			g->ended_last = &g->ended_first;
		return 0;
	}
	if (g->count == 0)
		return -ENOENT;
	return holt__wait_here(t, &g->next_waiters, NULL, ret_task, "next of group", g);
}

/* ---- closing */

static HOLT__COLD void log_failure_beside(const holt_group *g, int result)
{
	const char *why = g->failure_why;

	if (!why) /* the scope's reason says it; or there was no memory, and the error alone is known */
		why = g->scope.cause == HOLT__FAILURE && g->scope.why_owned ? g->scope.why : strerror(-g->failure);
	holt__log_id(HOLT__MSG_FAILED, LOG_WARNING, "%s (beside the group's own result: %s)", why,
		result < 0 ? strerror(-result) : "success");
}

/* The result of a group whose members are all gone. */
int holt__group_end(holt_group *g, int result)
{
	bool given = result < 0 && result != -ECANCELED;
	int r = result;

	if (given)
		goto out;
	if (g->canceled_outside) {
		r = -ECANCELED;
		goto out;
	}
	if (g->canceled_inside) {
		switch (g->scope.cause) {
		case HOLT__DEADLINE:
			r = -ETIME;
			goto out;
		case HOLT__CLOSED:
		case HOLT__NONE:
			break;
		default:
			r = 0; /* a failure or a winner beside it is the result, see below */
		}
	}
	if (r < 0)
		goto out;
	if (g->kind == HOLT_ALL && g->has_failure)
		return g->failure;
	if (g->kind == HOLT_ANY && g->has_winner)
		return g->winner;
	if (g->kind == HOLT_ANY && g->has_failure)
		return g->failure;
out:
	if ((g->kind == HOLT_ALL || (g->kind == HOLT_ANY && given)) && g->has_failure && !g->failed)
		log_failure_beside(g, r);
	return r;
}

static void log_finally(holt_group *g, size_t number, holt_finally_fn fn, const char *what)
{
	char path[256];
	struct holt__text text = HOLT__TEXT(path);

	holt__group_path(g, &text);
	if (text.len == 0)
		holt__text_add(&text, "group");
	holt__text_add(&text, ": finally handler ");
	holt__text_uint(&text, number);
	holt__text_add(&text, " (");
	holt__symbol((uintptr_t)fn, &text);
	holt__text_add(&text, ")");
	holt__log_id(HOLT__MSG_FINALLY, LOG_WARNING, "%s %s", path, what);
}

/* Newest first, each once, in a shield that lasts as long as the cleanup does. */
static void run_finally(holt_group *g, holt_task *t, int result)
{
	holt_time end = g->scope.seen >= HOLT__CANCEL ? g->end_at : holt__time_add(holt__fresh_now(), g->cleanup);
	struct holt__scope shield;

	holt__scope_open(&shield, &g->scope, t, HOLT__SCOPE, HOLT_SHIELD | HOLT__FINALLY, end);
	holt__scope_push(t, &shield, end);
	for (size_t number = 1; g->finally; number++) {
		struct holt__finally f = *g->finally;
		bool had_time = shield.seen < HOLT__CANCEL;
		int r;

		holt__free(g->finally);
		g->finally = f.next;
		holt__event(t, HOLT__RUNS_FINALLY);
		r = f.fn(f.arg, result);
		if (t->scope != &shield)
			holt__die("a finally handler returned with an open scope or group");
		if (r < 0)
			log_finally(g, number, f.fn, strerror(-r));
		else if (had_time && shield.seen >= HOLT__CANCEL)
			log_finally(g, number, f.fn, "took longer than the cleanup allows");
	}
	holt__scope_pop(t, &shield);
	holt__scope_close(&shield);
}

static void drop_ended(holt_group *g)
{
	while (g->ended_first) {
		holt_task *ended = g->ended_first;

		g->ended_first = ended->spare;
		holt_task_unref(ended);
	}
}

int holt_group_close(holt_group *g, int result)
{
	holt_task *t = holt__self;

	if (!g)
		return result;
	if (!t) {
		holt__check_fork("holt_group_close");
		return -EPERM;
	}
	if (g->scope.task != t)
		return -EPERM;
	if (t->scope != &g->scope || g->phase != HOLT__OPEN)
		return -EINVAL;

	g->phase = HOLT__CLOSING;
	if (result == -ECANCELED)
		holt__group_note_canceled(g);
	if (result < 0 && g->scope.seen < HOLT__CANCEL)
		holt__scope_ask(&g->scope, HOLT__CANCEL, HOLT__CLOSED, strerror(-result));
	if (g->count == 0 && g->first)
		cancel_background(g);
	t->uncancelable = true;
	while (g->first || g->count > 0)
		holt__park(t, "closes group", g);
	t->uncancelable = false;

	g->phase = HOLT__FINISHING;
	result = holt__group_end(g, result);
	if (g->finally)
		run_finally(g, t, result);
	drop_ended(g);
	holt__timer_stop(&g->escalate);
	holt__scope_pop(t, &g->scope);
	holt__scope_close(&g->scope);
	holt__free(g->failure_why);
	holt__free(g);
	return result;
}

void holt_auto_group(holt_group **g)
{
	int saved = errno;

	if (*g)
		holt_group_close(*g, -ECANCELED);
	errno = saved;
}
