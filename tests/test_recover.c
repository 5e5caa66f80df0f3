/* SPDX-License-Identifier: MIT */
/*
 * After a SIGKILL of holtd: real processes that it left are killed, and nobody else; what finally owes runs in its order. The
 * processes here are children of the test, so a dead one stays a zombie until the test has seen it.
 */
#include "daemon/recover.h"

#include <poll.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>

#include "folder.h"
#include "harness.h"

#include "daemon/recover_kill.h"

static struct state s;
static struct recover_report report;

static void open_state(void)
{
	struct state_options o = { .path = in_folder("s") };
	char text[400] = "";
	struct holt__text why = HOLT__TEXT(text);
	pid_t holder;
	int r = state_open(&s, &o, &holder, &why);

	ck_assert_msg(r == 0, "%s", text);
}

static int recovering(void *arg)
{
	(void)arg;
	return recover_run(&s, &report);
}

static void recover(void)
{
	ck_assert_int_eq(harness_run(recovering, NULL), 0);
}

static void begin(void)
{
	harness_real_clock();
	folder_make();
	open_state();
}

static void end(void)
{
	state_close(&s);
	folder_remove();
}

/* ---- processes */

static struct invocation new_id(void)
{
	static uint64_t next = 0x1234;

	return (struct invocation){ { (uint64_t)getpid(), next++ } };
}

static int as_8 = -1; /* what a child gets as descriptor 8 */

/* A shell that runs the script, with that id if it is one; it has told by a byte in a pipe that it runs when this returns. */
static pid_t start(const char *script, const struct invocation *id, bool new_group)
{
	char variable[80], text[33], byte, command[600];
	char *env[] = { "PATH=/usr/bin:/bin", id ? variable : NULL, NULL };
	int p[2];
	pid_t pid;

	if (id) {
		invocation_text(id, text);
		snprintf(variable, sizeof variable, "HOLT_INVOCATION_ID=%s", text);
	}
	snprintf(command, sizeof command, "%s", script);
	ck_assert_int_eq(pipe2(p, O_CLOEXEC), 0);
	pid = fork();
	ck_assert_int_ge(pid, 0);
	if (pid == 0) {
		int ready = fcntl(p[1], F_DUPFD_CLOEXEC, 20), other = as_8 < 0 ? -1 : fcntl(as_8, F_DUPFD_CLOEXEC, 20);

		dup2(ready, 9);
		if (other >= 0)
			dup2(other, 8);
		prctl(PR_SET_PDEATHSIG, SIGKILL); /* of a test that failed */
		if (new_group)
			setpgid(0, 0);
		execle("/bin/sh", "sh", "-c", command, NULL, env);
		_exit(127);
	}
	close(p[1]);
	ck_assert_int_eq(read(p[0], &byte, 1), 1);
	close(p[0]);
	return pid;
}

#define READY "echo >&9; exec 9>&-; "

static void record(pid_t pid, const struct invocation *id)
{
	ck_assert_int_eq(state_process(&s, "shop/api", pid, id, NULL), 0);
}

static bool lives(pid_t pid)
{
	siginfo_t info = { .si_pid = 0 };

	if (waitid(P_PID, (id_t)pid, &info, WEXITED | WNOHANG | WNOWAIT) < 0)
		return kill(pid, 0) == 0; /* not our child */
	return info.si_pid == 0;
}

static void reap(pid_t pid)
{
	ck_assert_int_eq(waitpid(pid, NULL, 0), pid);
}

static void kill_and_reap(pid_t pid)
{
	kill(pid, SIGKILL);
	reap(pid);
}

static const char *owed(void)
{
	static char text[4096];
	struct recorded r;

	text[0] = 0;
	ck_assert_int_eq(state_read(&s, &r), 0);
	for (size_t i = 0; i < r.n_processes; i++)
		sprintf(text + strlen(text), "p%d ", r.processes[i].pid);
	for (size_t i = 0; i < r.n_finally; i++)
		sprintf(text + strlen(text), "%s/%u ", r.finally[i].node, r.finally[i].index);
	recorded_free(&r);
	return text;
}

/* ---- killing */

TEST(a_recorded_process_is_killed_and_forgotten)
{
	struct invocation id = new_id();
	pid_t pid;

	begin();
	pid = start(READY "exec sleep 1000", NULL, true);
	record(pid, &id);
	recover();
	ck_assert_uint_eq(report.killed, 1);
	ck_assert_uint_eq(report.left, 0);
	ck_assert(!lives(pid));
	reap(pid);
	ck_assert_str_eq(owed(), "");
	end();
	ck_assert(harness_logged("shop/api: process"));
}

TEST(one_that_only_has_the_number_is_left_alone)
{
	struct recorded_process p = { .node = "a", .id = new_id() };
	struct recorded r = { .processes = &p, .n_processes = 1 };

	begin();
	p.pid = start(READY "exec sleep 1000", NULL, true);
	p.start = 17;
	ck_assert_int_eq(state_rewrite(&s, &r), 0);
	recover();
	ck_assert_uint_eq(report.killed, 0);
	ck_assert(lives(p.pid));
	p.start = 0; /* it was not known: then the number says nothing */
	ck_assert_int_eq(state_rewrite(&s, &r), 0);
	recover();
	ck_assert(lives(p.pid));
	kill_and_reap(p.pid);
	end();
}

TEST(a_family_is_found_by_its_invocation_wherever_it_went)
{
	struct invocation id = new_id(), other = new_id();
	pid_t a, b, c;

	begin();
	a = start(READY "exec setsid sleep 1000", &id, false);
	b = start(READY "exec sleep 1000", &id, false);
	c = start(READY "exec setsid sleep 1000", &other, false);
	record(4711, &id); /* its main process is gone since long */
	recover();
	ck_assert_uint_eq(report.killed, 2);
	ck_assert(!lives(a) && !lives(b));
	ck_assert(lives(c)); /* of somebody else's holtd */
	reap(a);
	reap(b);
	kill_and_reap(c);
	end();
}

TEST(who_has_taken_off_the_invocation_goes_with_the_process_group)
{
	struct invocation id = new_id();
	struct pollfd p = { .events = POLLIN };
	pid_t pid;
	int fds[2];

	begin();
	ck_assert_int_eq(pipe2(fds, O_CLOEXEC), 0);
	as_8 = fds[1];
	pid = start("env -i sleep 1000 & " READY "exec 8>&-; exec sleep 1000", &id, true);
	close(fds[1]);
	record(pid, &id);
	recover();
	reap(pid);
	p.fd = fds[0]; /* nobody holds its other end any more */
	ck_assert_int_eq(poll(&p, 1, 10000), 1);
	close(fds[0]);
	end();
}

TEST(those_that_were_born_while_we_looked_are_found_too)
{
	struct invocation id = new_id();
	pid_t pid;

	if (geteuid() == 0 && access("/proc/self/environ", R_OK) < 0)
		SKIP("no /proc/PID/environ");
#ifdef HARNESS_TSAN
	SKIP("a round over /proc is too slow under ThreadSanitizer for one that forks all the time");
#endif
	begin();
	/* each forks the next one and ends: nobody lives for long, and there is always one */
	pid = start("f() { sleep 0.01; (f) & }; " READY "f; f; f; sleep 1000", &id, false);
	record(pid, &id);
	ck_assert_int_eq(prctl(PR_SET_CHILD_SUBREAPER, 1), 0);
	recover();
	ck_assert_uint_eq(report.left, 0);
	while (waitpid(-1, NULL, WNOHANG) > 0)
		;
	usleep(100000); /* nothing to wait for: it shall not come back */
	ck_assert_int_eq(waitpid(-1, NULL, WNOHANG), -1);
	end();
}

TEST(we_ourselves_are_never_killed)
{
	struct invocation id = new_id();

	begin();
	record(getpid(), &id);
	recover();
	ck_assert_uint_eq(report.killed, 0);
	end();
}

TEST(a_dead_one_that_nobody_waited_for_is_not_waited_for)
{
	struct invocation id = new_id();
	pid_t pid;

	begin();
	pid = start(READY "exec sleep 1000", &id, true);
	record(pid, &id);
	kill(pid, SIGKILL);
	while (lives(pid))
		usleep(1000);
	recover();
	ck_assert_uint_eq(report.killed + report.left, 0);
	reap(pid);
	end();
}

TEST(many_with_few_descriptors)
{
	struct rlimit l, old;
	struct invocation id = new_id();
	pid_t pids[30];

	begin();
	for (size_t i = 0; i < HOLT__N(pids); i++) {
		pids[i] = start(READY "exec sleep 1000", NULL, true);
		record(pids[i], &id);
	}
	getrlimit(RLIMIT_NOFILE, &old);
	l = (struct rlimit){ harness_fds() + 12, old.rlim_max };
	setrlimit(RLIMIT_NOFILE, &l);
	recover();
	setrlimit(RLIMIT_NOFILE, &old);
	ck_assert_uint_eq(report.killed, HOLT__N(pids));
	for (size_t i = 0; i < HOLT__N(pids); i++)
		reap(pids[i]);
	ck_assert_str_eq(owed(), "");
	end();
}

TEST(its_cgroup_is_killed_whole_unless_we_are_in_it)
{
	struct invocation id = new_id();
	char pid[32];

	begin(); /* folders that look like one */
	mkdir(in_folder("cgroup"), 0755);
	file_says(in_folder("cgroup/cgroup.procs"), "1\n2\n");
	file_says(in_folder("cgroup/cgroup.kill"), "");
	ck_assert_int_eq(state_process(&s, "a", 4711, &id, in_folder("cgroup")), 0);
	recover();
	ck_assert_str_eq(file_read(in_folder("cgroup/cgroup.kill"), NULL), "1");
	file_says(in_folder("cgroup/cgroup.kill"), "");
	snprintf(pid, sizeof pid, "1\n%d\n2\n", (int)getpid());
	file_says(in_folder("cgroup/cgroup.procs"), pid);
	ck_assert_int_eq(state_process(&s, "a", 4711, &id, in_folder("cgroup")), 0);
	recover();
	ck_assert_str_eq(file_read(in_folder("cgroup/cgroup.kill"), NULL), "");
	end();
}

/* ---- what finally owes */

static void arm(const char *node, uint64_t activation, unsigned index, const char *script, holt_time timeout)
{
	const char *argv[] = { "/bin/sh", "-c", script, NULL };
	static const char *const env[] = { "HOLT_TREE=shop", NULL };

	ck_assert_int_eq(state_armed(&s, node, activation, index, argv, env, timeout), 0);
}

static const char *out(void)
{
	return file_read(in_folder("out"), NULL);
}

/* A script that adds a word to the file. */
static const char *say(const char *word)
{
	static char scripts[16][200];
	static unsigned next;
	char *text = scripts[next++ % 16];

	snprintf(text, sizeof scripts[0], "echo -n '%s ' >>%s/out", word, folder);
	return text;
}

TEST(the_newest_runs_first_and_inner_groups_before_outer_ones)
{
	begin();
	arm("", 1, 0, say("tree0"), HOLT_MIN);
	arm("", 1, 1, say("tree1"), HOLT_MIN);
	arm("a", 2, 0, say("a0"), HOLT_MIN);
	arm("a", 2, 1, say("a1"), HOLT_MIN);
	arm("a/x", 3, 0, say("x"), HOLT_MIN);
	arm("ab", 4, 0, say("ab"), HOLT_MIN);
	arm("a", 5, 2, say("a2-late"), HOLT_MIN); /* armed later than what is further down */
	ck_assert_int_eq(state_done(&s, 1, 0), 0);
	recover();
	ck_assert_str_eq(out(), "ab x a2-late a1 a0 tree1 ");
	ck_assert_uint_eq(report.ran, 6);
	ck_assert_uint_eq(report.failed, 0);
	ck_assert_str_eq(owed(), "");
	recover(); /* once */
	ck_assert_uint_eq(report.ran, 0);
	end();
}

TEST(it_knows_why_it_runs)
{
	char script[300];

	begin();
	setenv("NOTIFY_SOCKET", "/nowhere", 1);
	setenv("OURS", "yes", 1);
	snprintf(script, sizeof script,
		"echo \"$HOLT_RESULT,$HOLT_REASON,$HOLT_NODE,$HOLT_TREE,$NOTIFY_SOCKET,$OURS,$PWD,${#HOLT_INVOCATION_ID}\" >%s/out",
		folder);
	arm("shop/db", 1, 0, script, HOLT_MIN);
	recover();
	ck_assert_str_eq(out(), "crashed,holtd was killed,shop/db,shop,,yes,/,32\n");
	end();
}

TEST(words_are_not_looked_at_again)
{
	const char *argv[] = { "/usr/bin/touch", in_folder("${PATH} $HOME"), NULL };

	begin();
	argv[1] = in_folder("${PATH} $HOME");
	ck_assert_int_eq(state_armed(&s, "g", 1, 0, argv, NULL, HOLT_MIN), 0);
	recover();
	ck_assert(file_is_there(argv[1]));
	end();
}

TEST(one_that_fails_is_logged_and_the_rest_still_run)
{
	const char *argv[] = { "/nonexistent/program", NULL };

	begin();
	arm("g", 1, 0, say("first"), HOLT_MIN);
	ck_assert_int_eq(state_armed(&s, "g", 1, 1, argv, NULL, HOLT_MIN), 0);
	arm("g", 1, 2, "exit 3", HOLT_MIN);
	arm("g", 1, 3, "kill -TERM $$", HOLT_MIN);
	arm("g", 1, 4, say("last"), HOLT_MIN);
	recover();
	ck_assert_str_eq(out(), "last first ");
	ck_assert_uint_eq(report.ran, 5);
	ck_assert_uint_eq(report.failed, 3);
	ck_assert(harness_logged("/nonexistent/program, which a killed holtd owed, cannot be executed: No such file"));
	ck_assert(harness_logged("ended with 3"));
	ck_assert(harness_logged("was killed by signal 15"));
	ck_assert_str_eq(owed(), "");
	end();
}

TEST(one_that_takes_too_long_is_killed_with_all_that_it_started)
{
	struct pollfd p = { .events = POLLIN };
	char script[200];
	int fd;

	begin();
	ck_assert_int_eq(mkfifo(in_folder("alive"), 0600), 0);
	fd = open(in_folder("alive"), O_RDONLY | O_NONBLOCK | O_CLOEXEC);
	arm("g", 1, 0, say("next"), HOLT_MIN);
	snprintf(script, sizeof script, "exec 7>%s; setsid sleep 1000 & trap '' TERM; sleep 1000", in_folder("alive"));
	arm("g", 1, 1, script, 300 * HOLT_MS);
	recover();
	ck_assert(harness_logged("took too long, and was killed"));
	ck_assert_str_eq(out(), "next ");
	p.fd = fd;
	ck_assert_int_eq(poll(&p, 1, 10000), 1);
	ck_assert(p.revents & POLLHUP); /* nobody is left who would have it open */
	close(fd);
	end();
}

static int recovering_for_a_moment(void *arg)
{
	struct holt_scope scope;
	int r;

	(void)arg;
	holt_scope_begin(&scope, holt_in(300 * HOLT_MS), 0);
	r = recover_run(&s, &report);
	ck_assert_int_eq(r, -ECANCELED);
	return (int)holt_scope_end(&scope, r);
}

TEST(what_was_canceled_is_still_owed)
{
	begin();
	arm("g", 1, 0, say("first"), HOLT_MIN);
	arm("g", 1, 1, "exec sleep 1000", HOLT_MIN);
	arm("g", 1, 2, say("last"), HOLT_MIN);
	ck_assert_int_eq(harness_run(recovering_for_a_moment, NULL), -ETIME);
	ck_assert_str_eq(out(), "last ");
	ck_assert_str_eq(owed(), "g/0 g/1 ");
	ck_assert_uint_eq(report.skipped, 2);
	end();
}

static int recover_in_child(void *arg)
{
	(void)arg;
	open_state();
	return holt_run(recovering, NULL);
}

TEST(one_during_which_we_are_killed_runs_again)
{
	char script[300];
	int status;

	harness_real_clock();
	folder_make();
	open_state();
	snprintf(script, sizeof script,
		"echo -n 'again ' >>%s/out; [ -e %s/second ] || { touch %s/second; kill -KILL $PPID; sleep 1000; }", folder,
		folder, folder);
	arm("g", 1, 0, say("first"), HOLT_MIN);
	arm("g", 1, 1, script, HOLT_MIN);
	arm("g", 1, 2, say("once"), HOLT_MIN); /* has ended by then */
	state_close(&s);
	status = harness_child(recover_in_child, NULL);
	ck_assert(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
	ck_assert_str_eq(out(), "once again ");
	open_state();
	ck_assert_str_ne(owed(), "");
	recover();
	ck_assert_str_eq(out(), "once again again first ");
	ck_assert_str_eq(owed(), "");
	end();
}

TEST(processes_are_gone_before_the_first_command_runs)
{
	struct invocation id = new_id();
	char script[200];
	pid_t pid;

	begin();
	pid = start(READY "exec sleep 1000", &id, true);
	record(pid, &id);
	snprintf(script, sizeof script, "grep -q '^State:.Z' /proc/%d/status && echo gone >%s/out", (int)pid, folder);
	arm("", 1, 0, script, HOLT_MIN);
	recover();
	reap(pid);
	ck_assert_str_eq(out(), "gone\n");
	end();
}

/* ---- memory */

static int recovering_somehow(void *arg)
{
	int r = recover_run(&s, &report);

	(void)arg;
	ck_assert_msg(r == 0 || r == -ENOMEM, "%s", strerror(-r));
	return 0;
}

TEST(each_allocation_may_fail_and_nothing_is_forgotten)
{
	struct invocation id = new_id();

	begin();
	record(4711, &id);
	for (uint64_t n = 1;; n++) {
		bool failed;

		arm("g", n, 0, "exit 0", HOLT_MIN);
		harness_fail_alloc(n);
		(void)harness_run(recovering_somehow, NULL);
		failed = harness_alloc_failed();
		harness_fail_alloc(0);
		ck_assert_msg(report.ran > 0 || owed()[0], "allocation %llu: forgotten", (unsigned long long)n);
		recover();
		ck_assert_str_eq(owed(), "");
		if (!failed)
			break;
	}
	end();
}
