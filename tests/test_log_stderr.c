/* SPDX-License-Identifier: MIT */
/*
 * The log on stderr, which is what a test puts under number 2, or a buffer behind the seam. What would block here blocks
 * until the test's time-out.
 *
 * The kernel promises that are leaned on: RWF_NOWAIT on a pipe, or -EOPNOTSUPP; a pipe that says POLLOUT takes PIPE_BUF.
 */
#include "harness.h"

#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/socket.h>

#include "sys/log.h"

/* ---- a stderr of our own, behind the seam */

static struct {
	char text[1 << 16];
	size_t n;
	ssize_t room; /* what it takes until it is made larger */
	bool whole;   /* it takes all of a line or nothing, as a pipe does */
	size_t piece; /* what one write takes */
	mode_t mode;
	bool tty;
	unsigned calls;
} err;

static int err_fstat(int fd, struct stat *st)
{
	if (fd != STDERR_FILENO)
		return holt__sys_linux.fstat(fd, st);
	*st = (struct stat){ .st_mode = err.mode };
	return 0;
}

static int err_isatty(int fd)
{
	return fd == STDERR_FILENO && err.tty;
}

static int err_poll(int fd, unsigned events, int timeout_ms)
{
	if (fd != STDERR_FILENO)
		return holt__sys_linux.poll(fd, events, timeout_ms);
	ck_assert_int_eq(timeout_ms, 0);
	return err.room > 0 ? POLLOUT : 0;
}

static ssize_t err_write(int fd, const void *p, size_t n)
{
	if (fd != STDERR_FILENO)
		return holt__sys_linux.write(fd, p, n);
	err.calls++;
	if (err.room <= 0 || (err.whole && n > (size_t)err.room))
		return -EAGAIN;
	n = n < (size_t)err.room ? n : (size_t)err.room;
	n = n < err.piece ? n : err.piece;
	n = n < sizeof err.text - 1 - err.n ? n : sizeof err.text - 1 - err.n;
	memcpy(err.text + err.n, p, n);
	err.n += n;
	err.text[err.n] = 0;
	err.room -= (ssize_t)n;
	return (ssize_t)n;
}

static ssize_t err_send(int fd, const void *p, size_t n, int flags)
{
	ck_assert_int_ne(flags & MSG_DONTWAIT, 0);
	ck_assert_int_ne(flags & MSG_NOSIGNAL, 0);
	return err_write(fd, p, n);
}

static void err_open(mode_t mode)
{
	unsetenv("JOURNAL_STREAM");
	err.mode = mode;
	err.room = err.piece = sizeof err.text;
	harness_sys.fstat = err_fstat;
	harness_sys.isatty = err_isatty;
	harness_sys.poll = err_poll;
	harness_sys.write = harness_sys.write_nowait = err_write;
	harness_sys.send = err_send;
	holt__log_reset();
	holt_log_sink(NULL, NULL);
}

static void err_clear(void)
{
	err.n = 0;
	err.text[0] = 0;
	err.calls = 0;
}

/* Puts fd under number 2, and back when the test is over. */
static int replace_stderr(int fd)
{
	int saved = fcntl(STDERR_FILENO, F_DUPFD_CLOEXEC, 100);

	unsetenv("JOURNAL_STREAM");
	ck_assert_int_ge(saved, 0);
	ck_assert_int_eq(dup2(fd, STDERR_FILENO), STDERR_FILENO);
	holt__log_reset();
	holt_log_sink(NULL, NULL);
	return saved;
}

static void restore_stderr(int saved)
{
	dup2(saved, STDERR_FILENO);
	close(saved);
	holt__log_reset();
}

/* ---- to stderr */

TEST(each_line_of_text_has_its_priority)
{
	err_open(S_IFIFO);
	holt_log(LOG_WARNING, "one\ntwo\n\nfour\n");
	ck_assert_str_eq(err.text, "<4>one\n<4>two\n<4>\n<4>four\n");
	ck_assert_uint_eq(err.calls, 1);
}

static int log_plain(void *arg)
{
	(void)arg;
	holt_log(LOG_INFO, "one\ntwo");
	return 0;
}

TEST(the_task_stands_before_the_text)
{
	err_open(S_IFREG);
	ck_assert_int_eq(harness_run(log_plain, NULL, .name = "app"), 0);
	ck_assert_str_eq(err.text, "<6>app/main: one\n<6>two\n");
	ck_assert_uint_eq(err.calls, 1);
}

TEST(a_long_line_is_whole_on_stderr)
{
	static char big[30000];

	memset(big, 'x', sizeof big - 1);
	err_open(S_IFIFO);
	holt_log(LOG_INFO, "%s", big);
	ck_assert_uint_eq(err.n, 3 + sizeof big - 1 + 1);
	err_clear();
	harness_fail_alloc(2);
	holt_log(LOG_INFO, "%s", big);
	ck_assert(harness_alloc_failed());
	ck_assert_uint_gt(err.n, 2000);
	ck_assert_str_eq(strstr(err.text, "..."), "...\n");
}

TEST(colors_are_for_terminals_that_want_them)
{
	unsetenv("NO_COLOR");
	setenv("TERM", "xterm", 1);
	err_open(S_IFCHR);
	err.tty = true;
	holt_log(LOG_ERR, "bad");
	holt_log(LOG_INFO, "usual");
	ck_assert_str_eq(err.text, "\033[31mbad\033[0m\nusual\n");

	err_clear();
	holt__log_reset();
	setenv("TERM", "dumb", 1);
	holt_log(LOG_ERR, "bad\nworse");
	ck_assert_str_eq(err.text, "bad\n  worse\n");

	err_clear();
	holt__log_reset();
	setenv("TERM", "xterm", 1);
	setenv("NO_COLOR", "1", 1);
	holt_log(LOG_ERR, "bad");
	ck_assert_str_eq(err.text, "bad\n");

	err_clear();
	holt__log_reset();
	unsetenv("NO_COLOR");
	err.tty = false;
	holt_log(LOG_ERR, "bad");
	ck_assert_str_eq(err.text, "<3>bad\n");
}

TEST(a_real_terminal_gets_the_line)
{
	int master = posix_openpt(O_RDWR | O_NOCTTY | O_CLOEXEC), slave, saved;
	char buf[256];
	ssize_t n;

	if (master < 0 || grantpt(master) < 0 || unlockpt(master) < 0)
		SKIP("no pseudo terminals here: %m");
	slave = open(ptsname(master), O_RDWR | O_NOCTTY | O_CLOEXEC);
	ck_assert_int_ge(slave, 0);
	setenv("TERM", "dumb", 1);
	saved = replace_stderr(slave);
	holt_log(LOG_ERR, "hello");
	restore_stderr(saved);
	n = read(master, buf, sizeof buf - 1);
	buf[n > 0 ? n : 0] = 0;
	close(slave);
	close(master);
	ck_assert_str_eq(buf, "hello\r\n");
}

TEST(a_stderr_that_takes_nothing_loses_and_counts)
{
	err_open(S_IFIFO);
	err.room = 0;
	for (int i = 0; i < 3; i++)
		holt_log(LOG_INFO, "lost");
	err.room = 1000;
	holt_log(LOG_INFO, "back");
	holt_log(LOG_INFO, "and on");
	ck_assert_str_eq(err.text, "<4>3 log lines were lost\n<6>back\n<6>and on\n");
}

TEST(a_torn_line_ends_before_the_next)
{
	err_open(S_IFIFO);
	err.room = 6;
	holt_log(LOG_INFO, "half of it");
	ck_assert_str_eq(err.text, "<6>hal");
	holt_log(LOG_INFO, "nothing");
	err.room = 1000;
	holt_log(LOG_INFO, "whole");
	ck_assert_str_eq(err.text, "<6>hal\n<4>2 log lines were lost\n<6>whole\n");
}

TEST(a_short_line_does_not_overtake_the_count)
{
	err_open(S_IFIFO);
	err.whole = true;
	err.room = 10;
	holt_log(LOG_INFO, "too long for it");
	holt_log(LOG_INFO, "a"); /* would fit, but the count does not */
	err.room = 1000;
	holt_log(LOG_INFO, "b");
	ck_assert_str_eq(err.text, "<4>2 log lines were lost\n<6>b\n");
}

static void fill(int fd)
{
	static char zeros[4096];
	int flags = fcntl(fd, F_GETFL);

	fcntl(fd, F_SETFL, flags | O_NONBLOCK);
	while (write(fd, zeros, sizeof zeros) > 0)
		;
	fcntl(fd, F_SETFL, flags);
}

/* With a pipe that would block: what blocks here is the test's time-out. */
static void blocked_pipe(size_t room_pages)
{
	static char big[40000], read_back[1 << 17];
	int p[2], saved;
	ssize_t n;

	memset(big, 'x', sizeof big - 1);
	ck_assert_int_eq(pipe2(p, O_CLOEXEC), 0);
	saved = replace_stderr(p[1]);
	fill(p[1]);
	holt_log(LOG_INFO, "lost");
	for (size_t i = 0; i < room_pages; i++)
		ck_assert_int_eq(read(p[0], read_back, 4096), 4096);
	holt_log(LOG_INFO, "%s", big); /* more than there is room for */
	fcntl(p[0], F_SETFL, O_NONBLOCK);
	while ((n = read(p[0], read_back, sizeof read_back)) > 0)
		;
	holt_log(LOG_INFO, "back");
	n = read(p[0], read_back, sizeof read_back - 1);
	restore_stderr(saved);
	close(p[0]);
	close(p[1]);
	ck_assert_int_gt(n, 0);
	read_back[n] = 0;
	/* the torn newline, the count, the line; when all was lost there was nothing torn */
	ck_assert_str_eq(read_back + (read_back[0] == '\n'),
		room_pages ? "<4>1 log line was lost\n<6>back\n" : "<4>2 log lines were lost\n<6>back\n");
}

TEST(a_full_pipe_does_not_block)
{
	blocked_pipe(0);
	blocked_pipe(2); /* room for the count of the first, and for a part of the second */
}

static ssize_t no_nowait(int fd, const void *p, size_t n)
{
	(void)fd;
	(void)p;
	(void)n;
	return -EOPNOTSUPP;
}

TEST(a_full_pipe_does_not_block_on_an_old_kernel)
{
	harness_sys.write_nowait = no_nowait;
	blocked_pipe(0);
	blocked_pipe(2);
}

static int always_writable(int fd, unsigned events, int timeout_ms)
{
	(void)fd;
	(void)timeout_ms;
	return (int)events;
}

/* Another process has written between our poll and our write. */
TEST(a_pipe_that_another_filled_first_does_not_block)
{
	int p[2];

	ck_assert_int_eq(pipe2(p, O_CLOEXEC), 0);
	if (holt__sys_linux.write_nowait(p[1], "x", 1) != 1) {
		close(p[0]);
		close(p[1]);
		SKIP("this kernel cannot write to a pipe without waiting (6.4 can)");
	}
	close(p[0]);
	close(p[1]);
	harness_sys.poll = always_writable;
	blocked_pipe(0);
}

TEST(a_full_socket_does_not_block)
{
	static char big[100000], read_back[1 << 20];
	int p[2], saved;
	ssize_t n;

	memset(big, 'x', sizeof big - 1);
	ck_assert_int_eq(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, p), 0);
	saved = replace_stderr(p[1]);
	for (int i = 0; i < 100; i++)
		holt_log(LOG_INFO, "%s", big);
	do
		n = recv(p[0], read_back, sizeof read_back, MSG_DONTWAIT);
	while (n > 0);
	holt_log(LOG_INFO, "back");
	n = recv(p[0], read_back, sizeof read_back - 1, MSG_DONTWAIT);
	restore_stderr(saved);
	close(p[0]);
	close(p[1]);
	ck_assert_int_gt(n, 0);
	read_back[n] = 0;
	ck_assert_ptr_nonnull(strstr(read_back, " log lines were lost\n<6>back\n"));
}

TEST(a_pipe_that_nobody_reads_any_more_does_not_kill)
{
	int p[2], saved;

	signal(SIGPIPE, SIG_DFL);
	ck_assert_int_eq(pipe2(p, O_CLOEXEC), 0);
	saved = replace_stderr(p[1]);
	close(p[0]);
	holt_log(LOG_INFO, "lost");
	restore_stderr(saved);
	close(p[1]);
}

TEST(a_closed_stderr_is_no_harm)
{
	int p[2], saved;

	ck_assert_int_eq(pipe2(p, O_CLOEXEC), 0);
	saved = replace_stderr(p[1]);
	close(STDERR_FILENO);
	holt_log(LOG_INFO, "lost");
	dup2(saved, STDERR_FILENO);
	close(saved);
	close(p[0]);
	close(p[1]);
	holt__log_reset();
}

TEST(errno_is_kept_when_a_line_is_lost)
{
	err_open(S_IFIFO);
	err.room = 0;
	errno = ENOENT;
	holt_log(LOG_INFO, "lost");
	ck_assert_int_eq(errno, ENOENT);
}

/* ---- threads */

enum { THREADS = 4, LINES = 100 };

static void *log_lines(void *arg)
{
	for (int i = 0; i < LINES; i++)
		holt_log(LOG_INFO, "thread %c line %02d end", (char)(intptr_t)arg, i);
	return NULL;
}

static void in_threads(void)
{
	pthread_t threads[THREADS];

	for (intptr_t i = 0; i < THREADS; i++)
		pthread_create(&threads[i], NULL, log_lines, (void *)('a' + i));
	for (int i = 0; i < THREADS; i++)
		pthread_join(threads[i], NULL);
}

static void expect_threads_lines(const char *line, int next_line[THREADS])
{
	char c;
	int i;

	ck_assert_int_eq(sscanf(line, "thread %c line %d end", &c, &i), 2);
	ck_assert_ptr_nonnull(strstr(line, " end"));
	ck_assert(c >= 'a' && c < 'a' + THREADS);
	ck_assert_int_eq(i, next_line[c - 'a']);
	next_line[c - 'a']++;
}

TEST(lines_of_threads_never_interleave_on_stderr)
{
	int next_line[THREADS] = { 0 };
	char *save, *line;

	err_open(S_IFIFO);
	err.piece = 5; /* each line takes several writes */
	in_threads();
	line = strtok_r(err.text, "\n", &save);
	for (int i = 0; i < THREADS * LINES; i++) {
		ck_assert_ptr_nonnull(line);
		ck_assert_int_eq(strncmp(line, "<6>", 3), 0);
		expect_threads_lines(line + 3, next_line);
		line = strtok_r(NULL, "\n", &save);
	}
	ck_assert_ptr_null(line);
}

static void *log_when_canceled(void *arg)
{
	pthread_cancel(pthread_self());
	holt_log(LOG_INFO, "by who is canceled");
	return arg;
}

TEST(a_thread_canceled_while_it_logs_leaves_no_lock)
{
	int fd = memfd_create("stderr", MFD_CLOEXEC), saved;
	char buf[256] = "";
	pthread_t t;

	saved = replace_stderr(fd);
	pthread_create(&t, NULL, log_when_canceled, NULL);
	pthread_join(t, NULL);
	holt_log(LOG_INFO, "after");
	restore_stderr(saved);
	ck_assert_int_gt(pread(fd, buf, sizeof buf - 1, 0), 0);
	close(fd);
	ck_assert_ptr_nonnull(strstr(buf, "<6>after\n"));
}
