/* SPDX-License-Identifier: MIT */
/*
 * holtd's runner, swept, with a simulated process table: a cancellation comes at each suspension, each allocation and each system
 * call of the library fails, and everything happens in many orders. What must hold, whatever happens: no process is left, alive or
 * to be waited for; each finally command that was owed was started once, and in its order, or is still in the records, or the log
 * has said that it cannot be; and all comes to its end without anybody waiting for ever.
 */
#include "sweep.h"

#include "daemon/config.h"
#include "daemon/recover.h"
#include "daemon/runner.h"

#include "folder.h"
#include "procs.h"

/* ---- what processes do */

enum { FINALLYS = 2 };
static unsigned crashes, finallys[FINALLYS], finally_order;
static bool finally_out_of_order, started_after_finally;

static struct proc_script procs_script(char *const *argv)
{
	const char *name = argv[0] + strlen("/sim/");

	if (!strcmp(name, "finally")) {
		unsigned n = (unsigned)atoi(argv[1]);

		finallys[n]++;
		finally_out_of_order = finally_out_of_order || n < finally_order; /* the group's, 0, comes before the tree's, 1 */
		finally_order = n;
		return (struct proc_script){ .lives = HOLT_MS };
	}
	started_after_finally = started_after_finally || finallys[1] > 0;
	if (!strcmp(name, "lives"))
		return (struct proc_script){ .lives = HOLT_NEVER, .takes = HOLT_MS, .says = "here I am\n" };
	if (!strcmp(name, "stubborn"))
		return (struct proc_script){ .lives = HOLT_NEVER, .ignores_sigterm = true };
	if (!strcmp(name, "crashes")) /* twice, and then it lives */
		return (struct proc_script){ .lives = crashes++ < 2 ? 3 * HOLT_MS : HOLT_NEVER, .status = 1 };
	if (!strcmp(name, "once"))
		return (struct proc_script){ .lives = 2 * HOLT_MS };
	return (struct proc_script){ .exec_error = -ENOENT };
}

static const char tree[] = "[tree]\n"
			   "LogTarget=%s\n"
			   "Finally=/sim/finally 1\n"
			   "FinallyTimeoutSec=1s\n"
			   "[process a]\n"
			   "ExecStart=/sim/lives\n"
			   "RestartSec=0\n"
			   "Restart=always\n"
			   "[group g]\n"
			   "Requires=a\n"
			   "Finally=/sim/finally 0\n"
			   "FinallyTimeoutSec=1s\n"
			   "[process g/b]\n"
			   "ExecStartPre=/sim/once\n"
			   "ExecStart=/sim/crashes\n"
			   "ExecStopPost=/sim/once\n"
			   "Restart=on-failure\n"
			   "RestartSec=5ms\n"
			   "[process g/c]\n"
			   "Type=oneshot\n"
			   "ExecStart=/sim/once\n"
			   "[process g/d]\n"
			   "ExecStart=/sim/stubborn\n"
			   "TimeoutStopSec=500ms\n";

/* ---- the play */

static struct config *config;
static struct state state;
static struct runner runner;
static int opened;            /* how far it came: 1 the state, 2 the runner */
static bool came_up, said_so; /* that a finally command cannot be armed */

static void hear_log(void *arg, int priority, const char *message, const struct holt_field *fields, size_t n)
{
	(void)arg;
	(void)priority;
	(void)fields;
	(void)n;
	said_so = said_so || strstr(message, "they will not be run");
}

static bool is_up(struct runner *r)
{
	const struct unit *b = &r->policy.units[config_find(r->config, "g/b")->index];

	return r->policy.tree->phase == PHASE_UP && b->restarts >= 2;
}

/* Up, one process is killed, up again, an orderly stop. */
static int play(void *arg)
{
	struct runner *r = arg;
	pid_t pid;
	int e = 0;

	while (e == 0 && !r->ended && !is_up(r))
		e = holt_event_wait(&r->changed);
	came_up = came_up || is_up(r);
	pid = child_pid(runner_child(r, &r->policy.units[config_find(r->config, "a")->index]));
	if (e == 0 && pid > 0) {
		kill(pid, SIGKILL);
		e = holt_sleep(50 * HOLT_MS);
	}
	runner_end(r);
	return e;
}

static int act(void *arg)
{
	char text[200] = "";
	struct holt__text why = HOLT__TEXT(text);
	struct state_options o = { .path = in_folder("state") };
	struct recover_report left;
	holt_group *g = NULL;
	pid_t other;
	int e;

	(void)arg;
	procs_reset();
	holt_log_sink(hear_log, NULL); /* the runner takes it away at its end */
	said_so = false;
	memset(finallys, 0, sizeof finallys);
	crashes = finally_order = 0;
	finally_out_of_order = started_after_finally = came_up = false;
	opened = 0;
	e = state_open(&state, &o, &other, &why);
	if (e < 0)
		return e;
	opened = 1;
	e = recover_run(&state, &left); /* the run before may have left something owed: then it is done here */
	memset(finallys, 0, sizeof finallys);
	finally_order = 0;
	finally_out_of_order = started_after_finally = false;
	if (e == 0)
		e = runner_open(&runner, config, &state);
	if (e == 0) {
		opened = 2;
		e = holt_group_open(&g, .name = "holtd");
		if (e == 0)
			e = holt_spawn(g, play, &runner, .background = true);
		if (e == 0)
			e = holt_spawn(g, runner_task, &runner);
		if (g)
			e = holt_group_close(g, e);
		if (e == 0 && runner.ended)
			e = runner.status;
		runner_close(&runner);
	}
	state_close(&state);
	return e;
}

/* In the records. */
static bool owes(void)
{
	char text[8192] = "";
	int fd = open(in_folder("state/records"), O_RDONLY | O_CLOEXEC);

	if (fd < 0)
		return false;
	if (read(fd, text, sizeof text - 1) < 0)
		text[0] = 0;
	close(fd);
	return strstr(text, "/sim/finally") != NULL;
}

static int all_is_down(void *arg, int result)
{
	(void)arg;
	(void)result;
	HOLDS(procs_alive() == 0);
	HOLDS(procs_left() == 0);
	HOLDS(!finally_out_of_order);
	HOLDS(!started_after_finally);
	for (unsigned i = 0; i < FINALLYS; i++) {
		HOLDS(finallys[i] <= 1);
		HOLDS(finallys[i] == 1 || !came_up || owes() || said_so);
	}
	return 0;
}

static void with_folder(unsigned what)
{
	char text[2048];
	struct config_options o = { .name = "t" };
	int n;

	folder_make();
	n = snprintf(text, sizeof text, tree, in_folder("log"));
	ck_assert_int_eq(config_parse(&config, in_folder("t.tree"), text, (size_t)n, &o), 0);
	sweep((struct scenario){ .name = "runner", .fn = act, .check = all_is_down, .before = procs_reset, .what = what });
	config = config_free(config);
	folder_remove();
}

TEST(runner_canceled_anywhere_leaves_no_process_and_owes_no_finally)
{
	with_folder(HOLT_SWEEP_CANCEL);
}

TEST(runner_that_runs_out_of_memory_or_calls_leaves_no_process_and_owes_no_finally)
{
	with_folder(SWEEP_FAIL);
}
