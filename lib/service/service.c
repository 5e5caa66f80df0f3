/* SPDX-License-Identifier: MIT */
/*
 * A run with a manager around it: what signals ask for becomes a stop, a reload or a dump, and what becomes of the
 * root group is told to the manager.
 *
 * The escalation itself is the root group's (lib/task/group.c), as in any run; here it is only begun, hastened by
 * further SIGINTs, and announced. Signals come by signalfd, so all of this happens on the loop and outside of tasks, in
 * the turn in which they came.
 *
 * SIGTERM, SIGHUP and SIGUSR1 stay blocked when the run is over: a late one shall not kill a process that is on its
 * way out with an orderly status. SIGPIPE stays ignored for the same reason.
 */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <holt/log.h>
#include <holt/service.h>

#include "base/messages.h"
#include "base/options.h"
#include "loop/signal.h"
#include "service/service.h"
#include "sys/listenfds.h"
#include "sys/log.h"
#include "task/task.h"

static struct {
	struct holt__sched *sched; /* NULL: no service runs */
	bool was_run;
	holt_fn reload;
	void *reload_arg;
	void (*dump)(void *arg);
	void *dump_arg;
	bool reloads, again;   /* a reload runs; SIGHUP came meanwhile */
	bool announced;        /* RELOADING=1 was sent, and not yet its READY=1 */
	bool stopping;         /* STOPPING=1 was sent */
	enum holt__level told; /* the root's level that was announced */
	holt_time stopping_since;
	unsigned interrupts; /* SIGINTs */
} service;

static struct holt__scope *root(void)
{
	return &service.sched->root.scope;
}

static bool is_stopping(void)
{
	return root()->seen >= HOLT__STOP || service.sched->main_ended;
}

/* ---- what the manager is told of the end */

/*
 * Asks for what is left of this step and a second, never for a time beyond what grace and cleanup allow, counted from the
 * beginning of the stop.
 */
static void extend_timeout(holt_time now)
{
	const struct holt_group *g = &service.sched->root;
	holt_time grace = g->grace == HOLT_NOW ? 0 : g->grace;
	holt_time last = holt__time_add(holt__time_add(service.stopping_since, grace), g->cleanup);
	holt_time until;

	if (!holt__timer_started(&g->escalate))
		return; /* nothing escalates: it may take as long as it takes */
	until = holt__time_min(holt__time_add(g->escalate.at, HOLT_SEC), last);
	if (until > now + HOLT_US)
		holt__notify_tell("EXTEND_TIMEOUT_USEC=%llu", (unsigned long long)((until - now) / HOLT_US));
}

static void end_announcement(void)
{
	if (service.announced)
		holt__notify_tell("READY=1");
	service.announced = false;
}

static void level_changed(struct holt__sched *s)
{
	holt_time now = holt__fresh_now();

	(void)s;
	if (!is_stopping())
		return;
	if (!service.stopping) {
		service.stopping = true;
		service.stopping_since = now;
		end_announcement(); /* before: a READY=1 after it would look like a service that came back */
		holt__notify_tell("STOPPING=1");
	}
	if (service.told < root()->seen)
		extend_timeout(now);
	service.told = root()->seen;
}

static void overdue(struct holt__sched *s, const char *text)
{
	(void)s;
	holt__notify_tell("STATUS=%s", text);
}

/* ---- reload */

/*
 * Not announced before the service is ready: the READY=1 that must close it would say that it is. Nor when the service stops.
 */
static void reload_begins(void)
{
	service.again = false;
	if (!holt__notify_ready() || is_stopping())
		return;
	service.announced = true;
	holt__notify_tell("RELOADING=1\nMONOTONIC_USEC=%llu", (unsigned long long)(holt__fresh_now() / HOLT_US));
}

static void reload_ended(int result)
{
	bool failed = result < 0 && !(result == -ECANCELED && is_stopping());

	if (failed) {
		holt__log_id(HOLT__MSG_RELOAD, LOG_ERR, "reload failed: %s", strerror(-result));
		if (!is_stopping())
			holt__notify_tell("STATUS=reload failed: %s", strerror(-result));
	}
	end_announcement();
}

static void refuse_reload(void)
{
	holt_log(LOG_NOTICE, "SIGHUP: no reload, the service is stopping");
}

static int reload(void *arg)
{
	(void)arg;
	do {
		reload_begins();
		reload_ended(service.reload(service.reload_arg));
	} while (service.again && !is_stopping());
	if (service.again)
		refuse_reload();
	service.reloads = service.again = false;
	return 0;
}

/* In the background: a service whose main task has ended does not wait for it. */
static void start_reload(void)
{
	int r;

	if (is_stopping()) {
		refuse_reload();
		return;
	}
	if (service.reloads) {
		service.again = true;
		return;
	}
	r = holt_spawn(&service.sched->root, reload, NULL, .background = true);
	if (r < 0) {
		reload_begins();
		reload_ended(r);
		return;
	}
	service.reloads = true;
}

/* ---- signals */

static void stop(const char *why)
{
	holt__scope_ask(root(), HOLT__STOP, HOLT__STOPPED, why);
}

static void on_term(struct holt__signal *s, const struct signalfd_siginfo *si)
{
	(void)s;
	(void)si;
	stop("SIGTERM");
}

static void on_int(struct holt__signal *s, const struct signalfd_siginfo *si)
{
	(void)s;
	(void)si;
	switch (++service.interrupts) {
	case 1:
		stop("SIGINT");
		break;
	case 2:
		holt__scope_ask(root(), HOLT__CANCEL, HOLT__CANCELED, "SIGINT");
		break;
	case 3:
		holt__scope_ask(root(), HOLT__BREAK, HOLT__NONE, NULL);
		break;
	default:
		holt__scope_ask(root(), HOLT__END, HOLT__NONE, NULL);
	}
}

static void on_hup(struct holt__signal *s, const struct signalfd_siginfo *si)
{
	(void)s;
	(void)si;
	if (service.reload)
		start_reload();
	else
		stop("SIGHUP");
}

static int log_line(void *arg, const struct holt__text *text)
{
	(void)arg;
	holt_log(LOG_NOTICE, "%s", text->buf);
	return 0;
}

static void on_usr1(struct holt__signal *s, const struct signalfd_siginfo *si)
{
	(void)s;
	(void)si;
	if (service.dump) {
		service.dump(service.dump_arg);
		return;
	}
	holt__tree(service.sched, SIZE_MAX, log_line, NULL);
}

static void on_quit(struct holt__signal *s, const struct signalfd_siginfo *si)
{
	on_usr1(s, si);
	holt__log_flush(HOLT__LAST_WORDS);
	holt__die_of(SIGQUIT);
}

static int take_signals(struct holt_loop *loop)
{
	static struct {
		int sig;
		struct holt__signal to;
	} table[] = {
		{ SIGTERM, { on_term, .keep_blocked = true } },
		{ SIGINT, { on_int, .keep_blocked = false } },
		{ SIGHUP, { on_hup, .keep_blocked = true } },
		{ SIGUSR1, { on_usr1, .keep_blocked = true } },
		{ SIGQUIT, { on_quit, .keep_blocked = false } },
	};

	for (size_t i = 0; i < HOLT__N(table); i++) {
		int r = holt__signal_take(loop, table[i].sig, &table[i].to);

		if (r < 0)
			return r;
	}
	signal(SIGPIPE, SIG_IGN);
	return 0;
}

/* ---- the run */

static int begin(struct holt__sched *s, void *arg)
{
	int r;

	(void)arg;
	service.sched = s;
	r = take_signals(&s->loop);
	if (r < 0)
		return r;
	service.was_run = true;
	s->level_changed = level_changed;
	s->overdue = overdue;
	holt__notify_begin(s);
	holt__watchdog_begin(s);
	holt__crash_begin(s);
	return 0;
}

/* Called after a begin that failed, too, and after a run that never came to it. */
static void end(struct holt__sched *s, void *arg)
{
	(void)arg;
	s->level_changed = NULL;
	s->overdue = NULL;
	holt__crash_end();
	holt__watchdog_end();
	holt__notify_end();
	service.sched = NULL;
}

static int may_run(const struct holt_service *s, holt_fn fn)
{
	if (!fn)
		return -EINVAL;
	if (s->inspect)
		return -EOPNOTSUPP;
	if (holt__here && holt__here->running)
		return -EDEADLK;
	return getpid() != gettid() || service.was_run ? -EPERM : 0;
}

/* Kept for good: the last lines come after the run. */
static void take_name(const char *name)
{
	static char kept[64];

	strncpy(kept, name, sizeof kept - 1);
	atomic_store(&holt__log_identifier, kept);
}

static void tell_failure(const char *name, int r)
{
	holt__log_id(HOLT__MSG_SERVICE, LOG_ERR, "%s failed: %s", name ? name : "the service", strerror(-r));
	holt__notify_tell("STATUS=failed: %s\nERRNO=%d", strerror(-r), -r);
}

int holt_service_run(const struct holt_service *options, holt_fn fn, void *arg)
{
	const struct holt__run_hooks hooks = { .begin = begin, .end = end, .own_signals = true };
	struct holt_service s;
	int r;

	holt__check_fork("holt_service_run");
	r = holt__options(&s, sizeof s, options);
	if (r >= 0)
		r = may_run(&s, fn);
	if (r >= 0)
		r = holt__listenfds_read(true);
	if (r < 0)
		return r;
	holt__notify_take();
	holt__watchdog_take();
	if (s.name)
		take_name(s.name);
	service.reload = s.reload;
	service.reload_arg = s.reload_arg;
	service.dump = s.dump;
	service.dump_arg = s.dump_arg;

	r = holt__run(
		&(struct holt_run_options){
			.size = sizeof(struct holt_run_options), .name = s.name, .grace = s.grace, .cleanup = s.cleanup },
		fn, arg, &hooks);
	if (r < 0)
		tell_failure(s.name, r);
	holt__log_flush(HOLT__LAST_WORDS);
	if (service.interrupts > 0) {
		fflush(stdout);
		holt__die_of(SIGINT);
	}
	return r;
}
