/* SPDX-License-Identifier: MIT */
/*
 * An event goes into the life's table (life.h), and the step that comes out is done here. A step may lead to an event at once (a
 * command that cannot be executed has failed), so child_event() goes on until nothing comes out.
 *
 * What is signaled when: KillSignal= goes to the main process and a command that runs, with KillMode=control-group to all.
 * SIGKILL goes to all, by the cgroup if there is one, else to the process groups and, by their invocation, to
 * orphans. A process group is signaled only while its leader has not been waited for: until then its number is nobody else's.
 * KillMode=process leaves everything but the two alone; that ends with the tree.
 *
 * A stop that is asked twice, with an earlier deadline, only moves the timer.
 */
#include "daemon/child.h"

#include <errno.h>
#include <fcntl.h>
#include <holt/log.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <syslog.h>
#include <unistd.h>

#include "base/alloc.h"
#include "daemon/messages.h"
#include "daemon/tell.h"

enum { POST_LEAST = HOLT_SEC / 2 };

enum role { ROLE_PRE, ROLE_MAIN, ROLE_COMMAND };

static const struct process_conf *conf(const struct child *c)
{
	return c->unit->conf->process;
}

static holt_time now(const struct child *c)
{
	return c->runner->policy.now;
}

static bool leaves_rest(const struct child *c)
{
	return conf(c)->kill_mode == KILL_PROCESS;
}

/* ---- one process */

static void end_output(struct running *p, bool leave)
{
	p->out = leave ? lines_leave(p->out) : lines_finish(p->out);
}

static void forget(struct runner *r, struct running *p)
{
	watch_remove(&r->watcher, &p->watch);
	orphans_forget(&r->orphans, holt_process_pid(p->process));
	p->process = holt_process_close(p->process);
}

void running_kill(struct running *p, int sig)
{
	if (!p->process)
		return;
	(void)kill(-holt_process_pid(p->process), sig);
	(void)holt_process_kill(p->process, sig);
}

void running_close(struct runner *r, struct running *p)
{
	running_kill(p, SIGKILL);
	if (p->process)
		forget(r, p);
	end_output(p, false);
}

/* One that could not be killed, or was not to be: nobody's from now on, but its end is heard, for its descriptor's sake. */
struct leftover {
	struct running running;
	struct runner *runner;
	struct leftover *next;
};

static void leftover_ended(struct watch *w, uint32_t events)
{
	struct leftover *l = holt__container(holt__container(w, struct running, watch), struct leftover, running), **at;

	(void)events;
	for (at = &l->runner->leftovers; *at != l; at = &(*at)->next) {
	}
	*at = l->next;
	watch_remove(&l->runner->watcher, &l->running.watch);
	l->running.process = holt_process_close(l->running.process);
	holt__free(l);
}

void running_leave(struct runner *r, struct running *p)
{
	struct leftover *l;

	if (!p->process) /* its output is the caller's matter */
		return;
	l = holt__calloc(1, sizeof *l);
	if (!l) {
		running_close(r, p);
		return;
	}
	*l = (struct leftover){ .running.process = p->process, .runner = r, .next = r->leftovers };
	l->running.watch.fire = leftover_ended;
	watch_remove(&r->watcher, &p->watch);
	orphans_forget(&r->orphans, holt_process_pid(p->process));
	p->process = NULL;
	end_output(p, true);
	r->leftovers = l;
	(void)watch_add(&r->watcher, &l->running.watch, holt_process_fd(l->running.process, HOLT_PROCESS_PIDFD),
		EPOLLIN); /* without it the descriptor stays until the end */
}

bool running_exit(struct runner *r, struct running *p, struct holt_exit *ret)
{
	int e = holt_process_wait(p->process, ret);

	if (e == -ECANCELED) /* the runner's last shield is broken; whoever takes over sees it again */
		return false;
	if (e < 0) { /* somebody has taken its exit: that it ended is all that is known */
		holt_log(LOG_ERR, "the exit of process %d was lost: %s", (int)holt_process_pid(p->process), strerror(-e));
		*ret = (struct holt_exit){ .code = 255 };
	}
	forget(r, p);
	return true;
}

static bool has_pipe(const struct exec *x, int i)
{
	return x->options.stdio[i].how == HOLT_STDIO_PIPE;
}

/*
 * The memory for all that follows a start: what has begun to run shall not be killed for the want of it. A finally command would have
 * been run twice then, once for a moment.
 */
static int reserve(struct runner *r, struct running *p, const struct exec *x)
{
	int e = orphans_reserve(&r->orphans);

	if (e == 0)
		e = watch_reserve(&r->watcher, 2);
	return e == 0 && (has_pipe(x, 1) || has_pipe(x, 2)) ? lines_prepare(&p->out) : e;
}

/* Our end of its pipe, if it has one. */
static int listen_to(struct running *p, const struct start *s, const struct exec *x)
{
	int r = 0;

	for (int i = 1; i < 3; i++) {
		int fd;

		if (!has_pipe(x, i))
			continue;
		fd = holt_process_take_fd(p->process, i);
		r = fd < 0 ? fd : lines_attach(&p->out, s->log, fd, holt_process_pid(p->process), s->extra.id, LOG_INFO);
		if (r < 0 && fd >= 0)
			close(fd);
	}
	return r;
}

static int watch_it(struct runner *r, struct running *p)
{
	int e = orphans_know(&r->orphans, holt_process_pid(p->process));

	return e < 0 ? e : watch_add(&r->watcher, &p->watch, holt_process_fd(p->process, HOLT_PROCESS_PIDFD), EPOLLIN);
}

int running_start(struct runner *r, struct running *p, const struct start *s, const char **failed, struct holt__text *why)
{
	struct exec x;
	int e = exec_prepare(&x, &r->exec, s->node, s->command, &s->extra);

	if (e < 0) {
		*failed = "prepare";
		holt__text_add(why, x.why);
		return e;
	}
	x.options.failed = failed;
	e = reserve(r, p, &x);
	if (e == 0)
		e = holt_process_start(&p->process, &x.options);
	if (e < 0) {
		end_output(p, false);
	} else {
		e = watch_it(r, p);
		if (e == 0)
			e = listen_to(p, s, &x);
		if (e < 0) {
			*failed = "watch";
			running_close(r, p);
		}
	}
	exec_release(&x);
	return e;
}

/* ---- time */

static holt_time stop_by(const struct child *c)
{
	if (c->unit->phase == PHASE_STOPPING)
		return c->unit->deadline;
	return holt__time_add(now(c), c->unit->conf->timeout_stop);
}

/*
 * ExecStopPost= has a TimeoutStopSec= of its own, as in systemd, but no more than its group has left, and a little in any case.
 */
static holt_time post_by(const struct child *c)
{
	holt_time by = holt__time_add(now(c), c->unit->conf->timeout_stop);

	if (c->unit->phase == PHASE_STOPPING)
		by = holt__time_min(by, policy_stop_limit(c->unit));
	return by > now(c) ? by : now(c) + POST_LEAST;
}

static holt_time state_deadline(struct child *c)
{
	switch (c->life.state) {
	case LIFE_PRE:
	case LIFE_START:
		return c->start_by;
	case LIFE_RUN:
		return c->notified && c->notified->watchdog ? holt__time_add(now(c), c->notified->watchdog) : HOLT_NEVER;
	case LIFE_STOP:
	case LIFE_TERM:
	case LIFE_ABORT:
		return stop_by(c);
	case LIFE_CLEAR:
		return c->clearing ? holt__time_add(now(c), KILL_WAIT) : stop_by(c);
	case LIFE_POST:
		return post_by(c);
	case LIFE_KILL:
	case LIFE_POST_KILL:
	case LIFE_LAST:
		return holt__time_add(now(c), KILL_WAIT);
	default:
		return HOLT_NEVER;
	}
}

static void set_timer(struct child *c)
{
	watch_timer(&c->runner->watcher, &c->timer, state_deadline(c));
}

/* ---- starting something */

static int cgroup_fd(struct child *c, const char **failed, struct holt__text *why)
{
	int e = 0;

	if (!cgroup_active(&c->cgroup))
		e = cgroup_open(&c->cgroup, &c->runner->cgroups, c->unit->conf->path, conf(c)->cgroup_limits,
			conf(c)->n_cgroup_limits, why);
	if (e < 0) {
		*failed = "cgroup";
		return e;
	}
	if (!cgroup_active(&c->cgroup))
		return -1;
	e = cgroup_dir(&c->cgroup);
	if (e < 0)
		*failed = "cgroup";
	return e;
}

static int open_log(struct child *c)
{
	struct lines_limits limits = {
		.line_max = conf(c)->log_line_max, .interval = conf(c)->log_rate_interval, .burst = conf(c)->log_rate_burst
	};

	return c->log ? 0 : lines_node_open(&c->log, c->runner->lines, c->unit->conf->path, &limits);
}

static int start(struct child *c, struct running *p, const struct command *command, enum role role, const char **failed,
	struct holt__text *why)
{
	struct holt_named_fd fds[FDSTORE_MAX];
	struct start s = { .node = c->unit->conf, .command = command };
	int e = cgroup_fd(c, failed, why), dir;

	if (e < 0 && *failed)
		return e;
	dir = e;
	s.extra = (struct exec_extra){
		.id = &c->invocation,
		.main_pid = role == ROLE_MAIN ? 0 : child_pid(c),
		.cgroup_fd = dir < 0 ? 0 : dir,
		.first = c->life.index == 0 && (role == ROLE_MAIN || role == ROLE_PRE),
	};
	if (role == ROLE_MAIN && c->notified) {
		s.extra.notify_socket = c->notified->notify.path;
		s.extra.watchdog = conf(c)->watchdog;
		s.extra.fds = fds;
		s.extra.n_fds = fdstore_list(&c->notified->store, fds, HOLT__N(fds));
	}
	e = open_log(c);
	s.log = c->log;
	if (e == 0)
		e = running_start(c->runner, p, &s, failed, why);
	if (dir > 0)
		close(dir);
	return e;
}

static int begin(struct child *c, struct running *p, const struct command *command, enum role role)
{
	const char *failed = NULL;
	char detail[200] = "";
	struct holt__text why = HOLT__TEXT(detail);
	int e = start(c, p, command, role, &failed, &why);

	if (e < 0) {
		struct ending ending = ending_cannot_run(-e, failed);

		if (role == ROLE_MAIN || (role == ROLE_PRE && !command->ignore))
			c->ending = ending;
		tell_cannot_run(c->unit, command, &ending, detail);
	}
	return e;
}

/* ---- the records, so that a killed holtd's processes are found */

static void record_gone(struct child *c)
{
	if (c->recorded)
		(void)state_gone(
			c->runner->state, c->recorded); /* one too many is harmless: it is compared before it is killed */
	c->recorded = 0;
}

static void record_started(struct child *c)
{
	char cgroup[512] = "";
	int e;

	record_gone(c);
	if (cgroup_active(&c->cgroup))
		snprintf(cgroup, sizeof cgroup, "%s/%s", c->runner->cgroups.path, c->cgroup.name);
	c->recorded = holt_process_pid(c->main.process);
	e = state_process(c->runner->state, c->unit->conf->path, c->recorded, &c->invocation, cgroup[0] ? cgroup : NULL);
	if (e < 0)
		tell(c->unit, LOG_WARNING, NULL, "is not in the records: %s", strerror(-e));
}

/* ---- its notify socket */

static void main_ended_elsewhere(struct watch *w, uint32_t events);
static void message(struct notify *n, const struct notify_message *m);

static int open_notify(struct child *c)
{
	struct runner *r = c->runner;
	char id[INVOCATION_DIGITS + 1];
	uid_t uid;
	gid_t gid;
	int e;

	if (conf(c)->type != TYPE_NOTIFY && !conf(c)->watchdog)
		return 0;
	if (!c->notified) {
		c->notified = holt__calloc(1, sizeof *c->notified);
		if (!c->notified)
			return -ENOMEM;
		c->notified->child = c;
		c->notified->main_pidfd = -1;
		c->notified->store.watcher = &r->watcher;
		c->notified->notify.message = message;
		c->notified->notify.store = &c->notified->store;
		c->notified->notify.label = c->unit->conf->path;
		c->notified->main_watch.fire = main_ended_elsewhere;
		r->notified[r->n_notified++] = c->notified;
	}
	c->notified->watchdog = conf(c)->watchdog;
	e = exec_user_of(&r->exec, c->unit->conf, &uid, &gid);
	if (e < 0)
		return e;
	invocation_text(&c->invocation, id);
	return notify_open(&c->notified->notify, &r->notify, id, uid, gid);
}

/* The main process that somebody else started is not that any more. */
static void let_go_of_main(struct child *c)
{
	struct notified *n = c->notified;

	if (n->main_pidfd < 0)
		return;
	watch_close(&c->runner->watcher, &n->main_watch);
	orphans_forget(&c->runner->orphans, n->main_pid);
	n->main_pidfd = -1;
	n->main_pid = 0;
}

static void close_notify(struct child *c)
{
	struct notified *n = c->notified;

	if (!n)
		return;
	notify_close(&n->notify);
	let_go_of_main(c);
	holt__free(n->status);
	n->status = NULL;
}

static void take_main(struct child *c, pid_t pid)
{
	struct notified *n = c->notified;
	char id[INVOCATION_DIGITS + 1];
	int fd, e;

	if (c->life.state != LIFE_PRE && c->life.state != LIFE_START && c->life.state != LIFE_RUN)
		return; /* it is being brought down: nobody is to be waited for any more */
	if (c->main.process && pid == holt_process_pid(c->main.process)) {
		let_go_of_main(c);
		return;
	}
	if (pid == n->main_pid)
		return;
	invocation_text(&c->invocation, id);
	e = notify_main_pidfd(pid, c->main.process ? holt_process_pid(c->main.process) : 0, id, &c->cgroup, &fd);
	n->lost_main = e == -ESRCH;
	if (e < 0) {
		tell(c->unit, LOG_WARNING, NULL, "MAINPID=%d is not taken: %s", (int)pid,
			e == -EPERM            ? "not a process of this node"
				: n->lost_main ? "it has ended already, which is a failure"
					       : strerror(-e));
		return;
	}
	let_go_of_main(c);
	e = orphans_know(&c->runner->orphans, pid); /* else its exit were taken as that of any orphan */
	if (e == 0)
		e = watch_add(&c->runner->watcher, &n->main_watch, fd, EPOLLIN);
	if (e < 0) {
		tell(c->unit, LOG_ERR, NULL, "MAINPID=%d is not taken: %s", (int)pid, strerror(-e));
		orphans_forget(&c->runner->orphans, pid);
		close(fd);
		return;
	}
	n->main_pidfd = fd;
	n->main_pid = pid;
	c->life.main = true;
}

static void extend(struct child *c, holt_time span)
{
	holt_time until = holt__time_add(now(c), span);

	if (c->life.state == LIFE_PRE || c->life.state == LIFE_START) {
		if (until > c->start_by)
			c->start_by = until;
		set_timer(c);
	}
}

static void message(struct notify *notify, const struct notify_message *m)
{
	struct notified *n = holt__container(notify, struct notified, notify);
	struct child *c = n->child;

	if (m->status) {
		holt__free(n->status);
		n->status = holt__strdup(m->status);
	}
	if (m->main_pid)
		take_main(c, m->main_pid);
	if (m->has_extend)
		extend(c, m->extend);
	if (m->has_watchdog_span)
		n->watchdog = m->watchdog_span;
	if (m->watchdog_trigger && c->life.state == LIFE_RUN)
		child_event(c, LIFE_TIMEOUT);
	else if ((m->watchdog || m->has_watchdog_span) && c->life.state == LIFE_RUN)
		set_timer(c);
	if (m->ready && c->life.state == LIFE_START && conf(c)->type == TYPE_NOTIFY)
		child_event(c, LIFE_READY);
	runner_changed(c->runner);
	runner_drain(c->runner);
}

/* ---- the steps; each may answer with an event, LIFE_EVENTS for none */

static enum life_event run_command(struct child *c)
{
	const struct command *command = life_command(&c->life, c->unit->conf);
	enum role role = c->life.state == LIFE_PRE ? ROLE_PRE : ROLE_COMMAND;

	if (begin(c, &c->command, command, role) < 0)
		return command->ignore ? LIFE_COMMAND_OK : LIFE_COMMAND_BAD;
	c->life.command = true;
	return LIFE_EVENTS;
}

static enum life_event run_main(struct child *c)
{
	const struct command *command = life_command(&c->life, c->unit->conf);
	int e = c->life.index == 0 ? open_notify(c) : 0;

	if (e < 0) {
		c->ending = ending_cannot_run(-e, "notify socket");
		tell_cannot_run(c->unit, command, &c->ending, "");
		return LIFE_CANNOT;
	}
	end_output(&c->main, false); /* of the command before it */
	if (begin(c, &c->main, command, ROLE_MAIN) < 0)
		return LIFE_CANNOT;
	c->life.main = true;
	record_started(c);
	return conf(c)->type == TYPE_EXEC ? LIFE_READY : LIFE_EVENTS;
}

/* To the main process, whoever started it, and a command that runs; with what is in their process groups, or not. */
static void send(struct child *c, int sig, bool groups)
{
	struct running *ours[] = { &c->main, &c->command };

	for (size_t i = 0; i < HOLT__N(ours); i++) {
		if (groups)
			running_kill(ours[i], sig);
		else if (ours[i]->process)
			(void)holt_process_kill(ours[i]->process, sig);
	}
	if (c->notified && c->notified->main_pidfd >= 0)
		(void)syscall(SYS_pidfd_send_signal, c->notified->main_pidfd, sig, NULL, 0);
}

/* As KillSignal= goes. */
static void send_signal(struct child *c, int sig)
{
	bool all = conf(c)->kill_mode == KILL_CONTROL_GROUP;

	if (all && cgroup_active(&c->cgroup))
		(void)cgroup_kill(&c->cgroup, sig);
	else
		send(c, sig, all);
}

static void kill_all(struct child *c)
{
	if (!conf(c)->send_sigkill)
		return;
	if (!leaves_rest(c) && cgroup_active(&c->cgroup))
		(void)cgroup_kill(&c->cgroup, SIGKILL);
	send(c, SIGKILL, !leaves_rest(c));
}

static void cleared(struct child *c)
{
	orphans_unwait(&c->runner->orphans, &c->left);
	child_event(c, LIFE_CLEARED);
	runner_drain(c->runner);
}

static void cgroup_empty(struct cgroup *g)
{
	cleared(holt__container(g, struct child, cgroup));
}

static void orphans_gone(struct orphan_wait *w)
{
	struct child *c = holt__container(w, struct child, left);

	if (!cgroup_active(&c->cgroup) || cgroup_await(&c->cgroup) != 0)
		cleared(c);
}

/*
 * What is left: orphans of this invocation, and whoever is in the cgroup. With KillMode=control-group they get KillSignal=
 * first, and the time that is left of the stop.
 */
static enum life_event clear(struct child *c)
{
	bool polite = conf(c)->kill_mode == KILL_CONTROL_GROUP && c->life.state == LIFE_CLEAR && !c->clearing &&
		stop_by(c) > now(c) && c->unit->phase == PHASE_STOPPING;

	if (leaves_rest(c))
		return LIFE_CLEARED;
	c->clear_owed = c->reload.process != NULL; /* it has been killed: what it started is an orphan only then */
	if (c->clear_owed)
		return LIFE_EVENTS;
	c->clearing = !polite;
	c->left.id = c->invocation;
	c->left.group = c->recorded; /* for those that have overwritten their environment */
	c->left.signal = polite ? conf(c)->kill_signal : conf(c)->send_sigkill ? SIGKILL : 0;
	if (cgroup_active(&c->cgroup) && c->left.signal)
		(void)cgroup_kill(&c->cgroup, c->left.signal);
	orphans_wait(&c->runner->orphans, &c->left);
	return LIFE_EVENTS;
}

/* What it came to. */
static struct ending verdict(const struct child *c)
{
	struct ending e = c->ending;

	if (c->life.cause == ENDING_START_TIMEOUT || c->life.cause == ENDING_WATCHDOG) {
		e.kind = c->life.cause;
		e.failed = true;
	}
	return e;
}

static void ended(struct child *c)
{
	struct ending e = verdict(c);

	record_gone(c);
	close_notify(c);
	running_leave(c->runner, &c->reload);
	running_leave(c->runner, &c->command);
	running_leave(c->runner, &c->main);
	c->life.main = c->life.command = false;
	cgroup_close(&c->cgroup);
	exec_credentials_remove(&c->runner->exec, c->unit->conf, &c->invocation);
	end_output(&c->main, leaves_rest(c));
	if (e.kind == ENDING_NONE) /* it was asked to stop before there was anything */
		e.kind = ENDING_EXIT;
	policy_unit_ended(&c->runner->policy, c->unit, &e, now(c));
}

static enum life_event do_step(struct child *c, enum life_step step)
{
	switch (step) {
	case STEP_COMMAND:
		return run_command(c);
	case STEP_MAIN:
		return run_main(c);
	case STEP_READY:
		policy_unit_ready(&c->runner->policy, c->unit, now(c));
		return LIFE_EVENTS;
	case STEP_SIGNAL:
		send_signal(c, conf(c)->kill_signal);
		if (conf(c)->kill_signal != SIGKILL)
			send_signal(c, SIGCONT); /* one that is stopped would not hear of it */
		return LIFE_EVENTS;
	case STEP_ABORT:
		tell(c->unit, LOG_ERR, MSG_WATCHDOG, "gave no sign of life in time (WatchdogSec=); it gets SIGABRT");
		send_signal(c, SIGABRT);
		return LIFE_EVENTS;
	case STEP_KILL:
		kill_all(c);
		return LIFE_EVENTS;
	case STEP_CLEAR:
		return clear(c);
	case STEP_ENDED:
		ended(c);
		return LIFE_EVENTS;
	default:
		return LIFE_EVENTS;
	}
}

static void begin_life(struct child *c)
{
	c->start_by = holt__time_add(now(c), c->unit->conf->timeout_start);
	c->invocation = invocation_new();
	c->ending = (struct ending){ .kind = ENDING_NONE };
	c->clearing = c->clear_owed = false;
	if (c->notified)
		c->notified->lost_main = false;
}

void child_event(struct child *c, enum life_event e)
{
	if (e == LIFE_WANT_UP && c->life.state == LIFE_DOWN)
		begin_life(c);
	while (e != LIFE_EVENTS) {
		enum life_step step = life_event(&c->life, c->unit->conf, e);

		if (c->life.state != LIFE_RUN) {
			running_kill(&c->reload, SIGKILL);
			if (step != STEP_ENDED)
				policy_unit_going(&c->runner->policy, c->unit, now(c));
		}
		if (step == STEP_NONE)
			return;
		e = do_step(c, step);
		if (e == LIFE_EVENTS)
			set_timer(c);
	}
}

void child_stop(struct child *c)
{
	child_event(c, LIFE_WANT_DOWN);
	if (c->life.state == LIFE_STOP || c->life.state == LIFE_TERM || c->life.state == LIFE_ABORT ||
		c->life.state == LIFE_POST || (c->life.state == LIFE_CLEAR && !c->clearing))
		set_timer(c);
}

/* ---- what happens to a process */

/*
 * Before it is waited for, while its number is its own: what is left of its group goes with it, unless that is to be asked first.
 */
static void main_goes(struct child *c)
{
	if (c->notified && c->notified->main_pidfd >= 0) /* it has handed over to another one, perhaps in its group */
		return;
	if (conf(c)->kill_mode == KILL_MIXED && conf(c)->send_sigkill && c->main.process)
		(void)kill(-holt_process_pid(c->main.process), SIGKILL);
}

/* ExecStart=-; each command of a oneshot is looked at by itself. */
static bool ignores_failure(const struct child *c)
{
	return conf(c)->type != TYPE_ONESHOT && c->unit->conf->start.v[0].ignore;
}

static void take_ending(struct child *c, const struct holt_exit *x)
{
	if (c->ending.kind != ENDING_NONE)
		return;
	c->ending = (struct ending){
		.kind = x->signaled ? ENDING_SIGNAL : ENDING_EXIT,
		.core = x->core,
		.value = x->code,
		.failed = !ignores_failure(c) && ending_failed(c->unit->conf, x->signaled, x->code),
	};
}

static bool is_failure(const struct command *command, const struct holt_exit *x)
{
	return (x->signaled || x->code != 0) && !(command && command->ignore);
}

static void main_exited(struct child *c, const struct holt_exit *x)
{
	static const struct holt_exit lost = { .code = 255 };
	bool oneshot = conf(c)->type == TYPE_ONESHOT;
	const struct command *command = life_command(&c->life, c->unit->conf);

	c->life.main = c->notified && c->notified->main_pidfd >= 0;
	if (c->life.main) /* it has handed over to another one */
		return;
	if (oneshot && c->life.state == LIFE_START && (!ending_failed(c->unit->conf, x->signaled, x->code) || command->ignore)) {
		child_event(c, LIFE_COMMAND_OK);
		return;
	}
	if (c->notified && c->notified->lost_main && !x->signaled && x->code == 0)
		x = &lost;
	take_ending(c, x);
	if (c->life.state == LIFE_START && !oneshot && !c->ending.failed) {
		c->ending.kind = ENDING_NOT_READY;
		c->ending.failed = true;
	}
	child_event(c, LIFE_MAIN_EXIT);
}

static void on_main(struct watch *w, uint32_t events)
{
	struct running *p = holt__container(w, struct running, watch);
	struct child *c = p->child;
	struct holt_exit x;

	(void)events;
	if (c->notified) /* what it said before its end is heard before */
		notify_drain(&c->notified->notify);
	main_goes(c);
	if (!running_exit(c->runner, p, &x))
		return;
	main_exited(c, &x);
	runner_drain(c->runner);
}

/*
 * As long as the process that we started lives, this one may be a child of its, and its exit not ours to take: that it is gone is all that
 * is known. Else it is ours, and an exit that was lost is a failure.
 */
static void main_ended_elsewhere(struct watch *w, uint32_t events)
{
	struct notified *n = holt__container(w, struct notified, main_watch);
	struct child *c = n->child;
	struct holt_exit x = { .code = 0 };
	siginfo_t si = { .si_pid = 0 };

	(void)events;
	if (waitid(P_PIDFD, (id_t)n->main_pidfd, &si, WEXITED | WNOHANG) == 0 && si.si_pid) { /* it has become our child */
		x.signaled = si.si_code != CLD_EXITED;
		x.core = si.si_code == CLD_DUMPED;
		x.code = si.si_status;
	} else if (!c->main.process) {
		holt_log(LOG_ERR, "the exit of process %d was lost", (int)n->main_pid);
		x.code = 255;
	}
	let_go_of_main(c);
	c->life.main = c->main.process != NULL;
	if (!c->life.main)
		main_exited(c, &x);
	runner_drain(c->runner);
}

static void on_command(struct watch *w, uint32_t events)
{
	struct running *p = holt__container(w, struct running, watch);
	struct child *c = p->child;
	const struct command *command = life_command(&c->life, c->unit->conf);
	struct holt_exit x;
	bool bad;

	(void)events;
	if (!leaves_rest(c) && conf(c)->send_sigkill)
		(void)kill(-holt_process_pid(p->process), SIGKILL);
	if (!running_exit(c->runner, p, &x))
		return;
	end_output(p, leaves_rest(c));
	c->life.command = false;
	bad = is_failure(command, &x);
	if (bad && c->life.state == LIFE_PRE)
		c->ending =
			(struct ending){ .kind = ENDING_START_COMMAND, .failed = true, .value = x.signaled ? -x.code : x.code };
	else if (bad && command && (c->life.state == LIFE_STOP || c->life.state == LIFE_POST))
		tell(c->unit, LOG_WARNING, NULL, "%s:%u: \"%s\" %s %d", command->file, command->line, command->text,
			x.signaled ? "was killed by signal" : "ended with", x.code);
	child_event(c, bad ? LIFE_COMMAND_BAD : LIFE_COMMAND_OK);
	runner_drain(c->runner);
}

/* Until one cannot be executed, or ends badly. */
static void reload_next(struct child *c)
{
	while (c->reloading < conf(c)->reload.n) {
		const struct command *command = &conf(c)->reload.v[c->reloading];

		if (begin(c, &c->reload, command, ROLE_COMMAND) == 0 || !command->ignore)
			return;
		c->reloading++;
	}
	tell(c->unit, LOG_INFO, NULL, "reloaded");
}

static void reload_goes_on(struct child *c, const struct holt_exit *x)
{
	const struct command *command = &conf(c)->reload.v[c->reloading];

	if (is_failure(command, x)) {
		tell(c->unit, LOG_ERR, NULL, "%s:%u: ExecReload=%s %s %d", command->file, command->line, command->text,
			x->signaled ? "was killed by signal" : "ended with", x->code);
		return;
	}
	c->reloading++;
	reload_next(c);
}

static void on_reload(struct watch *w, uint32_t events)
{
	struct running *p = holt__container(w, struct running, watch);
	struct child *c = p->child;
	struct holt_exit x;

	(void)events;
	if (!running_exit(c->runner, p, &x))
		return;
	end_output(p, leaves_rest(c));
	if (c->clear_owed) {
		(void)clear(c);
		set_timer(c);
	} else if (c->life.state == LIFE_RUN) {
		reload_goes_on(c, &x);
	}
	runner_changed(c->runner);
}

static void on_timer(struct holt__timer *t)
{
	struct child *c = holt__container(t, struct child, timer);

	if (c->life.state == LIFE_CLEAR && !c->clearing && conf(c)->send_sigkill) { /* asked in vain */
		c->clearing = true;
		c->left.signal = SIGKILL;
		orphans_signal(&c->runner->orphans, &c->left, SIGKILL);
		if (cgroup_active(&c->cgroup))
			(void)cgroup_kill(&c->cgroup, SIGKILL);
		set_timer(c);
		return;
	}
	if (c->life.state == LIFE_CLEAR || c->life.state == LIFE_LAST) {
		orphans_unwait(&c->runner->orphans, &c->left);
		tell(c->unit, LOG_ERR, MSG_LEFT, "%s",
			conf(c)->send_sigkill ? "something of it cannot be killed; it is left to the kernel"
					      : "something of it is left (SendSIGKILL=no)");
	}
	child_event(c, LIFE_TIMEOUT);
	runner_drain(c->runner);
}

int runner_reload(struct runner *r, struct unit *u)
{
	struct child *c = runner_child(r, u);

	if (u->group || !conf(c)->reload.n)
		return -EOPNOTSUPP;
	if (c->life.state != LIFE_RUN)
		return -EHOSTDOWN;
	if (c->reload.process || c->reload_asked)
		return -EBUSY;
	c->reload_asked = true; /* the runner starts it */
	r->reload_asked = true;
	runner_kick(r);
	return 0;
}

void processes_reload(struct runner *r)
{
	if (!r->reload_asked)
		return;
	r->reload_asked = false;
	for (size_t i = 0; i < r->config->nodes.n; i++) {
		struct child *c = &r->children[i];

		if (!c->reload_asked)
			continue;
		c->reload_asked = false;
		c->reloading = 0;
		if (c->life.state == LIFE_RUN)
			reload_next(c);
	}
}

/* ---- for the eye */

pid_t child_pid(const struct child *c)
{
	if (c->notified && c->notified->main_pidfd >= 0)
		return c->notified->main_pid;
	return c->main.process ? holt_process_pid(c->main.process) : 0;
}

uint64_t child_memory(const struct child *c)
{
	unsigned long long pages = 0;
	char path[40], text[80] = "";
	pid_t pid = child_pid(c);
	int fd;

	if (!pid)
		return 0;
	snprintf(path, sizeof path, "/proc/%d/statm", (int)pid);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return 0;
	if (read(fd, text, sizeof text - 1) <= 0 || sscanf(text, "%*u %llu", &pages) != 1)
		pages = 0;
	close(fd);
	return pages * (uint64_t)sysconf(_SC_PAGESIZE);
}

const char *child_status(const struct child *c)
{
	return c->notified ? c->notified->status : NULL;
}

/* ---- all of them */

/* MAINPID= of one that has died already: once its exit is taken as an orphan's, nobody knows it any more. */
static void hear_all(struct orphans *o)
{
	struct runner *r = holt__container(o, struct runner, orphans);

	for (size_t i = 0; i < r->n_notified; i++)
		notify_drain(&r->notified[i]->notify);
}

int processes_open(struct runner *r)
{
	r->orphans.hear = hear_all;
	r->children = holt__calloc(r->config->nodes.n, sizeof *r->children);
	r->notified = holt__calloc(r->config->nodes.n, sizeof(struct notified *));
	if (!r->children || !r->notified)
		return -ENOMEM;
	for (size_t i = 0; i < r->config->nodes.n; i++) {
		struct child *c = &r->children[i];

		c->runner = r;
		c->unit = &r->policy.units[i];
		c->main = (struct running){ .child = c, .watch.fire = on_main };
		c->command = (struct running){ .child = c, .watch.fire = on_command };
		c->reload = (struct running){ .child = c, .watch.fire = on_reload };
		c->timer.fire = on_timer;
		c->left.gone = orphans_gone;
		c->cgroup.empty = cgroup_empty;
	}
	return 0;
}

void processes_close(struct runner *r)
{
	for (size_t i = 0; r->children && i < r->config->nodes.n; i++) {
		struct child *c = &r->children[i];

		holt__timer_stop(&c->timer);
		orphans_unwait(&r->orphans, &c->left);
		running_close(r, &c->main);
		running_close(r, &c->command);
		running_close(r, &c->reload);
		close_notify(c);
		if (c->notified)
			fdstore_clear(&c->notified->store);
		holt__free(c->notified);
		cgroup_close(&c->cgroup);
		c->log = lines_node_close(c->log);
	}
	while (r->leftovers)
		leftover_ended(&r->leftovers->running.watch, 0);
	r->orphans.hear = NULL;
	holt__free(r->notified);
	r->notified = NULL;
	r->n_notified = 0;
	holt__free(r->children);
	r->children = NULL;
}
