/* SPDX-License-Identifier: MIT */
/*
 * See finish.h. A group that is armed has a struct finishing from then on, until the last of its commands has ended. A command
 * whose start is canceled (the last shield of the runner is broken) is not done: it is tried again when the runner goes on.
 * One that cannot be started for want of memory or descriptors is tried again for its FinallyTimeoutSec=; then the next one runs, and
 * it stays in the records: it is owed to the next recovery.
 */
#include "daemon/finish.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <syslog.h>

#include "base/alloc.h"
#include "daemon/child.h"
#include "daemon/messages.h"
#include "daemon/tell.h"

#define RETRY (100 * HOLT_MS)

struct finishing {
	struct finishing *next;
	struct runner *runner;
	struct unit *unit;
	struct invocation id; /* of this time that the group is up */
	uint64_t activation;  /* the same, in the records */
	struct lines_node *log;
	size_t left;         /* the next to be run is left - 1 */
	holt_time try_until; /* it could not be started so far; 0: it has not been tried */
	struct running running;
	struct holt__timer timer;
	struct orphan_wait orphans; /* what the last one left */
	bool begun, late;
};

static const struct command *command_of(const struct finishing *f)
{
	return &f->unit->conf->finally.v[f->left - 1];
}

static struct finishing **find(struct runner *r, const struct unit *u)
{
	struct finishing **f = &r->finishing;

	while (*f && (*f)->unit != u)
		f = &(*f)->next;
	return f;
}

static void step(struct finishing *f);

static void drop(struct finishing *f)
{
	struct runner *r = f->runner;

	*find(r, f->unit) = f->next;
	holt__timer_stop(&f->timer);
	running_close(r, &f->running);
	lines_node_close(f->log);
	orphans_unwait(&r->orphans, &f->orphans);
	holt__free(f);
}

/* Well or not: the newest is owed no more. */
static void done(struct finishing *f)
{
	(void)state_done(f->runner->state, f->activation, (unsigned)f->left - 1);
	f->left--;
}

static void go_on(struct finishing *f)
{
	struct runner *r = f->runner;

	done(f);
	step(f); /* and it may be gone */
	runner_drain(r);
}

static void exited(struct watch *w, uint32_t events)
{
	struct finishing *f = holt__container(holt__container(w, struct running, watch), struct finishing, running);
	const struct command *c = command_of(f);
	struct holt_exit x;

	(void)events;
	f->orphans.group = holt_process_pid(f->running.process);
	(void)kill(-f->orphans.group, SIGKILL);
	if (!running_exit(f->runner, &f->running, &x))
		return;
	f->running.out = lines_finish(f->running.out);
	holt__timer_stop(&f->timer);
	if (f->late)
		tell(f->unit, LOG_ERR, MSG_FINALLY, "%s:%u: Finally=%s took longer than FinallyTimeoutSec=, and was killed",
			c->file, c->line, c->text);
	else if ((x.signaled || x.code) && !c->ignore)
		tell(f->unit, LOG_ERR, MSG_FINALLY, "%s:%u: Finally=%s %s %d", c->file, c->line, c->text,
			x.signaled ? "was killed by signal" : "ended with", x.code);
	f->orphans.id = f->id;
	f->orphans.signal = SIGKILL;
	orphans_wait(&f->runner->orphans, &f->orphans);
	watch_timer(&f->runner->watcher, &f->timer, holt__time_add(f->runner->policy.now, KILL_WAIT));
}

static void all_gone(struct orphan_wait *w)
{
	struct finishing *f = holt__container(w, struct finishing, orphans);

	holt__timer_stop(&f->timer);
	go_on(f);
}

static void timeout(struct holt__timer *t)
{
	struct finishing *f = holt__container(t, struct finishing, timer);
	struct runner *r = f->runner;

	if (f->try_until) {
		step(f); /* and it may be gone */
		runner_drain(r);
		return;
	}
	if (f->running.process && !f->late) {
		f->late = true;
		running_kill(&f->running, SIGKILL);
		watch_timer(&f->runner->watcher, &f->timer, holt__time_add(f->runner->policy.now, KILL_WAIT));
		return;
	}
	tell(f->unit, LOG_ERR, MSG_LEFT, "a finally command cannot be killed; it is left to the kernel");
	running_leave(f->runner, &f->running);
	orphans_unwait(&f->runner->orphans, &f->orphans);
	go_on(f);
}

static const char *result_of(const struct unit *u)
{
	switch (u->group->verdict) {
	case OUTCOME_FAILED:
		return "failed";
	case OUTCOME_DONE:
		return "done";
	default:
		return "stopped";
	}
}

/* What it finds in its environment. */
struct told {
	char result[32], reason[320];
	const char *env[3];
};

static void tell_command(struct told *t, const char *result, const char *reason)
{
	snprintf(t->result, sizeof t->result, "HOLT_RESULT=%s", result);
	snprintf(t->reason, sizeof t->reason, "HOLT_REASON=%s", reason);
	t->env[0] = t->result;
	t->env[1] = t->reason;
	t->env[2] = NULL;
}

static int run(struct finishing *f)
{
	struct runner *r = f->runner;
	char reason[300] = "", detail[200] = "";
	struct holt__text text = HOLT__TEXT(reason), why = HOLT__TEXT(detail);
	struct start s = { .node = f->unit->conf, .command = command_of(f), .log = f->log };
	const char *failed = NULL;
	struct told told;
	int e;

	unit_reason(f->unit, &text);
	tell_command(&told, result_of(f->unit), reason);
	s.extra = (struct exec_extra){ .id = &f->id, .env = told.env };
	e = running_start(r, &f->running, &s, &failed, &why);
	if (e < 0 && e != -ECANCELED && !f->try_until) {
		struct ending ending = ending_cannot_run(-e, failed);

		tell_cannot_run(f->unit, s.command, &ending, detail);
	}
	return e;
}

static bool is_passing(int e)
{
	return e == -ENOMEM || e == -EMFILE || e == -ENFILE || e == -EAGAIN;
}

/* True: it will be tried again. */
static bool try_again(struct finishing *f)
{
	holt_time now = f->runner->policy.now;

	if (!f->try_until)
		f->try_until = holt__time_add(now, f->unit->conf->finally_timeout);
	if (now >= f->try_until)
		return false;
	watch_timer(&f->runner->watcher, &f->timer, now + RETRY);
	return true;
}

/* The next one, until one runs or none is left. */
static void step(struct finishing *f)
{
	while (f->left > 0) {
		int e = run(f);

		if (e == 0) {
			f->late = false;
			f->try_until = 0;
			watch_timer(&f->runner->watcher, &f->timer,
				holt__time_add(f->runner->policy.now, f->unit->conf->finally_timeout));
			return;
		}
		if (e == -ECANCELED || (is_passing(e) && try_again(f)))
			return;
		f->try_until = 0;
		if (!is_passing(e)) {
			done(f);
			continue;
		}
		f->left--;
		tell(f->unit, LOG_CRIT, MSG_FINALLY,
			"a finally command was not run; it is owed still, and run by holtd --recover or the next start");
	}
	struct runner *r = f->runner;
	struct unit *u = f->unit;

	drop(f);
	policy_finally_done(&r->policy, u, r->policy.now);
}

/* In the records it is as it would be executed if holtd were killed. */
static int record(struct finishing *f, size_t index)
{
	struct told told;
	struct exec_extra extra = { .id = &f->id, .env = told.env };
	const char *path = f->unit->conf->path;
	char node[4200], tree[300];
	const char *env[] = { node, tree, NULL };
	struct exec x;
	int e;

	tell_command(&told, "crashed", "holtd was killed");
	snprintf(node, sizeof node, "HOLT_NODE=%s", path[0] ? path : "/");
	snprintf(tree, sizeof tree, "HOLT_TREE=%s", f->runner->config->name);
	e = exec_prepare(&x, &f->runner->exec, f->unit->conf, &f->unit->conf->finally.v[index], &extra);
	if (e == 0)
		e = state_armed(f->runner->state, f->unit->conf->path, f->activation, (unsigned)index, x.options.argv, env,
			f->unit->conf->finally_timeout);
	exec_release(&x);
	return e;
}

void finish_arm(struct runner *r, struct unit *u)
{
	struct lines_limits limits = { .line_max = (size_t)48 * 1024 };
	struct finishing *f = holt__calloc(1, sizeof *f);
	int e = f ? lines_node_open(&f->log, r->lines, u->conf->path[0] ? u->conf->path : u->conf->name, &limits) : -ENOMEM;

	if (e < 0) {
		tell(u, LOG_CRIT, NULL, "no memory to arm its finally commands: they will not be run");
		holt__free(f);
		return;
	}
	*f = (struct finishing){ .next = r->finishing,
		.runner = r,
		.unit = u,
		.id = invocation_new(),
		.log = f->log,
		.activation = state_activation(r->state),
		.left = u->conf->finally.n };
	f->running.watch.fire = exited;
	f->timer.fire = timeout;
	f->orphans.gone = all_gone;
	r->finishing = f;
	for (size_t i = 0; i < f->left; i++) {
		e = record(f, i);
		if (e < 0)
			tell(u, LOG_ERR, NULL, "a finally command is not in the records: %s; it will not run if holtd is killed",
				strerror(-e));
	}
}

void finish_begin(struct runner *r, struct unit *u)
{
	struct finishing *f = *find(r, u);

	if (!f) {
		policy_finally_done(&r->policy, u, r->policy.now);
		return;
	}
	f->begun = true;
	step(f);
}

/* What could not be started when the runner's shield was broken. */
void finish_resume(struct runner *r)
{
	for (struct finishing *f = r->finishing, *next; f; f = next) {
		next = f->next;
		if (f->begun && !f->running.process && !f->orphans.waiting)
			step(f);
	}
}

void finish_close(struct runner *r)
{
	while (r->finishing)
		drop(r->finishing);
}
