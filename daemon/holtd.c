/* SPDX-License-Identifier: MIT */
/*
 * holtd: runs one tree of processes, see holtd(8). A service of libholt with two supervised tasks: the control socket, and the
 * tree, which is the significant one. They stop in reverse, so that who looks on is served until the tree is down.
 *
 * How far a stop has come is what the library makes of signals (design of holt_service_run()): a stop is an orderly one; a
 * cancellation, by a second SIGINT or because the stop took longer than it possibly can, makes all go at once; when the
 * shield breaks, all is killed. The runner itself works behind that shield, and then, for finally still runs, in a finally handler.
 *
 * Exit status: 0 stopped or done, 1 it cannot start, 2 usage, 3 the tree failed.
 *
 * Which file does what. Pure, without a system call:
 *	the tree file    config.h: sources, sections, syntax, keys, values, parsers, names, nearest, cmdline, unfold, graph, problem
 *	decisions        policy (the tree), life (one process), budget (deadlines), ending, why, cause
 *	text             utf8, row, draw, symbols
 * Doing what they decide:
 *	runner, watch    the one task, and all that it waits for; tree: that task as holtd has it, with its stop and its end
 *	child, finish    processes of nodes; finally commands. exec*, envfile: what such a process gets. lines*: what it writes
 *	notify*, mainpid, fdstore            sd_notify of a node
 *	orphans, children, lookup, pids      what has lost its parent; invocation: whose it is. cgroup, cgtree: the same by cgroup
 *	state, records*, recover*            what outlives a holtd that is killed
 *	control*                             the Varlink socket; holtctl, ctl_*: its other side
 *	tell             the log
 */
#include <errno.h>
#include <getopt.h>
#include <holt/group.h>
#include <holt/io.h>
#include <holt/log.h>
#include <holt/run.h>
#include <holt/scope.h>
#include <holt/service.h>
#include <holt/supervise.h>
#include <holt/task.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "daemon/budget.h"
#include "daemon/config.h"
#include "daemon/control.h"
#include "daemon/finish.h"
#include "daemon/recover.h"
#include "daemon/runner.h"

enum { EXIT_CANNOT_START = 1, EXIT_USAGE = 2 };
#define SLACK (5 * HOLT_SEC) /* a stop may take so much longer than its budget before all goes at once */
#define HURRY (4 * HOLT_SEC) /* what that then takes, at the most: see policy.c and budget.h */

static struct {
	const char *file, *state_path; /* --state; NULL: as it is by default */
	char name[256];                /* of the tree */
	struct config *config;
	struct state state;
	struct runner runner;
	int listener;
	bool running; /* the runner is open */
} holtd = { .listener = -1 };

/* ---- the file, and SIGHUP */

static int load(struct config **ret)
{
	struct config_options o = { .check_owner = geteuid() == 0 };
	int e = config_load(ret, holtd.file, &o);

	if (e < 0 && e != -EINVAL)
		fprintf(stderr, "holtd: %s: %s\n", holtd.file, strerror(-e));
	return e;
}

static int reload(void *arg)
{
	struct config *c = NULL;
	int e;

	(void)arg;
	if (!holtd.running || holt_stopping()) {
		holt_log(LOG_WARNING, "the tree is stopping, it is not reloaded");
		return -ESHUTDOWN;
	}
	e = load(&c);
	for (size_t i = 0; c && i < c->n_problems; i++) {
		const struct problem *p = &c->problems[i];

		holt_log(p->warning ? LOG_WARNING : LOG_ERR, "%s:%u:%u: %s", p->file[0] ? p->file : holtd.file, p->line,
			p->column, p->text);
	}
	config_free(c);
	if (e == 0)
		holt_log(LOG_NOTICE, "%s has no errors; this version applies changes when holtd is restarted", holtd.file);
	return e;
}

/* ---- the service */

static int serve_control(void *arg)
{
	return control_serve(arg, holtd.listener);
}

/* ---- as the first process of a container */

static int hear_signal(void *sig)
{
	int e = holt_signal_wait((int)(intptr_t)sig, NULL);

	if (e == 0)
		holt_loop_stop(holt_loop_self(), "a signal to the first process");
	return e;
}

static int hear_signals_of_init(holt_group *g)
{
	int e;

	if (getpid() != 1)
		return 0;
	e = holt_spawn(g, hear_signal, (void *)(intptr_t)(SIGRTMIN + 3), .name = "SIGRTMIN+3", .background = true);
	if (e == 0)
		e = holt_spawn(g, hear_signal, (void *)(intptr_t)SIGPWR, .name = "SIGPWR", .background = true);
	return e;
}

/* ---- the service */

static int supervise(struct runner *r)
{
	holt_supervisor *s;
	/* the control socket may fail as often as it likes: with this pause that is never too often */
	int e = holt_supervisor_open(&s, .name = "holtd", .backoff_min = 3 * HOLT_SEC);

	if (e < 0)
		return e;
	e = holt_supervise(s, serve_control, r, .name = "control");
	if (e == 0)
		e = holt_supervise(s, runner_task, r, .name = "tree", .restart = HOLT_RESTART_NEVER, .significant = true);
	if (e == 0)
		e = holt_supervisor_wait(s);
	return holt_supervisor_close(s, e);
}

static int cannot(const char *what, int e)
{
	holt_log(LOG_ERR, "%s: %s", what, strerror(-e));
	(void)holt_status("%s: %s", what, strerror(-e));
	return EXIT_CANNOT_START;
}

static int open_state(void)
{
	struct state_options o = { .name = holtd.name, .path = holtd.state_path };
	char text[400] = "";
	struct holt__text why = HOLT__TEXT(text);
	pid_t pid = 0;
	int e = state_open(&holtd.state, &o, &pid, &why);

	if (e == -EBUSY)
		holt_log(LOG_ERR, "another holtd runs this tree: pid %d (%s)", (int)pid, text);
	else if (e < 0)
		holt_log(LOG_ERR, "the state directory: %s%s%s", text, text[0] ? ": " : "", strerror(-e));
	return e;
}

static int recover(void)
{
	struct recover_report done;
	int e = recover_run(&holtd.state, &done);

	if (done.killed || done.ran || done.left || done.skipped)
		holt_log(LOG_NOTICE,
			"a holtd was killed before: %u of its processes were killed, %u still live; %u finally commands were run, %u failed, %u are owed",
			done.killed, done.left, done.ran, done.failed, done.skipped);
	return e < 0 ? cannot("what an earlier holtd left cannot be cleaned up", e) : 0;
}

static int open_all(struct runner *r)
{
	int e = recover();

	if (e != 0)
		return e;
	e = runner_open(r, holtd.config, &holtd.state);
	if (e < 0)
		return cannot("the runner cannot be set up", e);
	holtd.running = true;
	r->reload = reload;
	holtd.listener = control_listen(holtd.config, holtd.state.path);
	return holtd.listener < 0 ? EXIT_CANNOT_START : 0;
}

static void close_all(struct runner *r)
{
	if (holtd.listener >= 0) {
		holt_close(holtd.listener);
		(void)unlink(holtd.state.control);
	}
	if (holtd.running)
		runner_close(r);
	holtd.running = false;
}

static int serve(void *arg)
{
	struct runner *r = &holtd.runner;
	holt_group *g;
	int e;

	(void)arg;
	if (open_state() < 0)
		return EXIT_CANNOT_START;
	e = open_all(r);
	if (e == 0) {
		e = holt_group_open(&g);
		if (e == 0) {
			e = hear_signals_of_init(g);
			if (e == 0)
				e = supervise(r);
			e = holt_group_close(g, e);
		}
		if (e < 0 && !r->ended)
			holt_log(LOG_ERR, "the tree was not brought down: %s", strerror(-e));
		e = r->ended ? r->status : EXIT_CANNOT_START;
	}
	close_all(r);
	state_close(&holtd.state);
	return e;
}

static int only_recover(void *arg)
{
	int e;

	(void)arg;
	if (open_state() < 0)
		return EXIT_CANNOT_START;
	e = recover();
	state_close(&holtd.state);
	return e;
}

/* ---- SIGUSR1 */

static void dump(void *arg)
{
	(void)arg;
	if (holtd.running)
		runner_dump(&holtd.runner);
}

/* ---- main */

static holt_time all_finally(const struct config *c)
{
	holt_time sum = 0;

	for (size_t i = 0; i < c->nodes.n; i++)
		if (node_is_group(c->nodes.v[i]))
			sum = holt__time_add(sum, budget_finally(c->nodes.v[i]));
	return sum;
}

/* Half of the cleanup is for going at once, and half for killing and what finally owes: see rule 12 of holt_rules(7). */
static int run_service(const struct config *c)
{
	holt_time longest = 24 * HOLT_HOUR, grace = holt__time_add(budget_worst(c->tree), SLACK);
	struct holt_service s = {
		.size = sizeof s,
		.name = "holtd",
		.grace = grace > longest ? longest : grace,
		.cleanup = 2 * (HURRY + all_finally(c)),
		.reload = reload,
		.dump = dump,
	};

	return holt_service_run(&s, serve, NULL);
}

static int usage(FILE *f)
{
	fprintf(f,
		"Usage: holtd [--state DIR] FILE.tree\n"
		"       holtd --recover [--state DIR] FILE.tree\n"
		"\n"
		"Runs the tree of processes that the file describes, until it has ended or is stopped.\n"
		"\n"
		"  --state DIR   where the lock, the control socket and the records are\n"
		"  --recover     kill what a holtd that was killed has left, run what finally owes, and exit\n"
		"  --version     the version\n"
		"\n"
		"holtctl looks into it, \"holtctl check FILE\" checks a file. See holtd(8), holt.tree(5).\n");
	return f == stderr ? EXIT_USAGE : 0;
}

static void set_name(const char *file)
{
	const char *base = strrchr(file, '/') ? strrchr(file, '/') + 1 : file;
	size_t n = strlen(base);

	if (n > 5 && strcmp(base + n - 5, ".tree") == 0)
		n -= 5;
	snprintf(holtd.name, sizeof holtd.name, "%.*s", (int)n, base);
	holtd.file = file;
}

/* Relative to where we are: the runner, and who reads the records, may be elsewhere. */
static int set_state(const char *given)
{
	static char path[8192];
	char here[4096];

	if (!given || given[0] == '/') {
		holtd.state_path = given;
		return 0;
	}
	if (!getcwd(here, sizeof here) || (size_t)snprintf(path, sizeof path, "%s/%s", here, given) >= sizeof path)
		return -ENAMETOOLONG;
	holtd.state_path = path;
	return 0;
}

int main(int argc, char **argv)
{
	static const struct option options[] = {
		{ "state", required_argument, NULL, 's' },
		{ "recover", no_argument, NULL, 'r' },
		{ "help", no_argument, NULL, 'h' },
		{ "version", no_argument, NULL, 'V' },
		{ NULL, 0, NULL, 0 },
	};
	bool recovering = false;
	int c, e = 0;

	while ((c = getopt_long(argc, argv, "hV", options, NULL)) != -1) {
		switch (c) {
		case 's':
			e = set_state(optarg);
			break;
		case 'r':
			recovering = true;
			break;
		case 'h':
			return usage(stdout);
		case 'V':
			printf("holtd %s\n", holt_version());
			return 0;
		default:
			return usage(stderr);
		}
	}
	if (optind + 1 != argc)
		return usage(stderr);
	if (e < 0) {
		fprintf(stderr, "holtd: --state: %s\n", strerror(-e));
		return EXIT_CANNOT_START;
	}
	set_name(argv[optind]);
	if (recovering) {
		e = holt_service_run(
			&(struct holt_service){ .size = sizeof(struct holt_service), .name = "holtd", .cleanup = HOLT_MIN },
			only_recover, NULL);
		return e < 0 ? EXIT_CANNOT_START : e;
	}
	e = load(&holtd.config);
	if (holtd.config)
		config_print_problems(holtd.config, stderr);
	if (e == 0 && holtd.config)
		e = run_service(holtd.config);
	else
		e = EXIT_CANNOT_START;
	config_free(holtd.config);
	return e < 0 ? EXIT_CANNOT_START : e;
}
