/* SPDX-License-Identifier: MIT */
/*
 * A simulated run: who is next, where the cancellation comes, and what is found.
 *
 * It stands on four seams of the library: the tables of system calls and of memory, the choice of the next ready task, and the
 * events of those who look on. The first problem that is found is the report; then the root is canceled, for all shall
 * end as a program's end does. Time jumps, so even a tree that is stuck comes to the end of its cleanup, and is thrown away
 * there: only then are frames lost.
 */
#include <errno.h>
#include <string.h>

#include "base/options.h"
#include "sim/sim.h"

enum { PICK_FROM = 16, TASKS_FROM = 64 };
#define SWITCHES_MAX 1000000
#define EPOCH (1000 * HOLT_SEC)
enum { ROOM_FOR_THE_END = 160 }; /* of the report's text, for what abandon() has to say */

struct holt__sim *holt__sim;
static __thread bool here;

/* A task that a reference may be left to; its record is in the pool of stacks, which live until the loop's end. */
struct holt__sim_task {
	holt_task *t;
	uint64_t id;
	char who[HOLT__SIM_WHO];
};

bool holt__sim_here(void)
{
	return here;
}

static void name_task(const holt_task *t, char who[HOLT__SIM_WHO])
{
	struct holt__text text = { .buf = who, .size = HOLT__SIM_WHO };

	who[0] = 0;
	holt__task_path(t, &text);
}

void holt__sim_who(char who[HOLT__SIM_WHO])
{
	if (holt__self)
		name_task(holt__self, who);
	else
		memcpy(who, "no task", sizeof "no task");
}

/* ---- problems */

struct holt__text *holt__sim_problem(struct holt__sim *s, int error)
{
	static struct holt__text text;

	if (s->problem)
		return NULL;
	s->problem = error;
	s->report.failures = 1;
	s->report.bad_seed = s->o.seed;
	s->report.bad_n = s->o.cancel_at ? s->o.cancel_at : s->o.fail_alloc_at ? s->o.fail_alloc_at : s->o.fail_syscall_at;
	text = (struct holt__text){ .buf = s->report.text, .size = sizeof s->report.text - ROOM_FOR_THE_END };
	return &text;
}

/* A line for each task below the root: who waits for what, and who holds finally handlers. */
static void add_tree(struct holt__sim *s, struct holt__text *text)
{
	struct holt__scope *root = &s->sched->root.scope;

	for (struct holt__scope *i = root; i; i = holt__tree_next(root, i, true)) {
		const holt_group *g = holt__scope_group(i);

		if (i->kind == HOLT__TASK) {
			holt__text_add(text, "\n");
			holt__task_path(i->task, text);
			holt__text_add(text, ": ");
			holt__task_waits(i->task, text);
		} else if (g && g->finally) {
			size_t n = 0;

			for (const struct holt__finally *f = g->finally; f; f = f->next)
				n++;
			holt__text_add(text, "\ngroup ");
			holt__group_path(g, text);
			holt__text_add(text, ": finally handlers to run: ");
			holt__text_uint(text, n);
		}
	}
}

/* What is asked for now must end by itself; the end of its cleanup is abandon(). */
static void cancel_root(struct holt__sim *s)
{
	s->idle = 0;
	s->switches = s->empty = 0;
	holt__scope_ask(&s->sched->root.scope, HOLT__CANCEL, HOLT__CANCELED, "simulator: a problem was found");
}

static void abandon(struct holt__sim *s)
{
	size_t used = strlen(s->report.text);
	struct holt__text text = { .buf = s->report.text, .size = sizeof s->report.text, .len = used };

	if (s->sched->abandoned)
		return;
	s->sched->abandoned = true;
	holt__text_add(&text, "\nnot even a cancellation ends it:");
	add_tree(s, &text);
}

void holt__sim_stuck(struct holt__sim *s)
{
	struct holt__text *text = holt__sim_problem(s, -EDEADLK);

	if (!text) {
		abandon(s);
		return;
	}
	holt__text_add(text, "deadlock: every task waits, and nothing will come");
	add_tree(s, text);
	cancel_root(s);
}

void holt__sim_overdue(struct holt__sim *s)
{
	struct holt__text *text = holt__sim_problem(s, -ETIMEDOUT);

	if (text)
		holt__text_add(text, "the end took longer than the cleanup allows");
	abandon(s);
}

static void livelock(struct holt__sim *s, uint64_t n, const char *of_what)
{
	struct holt__text *text = holt__sim_problem(s, -EOVERFLOW);

	if (!text) {
		abandon(s);
		return;
	}
	holt__text_add(text, "livelock: ");
	holt__text_uint(text, n);
	holt__text_add(text, of_what);
	add_tree(s, text);
	cancel_root(s);
}

/* ---- who is next */

static struct holt__ready *pick(struct holt_loop *loop)
{
	struct holt__sim *s = holt__sim;
	struct holt__ready **where = &loop->ready;
	unsigned n = 0;

	if (!loop->ready) { /* something is always ready, and wakes nobody */
		if (++s->empty > s->o.max_switches)
			livelock(s, s->empty, " turns of the loop in which no task ran");
		return NULL;
	}
	if (++s->switches > s->o.max_switches)
		livelock(s, s->switches, " switches between tasks");
	if (s->sched->abandoned)
		return NULL;
	s->empty = 0;
	s->idle = 0;
	if (s->o.keep_order)
		return holt__ready_take(loop, where);
	for (struct holt__ready *r = *where; r && n < PICK_FROM; r = r->next)
		n++;
	if (n > 1)
		for (n = (unsigned)(holt__sim_random(s) % n); n > 0; n--)
			where = &(*where)->next;
	return holt__ready_take(loop, where);
}

/* ---- looking on */

/* Those whose records others have by now are of no interest any more. */
static bool make_room(struct holt__sim *s)
{
	size_t n = 0, size;
	struct holt__sim_task *more;

	for (size_t i = 0; i < s->n_tasks; i++)
		if (s->tasks[i].t->id == s->tasks[i].id && s->tasks[i].t->refs > 0)
			s->tasks[n++] = s->tasks[i];
	s->n_tasks = n;
	if (n < s->tasks_size / 2)
		return true;
	size = s->tasks_size ? 2 * s->tasks_size : TASKS_FROM;
	more = holt__alloc_libc.realloc(s->tasks, size * sizeof *more);
	if (!more)
		return n < s->tasks_size;
	s->tasks = more;
	s->tasks_size = size;
	return true;
}

static void spawned(struct holt__sim *s, holt_task *t)
{
	if (s->n_tasks == s->tasks_size && !make_room(s))
		return;
	s->tasks[s->n_tasks] = (struct holt__sim_task){ .t = t, .id = t->id };
	name_task(t, s->tasks[s->n_tasks++].who);
}

static void suspended(struct holt__sim *s, holt_task *t)
{
	char why[64];
	struct holt__text text = HOLT__TEXT(why);

	if (++s->report.suspensions != s->o.cancel_at)
		return;
	holt__text_add(&text, "simulator: suspension ");
	holt__text_uint(&text, s->report.suspensions);
	holt_task_cancel(s->o.cancel_one || !s->sched->main ? t : s->sched->main, why);
}

static void on_event(void *arg, int event, holt_task *t)
{
	if (event == HOLT__SPAWNED)
		spawned(arg, t);
	else if (event == HOLT__SUSPENDED)
		suspended(arg, t);
}

/* ---- the run */

static int begin(struct holt__sched *sched, void *arg)
{
	struct holt__sim *s = arg;

	s->sched = sched;
	sched->sim.fn = on_event;
	sched->sim.arg = s;
	sched->pick = pick;
	holt__look_on(sched);
	return 0;
}

static void look_for_references(struct holt__sim *s)
{
	for (size_t i = 0; i < s->n_tasks; i++) {
		const struct holt__sim_task *t = &s->tasks[i];
		struct holt__text *text;

		if (t->t->id != t->id || t->t->refs == 0)
			continue;
		text = holt__sim_problem(s, -EUCLEAN);
		if (!text)
			return;
		holt__text_add(text, "task ");
		holt__text_add(text, t->who);
		holt__text_add(text, ": a reference to it was not dropped");
	}
}

/* Its stacks are still there. */
static void end(struct holt__sched *sched, void *arg)
{
	struct holt__sim *s = arg;

	sched->sim.fn = NULL;
	sched->pick = NULL;
	holt__look_on(sched);
	if (s->sched && !sched->abandoned)
		look_for_references(s);
	s->sched = NULL;
}

static int main_task(void *arg)
{
	struct holt__sim *s = arg;

	s->result = s->fn(s->arg);
	s->returned = true;
	return s->result;
}

static int check(const struct holt_sim *s, holt_fn fn, struct holt_sim *ret)
{
	int r = holt__options(ret, sizeof *ret, s);

	if (r < 0)
		return r;
	if (!fn || ret->short_io_percent > 100 || ret->eintr_percent > 99)
		return -EINVAL;
	if (ret->max_switches == 0)
		ret->max_switches = SWITCHES_MAX;
	return holt__sim || (holt__here && holt__here->running) ? -EDEADLK : 0;
}

/* A loop that was asked for before the run has read the clock, and has been allocated: as if it were new. */
static void renew_loop(struct holt__sim *s, holt_time now)
{
	struct holt_loop *loop;

	if (!holt__here)
		return;
	loop = &holt__here->loop;
	loop->now = loop->polled = now;
	holt__wheel_init(&loop->timers, now);
	s->report.allocations = 1;
}

int holt_sim_run(const struct holt_sim *options, holt_fn fn, void *arg, struct holt_sim_report *ret)
{
	struct holt__sim s = { .fn = fn, .arg = arg, .report.runs = 1, .signalfd = -1 };
	struct holt__run_hooks hooks = { .begin = begin, .end = end, .arg = &s, .own_signals = true };
	static const struct holt_run_options defaults = { .size = sizeof defaults };
	holt_time now;
	int r;

	if (ret)
		memset(ret, 0, sizeof *ret);
	r = check(options, fn, &s.o);
	if (r < 0)
		return r;
	s.random = s.o.seed;
	holt__sim = &s;
	here = true;
	holt__sim_leaks_begin();
	now = EPOCH +
		s.o.seed % 1000003; /* what the library draws from the clock, as the jitter of a back-off, is by seed, too */
	holt__sim_world_begin(now);
	renew_loop(&s, now);
	r = holt__run(&defaults, main_task, &s, &hooks);
	holt__sim_world_end();
	holt__sim_leaks_end(&s);
	here = false;
	holt__sim = NULL;
	holt__alloc_libc.free(s.tasks);
	if (ret)
		*ret = s.report;
	return s.problem ? s.problem : s.returned ? s.result : r;
}
