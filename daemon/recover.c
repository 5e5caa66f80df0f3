/* SPDX-License-Identifier: MIT */
/*
 * What is owed, in its order; the killing is in recover_kill.c. A command is prepared as any other (exec.h), with its words as they
 * were recorded: variables have been put in by the holtd that armed it. While it runs it is in the records itself, so
 * that what it leaves is found by the next one if we are killed.
 */
#include "daemon/recover.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <holt/log.h>
#include <holt/run.h>
#include <holt/scope.h>
#include <holt/work.h>

#include "base/alloc.h"
#include "daemon/exec.h"
#include "daemon/messages.h"
#include "daemon/recover_kill.h"

struct recovery {
	struct state *state;
	struct recorded recorded;
	struct exec_base base;
	struct recover_report *report;
};

static const char *name_of(const struct recorded_finally *f)
{
	return f->node[0] ? f->node : "the tree";
}

static void complain(const struct recorded_finally *f, const char *what)
{
	struct holt_field fields[] = { { "HOLT_NODE", f->node }, { "MESSAGE_ID", MSG_FINALLY } };

	holt_log_at(LOG_ERR, NULL, 0, NULL, fields, 2, "%s: the finally command %s, which a killed holtd owed, %s", name_of(f),
		f->argv[0], what);
}

/* ---- one command */

static bool has(const char *const *env, const char *name)
{
	size_t n = strlen(name);

	for (; *env; env++)
		if (!strncmp(*env, name, n))
			return true;
	return false;
}

/* What was recorded, and what it needs beside that. The caller frees the array. */
static const char **environment_of(const struct recorded_finally *f)
{
	static const char *const ours[] = { "HOLT_RESULT=", "HOLT_RESULT=crashed",
		"HOLT_REASON=", "HOLT_REASON=holtd was killed" };
	const char **env;
	size_t n = 0;

	while (f->env[n])
		n++;
	env = holt__calloc(n + HOLT__N(ours) / 2 + 1, sizeof *env);
	if (!env)
		return NULL;
	memcpy(env, f->env, n * sizeof *env);
	for (size_t i = 0; i < HOLT__N(ours); i += 2)
		if (!has(f->env, ours[i]))
			env[n++] = ours[i + 1];
	return env;
}

static int start(
	struct recovery *v, const struct recorded_finally *f, const struct invocation *id, holt_process **ret, char why[200])
{
	struct node node = { .kind = NODE_GROUP, .path = f->node, .name = f->node };
	struct command c = { .path = f->argv[0], .argv = (char **)(uintptr_t)f->argv, .no_variables = true };
	const char **env = environment_of(f);
	struct exec_extra x = { .id = id, .env = env, .log_fd = STDERR_FILENO };
	struct exec e;
	int r;

	if (!env)
		return -ENOMEM;
	while (f->argv[c.argc])
		c.argc++;
	r = exec_prepare(&e, &v->base, &node, &c, &x);
	if (r < 0)
		snprintf(why, 200, "%s", e.why);
	else
		r = holt_process_start(ret, &e.options);
	exec_release(&e);
	holt__free(env);
	return r;
}

static int wait_within(holt_process *p, holt_time span, struct holt_exit *ret)
{
	struct holt_scope s;
	int r;

	holt_scope_begin(&s, holt_in(span), 0);
	r = holt_process_wait(p, ret);
	return (int)holt_scope_end(&s, r);
}

/* Nothing of it is to be left behind, as in an orderly stop. */
static void kill_family(struct recovery *v, const struct recorded_finally *f, const struct invocation *id)
{
	struct recorded_process p = { .node = f->node, .id = *id };
	struct recorded r = { .processes = &p, .n_processes = 1 };
	struct recover_kill k;

	if (recover_kill(v->state, &r, &k) == 0)
		holt__free(k.alive);
}

/* 0: it ended well; -ECANCELED: it was ended, and has to run again; else it is over, and was told. */
static int run_command(struct recovery *v, const struct recorded_finally *f, const struct invocation *id)
{
	holt_auto(process) p = NULL;
	struct holt_exit x = { .code = 0 };
	char why[200] = "", what[300];
	int r = start(v, f, id, &p, why);

	if (r == -ECANCELED)
		return r;
	if (r < 0) {
		snprintf(what, sizeof what, "cannot be executed: %s", why[0] ? why : strerror(-r));
		complain(f, what);
		return r;
	}
	(void)state_process(
		v->state, f->node, holt_process_pid(p), id, NULL); /* for one that is killed just now; else nobody's */
	r = wait_within(p, f->timeout, &x);
	if (r == -ETIME) {
		(void)holt_process_stop(p, SIGKILL, 0, NULL);
		complain(f, "took too long, and was killed");
	} else if (r == 0 && (x.signaled || x.code)) {
		snprintf(what, sizeof what, x.signaled ? "was killed by signal %d" : "ended with %d", x.code);
		complain(f, what);
		r = -EIO;
	} else if (r < 0 && r != -ECANCELED) {
		complain(f, strerror(-r));
	}
	return r;
}

static int run_one(struct recovery *v, const struct recorded_finally *f)
{
	struct invocation id = invocation_new();
	int r = run_command(v, f, &id), e;

	if (r == -ECANCELED) {
		struct holt_scope s;

		holt_scope_begin(&s, holt_in(HOLT_SEC), HOLT_SHIELD); /* the command is owed still, but nothing of it is left */
		kill_family(v, f, &id);
		(void)holt_scope_end(&s, 0);
		return r;
	}
	kill_family(v, f, &id);
	v->report->ran++;
	v->report->failed += r < 0;
	e = state_done(v->state, f->activation, f->index);
	if (e < 0)
		holt_log(LOG_ERR, "%s: it cannot be recorded that %s was run: %s", name_of(f), f->argv[0], strerror(-e));
	return 0;
}

/* ---- their order */

/* Whether a is further down than b. */
static bool is_below(const char *a, const char *b)
{
	size_t n = strlen(b);

	return n == 0 ? a[0] != 0 : !strncmp(a, b, n) && a[n] == '/';
}

static bool must_wait(const struct recorded *r, const struct recorded_finally *f)
{
	for (size_t i = 0; i < r->n_finally; i++)
		if (is_below(r->finally[i].node, f->node))
			return true;
	return false;
}

/* The newest for which nothing further down is owed. There is one: the one furthest down. */
static size_t next_of(const struct recorded *r)
{
	size_t i = r->n_finally - 1;

	while (i > 0 && must_wait(r, &r->finally[i]))
		i--;
	return i;
}

static int run_owed(struct recovery *v)
{
	struct recorded *r = &v->recorded;
	int e = 0;

	while (e == 0 && r->n_finally > 0) {
		size_t i = next_of(r);

		e = run_one(v, &r->finally[i]);
		if (e < 0)
			break;
		r->n_finally--;
		memmove(&r->finally[i], &r->finally[i + 1], (r->n_finally - i) * sizeof *r->finally);
	}
	v->report->skipped = (unsigned)r->n_finally;
	return e;
}

/* ---- all of it */

static int kill_left(struct recovery *v)
{
	struct recorded *r = &v->recorded;
	struct recover_kill k;
	size_t n = 0;
	int e = recover_kill(v->state, r, &k);

	if (e < 0)
		return e;
	for (size_t i = 0; i < r->n_processes; i++)
		if (k.alive[i])
			r->processes[n++] = r->processes[i];
	r->n_processes = n;
	v->report->killed = k.killed;
	v->report->left = k.left;
	holt__free(k.alive);
	return 0;
}

static void tell(const struct recovery *v)
{
	const struct recorded *r = &v->recorded;

	if (r->other_boot)
		holt_log(LOG_NOTICE, "%s: the records are of another boot: nothing is owed", v->state->path);
	if (r->bad)
		holt_log(LOG_WARNING, "%s: %zu records make no sense, and were skipped", v->state->path, r->bad);
	if (r->other_pids)
		holt_log(LOG_NOTICE, "%s: the recorded processes were in another pid namespace, and are left alone",
			v->state->path);
}

static int recover(struct recovery *v)
{
	int r = v->recorded.n_processes ? kill_left(v) : 0;

	if (r == 0)
		r = run_owed(v);
	if (r < 0 && r != -ECANCELED)
		return r;
	(void)state_rewrite(v->state, &v->recorded); /* each is marked as done already: it is only shorter */
	return r;
}

int recover_run(struct state *s, struct recover_report *ret)
{
	extern char **environ;
	struct recovery v = { .state = s, .report = ret };
	int r;

	*ret = (struct recover_report){ .killed = 0 };
	r = state_read(s, &v.recorded);
	if (r < 0)
		return r;
	tell(&v);
	r = exec_base_open(&v.base, NULL, NULL, environ);
	if (r == 0)
		r = recover(&v);
	exec_base_close(&v.base);
	recorded_free(&v.recorded);
	return r;
}
