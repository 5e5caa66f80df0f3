/* SPDX-License-Identifier: MIT */
/*
 * The log: what is said, and the way to the journal. The journal is a datagram socket of ours in a folder of ours, and
 * stderr's fstat is made to look like the stream that $JOURNAL_STREAM names. How a line looks is test_logline.c's, stderr
 * is test_log_stderr.c's.
 *
 * The kernel promise that is leaned on: a connected datagram socket says EAGAIN when the receiver's queue is full, and
 * makes an EPOLLOUT edge when there is room again.
 */
#include "harness.h"

#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/un.h>
#include <sys/wait.h>

#include "base/logline.h"
#include "sys/journal.h"
#include "sys/log.h"

enum { ENTRY_MAX = 4 << 20, STREAM_DEV = 7, STREAM_INO = 9 };

/* ---- a journal of our own */

struct journal {
	char folder[64], path[96];
	int fd;
};

static int stream_fstat(int fd, struct stat *st)
{
	if (fd != STDERR_FILENO)
		return holt__sys_linux.fstat(fd, st);
	*st = (struct stat){ .st_mode = S_IFSOCK, .st_dev = STREAM_DEV, .st_ino = STREAM_INO };
	return 0;
}

static void journal_listen(struct journal *j)
{
	struct sockaddr_un a = { .sun_family = AF_UNIX };

	strcpy(a.sun_path, j->path);
	j->fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	ck_assert_int_ge(j->fd, 0);
	ck_assert_int_eq(bind(j->fd, (struct sockaddr *)&a, sizeof a), 0);
}

static void journal_end(struct journal *j)
{
	close(j->fd);
	ck_assert_int_eq(unlink(j->path), 0);
}

static void journal_close(struct journal *j)
{
	journal_end(j);
	ck_assert_int_eq(rmdir(j->folder), 0);
	holt__log_reset();
}

struct entry {
	char *bytes; /* NULL: there is none */
	size_t n;
	bool by_memfd;
	int seals;
};

static void read_memfd(struct entry *e, struct msghdr *m)
{
	struct cmsghdr *c = CMSG_FIRSTHDR(m);
	int fd;

	memcpy(&fd, CMSG_DATA(c), sizeof fd);
	e->by_memfd = true;
	e->seals = fcntl(fd, F_GET_SEALS);
	e->n = (size_t)lseek(fd, 0, SEEK_END);
	ck_assert_uint_lt(e->n, ENTRY_MAX);
	ck_assert_int_eq(pread(fd, e->bytes, e->n, 0), (ssize_t)e->n);
	close(fd);
}

static struct entry receive(struct journal *j, int flags)
{
	static char bytes[ENTRY_MAX];
	char control[CMSG_SPACE(sizeof(int))];
	struct iovec v = { bytes, sizeof bytes - 1 };
	struct msghdr m = { .msg_iov = &v, .msg_iovlen = 1, .msg_control = control, .msg_controllen = sizeof control };
	ssize_t n = recvmsg(j->fd, &m, flags | MSG_CMSG_CLOEXEC);
	struct entry e = { .bytes = bytes };

	if (n < 0)
		return (struct entry){ NULL, 0, false, 0 };
	e.n = (size_t)n;
	if (m.msg_controllen > 0)
		read_memfd(&e, &m);
	bytes[e.n] = 0;
	return e;
}

static struct entry next(struct journal *j)
{
	struct entry e = receive(j, MSG_DONTWAIT);

	ck_assert_msg(e.bytes != NULL, "the journal got no entry");
	return e;
}

/* Reads one field at *p; value is NUL-terminated, in a buffer of its own. false: no more. */
static bool parse(const char **p, const char *end, char key[80], char **value)
{
	static char buffer[ENTRY_MAX];
	size_t k = strcspn(*p, "=\n"), n;

	if (*p >= end)
		return false;
	ck_assert_uint_lt(k, 80);
	memcpy(key, *p, k);
	key[k] = 0;
	*p += k + 1;
	if ((*p)[-1] == '=') {
		n = strcspn(*p, "\n");
	} else {
		uint64_t length = 0;

		for (int i = 7; i >= 0; i--)
			length = length << 8 | (unsigned char)(*p)[i];
		*p += 8;
		n = (size_t)length;
	}
	ck_assert_uint_lt(n, (size_t)(end - *p));
	memcpy(buffer, *p, n);
	buffer[n] = 0;
	*p += n;
	ck_assert_int_eq(**p, '\n');
	*p += 1;
	*value = buffer;
	return true;
}

/* A field's value; NULL: not there. It must not be there twice. */
static const char *field(const struct entry *e, const char *name)
{
	static char found[4][4096], *big;
	static int turn;
	const char *p = e->bytes, *result = NULL;
	char key[80], *value;

	while (parse(&p, e->bytes + e->n, key, &value)) {
		if (strcmp(key, name) != 0)
			continue;
		ck_assert_msg(!result, "%s is there twice", name);
		if (strlen(value) < sizeof found[0]) {
			result = strcpy(found[turn++ % 4], value);
		} else {
			free(big);
			result = big = strdup(value);
		}
	}
	return result;
}

static void ck_field(const struct entry *e, const char *name, const char *value)
{
	ck_assert_pstr_eq(field(e, name), value);
}

static void journal_open(struct journal *j)
{
	struct entry e;

	strcpy(j->folder, "/tmp/holt-test-log-XXXXXX");
	ck_assert_ptr_nonnull(mkdtemp(j->folder));
	snprintf(j->path, sizeof j->path, "%s/socket", j->folder);
	journal_listen(j);
	setenv("JOURNAL_STREAM", "7:9", 1);
	harness_sys.fstat = stream_fstat;
	holt__journal_path = j->path;
	holt__log_reset();
	holt_log_sink(NULL, NULL);
	holt_log(LOG_INFO, "open"); /* so that the socket is there before descriptors are counted */
	e = next(j);
	ck_field(&e, "MESSAGE", "open");
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

/* ---- what is said */

TEST(info_is_said_and_debug_is_not)
{
	holt_log(LOG_INFO, "info");
	holt_log(LOG_DEBUG, "debug");
	ck_assert_str_eq(harness_log(), "<6>info\n");
}

TEST(the_level_decides)
{
	holt_log_level(LOG_ERR);
	holt_log(LOG_WARNING, "warning");
	holt_log(LOG_ERR, "error");
	holt_log_level(LOG_DEBUG);
	holt_log(LOG_DEBUG, "debug");
	holt_log_level(LOG_INFO);
	ck_assert_str_eq(harness_log(), "<3>error\n<7>debug\n");
}

static char seen[8192];

static void note_fields(void *arg, int priority, const char *message, const struct holt_field *fields, size_t n)
{
	size_t k = (size_t)snprintf(seen, sizeof seen, "%s%d %s", (const char *)arg, priority, message);

	for (size_t i = 0; i < n; i++)
		k += (size_t)snprintf(seen + k, sizeof seen - k, " %s=%s", fields[i].key, fields[i].value);
}

TEST(a_sink_gets_the_callers_fields_then_the_added)
{
	struct holt_field f[] = { { "ONE", "1" }, { "TWO", "2\n" } };
	char prefix[] = "sink:";

	holt_log_sink(note_fields, prefix);
	holt_log_at(LOG_NOTICE, "a.c", 17, "f", f, 2, "x %d", 5);
	ck_assert_str_eq(seen, "sink:5 x 5 ONE=1 TWO=2\n CODE_FILE=a.c CODE_LINE=17 CODE_FUNC=f");
	holt_log_at(LOG_NOTICE, NULL, 17, NULL, NULL, 0, "nothing added");
	ck_assert_str_eq(seen, "sink:5 nothing added");
}

static int log_in_a_scope(void *arg)
{
	char expected[128], rest;
	struct holt_scope s;
	int id;

	(void)arg;
	holt_log_at(LOG_INFO, NULL, 0, NULL, NULL, 0, "free");
	ck_assert_int_eq(sscanf(seen, "6 free HOLT_TASK=app/main HOLT_TASK_ID=%d%c", &id, &rest), 1);
	holt_scope_begin(&s, HOLT_NEVER, 0);
	holt_scope_cancel(&s, "no more need");
	holt_log_at(LOG_INFO, NULL, 0, NULL, NULL, 0, "canceled");
	holt_scope_end(&s, 0);
	snprintf(expected, sizeof expected, "6 canceled HOLT_TASK=app/main HOLT_TASK_ID=%d HOLT_WHY=no more need", id);
	ck_assert_str_eq(seen, expected);
	return 0;
}

TEST(a_line_says_which_task_and_why_it_ends)
{
	char none[] = "";

	holt_log_sink(note_fields, none);
	ck_assert_int_eq(harness_run(log_in_a_scope, NULL, .name = "app"), 0);
}

TEST(a_bad_key_is_left_out_alone)
{
	struct holt_field f[] = { { "bad", "1" }, { "_PID", "2" }, { NULL, "3" }, { "GOOD", "4" }, { "NULL_VALUE", NULL },
		{ "MESSAGE", "5" }, { "PRIORITY", "0" }, { "LAST", "6" } };
	char none[] = "";

	holt_log_sink(note_fields, none);
	holt_log_at(LOG_INFO, NULL, 0, NULL, f, 8, "m");
	ck_assert_str_eq(seen, "6 m GOOD=4 LAST=6");
}

TEST(a_callers_field_stands_in_for_ours)
{
	struct holt_field f[] = { { "CODE_FILE", "theirs.c" }, { "MESSAGE_ID", "0123456789abcdef0123456789abcdef" } };
	char none[] = "";

	holt_log_sink(note_fields, none);
	holt_log_at(LOG_INFO, "ours.c", 1, NULL, f, 2, "m");
	ck_assert_str_eq(seen, "6 m CODE_FILE=theirs.c MESSAGE_ID=0123456789abcdef0123456789abcdef CODE_LINE=1");
}

TEST(many_fields_are_all_said)
{
	struct holt_field f[200];
	char names[200][8], none[] = "";

	for (int i = 0; i < 200; i++) {
		snprintf(names[i], sizeof names[i], "F%d", i);
		f[i] = (struct holt_field){ names[i], "v" };
	}
	holt_log_sink(note_fields, none);
	holt_log_at(LOG_INFO, "a.c", 1, "f", f, 200, "m");
	ck_assert_ptr_nonnull(strstr(seen, " F0=v F1=v"));
	ck_assert_ptr_nonnull(strstr(seen, " F199=v CODE_FILE=a.c CODE_LINE=1 CODE_FUNC=f"));

	harness_fail_alloc(1); /* without memory those that there is room for, and ours */
	holt_log_at(LOG_INFO, "a.c", 1, "f", f, 200, "m");
	ck_assert(harness_alloc_failed());
	ck_assert_ptr_nonnull(strstr(seen, " F0=v F1=v"));
	ck_assert_ptr_nonnull(strstr(seen, "=v CODE_FILE=a.c CODE_LINE=1 CODE_FUNC=f"));
}

/* Both of them spoil errno, as they may. */
static void *spoiling_malloc(size_t size)
{
	void *p = malloc(size);

	errno = EBADF;
	return p;
}

static void spoiling_sink(void *arg, int priority, const char *message, const struct holt_field *fields, size_t n)
{
	note_fields(arg, priority, message, fields, n);
	errno = EBADF;
}

TEST(errno_is_said_and_kept)
{
	const struct holt__alloc *before_it = holt__alloc, spoiling = { spoiling_malloc, calloc, realloc, free };
	char big[3000], none[] = "";

	memset(big, 'x', sizeof big);
	big[sizeof big - 1] = 0;
	holt_log_sink(spoiling_sink, none);
	errno = ENOENT;
	holt_log(LOG_INFO, "%m");
	ck_assert_int_eq(errno, ENOENT);
	ck_assert_int_eq(strncmp(seen, "6 No such file or directory ", 28), 0);
	holt__alloc = &spoiling;
	holt_log(LOG_INFO, "%s %m", big); /* does not fit on the stack: is made twice */
	holt__alloc = before_it;
	ck_assert_int_eq(errno, ENOENT);
	ck_assert_ptr_nonnull(strstr(seen, "xxx No such file or directory "));
	holt_log(LOG_DEBUG, "not said");
	ck_assert_int_eq(errno, ENOENT);
}

TEST(newlines_at_the_end_are_none_of_the_message)
{
	holt_log(LOG_INFO, "a\n");
	holt_log(LOG_INFO, "b\n\n");
	holt_log(LOG_INFO, "%s", "");
	holt_log(LOG_INFO, "%s", "\n");
	ck_assert_str_eq(harness_log(), "<6>a\n<6>b\n<6>\n<6>\n");
}

TEST(without_memory_a_message_is_shortened)
{
	char big[3000];

	memset(big, 'x', sizeof big);
	big[sizeof big - 1] = 0;
	harness_fail_alloc(1);
	holt_log(LOG_INFO, "%s", big);
	ck_assert(harness_alloc_failed());
	ck_assert_uint_gt(strlen(harness_log()), 900);
	ck_assert_str_eq(harness_log() + strlen(harness_log()) - 5, "x...\n");
}

static int log_deep(void *arg)
{
	holt_log(LOG_INFO, "%s %d %g %m", (const char *)arg, 17, 0.1);
	return 0;
}

static int on_a_small_stack(void *arg)
{
	holt_group *g;
	int r = holt_group_open(&g);

	ck_assert_int_eq(r, 0);
	ck_assert_int_eq(holt_spawn(g, log_deep, arg, .stack_size = 16384), 0);
	return holt_group_close(g, 0);
}

TEST(a_small_stack_is_enough)
{
	struct journal j;
	struct entry e;
	static char big[20000];

	memset(big, 'x', sizeof big - 1);
	journal_open(&j);
	ck_assert_int_eq(harness_run(on_a_small_stack, big), 0);
	e = next(&j);
	ck_assert_uint_gt(e.n, sizeof big);
	ck_assert_ptr_nonnull(strstr(e.bytes, "x 17 0.1 "));
	journal_close(&j);
}

static int log_in_a_fork(void *arg)
{
	int status;
	pid_t pid;

	(void)arg;
	holt_loop_self();
	pid = fork();
	if (pid == 0) {
		holt_log(LOG_INFO, "never said");
		_exit(0);
	}
	waitpid(pid, &status, 0);
	return WIFSIGNALED(status) ? WTERMSIG(status) : 0;
}

TEST(after_a_fork_it_aborts_with_a_sentence)
{
	int status = harness_child(log_in_a_fork, NULL);

	ck_assert_int_eq(WEXITSTATUS(status), SIGABRT);
	ck_assert_ptr_nonnull(strstr(harness_output(), "holt: holt_log: called in a forked child"));
	ck_assert_ptr_null(strstr(harness_output(), "never said"));
}

/* ---- to the journal */

static int log_one(void *arg)
{
	struct holt_field f[] = { { "PEER", "10.0.0.1" }, { "TEXT", "one\ntwo" } };

	(void)arg;
	holt_log_at(LOG_WARNING, "some/file.c", 42, "some_function", f, 2, "hello %s", "world");
	return 0;
}

TEST(the_journal_gets_a_line_with_its_fields)
{
	struct journal j;
	struct entry e;

	journal_open(&j);
	ck_assert_int_eq(harness_run(log_one, NULL, .name = "app"), 0);
	e = next(&j);
	ck_field(&e, "MESSAGE", "hello world");
	ck_field(&e, "PRIORITY", "4");
	ck_field(&e, "SYSLOG_IDENTIFIER", program_invocation_short_name);
	ck_field(&e, "PEER", "10.0.0.1");
	ck_field(&e, "TEXT", "one\ntwo");
	ck_field(&e, "HOLT_TASK", "app/main");
	ck_assert_int_gt(atoi(field(&e, "HOLT_TASK_ID")), 0);
	ck_field(&e, "HOLT_WHY", NULL);
	ck_field(&e, "CODE_FILE", "some/file.c");
	ck_field(&e, "CODE_LINE", "42");
	ck_field(&e, "CODE_FUNC", "some_function");
	ck_field(&e, "TID", NULL);
	ck_assert(!e.by_memfd);
	journal_close(&j);
}

static void *log_in_thread(void *arg)
{
	holt_log(LOG_INFO, "thread");
	return arg;
}

TEST(another_thread_is_told_by_its_id)
{
	struct holt_field f = { "SYSLOG_IDENTIFIER", "other" };
	struct journal j;
	struct entry e;
	pthread_t t;

	journal_open(&j);
	pthread_create(&t, NULL, log_in_thread, NULL);
	pthread_join(t, NULL);
	holt_log_fields(LOG_INFO, &f, 1, "identifier");
	e = next(&j);
	ck_assert_ptr_nonnull(field(&e, "TID"));
	ck_field(&e, "HOLT_TASK", NULL);
	e = next(&j);
	ck_field(&e, "SYSLOG_IDENTIFIER", "other");
	journal_close(&j);
}

TEST(the_journal_is_stderr_only_when_its_numbers_say_so)
{
	static const char *const others[] = { "", "7", "7:", "7:8", "8:9", "7:9 ", "7:9x", ":9", "-7:9", " 7:9", "7: 9", "x" };

	harness_sys.fstat = stream_fstat;
	setenv("JOURNAL_STREAM", "7:9", 1);
	ck_assert(holt__journal_is(STDERR_FILENO));
	for (size_t i = 0; i < HOLT__N(others); i++) {
		setenv("JOURNAL_STREAM", others[i], 1);
		ck_assert_msg(!holt__journal_is(STDERR_FILENO), "'%s' is taken for the journal", others[i]);
	}
	unsetenv("JOURNAL_STREAM");
	ck_assert(!holt__journal_is(STDERR_FILENO));
}

TEST(a_large_line_goes_by_a_sealed_memfd)
{
	struct holt_field f = { "BIG", NULL };
	size_t n = 3 << 20; /* more than the largest send buffer that is asked for */
	char *big = malloc(n + 1);
	struct journal j;
	struct entry e;

	memset(big, 'y', n);
	big[n] = 0;
	f.value = big;
	journal_open(&j);
	holt_log_fields(LOG_INFO, &f, 1, "small");
	e = next(&j);
	ck_assert(e.by_memfd);
	ck_assert_int_eq(e.seals, F_SEAL_SEAL | F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE);
	ck_field(&e, "MESSAGE", "small");
	ck_assert_uint_eq(strlen(field(&e, "BIG")), n);
	holt_log(LOG_INFO, "%s", big);
	e = next(&j);
	ck_assert_str_eq(field(&e, "MESSAGE"), big);
	free(big);
	journal_close(&j);
}

TEST(without_memory_an_entry_is_shortened)
{
	struct holt_field f = { "BIG", NULL };
	static char big[20000];
	struct journal j;
	struct entry e;

	memset(big, 'z', sizeof big - 1);
	f.value = big;
	journal_open(&j);
	harness_fail_alloc(1);
	holt_log_fields(LOG_INFO, &f, 1, "small");
	ck_assert(harness_alloc_failed());
	e = next(&j);
	ck_field(&e, "MESSAGE", "small");
	ck_field(&e, "BIG", NULL);
	ck_field(&e, "CODE_FUNC", __func__);

	harness_fail_alloc(2); /* the message itself has room, the entry has none */
	holt_log(LOG_INFO, "%s", big);
	ck_assert(harness_alloc_failed());
	e = next(&j);
	ck_assert_uint_gt(strlen(field(&e, "MESSAGE")), 2000);
	ck_assert_str_eq(strstr(field(&e, "MESSAGE"), "..."), "...");
	ck_field(&e, "CODE_FUNC", __func__);
	journal_close(&j);
}

static int log_until_it_waits(const char *what)
{
	int n = 0;

	while (!holt__log_pending()) {
		holt_log(LOG_INFO, "%s %d", what, n++);
		ck_assert_int_lt(n, 100000);
	}
	return n;
}

static void expect_numbered(struct journal *j, const char *what, int from, int to)
{
	char text[64];

	for (int i = from; i < to; i++) {
		struct entry e = next(j);

		snprintf(text, sizeof text, "%s %d", what, i);
		ck_field(&e, "MESSAGE", text);
	}
}

TEST(lines_wait_in_order_while_the_journal_is_full)
{
	struct journal j;
	int n;

	journal_open(&j);
	n = log_until_it_waits("line");
	ck_assert_int_ge(holt__log_pending_fd(), 0);
	holt_log(LOG_INFO, "line %d", n);
	holt_log(LOG_INFO, "line %d", n + 1);
	expect_numbered(&j, "line", 0, n - 1); /* the last one waits */
	ck_assert_ptr_null(receive(&j, MSG_DONTWAIT).bytes);
	holt_log(LOG_INFO, "line %d", n + 2); /* goes behind those that wait, which go now */
	expect_numbered(&j, "line", n - 1, n + 3);
	ck_assert(!holt__log_pending());
	ck_assert_int_eq(holt__log_pending_fd(), -1);
	journal_close(&j);
}

TEST(draining_sends_what_waits)
{
	struct journal j;
	int n;

	journal_open(&j);
	n = log_until_it_waits("line");
	holt__log_drain(); /* still full */
	ck_assert(holt__log_pending());
	expect_numbered(&j, "line", 0, n - 1);
	holt__log_drain();
	ck_assert(!holt__log_pending());
	expect_numbered(&j, "line", n - 1, n);
	holt__log_drain();
	ck_assert_ptr_null(receive(&j, MSG_DONTWAIT).bytes);
	journal_close(&j);
}

/* Fills the ring several times over, so that entries go over its end; reads in steps that do not fit. */
TEST(the_ring_keeps_entries_whole_over_its_end)
{
	struct journal j;
	int sent = 0, read = 0;
	char filler[700], text[800];

	memset(filler, 'f', sizeof filler);
	filler[sizeof filler - 1] = 0;
	journal_open(&j);
	for (int round = 0; round < 12; round++) {
		for (int i = 0; i < 150; i++, sent++)
			holt_log(LOG_INFO, "%d %.*s", sent, sent % 699, filler);
		for (int i = 0; i < 147; i++, read++) {
			struct entry e = receive(&j, MSG_DONTWAIT);

			if (!e.bytes) {
				holt__log_drain();
				e = next(&j);
			}
			snprintf(text, sizeof text, "%d %.*s", read, read % 699, filler);
			ck_field(&e, "MESSAGE", text);
		}
	}
	ck_assert(holt__log_pending());
	journal_close(&j);
}

TEST(what_does_not_fit_is_counted_and_told)
{
	char filler[1000], text[64];
	struct journal j;
	struct entry e;
	int sent = 0, read = 0, lost = 0;

	memset(filler, 'f', sizeof filler);
	filler[sizeof filler - 1] = 0;
	journal_open(&j);
	for (; sent < 1000; sent++) /* a megabyte */
		holt_log(LOG_INFO, "%d %s", sent, filler);
	for (;; read++) {
		e = receive(&j, MSG_DONTWAIT);
		if (!e.bytes) {
			holt__log_drain();
			e = next(&j);
		}
		if (strstr(field(&e, "MESSAGE"), "lost"))
			break;
		ck_assert_int_eq(atoi(field(&e, "MESSAGE")), read);
	}
	lost = sent - read;
	ck_assert_int_gt(read, 150);
	ck_assert_int_gt(lost, 600);
	snprintf(text, sizeof text, "%d log lines were lost", lost);
	ck_field(&e, "MESSAGE", text);
	ck_field(&e, "PRIORITY", "4");
	ck_assert(!holt__log_pending());

	holt_log(LOG_INFO, "and on"); /* told once */
	e = next(&j);
	ck_field(&e, "MESSAGE", "and on");
	journal_close(&j);
}

/* The count is told in its place: behind what waited, before what comes. */
TEST(nothing_overtakes_the_count_of_lost_lines)
{
	char filler[1000];
	struct journal j;
	struct entry e;
	bool told = false;

	memset(filler, 'f', sizeof filler);
	filler[sizeof filler - 1] = 0;
	journal_open(&j);
	for (int i = 0; i < 1000; i++)
		holt_log(LOG_INFO, "before %s", filler);
	for (int i = 0; i < 100; i++) {
		if (!receive(&j, MSG_DONTWAIT).bytes)
			holt__log_drain();
	}
	holt_log(LOG_INFO, "after"); /* there is room in the ring again, but not in the socket */
	ck_assert(holt__log_pending());
	while (holt__log_pending() || (e = receive(&j, MSG_DONTWAIT)).bytes) {
		if (holt__log_pending() && !(e = receive(&j, MSG_DONTWAIT)).bytes) {
			holt__log_drain();
			continue;
		}
		if (strstr(field(&e, "MESSAGE"), " lost"))
			told = true;
		else
			ck_assert_int_eq(told, !strcmp(field(&e, "MESSAGE"), "after"));
	}
	ck_assert(told);
	journal_close(&j);
}

TEST(a_journal_that_came_back_is_found)
{
	struct journal j;
	struct entry e;
	size_t fds;

	journal_open(&j);
	fds = harness_fds();
	journal_end(&j);
	journal_listen(&j);
	holt_log(LOG_INFO, "two"); /* ECONNREFUSED */
	e = next(&j);
	ck_field(&e, "MESSAGE", "two");
	ck_assert_uint_eq(harness_fds(), fds);
	journal_close(&j);
}

TEST(lines_that_waited_survive_a_restart_of_the_journal)
{
	struct journal j;
	int n;

	journal_open(&j);
	n = log_until_it_waits("line");
	journal_end(&j);
	journal_listen(&j);
	holt__log_drain();
	ck_assert(!holt__log_pending());
	expect_numbered(&j, "line", n - 1, n);
	journal_close(&j);
}

TEST(without_a_journal_the_line_goes_to_stderr)
{
	struct holt_field f = { "KEY", "v" };
	char text[256] = "";
	struct journal j;
	struct entry e;
	int p[2], saved;

	ck_assert_int_eq(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, p), 0); /* as the journal's stream is */
	saved = replace_stderr(p[1]);
	journal_open(&j);
	journal_end(&j);
	holt_log_fields(LOG_ERR, &f, 1, "two\nlines"); /* ECONNREFUSED, then ENOENT */
	holt_log(LOG_ERR, "three");                    /* ENOTCONN, then ENOENT */
	journal_listen(&j);
	holt_log(LOG_INFO, "four");
	e = next(&j);
	ck_field(&e, "MESSAGE", "four");
	journal_close(&j);
	restore_stderr(saved);
	ck_assert_int_gt(recv(p[0], text, sizeof text - 1, MSG_DONTWAIT), 0);
	close(p[0]);
	close(p[1]);
	ck_assert_str_eq(text, "<3>two\n<3>lines KEY=v\n<3>three\n");
}

TEST(a_socket_closed_behind_our_back_is_made_anew)
{
	struct journal j;
	struct entry e;
	int n;

	journal_open(&j);
	n = log_until_it_waits("line");
	close(holt__log_pending_fd());
	expect_numbered(&j, "line", 0, n - 1);
	holt_log(LOG_INFO, "new");
	expect_numbered(&j, "line", n - 1, n);
	e = next(&j);
	ck_field(&e, "MESSAGE", "new");
	journal_close(&j);
}

static int log_and_watch(void *arg)
{
	struct journal *j = arg;
	int n = log_until_it_waits("line"), read = 0;

	for (int i = 0; i < 100; i++)
		holt_log(LOG_INFO, "line %d", n++);
	for (int idle = 0; read < n && idle < 3; idle++) {
		for (struct entry e; (e = receive(j, MSG_DONTWAIT)).bytes; read++, idle = 0)
			ck_assert_int_eq(atoi(field(&e, "MESSAGE") + 5), read);
		holt_sleep(HOLT_SEC); /* nothing is logged: only the loop can do it */
	}
	ck_assert_int_eq(read, n);
	ck_assert(!holt__log_pending());
	return 0;
}

TEST(the_loop_drains_what_waits)
{
	struct journal j;

	journal_open(&j);
	ck_assert_int_eq(harness_run(log_and_watch, &j), 0);
	journal_close(&j);
}

struct thread_test {
	struct journal *journal;
	holt_loop *loop;
	int n;
	bool right;
};

static void *log_and_read(void *arg)
{
	struct thread_test *t = arg;
	int read = 0;

	t->n = log_until_it_waits("line") + 20;
	for (int i = t->n - 20; i < t->n; i++)
		holt_log(LOG_INFO, "line %d", i);
	t->right = true;
	for (; read < t->n; read++) { /* waits for those that only the other thread's loop can send */
		struct entry e = receive(t->journal, 0);

		t->right = t->right && e.bytes && atoi(field(&e, "MESSAGE") + 5) == read;
	}
	holt_loop_stop(t->loop, "all read");
	return NULL;
}

static int sleep_on(void *arg)
{
	struct thread_test *t = arg;
	struct holt_scope s;
	pthread_t thread;
	int r;

	t->loop = holt_loop_self();
	holt_scope_begin(&s, HOLT_NEVER, HOLT_ON_STOP);
	pthread_create(&thread, NULL, log_and_read, t);
	r = holt_sleep(HOLT_NEVER);
	r = (int)holt_scope_end(&s, r);
	pthread_join(thread, NULL);
	return r == -ESHUTDOWN ? 0 : r;
}

TEST(a_line_of_another_thread_wakes_the_loop_that_sleeps)
{
	struct journal j;
	struct thread_test t = { .journal = &j };

	harness_real_clock();
	journal_open(&j);
	ck_assert_int_eq(harness_run(sleep_on, &t, .grace = HOLT_HOUR), 0);
	ck_assert(t.right);
	journal_close(&j);
}

static void *read_slowly(void *arg)
{
	struct thread_test *t = arg;

	t->right = true;
	for (int read = 0; read < t->n; read++) {
		struct entry e = receive(t->journal, 0);

		t->right = t->right && e.bytes && atoi(field(&e, "MESSAGE") + 5) == read;
	}
	return NULL;
}

TEST(flushing_waits_for_the_journal_but_not_for_ever)
{
	struct journal j;
	struct thread_test t = { .journal = &j };
	pthread_t thread;

	harness_real_clock();
	journal_open(&j);
	t.n = log_until_it_waits("line");
	for (int i = 0; i < 50; i++)
		holt_log(LOG_INFO, "line %d", t.n++);
	holt__log_flush(HOLT_MS); /* nobody reads */
	ck_assert(holt__log_pending());
	pthread_create(&thread, NULL, read_slowly, &t);
	holt__log_flush(HOLT_HOUR);
	ck_assert(!holt__log_pending());
	pthread_join(thread, NULL);
	ck_assert(t.right);
	journal_close(&j);
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

TEST(lines_of_threads_keep_their_order_in_the_journal)
{
	int next_line[THREADS] = { 0 };
	struct journal j;

	journal_open(&j);
	in_threads();
	for (int i = 0; i < THREADS * LINES; i++) {
		struct entry e = receive(&j, MSG_DONTWAIT);

		if (!e.bytes) {
			holt__log_drain();
			e = next(&j);
		}
		expect_threads_lines(field(&e, "MESSAGE"), next_line);
	}
	journal_close(&j);
}

/* ---- failures */

static unsigned calls_made, fail_from, fail_count;
static int fail_with;

static bool fails(void)
{
	calls_made++;
	return calls_made >= fail_from && calls_made - fail_from < fail_count;
}

#define FAILING(type, name, params, args) \
	static type failing_##name params \
	{ \
		return fails() ? fail_with : holt__sys_linux.name args; \
	}
FAILING(int, poll, (int fd, unsigned events, int ms), (fd, events, ms))
FAILING(int, socket, (int d, int t, int p), (d, t, p))
FAILING(int, connect, (int fd, const struct sockaddr *a, socklen_t n), (fd, a, n))
FAILING(int, setsockopt, (int fd, int l, int o, const void *v, socklen_t n), (fd, l, o, v, n))
FAILING(int, memfd, (const char *name, unsigned flags), (name, flags))
FAILING(ssize_t, write, (int fd, const void *p, size_t n), (fd, p, n))
FAILING(ssize_t, write_nowait, (int fd, const void *p, size_t n), (fd, p, n))
FAILING(int, seal, (int fd), (fd))

static ssize_t failing_send(int fd, const void *p, size_t n, int flags)
{
	(void)flags; /* the stream is none really */
	return failing_write_nowait(fd, p, n);
}

static int failing_fstat(int fd, struct stat *st)
{
	return fails() ? fail_with : stream_fstat(fd, st);
}

/* A large datagram is refused as by a socket with a small buffer. */
static ssize_t failing_sendmsg(int fd, const struct msghdr *m, int flags)
{
	if (fails())
		return fail_with;
	if (m->msg_iovlen > 0 && m->msg_iov[0].iov_len > 65536)
		return -EMSGSIZE;
	return holt__sys_linux.sendmsg(fd, m, flags);
}

/* Reads all that is there; whether the last of it has that message. */
static bool ends_with(struct journal *j, const char *message)
{
	char first[64], expected[64];

	first[0] = 0;
	for (struct entry e; (e = receive(j, MSG_DONTWAIT)).bytes;)
		snprintf(first, sizeof first, "%.*s", (int)strcspn(e.bytes, "\n"), e.bytes);
	snprintf(expected, sizeof expected, "MESSAGE=%s", message);
	return !strcmp(first, expected);
}

static void let_fail(struct journal *j, const char *big, int error, unsigned from, unsigned n)
{
	fail_with = error;
	fail_from = from;
	fail_count = n;
	calls_made = 0;
	for (int i = 0; i < 2; i++) {
		holt_log(LOG_INFO, "small");
		holt_log(LOG_INFO, "%s", big);
	}
	holt__log_drain();
	ends_with(j, "");
	fail_count = 0; /* well again */
	holt_log(LOG_INFO, "after all");
	holt__log_drain();
}

/* The n-th call fails once, or it and all that come after it; then all is well again, and a line gets through. */
TEST(no_failing_call_blocks_breaks_or_leaks)
{
	static const int with[] = { -EAGAIN, -EINTR, -ENOMEM, -ENOBUFS, -EMFILE, -EPERM, -ECONNREFUSED, -ENOTCONN, -EMSGSIZE,
		-EPIPE };
	static char big[70000];
	int null = open("/dev/null", O_WRONLY | O_CLOEXEC), saved = replace_stderr(null);
	struct journal j;
	size_t fds;

	memset(big, 'x', sizeof big - 1);
	journal_open(&j);
	harness_sys.fstat = failing_fstat;
	harness_sys.poll = failing_poll;
	harness_sys.socket = failing_socket;
	harness_sys.connect = failing_connect;
	harness_sys.setsockopt = failing_setsockopt;
	harness_sys.send = failing_send;
	harness_sys.sendmsg = failing_sendmsg;
	harness_sys.memfd = failing_memfd;
	harness_sys.write = failing_write;
	harness_sys.write_nowait = failing_write_nowait;
	harness_sys.seal = failing_seal;
	holt__log_reset();
	fds = harness_fds();
	for (size_t i = 0; i < HOLT__N(with); i++) {
		for (int for_ever = 0; for_ever <= 1; for_ever++) {
			unsigned from = 1;

			do {
				let_fail(&j, big, with[i], from, for_ever ? UINT_MAX : 1);
				if (from > 1) /* the first one asks whether there is a journal at all */
					ck_assert_msg(ends_with(&j, "after all"), "%s, call %u", strerror(-with[i]), from);
				holt__log_reset();
				ck_assert_msg(harness_fds() == fds, "%s, call %u: leaks", strerror(-with[i]), from);
			} while (calls_made >= from++);
		}
	}
	restore_stderr(saved);
	close(null);
	journal_close(&j);
}
