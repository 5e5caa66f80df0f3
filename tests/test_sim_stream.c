/* SPDX-License-Identifier: MIT */
/*
 * Streams, swept: reads and writes are cut and interrupted, a cancellation comes at each suspension, each allocation and each system call
 * fails. What is counted are records: each that a write has taken comes once, whole and in its writer's order, and none that it
 * has not taken.
 */
#include "sweep.h"

#include <sys/socket.h>

static int result_is_expected(void *arg, int result)
{
	(void)arg;
	switch (result) {
	case -ECANCELED:
	case -ENOMEM:
	case -EMFILE:
	case -EIO:
	case -EBADF: /* a failed epoll_ctl looks like a descriptor that is gone */
	case -ECONNRESET:
	case -ECONNREFUSED:
	case -ENOTCONN:
	case -ENODATA:
	case -EPIPE:
		return 0;
	default:
		return result;
	}
}

static void __attribute__((constructor)) no_sigpipe(void)
{
	signal(SIGPIPE, SIG_IGN); /* of pipes; sockets have none from streams */
}

/* ---- records from two writers through one stream */

enum { WRITERS = 2, RECORDS = 24 };

struct way {
	int type; /* of a socketpair; 0: a pipe */
	int read; /* by 0: lines, 1: a mark, 2: counts */
};

static const struct way *way;
static holt_stream *out, *in;
static int written[WRITERS], received[WRITERS]; /* the next number of each writer's */
static bool wrong, all_sent, all_read;
static unsigned char head[4]; /* read by counts: of a record whose body has not come */
static bool has_head;

/* A head of four bytes, a body whose length follows from them, and a mark that ends both lines and pieces. */
static size_t make_record(unsigned char *to, int writer, int number)
{
	size_t body = (size_t)(number * number * 5 + writer * 3) % 190;

	to[0] = (unsigned char)('a' + writer);
	to[1] = (unsigned char)('0' + number);
	to[2] = (unsigned char)('!' + body / 64);
	to[3] = (unsigned char)('!' + body % 64);
	memset(to + 4, 'A' + number, body);
	memcpy(to + 4 + body, "\r\n", 2);
	return body + 6;
}

static void note_record(const unsigned char *record, size_t n)
{
	int writer = record[0] - 'a';
	unsigned char want[256];

	if (n < 6 || writer < 0 || writer >= WRITERS || n != make_record(want, writer, received[writer]) ||
		memcmp(want, record, n) != 0)
		wrong = true;
	else
		received[writer]++;
}

static ssize_t read_line(void)
{
	char *line;
	ssize_t n = holt_stream_read_line(in, &line);

	if (n < 0 || !line)
		return n;
	line[n] = '\n'; /* a line is the caller's to write to */
	note_record((unsigned char *)line, (size_t)n + 1);
	return 1;
}

static ssize_t read_piece(void)
{
	void *data;
	ssize_t n = holt_stream_read_until(in, "\r\n", 2, &data);

	if (n > 0)
		note_record(data, (size_t)n);
	return n;
}

static ssize_t read_counts(void)
{
	unsigned char record[256];
	size_t body;
	ssize_t n;

	if (!has_head) {
		n = holt_stream_read_exactly(in, head, sizeof head);
		if (n < 0)
			return n == -ENODATA ? holt_stream_read(in, record, 1) : n;
		has_head = true;
	}
	body = (size_t)(head[2] - '!') * 64 + (size_t)(head[3] - '!');
	memcpy(record, head, sizeof head);
	n = body > 200 ? -EBADMSG : holt_stream_read_exactly(in, record + 4, body + 2);
	if (n < 0)
		return n;
	has_head = false;
	note_record(record, body + 6);
	return 1;
}

static int reads_records(void *arg)
{
	ssize_t r;

	(void)arg;
	do
		r = way->read == 0 ? read_line() : way->read == 1 ? read_piece() : read_counts();
	while (r > 0 && !wrong);
	return (int)r;
}

/* Without it the writers would wait for a kernel that stays full. */
static int reads_while_they_write(void *group)
{
	int r = reads_records(NULL);

	holt_group_cancel(group, "nobody reads");
	return r;
}

static int writes_records(void *number)
{
	int writer = give(number), r = 0;
	unsigned char record[256];

	while (r == 0 && written[writer] < RECORDS) {
		size_t n = make_record(record, writer, written[writer]);

		if (written[writer] % 2 == 0)
			r = holt_stream_write(out, record, n);
		else
			r = holt_stream_printf(out, "%.*s", (int)n, (char *)record);
		if (r == 0)
			written[writer]++;
		if (r == 0 && written[writer] % 4 == 0)
			r = holt_stream_flush(out);
	}
	return r;
}

static int ends(void *arg)
{
	int r = holt_stream_end(out);

	(void)arg;
	all_sent = r == 0;
	out = holt_stream_close(out); /* of a pipe that is the end */
	return r;
}

static int reads_the_rest(void *arg)
{
	int r = reads_records(arg);

	all_read = r == 0;
	return r;
}

/* Whoever was canceled: what was taken is there, and is read now by somebody else. */
static int drain(void)
{
	struct holt_scope shield;
	holt_group *g = NULL;
	int r;

	holt_scope_begin(&shield, holt_in(HOLT_MIN), HOLT_SHIELD);
	r = holt_group_open(&g);
	if (r >= 0)
		r = holt_spawn(g, ends, NULL);
	if (r >= 0)
		r = holt_spawn(g, reads_the_rest, NULL);
	if (g)
		r = holt_group_close(g, r);
	return (int)holt_scope_end(&shield, r);
}

static int moves_records(void *arg)
{
	holt_group *g = NULL;
	int fds[2], r, last;

	way = arg;
	memset(written, 0, sizeof written);
	memset(received, 0, sizeof received);
	wrong = all_sent = all_read = has_head = false;
	out = in = NULL;
	r = way->type ? socketpair(AF_UNIX, way->type | SOCK_CLOEXEC, 0, fds) : pipe(fds);
	if (r < 0)
		return -errno;
	if (way->type)
		setsockopt(fds[1], SOL_SOCKET, SO_SNDBUF, &(int){ 1 }, sizeof(int)); /* as little as may be */
	r = holt_stream_open(&out, fds[1], .buffer = 200);
	if (r < 0)
		holt_close(fds[1]);
	last = holt_stream_open(&in, fds[0], .limit = 200);
	if (last < 0)
		holt_close(fds[0]);
	r = r < 0 ? r : last;
	if (r >= 0)
		r = holt_group_open(&g, .kind = HOLT_EACH);
	if (r >= 0)
		r = holt_spawn(g, reads_while_they_write, g, .background = true);
	for (int i = 0; r >= 0 && i < WRITERS; i++)
		r = holt_spawn(g, writes_records, NUMBER(i));
	if (g)
		r = holt_group_close(g, r);
	if (out && in) {
		last = drain();
		r = r < 0 ? r : last;
	}
	out = holt_stream_close(out);
	in = holt_stream_close(in);
	EXPECT(!wrong);
	for (int i = 0; i < WRITERS; i++) {
		EXPECT(received[i] <= written[i]);
		EXPECT(!all_sent || !all_read || received[i] == written[i]);
	}
	return r;
}

#define FAULTS .short_io_percent = 40, .eintr_percent = 10
#define WAY(...) &((struct way){ __VA_ARGS__ })

SWEEP(no_line_of_a_socket_is_lost, .fn = moves_records, .check = result_is_expected, .arg = WAY(SOCK_STREAM, 0),
	.what = SWEEP_CANCEL)
SWEEP(no_line_of_a_cut_socket_is_lost, .fn = moves_records, .check = result_is_expected, .arg = WAY(SOCK_STREAM, 0),
	.sim = { FAULTS }, .what = SWEEP_CANCEL)
SWEEP(no_piece_of_a_cut_socket_is_lost, .fn = moves_records, .check = result_is_expected, .arg = WAY(SOCK_STREAM, 1),
	.sim = { FAULTS }, .what = SWEEP_CANCEL)
SWEEP(no_count_of_a_cut_socket_is_lost, .fn = moves_records, .check = result_is_expected, .arg = WAY(SOCK_STREAM, 2),
	.sim = { FAULTS }, .what = SWEEP_CANCEL)
SWEEP(no_line_of_a_cut_pipe_is_lost, .fn = moves_records, .check = result_is_expected, .arg = WAY(0, 0), .sim = { FAULTS },
	.what = SWEEP_CANCEL)
SWEEP(no_record_is_lost_without_memory, .fn = moves_records, .check = result_is_expected, .arg = WAY(SOCK_STREAM, 2),
	.sim = { FAULTS }, .what = HOLT_SWEEP_ALLOC)

/* A call on the descriptor that fails is the end of a direction: what is there in order is still whole. */
static int moves_what_it_can(void *arg)
{
	int r = moves_records(arg);

	if (!wrong)
		scenario_said[0] = 0;
	return r;
}
SWEEP(stream_whose_calls_fail_ends, .fn = moves_what_it_can, .check = result_is_expected, .arg = WAY(SOCK_STREAM, 0),
	.sim = { FAULTS }, .what = SWEEP_FAIL)
SWEEP(pipe_whose_calls_fail_ends, .fn = moves_what_it_can, .check = result_is_expected, .arg = WAY(0, 1), .sim = { FAULTS },
	.what = SWEEP_FAIL)

/* ---- questions and answers: nothing is flushed, and nobody waits for ever */

static int answers_lines(void *arg)
{
	holt_auto(stream) s = NULL;
	int fd = give(arg), r;
	char *line;
	ssize_t n;

	r = holt_stream_open(&s, fd);
	if (r < 0) {
		holt_close(fd);
		return r;
	}
	while ((n = holt_stream_read_line(s, &line)) >= 0 && line) {
		n = holt_stream_printf(s, "<%s>\n", line);
		if (n < 0)
			break;
	}
	return (int)n;
}

static int asks_questions(holt_stream *s)
{
	char *line = NULL;
	int r = 0;

	for (int i = 0; r == 0 && i < 4; i++) {
		char want[16];
		ssize_t n;

		snprintf(want, sizeof want, "<q%d>", i);
		r = holt_stream_write(s, "q", 1);
		if (r == 0)
			r = holt_stream_printf(s, "%d\n", i);
		if (r < 0)
			return r;
		n = holt_stream_read_line(s, &line);
		if (n < 0 || !line)
			return n < 0 ? (int)n : -ECONNRESET;
		EXPECT(strcmp(line, want) == 0);
	}
	return r < 0 ? r : holt_stream_end(s);
}

static int asks_and_answers(void *arg)
{
	holt_auto(stream) s = NULL;
	holt_group *g = NULL;
	int fds[2], r;

	(void)arg;
	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds) < 0)
		return -errno;
	r = holt_stream_open(&s, fds[0]);
	if (r < 0)
		holt_close(fds[0]);
	if (r >= 0)
		r = holt_group_open(&g, .deadline = holt_in(HOLT_HOUR));
	if (r >= 0)
		r = holt_spawn(g, answers_lines, NUMBER(fds[1]));
	if (r < 0)
		holt_close(fds[1]);
	if (r >= 0)
		r = asks_questions(s);
	return g ? holt_group_close(g, r) : r;
}
SWEEP(question_is_answered_or_told_to_have_failed, .fn = asks_and_answers, .check = result_is_expected)
SWEEP(question_is_answered_over_a_cut_stream, .fn = asks_and_answers, .check = result_is_expected, .sim = { FAULTS })
