/* SPDX-License-Identifier: MIT */
/*
 * A run: from the main task's first line until the last task of the root group has ended.
 *
 * A thread's loop exists from the first time that somebody asks for it, by holt_loop_self or holt_run, until the run is
 * over; what is asked of it before the run is done when the run begins.
 */
#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/options.h"
#include "sys/log.h"
#include "task/task.h"

enum { TRIM_ABOVE = 256 };

static bool forked; /* this process is the child of one that ran a loop */
static pthread_key_t thread_end;
static pthread_once_t once = PTHREAD_ONCE_INIT;
static int once_result;

HOLT__COLD void holt__check_fork(const char *what)
{
	if (forked)
		holt__die("%s: called in a forked child; only exec or _exit may follow a fork", what);
}

HOLT__COLD void holt__check_thread(const struct holt__sched *s, const char *what)
{
	if (s != holt__here)
		holt__die("%s: called in a thread that does not run this loop; holt_loop_call() is the way into it", what);
}

static void in_forked_child(void)
{
	forked = true;
	holt__self = NULL;
	holt__here = NULL;
}

static void destroy(struct holt_loop *loop)
{
	holt__free(holt__sched(loop));
}

static void thread_ended(void *arg)
{
	struct holt__sched *s = arg;

	s->root.phase = HOLT__FINISHING;
	while (!holt__loop_seal(&s->loop))
		;
	holt_loop_unref(&s->loop);
}

static void log_context(struct holt__log_context *c)
{
	holt_task *t = holt__self;
	struct holt__text text = HOLT__TEXT(c->task);

	c->task[0] = 0;
	c->why = NULL;
	holt__check_fork("holt_log");
	if (!t)
		return;
	holt__task_path(t, &text);
	c->id = t->id;
	c->why = holt_why();
}

static void init_once(void)
{
	once_result = -pthread_key_create(&thread_end, thread_ended);
	if (once_result == 0)
		once_result = -pthread_atfork(NULL, NULL, in_forked_child);
	atomic_store(&holt__log_context, log_context);
}

static void on_stop(struct holt_loop *loop, const char *why)
{
	struct holt__sched *s = holt__sched(loop);

	if (atomic_load(&s->interrupts) > 0)
		holt__scope_ask(&s->root.scope, HOLT__CANCEL, HOLT__CANCELED, "SIGINT");
	else
		holt__scope_ask(&s->root.scope, HOLT__STOP, HOLT__STOPPED, why);
}

static struct holt__sched *thread_sched(void)
{
	struct holt__sched *s = holt__here;

	if (s)
		return s;
	pthread_once(&once, init_once);
	s = once_result == 0 ? holt__calloc(1, sizeof *s) : NULL;
	if (!s)
		return NULL;
	holt__loop_init(&s->loop, destroy);
	s->loop.run_ready = holt__run_ready;
	s->loop.on_stop = on_stop;
	s->root.sched = s;
	pthread_setspecific(thread_end, s);
	holt__here = s;
	return s;
}

holt_loop *holt_loop_self(void)
{
	struct holt__sched *s;

	holt__check_fork("holt_loop_self");
	s = thread_sched();
	return s ? &s->loop : NULL;
}

/* ---- SIGINT, when nobody else cares for it */

static struct holt__sched *_Atomic interrupted; /* the main thread's run */

void holt__die_of(int sig)
{
	sigset_t set;

	signal(sig, SIG_DFL);
	sigemptyset(&set);
	sigaddset(&set, sig);
	pthread_sigmask(SIG_UNBLOCK, &set, NULL);
	if (getpid() != 1) /* a default action does not end the first process */
		raise(sig);
	holt__sys->exit(128 + sig);
}

/* A handler and no signalfd, so that the second one works even when a task does not let the loop turn. */
static void on_interrupt(int sig)
{
	struct holt__sched *s = atomic_load(&interrupted);
	int saved = errno;

	if (!s || atomic_fetch_add(&s->interrupts, 1) > 0) /* no run: somebody has put us back when it was over */
		holt__die_of(sig);
	holt_loop_stop(&s->loop, "SIGINT");
	errno = saved;
}

/* What a task has put in its place stays there. */
static void unwatch_interrupts(void)
{
	struct sigaction now;

	if (sigaction(SIGINT, NULL, &now) == 0 && !(now.sa_flags & SA_SIGINFO) && now.sa_handler == on_interrupt)
		signal(SIGINT, SIG_DFL);
	atomic_store(&interrupted, NULL);
}

static bool watch_interrupts(struct holt__sched *s)
{
	struct sigaction now, ours = { .sa_handler = on_interrupt, .sa_flags = SA_RESTART };

	if (getpid() != gettid() || sigaction(SIGINT, NULL, &now) < 0 || (now.sa_flags & SA_SIGINFO))
		return false;
	if (now.sa_handler != SIG_DFL && now.sa_handler != on_interrupt)
		return false;
	atomic_store(&interrupted, s);
	return sigaction(SIGINT, &ours, NULL) == 0;
}

/* ---- the run */

static void ignore_failure(void *arg, const struct holt_failure *f)
{
	(void)arg;
	(void)f;
}

static void trim(struct holt__timer *timer)
{
	holt__stacks_trim(&holt__container(timer, struct holt__sched, trim)->stacks);
}

static int begin(struct holt__sched *s, const struct holt_run_options *o)
{
	struct holt_group_options root = {
		.kind = HOLT_EACH, .grace = o->grace, .cleanup = o->cleanup, .failed = ignore_failure
	};
	int r = holt__stacks_init(&s->stacks, o->stack_size);

	if (r < 0)
		return r;
	if (o->name) {
		s->name = holt__strdup(o->name);
		if (!s->name)
			return -ENOMEM;
	}
	r = holt__loop_open(&s->loop);
	if (r < 0)
		return r;
	holt__context_init_here(&s->context);
	holt__group_init(&s->root, s, NULL, &root, s->name);
	holt__scope_open(&s->root.scope, NULL, NULL, HOLT__GROUP, 0, HOLT_NEVER);
	s->trim.fire = trim;
	s->running = true;
	holt__overflow_init(s);
	return 0;
}

static int spawn_main(struct holt__sched *s, holt_fn fn, void *arg)
{
	int r = holt_spawn_with(&s->root, fn, arg,
		&(struct holt_task_options){ .size = sizeof(struct holt_task_options), .fn_name = "main", .task = &s->main });

	if (r < 0)
		return r;
	holt_task_unref(s->main);
	return 0;
}

static void run_until_ended(struct holt__sched *s)
{
	do {
		while ((s->root.first || s->root.count > 0) && !s->abandoned) {
			if (!s->loop.ready && s->stacks.n_warm > TRIM_ABOVE && !holt__timer_started(&s->trim))
				holt__timer_start(&s->loop.timers, &s->trim, holt__time_add(s->loop.now, HOLT_SEC));
			holt__loop_turn(&s->loop);
		}
	} while (!holt__loop_seal(&s->loop));
}

static void end(struct holt__sched *s)
{
	s->root.phase = HOLT__FINISHING;
	holt__timer_stop(&s->trim);
	holt__timer_stop(&s->heartbeats);
	holt__timer_stop(&s->root.escalate);
	holt__scope_close(&s->root.scope);
	while (!holt__loop_seal(&s->loop)) /* after a failure, what was asked for before the run is answered here */
		;
	holt__loop_close(&s->loop);
	holt__overflow_done(s);
	holt__stacks_done(&s->stacks);
	holt__free(s->name);
	s->running = false;
	pthread_setspecific(thread_end, NULL);
	holt__here = NULL;
	holt_loop_unref(&s->loop);
}

int holt__run(const struct holt_run_options *options, holt_fn fn, void *arg, const struct holt__run_hooks *hooks)
{
	struct holt_run_options o;
	struct holt__sched *s;
	bool watched = false, interrupts;
	int r;

	holt__check_fork("holt_run");
	r = holt__options(&o, sizeof o, options);
	if (r < 0)
		return r;
	if (!fn)
		return -EINVAL;
	s = thread_sched();
	if (!s)
		return -ENOMEM;
	if (s->running)
		return -EDEADLK;
	r = begin(s, &o);
	if (r >= 0 && !(hooks && hooks->own_signals))
		watched = watch_interrupts(s);
	if (r >= 0 && hooks)
		r = hooks->begin(s, hooks->arg);
	if (r >= 0)
		r = spawn_main(s, fn, arg);
	if (r >= 0) {
		run_until_ended(s);
		r = s->main_result;
	}
	if (hooks)
		hooks->end(s, hooks->arg);
	if (watched)
		unwatch_interrupts();
	interrupts = watched && atomic_load(&s->interrupts) > 0;
	end(s);
	if (interrupts) {
		fflush(stdout);
		holt__die_of(SIGINT);
	}
	return r;
}

int holt_run_with(holt_fn fn, void *arg, const struct holt_run_options *o)
{
	return holt__run(o, fn, arg, NULL);
}

holt_time holt_now(void)
{
	return holt__here && holt__here->running ? holt__here->loop.now : holt__fresh_now();
}

holt_time holt_in(holt_time span)
{
	return holt__time_add(holt_now(), span);
}

/* ---- a task for another thread */

struct remote {
	struct holt__call call;
	struct holt__sched *sched;
	holt_fn fn;
	void *arg;
	int result;
	bool done;
	pthread_mutex_t mutex;
	pthread_cond_t cond;
};

static void answer(struct remote *remote, int result)
{
	pthread_mutex_lock(&remote->mutex);
	remote->result = result;
	remote->done = true;
	pthread_cond_signal(&remote->cond);
	pthread_mutex_unlock(&remote->mutex); /* the record is gone from here on */
}

static int remote_task(void *arg)
{
	struct remote *remote = arg;
	int r = remote->fn(remote->arg);

	answer(remote, r);
	return r;
}

static void start_remote(void *arg)
{
	struct remote *remote = arg;
	int r = holt_spawn(&remote->sched->root, remote_task, remote);

	if (r < 0)
		answer(remote, r);
}

int holt_loop_run(holt_loop *loop, holt_fn fn, void *arg)
{
	struct remote remote = { .call = { .fn = start_remote, .arg = &remote }, .fn = fn, .arg = arg };
	int r;

	holt__check_fork("holt_loop_run");
	if (!loop || !fn)
		return -EINVAL;
	if (holt__here == holt__sched(loop))
		return -EDEADLK;
	remote.sched = holt__sched(loop);
	pthread_mutex_init(&remote.mutex, NULL);
	pthread_cond_init(&remote.cond, NULL);
	r = holt__loop_post(loop, &remote.call);
	if (r == 0) {
		pthread_mutex_lock(&remote.mutex);
		while (!remote.done)
			pthread_cond_wait(&remote.cond, &remote.mutex);
		pthread_mutex_unlock(&remote.mutex);
		r = remote.result;
	}
	pthread_cond_destroy(&remote.cond);
	pthread_mutex_destroy(&remote.mutex);
	return r;
}
