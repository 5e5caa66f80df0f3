/* SPDX-License-Identifier: MIT */
/*
 * What processes write: from pipes to a journal (a socket of ours that speaks as one), to stderr (a pipe or a file of ours), to
 * files. Whatever the sink does, no byte is lost that is not counted, and no line is broken.
 */
#include "daemon/lines.h"

#include <poll.h>
#include <signal.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/un.h>

#include "folder.h"
#include "harness.h"

#include "daemon/lines_parts.h"

static struct watcher w;
static struct lines *l;
static struct lines_node *n;
static struct lines_stream *s;
static int in; /* the child's end of s */
static int journal = -1;
static struct lines_options options;
static struct lines_limits limits;
static const struct invocation id = { { 0x0123456789abcdef, 0xfedcba9876543210 } };

/* ---- around each */

static struct lines_stream *attach(struct lines_node *node, int *ret_in)
{
	struct lines_stream *stream = NULL;
	int p[2];

	ck_assert_int_eq(pipe2(p, O_CLOEXEC), 0);
	ck_assert_int_eq(lines_attach(&stream, node, p[0], 4711, &id, LOG_INFO), 0);
	*ret_in = p[1];
	return stream;
}

/* Rounds until nothing is to be done but wait. */
static void settle(void)
{
	struct pollfd p = { .fd = w.fd, .events = POLLIN };

	while (w.later || poll(&p, 1, 0) > 0)
		ck_assert_int_eq(watcher_wait(&w), 0);
}

static void pass(holt_time span)
{
	ck_assert_int_eq(holt_sleep(span), 0);
	settle();
	ck_assert_int_eq(holt__wheel_next(&w.wheel) <= holt_now() ? watcher_wait(&w) : 0, 0);
	settle();
}

struct story {
	void (*fn)(void);
};

static int tell_story(void *arg)
{
	struct story *story = arg;

	ck_assert_int_eq(watcher_open(&w), 0);
	ck_assert_int_eq(lines_open(&l, &w, &options), 0);
	ck_assert_int_eq(lines_node_open(&n, l, "shop/api", &limits), 0);
	s = attach(n, &in);
	story->fn();
	s = lines_finish(s);
	if (in >= 0)
		close(in);
	n = lines_node_close(n);
	l = lines_close(l);
	watcher_close(&w);
	return 0;
}

static void story(void (*fn)(void))
{
	options.tree = "shop";
	ck_assert_int_eq(harness_run(tell_story, &(struct story){ fn }), 0);
}

static void put_n(int fd, const char *text, size_t size)
{
	ck_assert_int_eq(write(fd, text, size), (ssize_t)size);
}

static void put(const char *text)
{
	put_n(in, text, strlen(text));
	settle();
}

static void close_in(void)
{
	close(in);
	in = -1;
	settle();
}

/* ---- a journal */

static void open_journal(void)
{
	struct sockaddr_un a = { .sun_family = AF_UNIX };

	if (!folder[0])
		folder_make();
	strcpy(a.sun_path, in_folder("journal"));
	journal = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	ck_assert_int_eq(bind(journal, (struct sockaddr *)&a, sizeof a), 0);
	options.target = LOG_TO_JOURNAL;
	options.journal = in_folder("journal");
}

static void close_journal(void)
{
	close(journal);
	journal = -1;
	unlink(options.journal);
}

static char entry[1 << 21];

/* The next entry in the socket; NULL: none. */
static const char *receive(size_t *ret_size)
{
	union {
		struct cmsghdr header;
		char room[CMSG_SPACE(sizeof(int))];
	} control;
	struct iovec v = { entry, sizeof entry - 1 };
	struct msghdr m = { .msg_iov = &v, .msg_iovlen = 1, .msg_control = &control, .msg_controllen = sizeof control };
	ssize_t size = recvmsg(journal, &m, MSG_CMSG_CLOEXEC);

	if (size < 0)
		return NULL;
	if (m.msg_controllen > 0) {
		int fd;

		memcpy(&fd, CMSG_DATA(&control.header), sizeof fd);
		ck_assert_int_eq(fcntl(fd, F_GET_SEALS), F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE | F_SEAL_SEAL);
		size = pread(fd, entry, sizeof entry - 1, 0);
		close(fd);
	}
	ck_assert_int_gt(size, 0);
	entry[size] = 0;
	if (ret_size)
		*ret_size = (size_t)size;
	return entry;
}

/* A field of the entry that was received last. "" if it has none. */
static const char *field(const char *key)
{
	static char value[1 << 21];
	size_t k = strlen(key);

	for (const char *p = entry; *p; p = strchr(p, '\n') + 1) {
		if (strncmp(p, key, k) != 0 || p[k] != '=')
			continue;
		snprintf(value, sizeof value, "%.*s", (int)strcspn(p + k + 1, "\n"), p + k + 1);
		return value;
	}
	return "";
}

static void journal_says(const char *message)
{
	ck_assert_msg(receive(NULL) != NULL, "there is no entry \"%s\"", message);
	ck_assert_str_eq(field("MESSAGE"), message);
}

static void journal_is_empty(void)
{
	ck_assert_msg(!receive(NULL), "there is another entry:\n%s", entry);
}

/* ---- our stderr */

static int old_stderr = -1;

static void stderr_is(int fd)
{
	if (old_stderr < 0)
		old_stderr = fcntl(STDERR_FILENO, F_DUPFD_CLOEXEC, 3);
	dup2(fd, STDERR_FILENO);
}

static void stderr_is_back(void)
{
	dup2(old_stderr, STDERR_FILENO);
	close(old_stderr);
	old_stderr = -1;
}

static int console_file;

static void open_console(void)
{
	console_file = memfd_create("console", MFD_CLOEXEC);
	stderr_is(console_file);
	options.target = LOG_TO_CONSOLE;
}

static const char *console(void)
{
	static char text[1 << 20];
	ssize_t k = pread(console_file, text, sizeof text - 1, 0);

	ck_assert_int_ge(k, 0);
	text[k] = 0;
	return text;
}

static void close_console(void)
{
	stderr_is_back();
	close(console_file);
}

/* ---- pure */

TEST(a_priority_is_one_digit_in_brackets)
{
	static const char *const none[] = { "", "<", "<3", "3>x", "<8>x", "<9>x", "<10>x", "<30>x", "<>x", "<a>x", "< 3>",
		"x<3>" };
	int priority = 6;

	for (size_t i = 0; i < HOLT__N(none); i++)
		ck_assert_uint_eq(lines_prefix(none[i], strlen(none[i]), &priority), 0);
	ck_assert_int_eq(priority, 6);
	ck_assert_uint_eq(lines_prefix("<3>", 3, &priority), 3);
	ck_assert_int_eq(priority, 3);
	ck_assert_uint_eq(lines_prefix("<7>x", 4, &priority), 3);
	ck_assert_int_eq(priority, 7);
	ck_assert_uint_eq(lines_prefix("<7>x", 2, &priority), 0); /* what is behind n is not looked at */
}

TEST(text_is_cut_between_characters)
{
	ck_assert_uint_eq(lines_cut("abcdef", 3), 3);
	ck_assert_uint_eq(lines_cut("ab\xc3\xa9x", 3), 2);
	ck_assert_uint_eq(lines_cut("ab\xc3\xa9x", 4), 4);
	ck_assert_uint_eq(lines_cut("\xf0\x9f\x98\x80\xf0\x9f\x98\x80", 7), 4);
	ck_assert_uint_eq(lines_cut("\xf0\x9f\x98\x80x", 3), 3);            /* no progress is worse than half a character */
	ck_assert_uint_eq(lines_cut("\x80\x80\x80\x80\x80\x80\x80", 6), 6); /* no UTF-8 */
}

TEST(an_idle_stream_is_small)
{
	ck_assert_uint_lt(sizeof(struct lines_stream), 100);
	ck_assert_uint_lt(sizeof(struct lines_node), 100);
}

/* ---- the journal */

static void fields_story(void)
{
	put("hello\n<3>bad\n");
	journal_says("hello");
	ck_assert_str_eq(field("PRIORITY"), "6");
	ck_assert_str_eq(field("SYSLOG_IDENTIFIER"), "api");
	ck_assert_str_eq(field("SYSLOG_PID"), "4711");
	ck_assert_str_eq(field("HOLT_NODE"), "shop/api");
	ck_assert_str_eq(field("HOLT_TREE"), "shop");
	ck_assert_str_eq(field("HOLT_INVOCATION_ID"), "0123456789abcdeffedcba9876543210");
	journal_says("bad");
	ck_assert_str_eq(field("PRIORITY"), "3");
	lines_set_pid(s, 12);
	put("{\"a\": \"<3>\", \"b\": [1, 2]}\n");
	journal_says("{\"a\": \"<3>\", \"b\": [1, 2]}");
	ck_assert_str_eq(field("SYSLOG_PID"), "12");
	journal_is_empty();
}

TEST(a_line_reaches_the_journal_with_its_fields)
{
	open_journal();
	story(fields_story);
	close_journal();
	folder_remove();
}

static void nul_story(void)
{
	put_n(in, "c\0d\n\0e\n", 7);
	settle();
	journal_says("c");
	journal_says("d");
	journal_says("e");
	journal_is_empty();
	put("half");
	journal_is_empty();
	put(" line\nno end");
	journal_says("half line");
	journal_is_empty();
	close_in();
	journal_says("no end");
	journal_is_empty();
}

TEST(a_line_ends_with_a_newline_a_nul_or_the_stream)
{
	open_journal();
	story(nul_story);
	close_journal();
	folder_remove();
}

static void memory_story(void)
{
	size_t live = harness_live();

	put("a part");
	ck_assert_uint_eq(harness_live(), live + 1);
	put(" of a line\n");
	ck_assert_uint_eq(harness_live(), live);
	journal_says("a part of a line");
}

TEST(memory_is_taken_only_while_there_is_half_a_line)
{
	open_journal();
	story(memory_story);
	close_journal();
	folder_remove();
}

static void long_story(void)
{
	char text[300];
	size_t sum = 0;

	memset(text, 'x', sizeof text);
	memcpy(text, "<4>", 3);
	text[298] = '\n';
	text[299] = 0;
	put(text);
	while (receive(NULL)) { /* 295 bytes of text, 100 at a time, the prefix counts */
		ck_assert_str_eq(field("PRIORITY"), "4");
		ck_assert_uint_le(strlen(field("MESSAGE")), 100);
		sum += strlen(field("MESSAGE"));
	}
	ck_assert_uint_eq(sum, 295);
	put("<3>short\nnext\n");
	journal_says("short");
	ck_assert_str_eq(field("PRIORITY"), "3");
	journal_says("next");
	ck_assert_str_eq(field("PRIORITY"), "6");
	memset(text, 'y', 100);
	memcpy(text + 100, "\nz\n", 4); /* as long as may be */
	put(text);
	receive(NULL);
	ck_assert_uint_eq(strlen(field("MESSAGE")), 100);
	journal_says("z");
	journal_is_empty();
	memset(text, 'y', 98);
	memcpy(text + 98, "\xf0\x9f\x98\x80<1>\n", 9);
	put(text);
	receive(NULL);
	ck_assert_uint_eq(strlen(field("MESSAGE")), 98);
	journal_says("\xf0\x9f\x98\x80<1>");
	ck_assert_str_eq(field("PRIORITY"), "6");
}

TEST(a_line_that_is_too_long_comes_in_parts)
{
	limits.line_max = 100;
	open_journal();
	story(long_story);
	close_journal();
	folder_remove();
}

static char sent[1 << 20], got[1 << 20];
static size_t n_sent, n_got;

static void collect(void)
{
	while (receive(NULL)) {
		const char *m = field("MESSAGE");

		strcpy(got + n_got, m);
		n_got += strlen(m);
		got[n_got++] = '\n';
	}
}

/* As long as something comes: a socket holds only so many, and then the next ones have to be let in. */
static void collect_all(void)
{
	for (size_t before = n_got + 1; n_got != before;) {
		before = n_got;
		collect();
		settle();
	}
}

/* Random lines, written in random pieces; the journal is read now and then, and often is full. */
static void random_story(void)
{
	unsigned seed = (unsigned)limits.line_max;
	struct pollfd p = { .fd = in, .events = POLLOUT };
	size_t at = 0;

	fcntl(in, F_SETFL, O_NONBLOCK);
	for (n_sent = 0; n_sent < 300000;) {
		size_t k = (size_t)rand_r(&seed) % (rand_r(&seed) % 10 ? 60 : limits.line_max - 1) + 1;

		memset(sent + n_sent, 'a' + rand_r(&seed) % 26, k);
		n_sent += k;
		sent[n_sent++] = '\n';
	}
	while (at < n_sent) {
		size_t k = (size_t)rand_r(&seed) % 5000 + 1;
		ssize_t done = write(in, sent + at, k < n_sent - at ? k : n_sent - at);

		at += done > 0 ? (size_t)done : 0;
		settle();
		if (rand_r(&seed) % 3 == 0 || poll(&p, 1, 0) == 0)
			collect();
	}
	close_in();
	collect_all();
	ck_assert_uint_eq(n_got, n_sent);
	ck_assert_int_eq(memcmp(got, sent, n_sent), 0);
}

TEST(no_byte_is_lost_and_the_order_is_kept_whatever_the_journal_does)
{
	limits.line_max = 1000;
	open_journal();
	story(random_story);
	close_journal();
	folder_remove();
}

static void full_story(void)
{
	struct lines_node *other;
	struct lines_stream *stream;
	char line[40];
	int fd;

	ck_assert_int_eq(lines_node_open(&other, l, "other", &limits), 0);
	stream = attach(other, &fd);
	for (int i = 0; i < 200; i++) {
		snprintf(line, sizeof line, "%d\n", i);
		put(line);
	}
	put_n(fd, "other\n", 6); /* comes behind those that wait */
	settle();
	close_in();
	s = lines_finish(s); /* and nobody waits for it */
	stream = lines_finish(stream);
	n = lines_node_close(n);
	other = lines_node_close(other);
	close(fd);
	for (int i = 0; i < 200; i++) {
		snprintf(line, sizeof line, "%d", i);
		if (!receive(NULL)) {
			settle();
			ck_assert_ptr_nonnull(receive(NULL));
		}
		ck_assert_str_eq(field("MESSAGE"), line);
	}
	settle();
	journal_says("other");
	ck_assert_ptr_null(l->nodes); /* they went with their last lines */
}

TEST(a_full_journal_is_waited_for_in_order_also_by_those_who_are_gone)
{
	open_journal();
	story(full_story);
	close_journal();
	folder_remove();
}

static void blocked_end_story(void)
{
	for (int i = 0; i < 200; i++)
		put("x\n");
}

TEST(a_journal_that_stands_still_does_not_hold_up_the_end)
{
	open_journal();
	story(blocked_end_story); /* takes 100 ms */
	close_journal();
	folder_remove();
}

static void gone_story(void)
{
	put("one\n");
	journal_says("one");
	close_journal();
	put("two\n");
	ck_assert_str_eq(console(), "shop/api | two\n");
	open_journal();
	put("three\n");
	journal_says("three");
	ck_assert_str_eq(console(), "shop/api | two\n");
}

TEST(without_a_journal_lines_go_to_stderr_and_back_when_it_is_there)
{
	open_console();
	open_journal();
	story(gone_story);
	close_journal();
	close_console();
	folder_remove();
}

static void large_story(void)
{
	char *text = malloc(1000001);
	int size = 4096;

	put("x\n");
	journal_says("x");
	setsockopt(l->journal.fd, SOL_SOCKET, SO_SNDBUF, &size, sizeof size); /* whatever this machine allows */
	memset(text, 'x', 1000000);
	text[1000000] = '\n';
	for (size_t at = 0; at < 1000001; at += 10000) {
		put_n(in, text + at, 1000001 - at < 10000 ? 1000001 - at : 10000);
		settle();
	}
	ck_assert_ptr_nonnull(receive(NULL));
	ck_assert_uint_eq(strlen(field("MESSAGE")), 1000000);
	ck_assert_str_eq(field("SYSLOG_PID"), "4711");
	journal_is_empty();
	free(text);
}

TEST(a_line_that_is_no_datagram_goes_by_a_sealed_file)
{
	limits.line_max = 2000000;
	open_journal();
	story(large_story);
	close_journal();
	folder_remove();
}

/* ---- the rate */

static void rate_story(void)
{
	for (int i = 0; i < 5; i++)
		put("x\n");
	for (int i = 0; i < 3; i++)
		journal_says("x");
	journal_is_empty();
	pass(9 * HOLT_SEC);
	journal_is_empty();
	pass(2 * HOLT_SEC); /* he is silent, and it is told all the same */
	journal_says("2 lines were dropped: more than 3 in 10s");
	ck_assert_str_eq(field("HOLT_NODE"), "shop/api");
	ck_assert_str_eq(field("PRIORITY"), "4");
	ck_assert_str_eq(field("SYSLOG_PID"), "");
	journal_is_empty();
	for (int i = 0; i < 4; i++)
		put("y\n");
	for (int i = 0; i < 3; i++)
		journal_says("y");
	journal_is_empty();
	limits.burst = 0;
	lines_node_set(n, &limits);
	put("z\n");
	journal_says("z");
	n->burst = 3;
	close_in();
}

TEST(more_lines_than_the_rate_allows_are_counted_and_told)
{
	limits.interval = 10 * HOLT_SEC;
	limits.burst = 3;
	open_journal();
	story(rate_story);
	journal_says("1 line was dropped: more than 3 in 10s"); /* at the end at the latest */
	close_journal();
	folder_remove();
}

static void rate_full_story(void)
{
	for (int i = 0; i < 300; i++)
		put("x\n");
	collect_all();
	ck_assert_uint_eq(harness_count(got, "x\n"), 200); /* what had to wait is not counted twice */
	pass(11 * HOLT_SEC);
	journal_says("100 lines were dropped: more than 200 in 10s");
}

TEST(waiting_for_the_journal_does_not_use_up_the_rate)
{
	limits.interval = 10 * HOLT_SEC;
	limits.burst = 200;
	open_journal();
	story(rate_full_story);
	close_journal();
	folder_remove();
}

/* ---- ends */

static void holder_story(void)
{
	int held = fcntl(in, F_DUPFD_CLOEXEC, 3); /* a grandchild's */

	put_n(in, "last words\nof it", 16);
	close(in);
	in = -1;
	s = lines_finish(s);
	journal_says("last words");
	journal_says("of it");
	signal(SIGPIPE, SIG_IGN);
	ck_assert_int_eq(write(held, "x", 1), -1);
	ck_assert_int_eq(errno, EPIPE);
	close(held);
}

TEST(what_is_in_the_pipe_at_the_end_is_read_and_a_grandchild_holds_nothing_up)
{
	open_journal();
	story(holder_story);
	close_journal();
	folder_remove();
}

static void leave_story(void)
{
	int held = in;

	in = -1;
	put_n(held, "one\ntw", 6);
	s = lines_leave(s);
	n = lines_node_close(n);
	settle();
	journal_says("one");
	put_n(held, "o\nthree", 7);
	settle();
	journal_says("two");
	close(held);
	settle();
	journal_says("three");
	ck_assert_ptr_null(l->nodes);
}

TEST(who_is_left_alone_is_read_as_long_as_he_writes)
{
	open_journal();
	story(leave_story);
	close_journal();
	folder_remove();
}

static void early_story(void)
{
	close_in(); /* a daemon that closed its stdout */
	ck_assert_ptr_nonnull(s);
	pass(HOLT_SEC);
	s = lines_leave(s);
	ck_assert_ptr_null(n->streams);
	s = attach(n, &in);
	close_in();
}

TEST(a_stream_that_ended_waits_for_being_finished)
{
	open_journal();
	story(early_story);
	close_journal();
	folder_remove();
}

/* ---- fairness */

static void fair_story(void)
{
	struct lines_stream *other;
	static char flood[1 << 19];
	size_t count = 0;
	int fd;

	memset(flood, 'x', sizeof flood);
	for (size_t i = 99; i < sizeof flood; i += 100)
		flood[i] = '\n';
	if (fcntl(in, F_SETPIPE_SZ, 1 << 19) < (1 << 19)) {
		harness_skip(__func__, "a pipe cannot be made so large here");
		return;
	}
	put_n(in, flood, sizeof flood);
	other = attach(n, &fd);
	put_n(fd, "other\n", 6);
	ck_assert_int_eq(watcher_wait(&w), 0); /* one round */
	for (const char *p = console(); (p = strstr(p, "| x")); p++)
		count++;
	ck_assert_uint_gt(count, 0);
	ck_assert_uint_lt(count, ROUND / 100 + 1);
	ck_assert_ptr_nonnull(strstr(console(), "| other\n"));
	lines_finish(other);
	close(fd);
}

TEST(who_floods_does_not_starve_the_others)
{
	open_console();
	story(fair_story);
	close_console();
}

/* ---- the console */

static void names_story(void)
{
	struct lines_node *other;
	struct lines_stream *stream;
	int fd;

	ck_assert_int_eq(lines_node_open(&other, l, "db", &limits), 0);
	stream = attach(other, &fd);
	put("<3>one\n\n");
	put_n(fd, "two\n", 4);
	settle();
	holt_log_sink(lines_own, l);
	ck_assert(lines_on_console(l));
	holt_log(LOG_NOTICE, "its own\ntwo lines");
	holt_log_sink(NULL, NULL);
	settle();
	ck_assert_str_eq(console(),
		"shop/api     | one\nshop/api     | \ndb           | two\n"
		"holtd        | its own\nholtd        | two lines\n");
	lines_finish(stream);
	lines_node_close(other);
	close(fd);
}

TEST(names_stand_in_a_column)
{
	options.width = 12;
	open_console();
	story(names_story);
	close_console();
}

static int console_out = -1;

static void drain_console(char *buf, size_t size)
{
	size_t len = 0;
	ssize_t k;

	while ((k = read(console_out, buf + len, size - len - 1)) > 0)
		len += (size_t)k;
	buf[len] = 0;
}

static void stuck_story(void)
{
	static char text[1 << 20];
	char line[100];
	size_t total = 0, told;

	for (int i = 0; i < 10000; i++) {
		snprintf(line, sizeof line, "%080d\n", i);
		put_n(in, line, strlen(line));
		if (i % 100 == 99)
			settle(); /* does not block, though nobody reads */
	}
	for (int i = 0; i < 100; i++) {
		drain_console(text + total, sizeof text - total);
		total += strlen(text + total);
		settle();
	}
	told = strtoul(strstr(text, "holtd    | ") + 11, NULL, 10);
	ck_assert_ptr_nonnull(strstr(text, " lines were dropped, because stderr was not read\n"));
	ck_assert_uint_eq(harness_count(text, "shop/api | ") + told, 10000);
	ck_assert_uint_eq(harness_count(text, "\n"), 10000 - told + 1); /* none is broken */
	put("more\n");
	settle();
	drain_console(text, sizeof text);
	ck_assert_str_eq(text, "shop/api | more\n");
}

static void stuck(int out, int fd)
{
	console_out = out;
	stderr_is(fd);
	close(fd);
	options.target = LOG_TO_CONSOLE;
	story(stuck_story);
	stderr_is_back();
	close(console_out);
}

TEST(a_stderr_that_is_not_read_holds_nobody_up_and_what_is_dropped_is_told)
{
	int p[2];

	ck_assert_int_eq(pipe2(p, O_CLOEXEC), 0);
	fcntl(p[0], F_SETFL, O_NONBLOCK);
	stuck(p[0], p[1]);
}

TEST(so_does_one_that_is_a_socket)
{
	int p[2];

	ck_assert_int_eq(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, p), 0);
	fcntl(p[0], F_SETFL, O_NONBLOCK);
	stuck(p[0], p[1]);
}

static void nobody_story(void)
{
	put("one\n");
	pass(HOLT_SEC);
	put("two\n");
}

TEST(a_stderr_that_is_closed_ends_nothing)
{
	int p[2];

	ck_assert_int_eq(pipe2(p, O_CLOEXEC), 0);
	stderr_is(p[1]);
	close(p[1]);
	close(p[0]);
	options.target = LOG_TO_CONSOLE;
	story(nobody_story);
	stderr_is_back();
}

static void auto_story(void)
{
	ck_assert(l->target == (getenv("JOURNAL_STREAM") ? LOG_TO_JOURNAL : LOG_TO_CONSOLE));
	put("x\n");
}

TEST(auto_is_the_journal_if_stderr_is_it)
{
	struct stat st;
	char text[64];

	open_console();
	open_journal();
	options.target = LOG_TO_AUTO;
	unsetenv("JOURNAL_STREAM");
	story(auto_story);
	journal_is_empty();
	ck_assert_int_eq(fstat(STDERR_FILENO, &st), 0);
	snprintf(text, sizeof text, "%lu:%lu", (unsigned long)st.st_dev, (unsigned long)st.st_ino);
	setenv("JOURNAL_STREAM", text, 1);
	story(auto_story);
	journal_says("x");
	close_journal();
	ck_assert_int_eq(pwrite(console_file, "", 0, 0), 0);
	story(auto_story); /* it is, but nobody is there: with a prefix, which the stream understands */
	ck_assert_ptr_nonnull(strstr(console(), "<6>shop/api | x\n"));
	close_console();
	folder_remove();
}

/* ---- files */

static void open_files(uint64_t max, unsigned keep)
{
	if (!folder[0])
		folder_make();
	options.target = LOG_TO_FILES;
	options.directory = in_folder("logs");
	options.file_max = max;
	options.file_keep = keep;
}

static void files_story(void)
{
	struct lines_node *other;
	struct lines_stream *stream;
	int fd;

	ck_assert_int_eq(lines_node_open(&other, l, "shop/db", &limits), 0);
	ck_assert(!file_is_there(in_folder("logs/shop"))); /* with the first line */
	stream = attach(other, &fd);
	put("{\"json\": 1}\n\n<3>bad\n");
	put_n(fd, "of the db\n", 10);
	settle();
	put("more\npart");
	ck_assert_str_eq(file_read(in_folder("logs/shop/api.log"), NULL), "{\"json\": 1}\n\nbad\nmore\n");
	ck_assert_str_eq(file_read(in_folder("logs/shop/db.log"), NULL), "of the db\n");
	close_in();
	ck_assert_str_eq(file_read(in_folder("logs/shop/api.log"), NULL), "{\"json\": 1}\n\nbad\nmore\npart\n");
	lines_finish(stream);
	lines_node_close(other);
	close(fd);
}

TEST(each_node_has_a_file_with_its_lines_as_they_were)
{
	open_files(0, 0);
	story(files_story);
	folder_remove();
}

static void rotate_story(void)
{
	char line[20];

	for (int i = 0; i < 100; i++) {
		snprintf(line, sizeof line, "line number %02d\n", i); /* 15 bytes */
		put(line);
	}
}

static void holds(const char *name, int from, int to)
{
	char text[4096] = "";

	for (int i = from; i < to; i++)
		sprintf(text + strlen(text), "line number %02d\n", i);
	ck_assert_str_eq(file_read(in_folder("logs/shop/%s", name), NULL), text);
}

TEST(files_are_renamed_when_they_grow_and_so_many_are_kept)
{
	open_files(100, 2); /* 6 lines each */
	story(rotate_story);
	holds("api.log", 96, 100);
	holds("api.log.1", 90, 96);
	holds("api.log.2", 84, 90);
	ck_assert(!file_is_there(in_folder("logs/shop/api.log.3")));
	story(rotate_story); /* goes on where it stopped */
	holds("api.log.2", 86, 92);
	folder_remove();
}

TEST(without_keeping_any_there_is_one_file)
{
	open_files(100, 0);
	story(rotate_story);
	holds("api.log", 96, 100);
	ck_assert(!file_is_there(in_folder("logs/shop/api.log.1")));
	folder_remove();
}

static void long_file_story(void)
{
	static char text[60002];

	memset(text, 'x', 60000);
	text[60000] = '\n';
	put("before\n");
	put(text);
	put("behind\n");
}

TEST(a_line_that_is_longer_than_a_file_may_be_has_one_for_itself)
{
	size_t size;

	limits.line_max = 100000;
	open_files(1000, 5);
	story(long_file_story);
	ck_assert_str_eq(file_read(in_folder("logs/shop/api.log"), NULL), "behind\n");
	file_read(in_folder("logs/shop/api.log.1"), &size);
	ck_assert_uint_eq(size, 60001);
	ck_assert_str_eq(file_read(in_folder("logs/shop/api.log.2"), NULL), "before\n");
	folder_remove();
}

static void disk_full_story(void)
{
	struct rlimit limit;

	signal(SIGXFSZ, SIG_IGN);
	put("one\n");
	getrlimit(RLIMIT_FSIZE, &limit);
	limit.rlim_cur = 4;
	setrlimit(RLIMIT_FSIZE, &limit);
	put("two\nthree\n");
	ck_assert(harness_logged("the log in "));
	ck_assert(harness_logged("2 lines were dropped"));
	put("four\n");
	ck_assert_uint_eq(harness_count(harness_log(), "cannot be written"), 1); /* not each time */
	limit.rlim_cur = RLIM_INFINITY;
	setrlimit(RLIMIT_FSIZE, &limit);
	put("five\n");
}

TEST(a_full_disk_costs_lines_and_that_is_told)
{
	open_files(0, 0);
	story(disk_full_story);
	ck_assert_str_eq(file_read(in_folder("logs/shop/api.log"), NULL), "one\nfive\n");
	folder_remove();
}

static void in_the_way_story(void)
{
	put("x\n");
	ck_assert(harness_logged("cannot be written: "));
}

TEST(what_is_no_file_is_not_written_to)
{
	char byte;
	int fd;

	open_files(0, 0);
	mkdir(in_folder("logs"), 0755);
	mkdir(in_folder("logs/shop"), 0755);
	file_says(in_folder("precious"), "");
	ck_assert_int_eq(symlink("../../precious", in_folder("logs/shop/api.log")), 0);
	story(in_the_way_story);
	ck_assert_str_eq(file_read(in_folder("precious"), NULL), "");
	harness_log_clear();
	unlink(in_folder("logs/shop/api.log"));
	mkfifo(in_folder("logs/shop/api.log"), 0600);
	fd = open(in_folder("logs/shop/api.log"), O_RDONLY | O_NONBLOCK | O_CLOEXEC);
	story(in_the_way_story);
	ck_assert_int_eq(read(fd, &byte, 1), 0);
	close(fd);
	folder_remove();
}

static int open_nowhere(void *arg)
{
	(void)arg;
	ck_assert_int_eq(watcher_open(&w), 0);
	options.directory = "/proc/nowhere";
	ck_assert_int_lt(lines_open(&l, &w, &options), 0);
	watcher_close(&w);
	return 0;
}

TEST(a_folder_that_cannot_be_made_is_an_error)
{
	options = (struct lines_options){ .tree = "shop", .target = LOG_TO_FILES };
	ck_assert_int_eq(harness_run(open_nowhere, NULL), 0);
}

/* ---- memory */

static int fail_round(void *arg)
{
	int p[2], r;

	(void)arg;
	r = watcher_open(&w);
	if (r < 0)
		return 0;
	ck_assert_int_eq(pipe2(p, O_CLOEXEC | O_NONBLOCK), 0);
	r = lines_open(&l, &w, &options);
	if (r == 0) {
		r = lines_node_open(&n, l, "shop/api", &limits);
		if (r == 0)
			r = lines_attach(&s, n, p[0], 1, NULL, LOG_INFO);
		if (r == 0) {
			p[0] = -1;
			for (int i = 0; i < 20; i++) {
				put_n(p[1], "some text without an end, ", 26);
				settle();
			}
			put_n(p[1], "\nmore\n", 6);
			settle();
			s = lines_finish(s);
		}
		l = lines_close(l);
	} else {
		ck_assert_int_eq(r, -ENOMEM);
	}
	if (p[0] >= 0)
		close(p[0]);
	close(p[1]);
	watcher_close(&w);
	return 0;
}

static void each_allocation_fails(void)
{
	limits.line_max = 100000;
	options.tree = "shop";
	for (uint64_t i = 1;; i++) {
		harness_fail_alloc(i);
		(void)harness_run(fail_round, NULL);
		if (!harness_alloc_failed())
			break;
	}
	harness_fail_alloc(0);
}

TEST(each_allocation_may_fail_on_the_way_to_the_journal)
{
	open_journal();
	each_allocation_fails();
	collect();
	close_journal();
	folder_remove();
}

TEST(each_allocation_may_fail_on_the_way_to_the_console)
{
	open_console();
	each_allocation_fails();
	close_console();
}

TEST(each_allocation_may_fail_on_the_way_to_files)
{
	open_files(50, 2);
	each_allocation_fails();
	folder_remove();
}
