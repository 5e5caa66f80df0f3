/* SPDX-License-Identifier: MIT */
/*
 * See runner.h. The tree's side: the policy's actions are taken one by one and done, until there are none; what a process's life
 * does is in child.c, what finally does in finish.c.
 */
#include "daemon/runner.h"

#include <errno.h>
#include <holt/log.h>
#include <holt/run.h>
#include <holt/service.h>
#include <holt/task.h>
#include <signal.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/random.h>

#include "base/alloc.h"
#include "daemon/child.h"
#include "daemon/finish.h"
#include "daemon/tell.h"

/* ---- what systemd is told */

static void announce(struct watch_later *l)
{
	struct runner *r = holt__container(l, struct runner, announce);
	const struct unit *t = r->policy.tree;
	char line[200] = "";
	struct holt__text text = HOLT__TEXT(line);

	unit_why(t, &text);
	(void)holt_status("%s%s%s", unit_state(t), line[0] ? ": " : "", line);
}

/*
 * A start that goes on takes no longer than systemd waits: whoever starts now has its TimeoutStartSec=, after its back-off. It
 * never asks for less than it did before.
 */
static void extend_start(struct runner *r, const struct unit *u)
{
	holt_time until = u->phase == PHASE_BACKOFF ? u->deadline : r->policy.now;

	if (r->policy.was_ready || u->group || u->conf->timeout_start == HOLT_NEVER)
		return;
	until = holt__time_add(until, holt__time_add(u->conf->timeout_start, HOLT_SEC));
	if (until <= r->extend_until || (until - r->extend_until < HOLT_SEC && r->extend_until > 0))
		return;
	r->extend_until = until;
	(void)holt_notify("EXTEND_TIMEOUT_USEC=%llu", (unsigned long long)((until - r->policy.now) / HOLT_US));
}

void runner_changed(struct runner *r)
{
	holt_event_set(&r->changed);
	holt_event_clear(&r->changed);
}

static void changed(struct runner *r, struct unit *u)
{
	tell_changed(u);
	if (u->phase == PHASE_STARTING || u->phase == PHASE_BACKOFF)
		extend_start(r, u);
	watch_later(&r->watcher, &r->announce);
	runner_changed(r);
}

/* ---- actions */

static void tree_ended(struct runner *r)
{
	r->ended = true;
	r->status = policy_exit_status(&r->policy);
	r->last.signal = SIGKILL; /* what has no owner ends with the tree */
	orphans_wait(&r->orphans, &r->last);
}

static void do_action(struct runner *r, struct unit *u, enum action a)
{
	switch (a) {
	case ACTION_ARM:
		finish_arm(r, u);
		break;
	case ACTION_START:
		child_event(runner_child(r, u), LIFE_WANT_UP);
		break;
	case ACTION_STOP:
		child_stop(runner_child(r, u));
		break;
	case ACTION_KILL:
		child_event(runner_child(r, u), LIFE_WANT_DEAD);
		break;
	case ACTION_FINALLY:
		finish_begin(r, u);
		break;
	case ACTION_CHANGED:
		changed(r, u);
		break;
	case ACTION_READY:
		(void)holt_service_ready("ready");
		break;
	case ACTION_ENDED:
		tree_ended(r);
		break;
	}
}

enum { STARTS_A_ROUND = 16 }; /* each takes a millisecond, about; signals, the watchdog and holtctl want their turn */

void runner_drain(struct runner *r)
{
	unsigned starts = 0;
	enum action action;
	struct unit *u;

	if (r->busy) /* whoever is at it takes these, too */
		return;
	r->busy = true;
	while (starts < STARTS_A_ROUND && policy_take(&r->policy, &u, &action)) {
		starts += action == ACTION_START;
		do_action(r, u, action);
	}
	r->busy = false;
	if (starts == STARTS_A_ROUND)
		runner_kick(r);
}

/* ---- the loop */

static void tell_time(struct watcher *w, holt_time now)
{
	policy_time(&holt__container(w, struct runner, watcher)->policy, now);
}

static void kicked(struct watch *w, uint32_t events)
{
	struct runner *r = holt__container(w, struct runner, kick);
	uint64_t n;

	(void)events;
	if (read(r->kick_fd, &n, sizeof n) < 0) { /* it was read already: nothing is lost */
	}
	processes_reload(r);
	runner_drain(r);
}

void runner_kick(struct runner *r)
{
	uint64_t one = 1;

	if (write(r->kick_fd, &one, sizeof one) < 0) { /* full: it will be read */
	}
}

static void all_gone(struct orphan_wait *w)
{
	holt__container(w, struct runner, last)->clean = true;
}

static void given_up(struct holt__timer *t)
{
	struct runner *r = holt__container(t, struct runner, last_call);

	if (r->clean)
		return;
	holt_log(LOG_ERR, "%zu processes that belong to no node cannot be killed; they are left to the kernel", r->last.n);
	r->clean = true;
}

int runner_run(struct runner *r)
{
	int e = 0;

	r->task = holt_self();
	policy_start(&r->policy, holt_now());
	runner_drain(r);
	while (e >= 0 && !(r->ended && r->clean)) {
		if (r->ended && !holt__timer_started(&r->last_call) && !r->clean)
			watch_timer(&r->watcher, &r->last_call, holt_in(KILL_WAIT));
		e = watcher_wait(&r->watcher);
		runner_drain(r); /* what timers of the policy brought about */
	}
	return e;
}

/* ---- from other tasks */

void runner_end(struct runner *r)
{
	policy_stop(&r->policy, holt_now());
	runner_kick(r);
}

void runner_hurry(struct runner *r)
{
	policy_hurry(&r->policy, holt_now());
	runner_kick(r);
}

static int by_hand(struct runner *r, struct unit *u, int (*what)(struct policy *, struct unit *, holt_time))
{
	int e = what(&r->policy, u, holt_now());

	runner_kick(r);
	return e;
}

int runner_start(struct runner *r, struct unit *u)
{
	return by_hand(r, u, policy_unit_start);
}

int runner_stop(struct runner *r, struct unit *u)
{
	return by_hand(r, u, policy_unit_stop);
}

int runner_restart(struct runner *r, struct unit *u)
{
	return by_hand(r, u, policy_unit_restart);
}

/* ---- for the eye */

static void dump(const struct runner *r, const struct unit *u, int depth)
{
	char why[300] = "", pid[24] = "";
	struct holt__text t = HOLT__TEXT(why), p = HOLT__TEXT(pid);

	unit_why(u, &t);
	if (!u->group && child_pid(runner_child(r, u))) {
		holt__text_add(&p, " pid ");
		holt__text_int(&p, child_pid(runner_child(r, u)));
	}
	holt_log(LOG_NOTICE, "%*s%s %s%s%s%s", depth * 2, "", u->conf->name, unit_state(u), pid, why[0] ? ": " : "", why);
	for (size_t i = 0; i < u->conf->members.n; i++)
		dump(r, unit_of(u, u->conf->members.v[i]), depth + 1);
}

void runner_dump(struct runner *r)
{
	dump(r, r->policy.tree, 0);
}

/* ---- opening */

extern char **environ;

static uint64_t seed(void)
{
	uint64_t s;

	if (getrandom(&s, sizeof s, GRND_NONBLOCK) != sizeof s)
		s = holt_now();
	return s;
}

static int open_kick(struct runner *r)
{
	r->kick_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (r->kick_fd < 0)
		return -errno;
	r->kick.fire = kicked;
	return watch_add(&r->watcher, &r->kick, r->kick_fd, EPOLLIN);
}

/* Of the longest path, so that all stand in one column; one that is very long does not push the others away. */
static unsigned width(const struct config *c)
{
	size_t longest = sizeof "holtd" - 1;

	for (size_t i = 0; i < c->nodes.n; i++) {
		size_t len = strlen(c->nodes.v[i]->path);

		if (len > longest && len <= 32)
			longest = len;
	}
	return (unsigned)longest;
}

/* What another task, or nobody's, logs is written by the runner's: it sleeps, and has to hear of it. */
static void own_line(void *arg, int priority, const char *message, const struct holt_field *fields, size_t n)
{
	struct runner *r = arg;

	lines_own(r->lines, priority, message, fields, n);
	if (holt_self() != r->task)
		runner_kick(r);
}

static int open_lines(struct runner *r)
{
	const struct config *c = r->config;
	struct lines_options o = {
		.tree = c->name,
		.target = c->log_target,
		.directory = c->log_directory,
		.file_max = c->log_file_max,
		.file_keep = c->log_file_keep,
		.width = width(c),
	};
	int e = lines_open(&r->lines, &r->watcher, &o);

	if (e == 0 && lines_on_console(r->lines))
		holt_log_sink(own_line, r);
	return e;
}

int runner_open(struct runner *r, struct config *c, struct state *s)
{
	int e;

	*r = (struct runner){ .config = c, .state = s, .kick_fd = -1, .notify.fd = -1, .watcher.fd = -1, .cgroups.fd = -1 };
	r->announce.fire = announce;
	r->last.gone = all_gone;
	r->last_call.fire = given_up;
	e = watcher_open(&r->watcher);
	if (e == 0)
		e = policy_open(&r->policy, c, &r->watcher.wheel, seed());
	r->watcher.time = tell_time;
	if (e == 0)
		e = open_kick(r);
	if (e == 0)
		e = orphans_open(&r->orphans, &r->watcher);
	if (e == 0)
		e = cgroups_open(&r->cgroups, &r->watcher);
	if (e == 0)
		e = notify_dir_open(&r->notify, &r->watcher, s->path);
	if (e == 0)
		e = exec_base_open(&r->exec, c->name, s->path, environ);
	if (e == 0)
		e = open_lines(r);
	if (e == 0)
		e = processes_open(r);
	if (e < 0)
		runner_close(r);
	return e;
}

void runner_close(struct runner *r)
{
	finish_close(r);
	processes_close(r);
	holt_log_sink(NULL, NULL);
	r->lines = lines_close(r->lines);
	exec_base_close(&r->exec);
	notify_dir_close(&r->notify);
	cgroups_close(&r->cgroups);
	orphans_unwait(&r->orphans, &r->last);
	orphans_close(&r->orphans);
	holt__timer_stop(&r->last_call);
	policy_close(&r->policy);
	watch_not_later(&r->watcher, &r->announce);
	watch_remove(&r->watcher, &r->kick);
	if (r->kick_fd >= 0)
		close(r->kick_fd);
	watcher_close(&r->watcher);
}
