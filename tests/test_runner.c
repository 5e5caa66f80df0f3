/* SPDX-License-Identifier: MIT */
/*
 * The runner with real processes, each allocation and each system call failing in turn: whatever fails, the tree comes to its
 * end, no process, descriptor or allocation is left, and its finally command has run once, or the log says why not.
 *
 * Each run is a process of its own. A sweep takes every k-th point, so that there are some PER_SWEEP of them; with
 * HOLT_SWEEP=1 in the environment it takes them all.
 */
#include "faults.h"

#include <signal.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <systemd/sd-daemon.h>

#include "daemon/config.h"
#include "daemon/recover.h"
#include "daemon/runner.h"

#include "folder.h"

#if defined(HARNESS_ASAN) || defined(HARNESS_TSAN)
enum { PER_SWEEP = 40 };
#else
enum { PER_SWEEP = 100 };
#endif

/* A sweep is many trees, which takes its time where several machines share a processor. */
static void __attribute__((constructor)) take_your_time(void)
{
	setenv("CK_DEFAULT_TIMEOUT", getenv("HOLT_SWEEP") ? "3600" : "250", 1);
}

/* The tree's Type=notify process: this program again, which says that it is ready, and waits for its end. */
static void __attribute__((constructor)) be_the_child(void)
{
	if (!getenv("HOLT_TEST_CHILD"))
		return;
	sd_notify(0, "STATUS=here\nREADY=1");
	pause();
	_exit(0);
}

static const char tree[] = "[tree]\n"
			   "Finally=/bin/sh -c 'echo tree $HOLT_RESULT >>%s/finally'\n"
			   "FinallyTimeoutSec=20s\n"
			   "[process a]\n"
			   "Type=notify\n"
			   "Environment=HOLT_TEST_CHILD=1 ASAN_OPTIONS=detect_leaks=0\n"
			   "EnvironmentFile=%s/env\n"
			   "ExecStart=/proc/%d/exe\n"
			   "RestartSec=0\n"
			   "Restart=always\n"
			   "[group g]\n"
			   "Requires=a\n"
			   "Finally=/bin/sh -c 'echo g >>%s/finally'\n"
			   "[process g/b]\n"
			   "ExecStartPre=/bin/true\n"
			   "ExecStart=/bin/sh -c 'echo words; exec sleep infinity'\n"
			   "ExecStopPost=/bin/true\n"
			   "RestartSec=0\n"
			   "[process g/c]\n"
			   "Type=oneshot\n"
			   "ExecStart=/bin/true\n";

enum what { NOTHING, ALLOCATIONS, CALLS };

static struct {
	enum what what;
	unsigned n;         /* the one that fails */
	unsigned *ret_made; /* how many there were: in memory that the runs share */
	bool over;          /* nothing fails any more */
	struct state state;
	struct config *config;
	struct runner runner;
} plan;

static void arm(bool on)
{
	if (on && plan.what == ALLOCATIONS) {
		harness_fail_alloc(plan.n);
	} else if (on) {
		faults_arm(plan.what == CALLS ? plan.n : 0);
	} else if (!plan.over) {
		*plan.ret_made = plan.what == ALLOCATIONS ? (unsigned)harness_allocs() : faults.made;
		faults.armed = false;
		harness_fail_alloc(0);
		plan.over = true;
	}
}

/* ---- the play: ready, one process is killed, ready again, an orderly stop */

static bool b_is_up_again(struct runner *r)
{
	const struct unit *b = &r->policy.units[config_find(r->config, "g/b")->index];

	return b->restarts > 0 && r->policy.tree->phase == PHASE_UP;
}

static bool is_ready(struct runner *r)
{
	return r->policy.tree->phase == PHASE_UP;
}

static int until(struct runner *r, bool (*holds)(struct runner *r))
{
	int e = 0;

	while (e == 0 && !r->ended && !holds(r))
		e = holt_event_wait(&r->changed);
	return e;
}

static int play(void *arg)
{
	struct runner *r = arg;
	const struct unit *b = &r->policy.units[config_find(r->config, "g/b")->index];
	pid_t pid;
	int e = until(r, is_ready);

	pid = child_pid(runner_child(r, b));
	if (e == 0 && pid > 0) {
		__real_kill(pid, SIGKILL); /* ours, and not one that is to fail */
		e = until(r, b_is_up_again);
	}
	runner_end(r);
	return e;
}

static int run_it(struct runner *r)
{
	holt_group *g;
	int e = holt_group_open(&g);

	if (e < 0)
		return e;
	e = holt_spawn(g, play, r, .background = true);
	if (e == 0) {
		e = runner_run(r);
		arm(false);
	}
	return holt_group_close(g, e);
}

static int act(void *arg)
{
	char text[200] = "";
	struct holt__text why = HOLT__TEXT(text);
	struct state_options o = { .path = in_folder("state") };
	struct recover_report left;
	pid_t other;
	int e;

	(void)arg;
	arm(true);
	e = state_open(&plan.state, &o, &other, &why);
	if (e == 0) {
		e = recover_run(&plan.state, &left);
		if (e == 0)
			e = runner_open(&plan.runner, plan.config, &plan.state);
		if (e == 0) {
			e = run_it(&plan.runner);
			runner_close(&plan.runner);
		}
		state_close(&plan.state);
	}
	arm(false);
	if (e < 0)
		printf("it was not run: %s %s\n", text, strerror(-e));
	return 0;
}

/* ---- one run, as a process */

static size_t lines_of(const char *path, const char *prefix)
{
	char text[1024] = "";
	int fd = open(path, O_RDONLY | O_CLOEXEC, 0);
	size_t n = 0;

	if (fd < 0)
		return 0;
	if (read(fd, text, sizeof text - 1) < 0)
		text[0] = 0;
	close(fd);
	for (const char *p = text; (p = strstr(p, prefix)); p++)
		n++;
	return n;
}

static int one_run(void *arg)
{
	char text[2048];
	struct config_options o = { .name = "t" };
	size_t live, fds;
	int n = snprintf(text, sizeof text, tree, folder, folder, (int)getpid(), folder);

	(void)arg;
	alarm(60); /* a run that hangs is found by it */
	harness_real_clock();
	prctl(PR_SET_CHILD_SUBREAPER, 1);
	ck_assert_int_eq(config_parse(&plan.config, in_folder("t.tree"), text, (size_t)n, &o), 0);
	fds = harness_fds();
	live = harness_live();
	if (holt_run(act, NULL) != 0)
		printf("BAD: the loop\n");
	if (faults.failed)
		printf("failed: %s\n", faults.failed);
	if (harness_fds() != fds)
		printf("BAD: %zu descriptors, not %zu\n", harness_fds(), fds);
	if (harness_live() != live)
		printf("BAD: %zu allocations, not %zu\n", harness_live(), live);
	if (waitpid(-1, NULL, WNOHANG) != -1 || errno != ECHILD)
		printf("BAD: a process is left\n");
	plan.config = config_free(plan.config);
	return 0;
}

/* A failure somewhere: what holds, whatever failed. */
static void run_with(unsigned n)
{
	const char *out, *told;
	int status;

	plan.n = n;
	folder_make();
	file_says(in_folder("env"), "MINE=yes\n");
	status = harness_child(one_run, NULL);
	out = harness_output();
	ck_assert_msg(status == 0, "%u: status %#x: %s", n, (unsigned)status, out);
	ck_assert_msg(!strstr(out, "BAD"), "%u: %s", n, out);
	told = strstr(out, "it was not run") ? out : strstr(out, "inally");
	for (const char *const *p = (const char *const[]){ "tree", "g", NULL }; *p; p++) {
		size_t ran = lines_of(in_folder("finally"), *p);

		ck_assert_msg(ran == 1 || (ran == 0 && told) || (ran == 0 && strstr(out, "fail")),
			"%u: finally of %s ran %zu times: %s", n, *p, ran, out);
	}
	folder_remove();
}

static void sweep(enum what what)
{
	unsigned total, step;

	plan.what = what;
	plan.ret_made = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	ck_assert_ptr_ne(plan.ret_made, MAP_FAILED);
	run_with(0);
	total = *plan.ret_made;
	ck_assert_uint_gt(total, 50);
	step = getenv("HOLT_SWEEP") ? 1 : 1 + total / PER_SWEEP;
	for (unsigned n = 1; n <= total; n += step)
		run_with(n);
	munmap(plan.ret_made, 4096);
}

TEST(a_tree_is_run_and_brought_down)
{
	plan.ret_made = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	ck_assert_ptr_ne(plan.ret_made, MAP_FAILED);
	run_with(0);
	munmap(plan.ret_made, 4096);
}

TEST(whichever_allocation_fails_the_tree_comes_to_its_end_and_nothing_is_left)
{
	sweep(ALLOCATIONS);
}

TEST(whichever_system_call_fails_the_tree_comes_to_its_end_and_nothing_is_left)
{
	sweep(CALLS);
}
