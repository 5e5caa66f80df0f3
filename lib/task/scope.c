/* SPDX-License-Identifier: MIT */
/*
 * Scopes: how a stop, a cancellation and a deadline spread, and what comes of them at the end.
 *
 * To ask something of a scope raises its own level; then the subtree is walked, parents first, by
 * iteration (trees may be deeper than any stack), and each scope's seen is made anew from its own and
 * its parent's. A branch in which nothing changes is not walked. The walk only sets levels, starts timers and
 * queues tasks: it never runs their code, so the tree stays as it is meanwhile.
 */
#include <errno.h>
#include <string.h>

#include <holt/log.h>

#include "base/messages.h"
#include "task/task.h"

enum { NAME_AT_MOST = 10 };
#define NAG_FIRST HOLT_SEC
#define NAG_MAX HOLT_MIN

enum holt__level holt__scope_outside(const struct holt__scope *s)
{
	enum holt__level level = s->parent ? s->parent->seen : HOLT__RUN;

	if ((s->flags & HOLT_SHIELD) && level < (s->flags & HOLT__FINALLY ? HOLT__END : HOLT__BREAK))
		return HOLT__RUN;
	if (holt__unlikely(s->flags & HOLT__IN_TURN) && level == HOLT__STOP)
		return HOLT__RUN;
	return level;
}

static enum holt__level view(const struct holt__scope *s)
{
	enum holt__level outside = holt__scope_outside(s), level = s->own > outside ? s->own : outside;

	if (level != HOLT__STOP)
		return level;
	if (s->flags & HOLT_ON_STOP)
		return HOLT__CANCEL;
	if (s->kind == HOLT__GROUP && holt__group_zero_grace(holt__container(s, holt_group, scope)))
		return HOLT__CANCEL;
	return level;
}

struct holt__scope *holt__tree_next(struct holt__scope *root, struct holt__scope *s, bool descend)
{
	holt_group *g;

	if (descend) {
		if (s->inner)
			return s->inner;
		g = holt__scope_group(s);
		if (g && g->first)
			return g->first;
	}
	while (s != root) {
		if (s->kind == HOLT__TASK) {
			if (s->next) {
				if (s->next->next)
					holt__prefetch(holt__container(s->next->next, holt_task, own));
				return s->next;
			}
		} else {
			g = holt__scope_group(s->parent); /* the inner one came first, now the members */
			if (g && g->first)
				return g->first;
		}
		s = s->parent;
	}
	return NULL;
}

static struct holt__wheel *wheel(struct holt__scope *s)
{
	return &(s->task ? s->task->loop : &holt__container(s, holt_group, scope)->sched->loop)->timers;
}

static void name_again(struct holt__timer *timer);

/* A canceled scope's timer has no deadline to keep any more: it will name who ignores the cancellation. */
static void start_naming(struct holt__scope *s, holt_time now)
{
	unsigned shift = s->nagged < 6 ? s->nagged : 6;

	holt__timer_stop(&s->timer);
	s->timer.fire = name_again;
	holt__timer_start(wheel(s), &s->timer, holt__time_add(now, holt__time_min(NAG_FIRST << shift, NAG_MAX)));
}

/* Makes s->seen anew; false: nothing has changed. */
static bool look(struct holt__scope *s, holt_time now)
{
	enum holt__level before = s->seen, level = view(s);

	if (level <= before)
		return false;
	s->seen = level;
	if (level >= HOLT__CANCEL && s->cause == HOLT__NONE && holt__scope_outside(s) < HOLT__CANCEL)
		s->cause = HOLT__STOPPED; /* a stop from outside that this scope asked to be ended by, or has no grace for */
	if (s->kind == HOLT__GROUP)
		holt__group_level_rose(holt__container(s, holt_group, scope), before, now);
	if (level >= HOLT__CANCEL && before < HOLT__CANCEL && (s->own >= HOLT__CANCEL || holt__scope_outside(s) < HOLT__CANCEL))
		start_naming(s, now);
	if (level >= HOLT__CANCEL && before < HOLT__CANCEL && s->kind == HOLT__TASK)
		holt__event(s->task, HOLT__WAS_CANCELED);
	if (level >= HOLT__CANCEL && !s->inner && s->task && s->task->scope == s)
		holt__interrupt(s->task);
	return true;
}

static void spread(struct holt__scope *root, holt_time now)
{
	struct holt__scope *s = root;

	while (s)
		s = holt__tree_next(root, s, look(s, now));
}

static void record_why(struct holt__scope *s, const char *why, const char *otherwise)
{
	if (s->why) {
		if (s->repeats < UINT16_MAX)
			s->repeats++;
		return;
	}
	s->why = why ? holt__strdup(why) : NULL;
	s->why_owned = s->why != NULL;
	if (!s->why)
		s->why = otherwise; /* none given, or no memory for it */
}

static const char *default_why(enum holt__cause cause)
{
	static const char *const text[] = {
		[HOLT__STOPPED] = "stopped",
		[HOLT__CANCELED] = "canceled",
		[HOLT__DEADLINE] = "deadline passed",
		[HOLT__FAILURE] = "a task failed",
		[HOLT__WINNER] = "another task was first",
		[HOLT__CLOSED] = "its group closes",
	};

	return text[cause];
}

void holt__scope_ask(struct holt__scope *s, enum holt__level level, enum holt__cause cause, const char *why)
{
	if (cause != HOLT__NONE)
		record_why(s, why, default_why(cause));
	if (level <= s->own)
		return;
	s->own = (uint8_t)level;
	if (level >= HOLT__CANCEL && s->cause == HOLT__NONE)
		s->cause = (uint8_t)cause;
	spread(s, holt__fresh_now());
}

/* The time of finally handlers is the end of a cleanup: shields that they began break with it. */
static enum holt__level level_at_deadline(const struct holt__scope *s)
{
	return s->flags & HOLT__FINALLY ? HOLT__END : HOLT__CANCEL;
}

static void deadline_passed(struct holt__timer *timer)
{
	struct holt__scope *s = holt__container(timer, struct holt__scope, timer);

	if (s->seen < level_at_deadline(s)) /* else what came before, from further out, is the reason, and stays it */
		holt__scope_ask(s, level_at_deadline(s), HOLT__DEADLINE, NULL);
}

static void name_again(struct holt__timer *timer)
{
	struct holt__scope *s = holt__container(timer, struct holt__scope, timer);
	char since[64];
	struct holt__text text = HOLT__TEXT(since);
	unsigned doubled = ++s->nagged < 6 ? s->nagged : 6;

	holt__text_span(&text, (NAG_FIRST << doubled) - NAG_FIRST + (s->nagged - doubled) * NAG_MAX);
	holt__name_who_ignores(s, LOG_WARNING, since, NULL, 0);
	start_naming(s, holt__fresh_now());
}

/* Not who waits for the members of a group that it closes, nor a finally handler that is still within its time. */
static bool holds_up(const holt_task *t)
{
	if (t->state == HOLT__PARKED && t->waits_on == t->scope)
		return false;
	if (t->scope->seen >= HOLT__CANCEL)
		return true;
	for (const struct holt__scope *s = t->scope; s->kind != HOLT__TASK; s = s->parent)
		if (s->flags & HOLT__FINALLY)
			return false;
	return true;
}

/*
 * Names in the log each task inside s that is still there, a line each; one that only waits for the members of
 * a group that it closes is not named, for they are. first receives the first line, if somebody wants it.
 */
void holt__name_who_ignores(struct holt__scope *s, int priority, const char *since, char *first, size_t first_size)
{
	unsigned named = 0, more = 0;

	for (struct holt__scope *i = s; i; i = holt__tree_next(s, i, true)) {
		char line[512];
		struct holt__text text = HOLT__TEXT(line);
		holt_task *t = i->task;

		if (!t || t->scope != i || !holds_up(t))
			continue;
		if (named == NAME_AT_MOST) {
			more++;
			continue;
		}
		holt__task_path(t, &text);
		holt__text_add(&text, " has not ended ");
		holt__text_add(&text, since);
		holt__text_add(&text, " after it was canceled (");
		holt__text_add(&text, s->why ? s->why : "no reason");
		holt__text_add(&text, t->scope->seen < HOLT__CANCEL ? "): shielded, " : "): ");
		holt__task_waits(t, &text);
		if (first && named == 0) {
			strncpy(first, line, first_size - 1);
			first[first_size - 1] = 0;
		}
		named++;
		holt__log_id(priority == LOG_CRIT ? HOLT__MSG_HELD_UP : HOLT__MSG_IGNORES, priority, "%s", line);
	}
	if (more > 0)
		holt_log(priority, "and %u tasks more", more);
}

/* ---- opening and closing */

void holt__scope_look(struct holt__scope *s)
{
	look(s, holt__fresh_now());
}

void holt__scope_push(holt_task *t, struct holt__scope *s, holt_time deadline)
{
	t->scope->inner = s;
	t->scope = s;
	if (holt__unlikely(s->seen >= HOLT__CANCEL))
		return; /* born canceled: a deadline says nothing more, and the timer names those who ignore it */
	if (deadline <= t->loop->now) {
		holt__scope_ask(s, level_at_deadline(s), HOLT__DEADLINE, NULL);
	} else if (s->near == deadline && deadline != HOLT_NEVER) { /* else one further out comes earlier, and takes us with it */
		s->timer.fire = deadline_passed;
		holt__timer_start(&t->loop->timers, &s->timer, deadline);
	}
}

void holt__scope_pop(holt_task *t, struct holt__scope *s)
{
	t->scope = s->parent;
	s->parent->inner = NULL;
}

static void free_locals(struct holt__scope *s)
{
	while (s->locals) {
		struct holt__local *l = s->locals;

		s->locals = l->next;
		if (l->key->free && l->value)
			l->key->free(l->value);
		holt__free(l);
	}
}

HOLT__COLD void holt__scope_close_slowly(struct holt__scope *s)
{
	free_locals(s);
	if (s->why_owned)
		holt__free((char *)s->why);
	s->why = NULL;
	s->why_owned = false;
}

/* ---- the public face */

static struct holt__scope *inside(struct holt_scope *s)
{
	return (struct holt__scope *)s;
}

void holt_scope_begin(struct holt_scope *scope, holt_time deadline, unsigned flags)
{
	holt_task *t = holt__self;

	if (!t) {
		holt__check_fork("holt_scope_begin");
		holt__die("holt_scope_begin: only a task can open a scope");
	}
	if (flags & ~(unsigned)(HOLT_ON_STOP | HOLT_SHIELD))
		holt__die("holt_scope_begin: unknown flags");
	if ((flags & HOLT_SHIELD) && deadline == HOLT_NEVER)
		holt__die("holt_scope_begin: a shield needs a finite deadline");
	for (const struct holt__scope *i = t->scope; i->kind != HOLT__TASK; i = i->parent)
		if (holt__unlikely(i == inside(scope))) /* it would be its own parent, and every walk endless */
			holt__die("holt_scope_begin: this scope was begun already, and has not ended");
	holt__scope_open(inside(scope), t->scope, t, HOLT__SCOPE, flags, deadline);
	holt__scope_push(t, inside(scope), deadline);
}

ssize_t holt_scope_end(struct holt_scope *scope, ssize_t r)
{
	struct holt__scope *s = inside(scope);
	holt_task *t = holt__self;

	if (!t || t->scope != s)
		holt__die(
			"holt_scope_end: this is not the innermost scope of the calling task; scopes and groups end in the reverse order of their beginning");
	if (r == -ECANCELED && s->seen >= HOLT__CANCEL && holt__scope_outside(s) < HOLT__CANCEL) {
		if (s->cause == HOLT__DEADLINE)
			r = -ETIME;
		else if (s->cause == HOLT__STOPPED)
			r = -ESHUTDOWN;
	}
	holt__scope_pop(t, s);
	holt__scope_close(s);
	return r;
}

void holt_scope_cancel(struct holt_scope *scope, const char *why)
{
	holt__check_fork("holt_scope_cancel");
	holt__check_thread(holt__sched(inside(scope)->task->loop), "holt_scope_cancel");
	holt__scope_ask(inside(scope), HOLT__CANCEL, HOLT__CANCELED, why);
}

int holt_timeout(holt_time span, holt_fn fn, void *arg)
{
	struct holt_scope s;

	if (!holt__self) {
		holt__check_fork("holt_timeout");
		return -EPERM;
	}
	if (!fn)
		return -EINVAL;
	holt_scope_begin(&s, span ? holt__time_add(holt__fresh_now(), span) : 0, 0); /* 0: past, whatever the turn's clock says */
	return (int)holt_scope_end(&s, fn(arg));
}

/* The next one out that the code inside s may know of: not what is around one whose turn to stop has not come. */
static const struct holt__scope *known_parent(const struct holt__scope *s)
{
	return (s->flags & HOLT__IN_TURN) && s->seen == HOLT__RUN ? NULL : s->parent;
}

bool holt_stopping(void)
{
	if (!holt__self)
		return false;
	for (const struct holt__scope *s = holt__self->scope; s; s = known_parent(s))
		if (s->own >= HOLT__STOP)
			return true;
	return false;
}

const char *holt__scope_why(const struct holt__scope *s)
{
	for (; s; s = known_parent(s))
		if (s->why)
			return s->why;
	return NULL;
}

const char *holt_why(void)
{
	return holt__self ? holt__scope_why(holt__self->scope) : NULL;
}

int holt_check(void)
{
	holt_task *t = holt__self;

	if (!t) {
		holt__check_fork("holt_check");
		return 0;
	}
	if (t->scope->near != HOLT_NEVER && t->scope->seen < HOLT__CANCEL) {
		holt_time now = holt__fresh_now();

		if (t->scope->near <= now) {
			t->loop->now = now; /* whoever this wakes shall not see an earlier time than it waited for */
			holt__wheel_run(&t->loop->timers, now); /* only queues, as in a turn */
		}
	}
	return t->scope->seen >= HOLT__CANCEL ? -ECANCELED : 0;
}
