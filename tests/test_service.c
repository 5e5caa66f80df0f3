/* SPDX-License-Identifier: MIT */
/*
 * A service between a manager and its signals. The manager is a datagram socket; what comes there is written down with
 * the virtual time in ms, "5000 STOPPING=1", and so is what the tasks say with note(). The whole story is compared.
 * What ends the process runs in a child, which writes the same story.
 */
#include "harness.h"

#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <stdarg.h>
#include <stddef.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/un.h>

#include "task/task.h"

/* ---- the manager, and the story */

static struct story {
	size_t n;
	char text[65536];
} * story;
static int manager = -1;
static bool asleep; /* it does not read */

static __attribute__((format(printf, 1, 2))) void note(const char *fmt, ...)
{
	size_t room = sizeof story->text - story->n;
	va_list ap;
	int k = snprintf(story->text + story->n, room, "%llu ", (unsigned long long)(harness_time() / HOLT_MS));

	va_start(ap, fmt);
	k += vsnprintf(story->text + story->n + k, room - (size_t)k, fmt, ap);
	va_end(ap);
	story->n += (size_t)k;
	story->text[story->n++] = '\n';
	ck_assert_uint_lt(story->n, sizeof story->text);
}

static const char *kind_of(int fd)
{
	struct stat st;

	ck_assert_int_eq(fstat(fd, &st), 0);
	return S_ISSOCK(st.st_mode) ? "socket" : S_ISFIFO(st.st_mode) ? "pipe" : "file";
}

static bool receive(void)
{
	char text[4096], space[CMSG_SPACE(sizeof(int))];
	struct iovec v = { text, sizeof text - 1 };
	struct msghdr m = { .msg_iov = &v, .msg_iovlen = 1, .msg_control = space, .msg_controllen = sizeof space };
	ssize_t n = recvmsg(manager, &m, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
	struct cmsghdr *c;
	int fd;

	if (n < 0)
		return false;
	text[n] = 0;
	for (char *p = text; (p = strchr(p, '\n'));)
		*p = ';';
	c = CMSG_FIRSTHDR(&m);
	if (!c) {
		note("%s", text);
		return true;
	}
	memcpy(&fd, CMSG_DATA(c), sizeof fd);
	note("%s with a %s", text, kind_of(fd));
	close(fd);
	return true;
}

static void read_all(void *arg)
{
	(void)arg;
	asleep = false;
	while (receive())
		;
}

/* The queue of a datagram socket is short, so the manager reads as soon as something was sent. */
static ssize_t send_and_read(int fd, const struct msghdr *m, int flags)
{
	ssize_t r = holt__sys_linux.sendmsg(fd, m, flags);

	if (r >= 0 && !asleep)
		read_all(NULL);
	return r;
}

static void listen_at(const char *path)
{
	struct sockaddr_un a = { .sun_family = AF_UNIX };
	size_t n = strlen(path);

	memcpy(a.sun_path, path, n);
	if (path[0] == '@')
		a.sun_path[0] = 0;
	manager = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	ck_assert_int_ge(manager, 0);
	ck_assert_int_eq(bind(manager, (struct sockaddr *)&a, (socklen_t)(offsetof(struct sockaddr_un, sun_path) + n)), 0);
	setenv("NOTIFY_SOCKET", path, 1);
}

static void begin(void)
{
	char path[64];

	story = mmap(NULL, sizeof *story, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	ck_assert_ptr_ne(story, MAP_FAILED);
	snprintf(path, sizeof path, "@holt-test-%d", getpid());
	listen_at(path);
	harness_sys.sendmsg = send_and_read;
}

static void finish(const char *expected)
{
	harness_same(story->text, expected);
	close(manager);
	unsetenv("NOTIFY_SOCKET");
}

/* ---- running */

#define SERVICE(...) \
	&(struct holt_service) \
	{ \
		.size = sizeof(struct holt_service), .name = "t", __VA_ARGS__ \
	}

struct job {
	const struct holt_service *service;
	holt_fn fn;
	void *arg;
};

static int run_job(void *arg)
{
	struct job *j = arg;
	int r = holt_service_run(j->service, j->fn, j->arg);

	return r < 0 ? 100 : r;
}

/* In a child; its wait status. */
static int in_child(const struct holt_service *s, holt_fn fn)
{
	return harness_child(run_job, &(struct job){ s, fn, NULL });
}

static void send_signal(void *arg)
{
	kill(getpid(), (int)(intptr_t)arg);
}

static void at(holt_time point, int sig)
{
	harness_at(point, send_signal, (void *)(intptr_t)sig);
}

/* ---- what the services do */

static int until_stop(void)
{
	struct holt_scope s;
	int r;

	holt_scope_begin(&s, HOLT_NEVER, HOLT_ON_STOP);
	r = (int)holt_scope_end(&s, holt_sleep(HOLT_NEVER));
	note("stopped: %s", holt_why());
	return r == -ESHUTDOWN ? 0 : r;
}

static int polite(void *arg)
{
	(void)arg;
	holt_service_ready("up");
	return until_stop();
}

static int busy(void *arg) /* sees no stop, ends by itself */
{
	int r = holt_sleep((holt_time)(intptr_t)arg * HOLT_SEC);

	note("worked: %d", r);
	return r;
}

static int sleeper(void *arg)
{
	int r = holt_sleep(HOLT_NEVER);

	(void)arg;
	note("canceled: %d %s", r, holt_why());
	return r;
}

static int stone(void *arg)
{
	(void)arg;
	holt__self->uncancelable = true;
	return holt__park(holt__self, "what never comes", NULL);
}

static int nothing(void *arg)
{
	(void)arg;
	return 0;
}

static bool is_blocked(int sig)
{
	sigset_t set;

	pthread_sigmask(SIG_BLOCK, NULL, &set);
	return sigismember(&set, sig) == 1;
}

/* ---- ready, status */

static int talker(void *arg)
{
	int (*ready)(const char *, ...) = holt_service_ready,
				   (*status)(const char *, ...) = holt_status; /* not checked for NULL */

	(void)arg;
	ck_assert_int_gt(holt_service_ready("on %s\nand %d", "tcp", 7), 0);
	ck_assert_int_gt(holt_status("one\ntwo"), 0);
	ck_assert_int_gt(holt_notify("X_A=%d\nX_B=2", 1), 0);
	ck_assert_int_gt(ready(NULL), 0);
	ck_assert_int_eq(status(NULL), -EINVAL);
	return 0;
}

TEST(ready_status_and_notify_are_told_as_they_are)
{
	begin();
	ck_assert_int_eq(holt_service_run(SERVICE(), talker, NULL), 0);
	finish("0 READY=1;STATUS=on tcp and 7\n0 STATUS=one two\n0 X_A=1;X_B=2\n0 READY=1\n0 STOPPING=1\n");
}

TEST(a_manager_at_a_path_is_found)
{
	char dir[] = "/tmp/holt-test-XXXXXX", path[64];

	begin();
	close(manager);
	ck_assert_ptr_nonnull(mkdtemp(dir));
	snprintf(path, sizeof path, "%s/notify", dir);
	listen_at(path);
	ck_assert_int_eq(holt_service_run(SERVICE(), talker, NULL), 0);
	unlink(path);
	rmdir(dir);
	finish("0 READY=1;STATUS=on tcp and 7\n0 STATUS=one two\n0 X_A=1;X_B=2\n0 READY=1\n0 STOPPING=1\n");
}

static int tells_nobody(void *arg)
{
	(void)arg;
	ck_assert_int_eq(holt_service_ready("up"), 0);
	ck_assert_int_eq(holt_status("up"), 0);
	ck_assert_int_eq(holt_notify("X=1"), 0);
	ck_assert_int_eq(holt_fdstore_put("a", 0), -ENOTCONN);
	ck_assert_int_eq(holt_fdstore_drop("a"), -ENOTCONN);
	return 7;
}

TEST(without_a_manager_there_is_nothing_to_tell)
{
	unsetenv("NOTIFY_SOCKET");
	ck_assert_int_eq(holt_service_run(NULL, tells_nobody, NULL), 7);
}

TEST(a_socket_of_a_family_that_is_not_spoken_is_no_manager)
{
	setenv("NOTIFY_SOCKET", "vsock:2:1234", 1);
	ck_assert_int_eq(holt_service_run(NULL, tells_nobody, NULL), 7);
}

static int fails(void *arg)
{
	(void)arg;
	return -ENOSPC;
}

TEST(a_failure_is_logged_and_told_with_its_errno)
{
	begin();
	ck_assert_int_eq(holt_service_run(SERVICE(), fails, NULL), -ENOSPC);
	ck_assert(harness_logged("<3>t failed: No space left on device"));
	finish("0 STOPPING=1\n0 EXTEND_TIMEOUT_USEC=6000000\n0 STATUS=failed: No space left on device;ERRNO=28\n");
}

/* ---- a manager that does not read */

static int floods(void *arg)
{
	int r, n = 0;

	(void)arg;
	asleep = true;
	while ((r = holt_notify("X=1")) > 0)
		n++;
	ck_assert_int_eq(r, -EAGAIN);
	ck_assert_int_gt(n, 0);
	return until_stop();
}

static int no_overtaking(void *arg)
{
	int r = floods(arg);

	ck_assert_int_eq(holt_status("later"), -EAGAIN);
	asleep = false;
	while (receive())
		;
	ck_assert_int_gt(holt_status("later"), 0);
	return r;
}

static int floods_then_works(void *arg)
{
	(void)arg;
	floods(NULL);
	return holt_sleep(5 * HOLT_SEC);
}

TEST(what_the_service_says_is_kept_for_a_manager_that_does_not_read_and_goes_out_in_order)
{
	char *p;

	begin();
	at(HOLT_SEC, SIGTERM);
	harness_at(3 * HOLT_SEC, read_all, NULL);
	ck_assert_int_eq(holt_service_run(SERVICE(.grace = 10 * HOLT_SEC), floods_then_works, NULL), 0);
	p = strstr(story->text, "3000 STOPPING=1\n");
	ck_assert_ptr_nonnull(p);
	ck_assert_str_eq(p, "3000 STOPPING=1\n3000 EXTEND_TIMEOUT_USEC=11000000\n");
	*p = 0;
	finish(story->text);
}

TEST(what_a_manager_never_takes_is_given_up_at_the_end)
{
	begin();
	at(HOLT_SEC, SIGTERM);
	ck_assert_int_eq(holt_service_run(SERVICE(.grace = 10 * HOLT_SEC), floods_then_works, NULL), 0);
	finish("1000 stopped: SIGTERM\n"); /* and nothing is left of it: the harness counts */
}

TEST(nothing_overtakes_what_is_kept)
{
	char *p;

	begin();
	at(HOLT_SEC, SIGTERM);
	ck_assert_int_eq(holt_service_run(SERVICE(.grace = 10 * HOLT_SEC), no_overtaking, NULL), 0);
	p = strstr(story->text, "1000 STOPPING=1\n");
	ck_assert_ptr_nonnull(p);
	ck_assert_str_eq(p, "1000 STOPPING=1\n1000 EXTEND_TIMEOUT_USEC=11000000\n1000 STATUS=later\n");
	finish(story->text);
}

/* ---- stop */

TEST(sigterm_is_a_stop_that_is_told_once_and_ends_with_0)
{
	begin();
	at(5 * HOLT_SEC, SIGTERM);
	ck_assert_int_eq(holt_service_run(SERVICE(.grace = 25 * HOLT_SEC, .cleanup = 5 * HOLT_SEC), polite, NULL), 0);
	ck_assert(is_blocked(SIGTERM)); /* a late one would kill what is on its way out */
	ck_assert(!is_blocked(SIGINT));
	finish("0 READY=1;STATUS=up\n5000 STOPPING=1\n5000 EXTEND_TIMEOUT_USEC=26000000\n5000 stopped: SIGTERM\n");
}

TEST(a_second_sigterm_changes_nothing)
{
	begin();
	for (int i = 5; i < 9; i++)
		at((holt_time)i * HOLT_SEC, SIGTERM);
	ck_assert_int_eq(holt_service_run(SERVICE(.grace = 25 * HOLT_SEC), busy, (void *)20), 0);
	finish("5000 STOPPING=1\n5000 EXTEND_TIMEOUT_USEC=26000000\n20000 worked: 0\n");
}

TEST(when_the_grace_is_over_all_is_canceled_and_more_time_asked_for)
{
	begin();
	at(5 * HOLT_SEC, SIGTERM);
	ck_assert_int_eq(holt_service_run(SERVICE(.grace = 25 * HOLT_SEC, .cleanup = 5 * HOLT_SEC), sleeper, NULL), 0);
	finish("5000 STOPPING=1\n5000 EXTEND_TIMEOUT_USEC=26000000\n30000 EXTEND_TIMEOUT_USEC=3500000\n"
	       "30000 canceled: -125 SIGTERM\n");
}

TEST(without_a_grace_a_stop_cancels_at_once)
{
	begin();
	at(5 * HOLT_SEC, SIGTERM);
	ck_assert_int_eq(holt_service_run(SERVICE(), sleeper, NULL), 0);
	finish("5000 STOPPING=1\n5000 EXTEND_TIMEOUT_USEC=6000000\n5000 canceled: -125 SIGTERM\n");
}

TEST(who_ignores_everything_is_named_in_log_and_status_and_the_process_exits_with_1)
{
	int status;

	begin();
	at(HOLT_SEC, SIGTERM);
	status = in_child(SERVICE(.grace = 400 * HOLT_MS, .cleanup = HOLT_SEC), stone);
	ck_assert(WIFEXITED(status) && WEXITSTATUS(status) == 1);
	ck_assert_ptr_nonnull(strstr(
		harness_output(), "t/main has not ended 1.1s after it was canceled (SIGTERM): waits for what never comes"));
	/* never beyond grace and cleanup: at 2400 nothing is left to be asked for */
	finish("1000 STOPPING=1\n1000 EXTEND_TIMEOUT_USEC=1400000\n1400 EXTEND_TIMEOUT_USEC=1000000\n1900 EXTEND_TIMEOUT_USEC=500000\n"
	       "2500 STATUS=t/main has not ended 1.1s after it was canceled (SIGTERM): waits for what never comes\n");
}

TEST(a_stop_asked_for_before_the_run_is_remembered)
{
	begin();
	holt_loop_stop(holt_loop_self(), "early");
	ck_assert_int_eq(holt_service_run(SERVICE(.grace = HOLT_SEC), polite, NULL), 0);
	finish("0 STOPPING=1\n0 EXTEND_TIMEOUT_USEC=2000000\n0 READY=1;STATUS=up\n0 stopped: early\n");
}

TEST(a_signal_that_came_before_the_run_is_seen)
{
	sigset_t set;

	begin();
	sigemptyset(&set);
	sigaddset(&set, SIGTERM);
	sigprocmask(SIG_BLOCK, &set, NULL);
	kill(getpid(), SIGTERM);
	ck_assert_int_eq(holt_service_run(SERVICE(.grace = HOLT_SEC), polite, NULL), 0);
	finish("0 READY=1;STATUS=up\n0 STOPPING=1\n0 EXTEND_TIMEOUT_USEC=2000000\n0 stopped: SIGTERM\n");
}

static int leaves_another(void *arg)
{
	(void)arg;
	return holt_spawn(holt__self->group, busy, (void *)3);
}

TEST(the_end_of_the_main_task_is_a_stop_too)
{
	begin();
	ck_assert_int_eq(holt_service_run(SERVICE(), leaves_another, NULL), 0);
	finish("0 STOPPING=1\n3000 worked: 0\n");
}

TEST(sighup_without_a_reload_is_a_stop)
{
	begin();
	at(5 * HOLT_SEC, SIGHUP);
	ck_assert_int_eq(holt_service_run(SERVICE(.grace = HOLT_SEC), polite, NULL), 0);
	finish("0 READY=1;STATUS=up\n5000 STOPPING=1\n5000 EXTEND_TIMEOUT_USEC=2000000\n5000 stopped: SIGHUP\n");
}

/* ---- SIGINT */

TEST(sigint_dies_of_it_after_the_cleanup)
{
	int status;

	begin();
	at(5 * HOLT_SEC, SIGINT);
	status = in_child(SERVICE(.grace = HOLT_SEC), polite);
	ck_assert(WIFSIGNALED(status) && WTERMSIG(status) == SIGINT);
	finish("0 READY=1;STATUS=up\n5000 STOPPING=1\n5000 EXTEND_TIMEOUT_USEC=2000000\n5000 stopped: SIGINT\n");
}

static int shielded(void *arg)
{
	struct holt_scope s;
	int r;

	(void)arg;
	r = holt_sleep(HOLT_NEVER);
	note("canceled: %d", r);
	holt_scope_begin(&s, holt_in(HOLT_HOUR), HOLT_SHIELD);
	r = holt_sleep(HOLT_NEVER);
	note("broken: %d", r);
	holt_scope_end(&s, r);
	return r;
}

TEST(a_second_sigint_skips_the_grace_and_a_third_breaks_shields)
{
	int status;

	begin();
	for (int i = 1; i <= 3; i++)
		at((holt_time)i * HOLT_SEC, SIGINT);
	status = in_child(SERVICE(.grace = HOLT_HOUR, .cleanup = HOLT_HOUR), shielded);
	ck_assert(WIFSIGNALED(status) && WTERMSIG(status) == SIGINT);
	finish("1000 STOPPING=1\n1000 EXTEND_TIMEOUT_USEC=3601000000\n"
	       "2000 EXTEND_TIMEOUT_USEC=1801000000\n2000 canceled: -125\n"
	       "3000 EXTEND_TIMEOUT_USEC=3600000000\n3000 broken: -125\n");
}

TEST(a_sigint_after_sigterm_is_the_first_one)
{
	int status;

	begin();
	at(HOLT_SEC, SIGTERM);
	at(2 * HOLT_SEC, SIGINT);
	at(3 * HOLT_SEC, SIGINT);
	status = in_child(SERVICE(.grace = HOLT_HOUR), sleeper);
	ck_assert(WIFSIGNALED(status) && WTERMSIG(status) == SIGINT);
	finish("1000 STOPPING=1\n1000 EXTEND_TIMEOUT_USEC=3601000000\n3000 EXTEND_TIMEOUT_USEC=6000000\n"
	       "3000 canceled: -125 SIGTERM\n");
}

static int as_pid_1(void *arg)
{
	int status;
	pid_t pid;

	if (unshare(CLONE_NEWPID) < 0)
		return 77;
	pid = fork();
	if (pid == 0)
		_exit(run_job(arg));
	return pid > 0 && waitpid(pid, &status, 0) == pid && WIFEXITED(status) ? WEXITSTATUS(status) : 99;
}

TEST(as_pid_1_it_exits_with_130)
{
	int status;

	begin();
	at(5 * HOLT_SEC, SIGINT);
	status = harness_child(as_pid_1, &(struct job){ SERVICE(.grace = HOLT_SEC), polite, NULL });
	if (WIFEXITED(status) && WEXITSTATUS(status) == 77) {
		finish("");
		SKIP("no right to make a PID namespace");
	}
	ck_assert(WIFEXITED(status) && WEXITSTATUS(status) == 130);
	finish("0 READY=1;STATUS=up\n5000 STOPPING=1\n5000 EXTEND_TIMEOUT_USEC=2000000\n5000 stopped: SIGINT\n");
}

/* ---- reload */

static int reload(void *arg)
{
	int r;

	note("reload begins");
	r = holt_sleep(HOLT_SEC);
	note("reload ends: %d", r);
	return r < 0 ? r : (int)(intptr_t)arg;
}

TEST(a_reload_is_announced_with_its_time_and_closed_by_ready)
{
	begin();
	at(5 * HOLT_SEC, SIGHUP);
	at(9 * HOLT_SEC, SIGTERM);
	ck_assert_int_eq(holt_service_run(SERVICE(.grace = HOLT_SEC, .reload = reload), polite, NULL), 0);
	finish("0 READY=1;STATUS=up\n5000 RELOADING=1;MONOTONIC_USEC=1005000000\n5000 reload begins\n6000 reload ends: 0\n6000 READY=1\n"
	       "9000 STOPPING=1\n9000 EXTEND_TIMEOUT_USEC=2000000\n9000 stopped: SIGTERM\n");
}

TEST(a_reload_that_fails_is_logged_and_closed_by_ready_all_the_same)
{
	begin();
	at(5 * HOLT_SEC, SIGHUP);
	at(9 * HOLT_SEC, SIGTERM);
	ck_assert_int_eq(
		holt_service_run(SERVICE(.grace = HOLT_SEC, .reload = reload, .reload_arg = (void *)-EIO), polite, NULL), 0);
	ck_assert(harness_logged("<3>reload failed: Input/output error"));
	finish("0 READY=1;STATUS=up\n5000 RELOADING=1;MONOTONIC_USEC=1005000000\n5000 reload begins\n6000 reload ends: 0\n"
	       "6000 STATUS=reload failed: Input/output error\n6000 READY=1\n"
	       "9000 STOPPING=1\n9000 EXTEND_TIMEOUT_USEC=2000000\n9000 stopped: SIGTERM\n");
}

TEST(sighups_during_a_reload_are_remembered_as_one)
{
	begin();
	at(5 * HOLT_SEC, SIGHUP);
	at(5 * HOLT_SEC + 300 * HOLT_MS, SIGHUP);
	at(5 * HOLT_SEC + 600 * HOLT_MS, SIGHUP);
	at(9 * HOLT_SEC, SIGTERM);
	ck_assert_int_eq(holt_service_run(SERVICE(.grace = HOLT_SEC, .reload = reload), polite, NULL), 0);
	finish("0 READY=1;STATUS=up\n5000 RELOADING=1;MONOTONIC_USEC=1005000000\n5000 reload begins\n6000 reload ends: 0\n6000 READY=1\n"
	       "6000 RELOADING=1;MONOTONIC_USEC=1006000000\n6000 reload begins\n7000 reload ends: 0\n7000 READY=1\n"
	       "9000 STOPPING=1\n9000 EXTEND_TIMEOUT_USEC=2000000\n9000 stopped: SIGTERM\n");
}

static int ready_and_busy(void *arg)
{
	holt_service_ready("up");
	return busy(arg);
}

TEST(a_reload_while_stopping_is_refused_and_logged)
{
	begin();
	at(5 * HOLT_SEC, SIGTERM);
	at(6 * HOLT_SEC, SIGHUP);
	ck_assert_int_eq(holt_service_run(SERVICE(.grace = HOLT_MIN, .reload = reload), ready_and_busy, (void *)9), 0);
	ck_assert(harness_logged("SIGHUP: no reload"));
	finish("0 READY=1;STATUS=up\n5000 STOPPING=1\n5000 EXTEND_TIMEOUT_USEC=61000000\n9000 worked: 0\n");
}

TEST(a_stop_during_a_reload_closes_it_first)
{
	begin();
	at(5 * HOLT_SEC, SIGHUP);
	at(5 * HOLT_SEC + 300 * HOLT_MS, SIGHUP);
	at(5 * HOLT_SEC + 500 * HOLT_MS, SIGTERM);
	ck_assert_int_eq(holt_service_run(SERVICE(.grace = HOLT_MIN, .reload = reload), ready_and_busy, (void *)9), 0);
	ck_assert(harness_logged("SIGHUP: no reload"));
	finish("0 READY=1;STATUS=up\n5000 RELOADING=1;MONOTONIC_USEC=1005000000\n5000 reload begins\n"
	       "5500 READY=1\n5500 STOPPING=1\n5500 EXTEND_TIMEOUT_USEC=61000000\n6000 reload ends: 0\n9000 worked: 0\n");
}

TEST(the_end_of_the_main_task_does_not_wait_for_a_reload)
{
	begin();
	at(2500 * HOLT_MS, SIGHUP);
	ck_assert_int_eq(holt_service_run(SERVICE(.grace = HOLT_MIN, .reload = reload), ready_and_busy, (void *)3), 0);
	ck_assert(!harness_logged("reload failed"));
	finish("0 READY=1;STATUS=up\n2500 RELOADING=1;MONOTONIC_USEC=1002500000\n2500 reload begins\n"
	       "3000 worked: 0\n3000 READY=1\n3000 STOPPING=1\n3000 reload ends: -125\n");
}

TEST(a_reload_before_ready_does_not_say_that_it_is_ready)
{
	begin();
	at(HOLT_SEC, SIGHUP);
	ck_assert_int_eq(holt_service_run(SERVICE(.reload = reload), busy, (void *)3), 0);
	finish("1000 reload begins\n2000 reload ends: 0\n3000 worked: 0\n3000 STOPPING=1\n");
}

/* ---- watchdog */

static void watch(const char *usec, pid_t pid)
{
	char text[32];

	setenv("WATCHDOG_USEC", usec, 1);
	snprintf(text, sizeof text, "%d", pid);
	setenv("WATCHDOG_PID", text, 1);
}

TEST(the_watchdog_is_fed_at_half_of_its_time)
{
	begin();
	watch("2000000", getpid());
	ck_assert_int_eq(holt_service_run(SERVICE(), busy, (void *)3), 0);
	finish("1000 WATCHDOG=1\n2000 WATCHDOG=1\n3000 WATCHDOG=1\n3000 worked: 0\n3000 STOPPING=1\n");
}

TEST(the_watchdog_of_another_process_is_not_fed)
{
	begin();
	watch("2000000", getppid());
	ck_assert_int_eq(holt_service_run(SERVICE(), busy, (void *)3), 0);
	finish("3000 worked: 0\n3000 STOPPING=1\n");
}

static int late(void *arg)
{
	(void)arg;
	ck_assert_int_eq(holt_heartbeat(HOLT_HOUR), 0);
	ck_assert_int_eq(holt_heartbeat(1500 * HOLT_MS), 0);
	holt_sleep(3500 * HOLT_MS);
	ck_assert_int_eq(harness_count(harness_log(), "overdue"), 1);
	ck_assert(harness_logged("<4>t/main: its heartbeat is overdue; it waits for sleep"));
	note("in time again");
	holt_heartbeat(1500 * HOLT_MS);
	holt_sleep(2 * HOLT_SEC);
	ck_assert_int_eq(harness_count(harness_log(), "overdue"), 2);
	holt_heartbeat(0);
	holt_sleep(HOLT_SEC);
	return 0;
}

TEST(an_overdue_heartbeat_holds_the_watchdog_back_and_is_named_once_each_time)
{
	begin();
	watch("2000000", getpid());
	ck_assert_int_eq(holt_service_run(SERVICE(), late, NULL), 0);
	finish("1000 WATCHDOG=1\n3500 in time again\n4000 WATCHDOG=1\n6000 WATCHDOG=1\n6500 STOPPING=1\n");
}

static int beats_and_ends(void *arg)
{
	(void)arg;
	return holt_heartbeat(HOLT_SEC);
}

static int outlives_it(void *arg)
{
	(void)arg;
	holt_spawn(holt__self->group, beats_and_ends, NULL);
	holt_sleep(3 * HOLT_SEC);
	ck_assert_uint_eq(harness_count(harness_log(), "overdue"), 0);
	return 0;
}

TEST(a_heartbeat_ends_with_its_task)
{
	ck_assert_int_eq(holt_heartbeat(HOLT_SEC), -EPERM);
	ck_assert_int_eq(harness_run(outlives_it, NULL), 0);
}

static int beats(void *arg)
{
	(void)arg;
	for (int i = 0; i < 20; i++) {
		holt_heartbeat(200 * HOLT_MS);
		holt_sleep(150 * HOLT_MS);
	}
	return 0;
}

static int late_beside_another(void *arg)
{
	(void)arg;
	holt_spawn(holt__self->group, beats, NULL);
	holt_heartbeat(HOLT_SEC);
	holt_sleep(3 * HOLT_SEC);
	ck_assert_uint_eq(harness_count(harness_log(), "overdue"), 1);
	ck_assert(harness_logged("main: its heartbeat is overdue"));
	return 0;
}

TEST(who_is_late_is_named_once_however_often_others_beat)
{
	ck_assert_int_eq(harness_run(late_beside_another, NULL), 0);
}

static int late_alone(void *arg)
{
	(void)arg;
	holt_heartbeat(HOLT_SEC);
	holt_sleep(3 * HOLT_SEC);
	ck_assert_uint_eq(harness_count(harness_log(), "overdue"), 1);
	return 0;
}

TEST(without_a_service_an_overdue_heartbeat_is_logged)
{
	ck_assert_int_eq(harness_run(late_alone, NULL), 0);
}

/* ---- the environment, descriptors */

static const char *const variables[] = { "NOTIFY_SOCKET", "WATCHDOG_USEC", "WATCHDOG_PID", "LISTEN_PID", "LISTEN_PIDFDID",
	"LISTEN_FDS", "LISTEN_FDNAMES" };

static int sees_clean_environment(void *arg)
{
	(void)arg;
	for (size_t i = 0; i < HOLT__N(variables); i++)
		ck_assert_msg(!getenv(variables[i]), "%s is left", variables[i]);
	return 0;
}

TEST(the_managers_variables_are_gone_when_the_service_runs)
{
	for (size_t i = 0; i < HOLT__N(variables); i++)
		setenv(variables[i], "1", 1);
	ck_assert_int_eq(holt_service_run(SERVICE(), sees_clean_environment, NULL), 0);
}

/* Descriptors 3 to 6 as a manager passes them; only in a child, for this process has others under these numbers. */
static void pass_fds(const char *names)
{
	char pid[32];

	for (int fd = 3; fd <= 6; fd++)
		ck_assert_int_eq(dup2(0, fd), fd);
	snprintf(pid, sizeof pid, "%d", getpid());
	setenv("LISTEN_PID", pid, 1);
	setenv("LISTEN_FDS", "4", 1);
	if (names)
		setenv("LISTEN_FDNAMES", names, 1);
}

#define EXPECT(condition) \
	do { \
		if (!(condition)) \
			return __LINE__ % 256; \
	} while (0)

static int takes_by_name(void *arg)
{
	int fds[4] = { -1, -1, -1, -1 };

	(void)arg;
	EXPECT(holt_listen_fds("web", NULL, 0) == 2);
	EXPECT(holt_listen_fds("web", fds, 1) == 2 && fds[0] == 3 && fds[1] == -1);
	EXPECT(holt_listen_fds("web", fds, 4) == 1 && fds[0] == 5);
	EXPECT(holt_listen_fds("web", fds, 4) == 0);
	EXPECT(holt_fdstore_take("nobody") == -ENOENT);
	EXPECT(holt_fdstore_take(NULL) == -EINVAL);
	EXPECT(holt_fdstore_take("ctl") == 4);
	EXPECT(holt_listen_fds(NULL, fds, 4) == 1 && fds[0] == 6);
	EXPECT(holt_fdstore_take("unknown") == -ENOENT);
	for (int fd = 3; fd <= 6; fd++)
		EXPECT(fcntl(fd, F_GETFD) == FD_CLOEXEC);
	return 0;
}

static int child_takes_by_name(void *arg)
{
	(void)arg;
	pass_fds("web:ctl:web");
	EXPECT(holt_service_run(NULL, takes_by_name, NULL) == 0);
	EXPECT(harness_live() == 0);
	return 0;
}

TEST(inherited_descriptors_are_found_by_name_and_taken_once)
{
	ck_assert_int_eq(harness_child(child_takes_by_name, NULL), 0);
}

static int child_without_run(void *arg)
{
	(void)arg;
	pass_fds("web::web:");
	EXPECT(holt_fdstore_take("web") == 3);
	EXPECT(holt_listen_fds("", NULL, 0) == 2);
	EXPECT(getenv("LISTEN_FDS"));
	return 0;
}

TEST(inherited_descriptors_are_found_without_a_service_too)
{
	ck_assert_int_eq(harness_child(child_without_run, NULL), 0);
}

static int child_of_wrong_pid(void *arg)
{
	pass_fds(NULL);
	setenv("LISTEN_PID", arg, 1);
	EXPECT(holt_listen_fds(NULL, NULL, 0) == 0);
	EXPECT(fcntl(3, F_GETFD) == 0); /* they are somebody else's */
	return 0;
}

TEST(descriptors_for_another_process_are_not_taken)
{
	ck_assert_int_eq(harness_child(child_of_wrong_pid, (char[]){ "1" }), 0);
	ck_assert_int_eq(harness_child(child_of_wrong_pid, (char[]){ "x" }), 0);
	ck_assert_int_eq(harness_child(child_of_wrong_pid, (char[]){ "" }), 0);
}

static int child_of_pidfd(void *arg)
{
	bool right = arg;
	char text[32];
	struct stat st;
	int fd;

	pass_fds(NULL);
	fd = (int)syscall(SYS_pidfd_open, getpid(), 0);
	if (fd < 0 || fstat(fd, &st) < 0)
		return 77;
	close(fd);
	snprintf(text, sizeof text, "%llu", (unsigned long long)st.st_ino + !right);
	setenv("LISTEN_PIDFDID", text, 1);
	if (right)
		unsetenv("LISTEN_PID");
	EXPECT(holt_listen_fds(NULL, NULL, 0) == (right ? 4 : 0));
	return 0;
}

static int child_with_two_processes(void *arg)
{
	struct stat a, b;
	int mine = (int)syscall(SYS_pidfd_open, getpid(), 0), parents = (int)syscall(SYS_pidfd_open, getppid(), 0);

	(void)arg;
	return fstat(mine, &a) == 0 && fstat(parents, &b) == 0 && a.st_ino != b.st_ino ? 0 : 77;
}

TEST(the_inode_of_our_pidfd_says_whose_they_are)
{
	if (harness_child(child_with_two_processes, NULL) != 0)
		SKIP("this kernel gives processes no inode of their own");
	ck_assert_int_eq(harness_child(child_of_pidfd, (void *)1), 0);
	ck_assert_int_eq(harness_child(child_of_pidfd, NULL), 0);
}

static int child_of_nonsense(void *arg)
{
	pass_fds(NULL);
	setenv("LISTEN_FDS", arg, 1);
	EXPECT(holt_listen_fds(NULL, NULL, 0) == 0);
	return 0;
}

TEST(a_count_of_descriptors_that_is_none_means_none)
{
	static const char *const counts[] = { "", "0", "-1", "1x", "99999999999999999999999", " 1" };

	for (size_t i = 0; i < HOLT__N(counts); i++)
		ck_assert_int_eq(harness_child(child_of_nonsense, (void *)(uintptr_t)counts[i]), 0);
}

static int child_of_holes(void *arg)
{
	int fds[8];

	(void)arg;
	pass_fds("a:b:c:d");
	close(4);
	EXPECT(holt_listen_fds(NULL, fds, 8) == 3 && fds[0] == 3 && fds[1] == 5);
	EXPECT(harness_live() == 0);
	return 0;
}

TEST(a_descriptor_that_was_not_passed_is_left_out)
{
	ck_assert_int_eq(harness_child(child_of_holes, NULL), 0);
}

static int stores(void *arg)
{
	int pipes[2], listener = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	struct sockaddr_un a = { .sun_family = AF_UNIX };
	char name[257];

	(void)arg;
	ck_assert_int_eq(bind(listener, (struct sockaddr *)&a, sizeof a.sun_family), 0);
	ck_assert_int_eq(listen(listener, 1), 0);
	ck_assert_int_eq(pipe2(pipes, O_CLOEXEC), 0);
	ck_assert_int_gt(holt_fdstore_put("listener", listener), 0);
	ck_assert_int_gt(holt_fdstore_put("a pipe", pipes[0]), 0);
	ck_assert_int_gt(holt_fdstore_drop("listener"), 0);
	ck_assert_int_eq(fcntl(listener, F_GETFD), FD_CLOEXEC); /* still open */
	close(listener);
	close(pipes[0]);
	close(pipes[1]);
	ck_assert_int_eq(holt_fdstore_put("listener", listener), -EBADF);
	ck_assert_int_eq(holt_fdstore_put("a", -1), -EBADF);
	ck_assert_int_eq(holt_fdstore_put("", 0), -EINVAL);
	ck_assert_int_eq(holt_fdstore_put(NULL, 0), -EINVAL);
	ck_assert_int_eq(holt_fdstore_put("a:b", 0), -EINVAL);
	ck_assert_int_eq(holt_fdstore_put("a\nFDSTORE=1", 0), -EINVAL);
	ck_assert_int_eq(holt_fdstore_drop("\x80"), -EINVAL);
	memset(name, 'n', 256);
	name[256] = 0;
	ck_assert_int_eq(holt_fdstore_drop(name), -EINVAL);
	name[255] = 0;
	ck_assert_int_gt(holt_fdstore_drop(name), 0);
	return 0;
}

TEST(the_store_gets_a_descriptor_with_its_name_and_is_told_not_to_poll_a_listener)
{
	begin();
	ck_assert_int_eq(holt_service_run(SERVICE(), stores, NULL), 0);
	ck_assert_uint_eq(harness_count(story->text, "nnnnn"), 51);
	strcpy(strstr(story->text, "0 FDSTOREREMOVE=1;FDNAME=nnnn"), "");
	finish("0 FDSTORE=1;FDNAME=listener;FDPOLL=0 with a socket\n0 FDSTORE=1;FDNAME=a pipe with a pipe\n"
	       "0 FDSTOREREMOVE=1;FDNAME=listener\n");
}

/* ---- dumps */

static int has_conns(void *arg)
{
	holt_group *g;

	(void)arg;
	ck_assert_int_eq(holt_group_open(&g, .name = "conns", .limit = 9), 0);
	holt_spawn(g, sleeper, NULL);
	holt_spawn(g, sleeper, NULL);
	holt_sleep(5 * HOLT_SEC);
	holt_group_cancel(g, "enough");
	return holt_group_close(g, 0);
}

TEST(sigusr1_writes_the_tree_to_the_log_and_changes_nothing)
{
	begin();
	at(2 * HOLT_SEC, SIGUSR1);
	ck_assert_int_eq(holt_service_run(SERVICE(), has_conns, NULL), 0);
	harness_same(harness_log(),
		"<5>t (1 task)\n"
		"<5>└─ t/main [2]                                   waiting 2s, sleep\n"
		"<5>   └─ t/conns (2 tasks of 9)\n"
		"<5>      ├─ t/conns/sleeper#4                      waiting 2s, sleep\n"
		"<5>      └─ t/conns/sleeper#5                      waiting 2s, sleep\n");
	finish("5000 canceled: -125 enough\n5000 canceled: -125 enough\n5000 STOPPING=1\n");
}

TEST(sigquit_dumps_and_dies_of_it)
{
	int status;

	begin();
	at(2 * HOLT_SEC, SIGQUIT);
	status = in_child(SERVICE(), has_conns);
	ck_assert(WIFSIGNALED(status) && WTERMSIG(status) == SIGQUIT);
	ck_assert_ptr_nonnull(strstr(harness_output(), "t/conns/sleeper#4"));
	finish("");
}

static int spins(void *arg)
{
	(void)arg;
	harness_advance(3 * HOLT_SEC);
	kill(getpid(), SIGABRT); /* the watchdog's, to a loop that does not turn */
	return 0;
}

static int has_spinner(void *arg)
{
	holt_group *g;

	(void)arg;
	ck_assert_int_eq(holt_group_open(&g, .name = "mill", .kind = HOLT_EACH), 0);
	holt_spawn(g, sleeper, NULL);
	holt_spawn(g, spins, NULL);
	holt_group_stop(g, "a reason");
	return holt_group_close(g, 0);
}

TEST(sigabrt_dumps_the_tree_from_a_spinning_task_and_takes_its_course)
{
	int status;

	begin();
	status = in_child(SERVICE(.grace = HOLT_HOUR), has_spinner);
	ck_assert(WIFSIGNALED(status) && WTERMSIG(status) == SIGABRT);
	harness_same(harness_output(),
		"holt: SIGABRT, and this is what the tasks are doing:\n"
		"t (1 task)\n"
		"└─ t/main [2]                                   waiting 3s, close of group mill (2 tasks), stopping: a reason\n"
		"   └─ t/mill (2 tasks), closing, stopping: a reason, canceled in 59.9min\n"
		"      ├─ t/mill/sleeper [4]                     waiting 3s, sleep, stopping: a reason\n"
		"      └─ t/mill/spins [5]                       running 3s, stopping: a reason\n");
	finish("");
}

static int misuses(void *arg)
{
	(void)arg;
	holt_scope_begin(&(struct holt_scope){ { NULL } }, HOLT_NEVER, HOLT_SHIELD);
	return 0;
}

TEST(misuse_that_aborts_shows_the_tree_too)
{
	int status;

	begin();
	status = in_child(SERVICE(), misuses);
	ck_assert(WIFSIGNALED(status) && WTERMSIG(status) == SIGABRT);
	ck_assert_ptr_nonnull(strstr(harness_output(), "a shield needs a finite deadline"));
	ck_assert_ptr_nonnull(strstr(harness_output(), "t/main [2]                                   running"));
	finish("");
}

TEST_SIGNAL(after_the_run_sigabrt_is_as_before, SIGABRT)
{
	struct sigaction now;

	ck_assert_int_eq(holt_service_run(SERVICE(), nothing, NULL), 0);
	ck_assert_int_eq(sigaction(SIGABRT, NULL, &now), 0);
	ck_assert(now.sa_handler == SIG_DFL);
	abort();
}

/* ---- where and how often */

static int nested(void *arg)
{
	(void)arg;
	return holt_service_run(SERVICE(), nothing, NULL);
}

TEST(a_service_inside_a_loop_is_edeadlk)
{
	ck_assert_int_eq(harness_run(nested, NULL), -EDEADLK);
	ck_assert_int_eq(holt_service_run(SERVICE(), nested, NULL), -EDEADLK);
}

static void *in_thread(void *arg)
{
	*(int *)arg = holt_service_run(SERVICE(), nothing, NULL);
	return NULL;
}

TEST(a_service_runs_once_and_in_the_main_thread)
{
	pthread_t thread;
	int r = 0;

	ck_assert_int_eq(pthread_create(&thread, NULL, in_thread, &r), 0);
	pthread_join(thread, NULL);
	ck_assert_int_eq(r, -EPERM);
	ck_assert_int_eq(holt_service_run(SERVICE(), nothing, NULL), 0);
	ck_assert_int_eq(holt_service_run(SERVICE(), nothing, NULL), -EPERM);
}

TEST(what_cannot_be_done_is_refused_with_nothing_run)
{
	struct {
		struct holt_service s;
		int more;
	} longer = { { .size = sizeof longer }, 1 };

	setenv("LISTEN_FDS", "1", 1);
	ck_assert_int_eq(holt_service_run(SERVICE(), NULL, NULL), -EINVAL);
	ck_assert_int_eq(holt_service_run(SERVICE(.inspect = true), nothing, NULL), -EOPNOTSUPP);
	ck_assert_int_eq(holt_service_run(&longer.s, nothing, NULL), -E2BIG);
	ck_assert_int_eq(holt_service_run(&(struct holt_service){ .size = 1 }, nothing, NULL), -EINVAL);
	ck_assert_ptr_nonnull(getenv("LISTEN_FDS"));
	ck_assert_int_eq(holt_service_run(NULL, nothing, NULL), 0);
}

TEST(sigpipe_is_ignored)
{
	int pipes[2];

	ck_assert_int_eq(holt_service_run(SERVICE(), nothing, NULL), 0);
	ck_assert_int_eq(pipe(pipes), 0);
	close(pipes[0]);
	ck_assert_int_eq(write(pipes[1], "x", 1), -1);
	ck_assert_int_eq(errno, EPIPE);
	close(pipes[1]);
}

/* Each allocation of a run with a reload fails once: it ends with -ENOMEM or does all the same, and leaks nothing. */
TEST_LOOP(without_memory_it_fails_or_goes_on_and_leaks_nothing, 1, 16)
{
	int r;

	begin();
	at(HOLT_SEC, SIGHUP);
	at(5 * HOLT_SEC, SIGTERM);
	harness_fail_alloc((uint64_t)_i);
	r = holt_service_run(SERVICE(.grace = HOLT_SEC, .reload = reload), polite, NULL);
	ck_assert_int_eq(r, r == 0 ? 0 : -ENOMEM);
	harness_fail_alloc(0);
	finish(story->text);
}
