/* SPDX-License-Identifier: MIT */
/*
 * What the tests of processes share: claims that leave no child behind, and programs run for their output. A child is real and
 * takes real time, so the clock is, too.
 */
#pragma once
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/stat.h>

#include "io.h"

static inline void no_child_left(void)
{
	ck_assert_int_eq(waitpid(-1, NULL, WNOHANG), -1);
	ck_assert_int_eq(errno, ECHILD);
}

/* A test that is a task, with descriptors, allocations and children counted behind it. */
#define CLAIM_OF(name) \
	static int name##_task(void *arg); \
	static int name##_run(void *arg) \
	{ \
		return holt_timeout(HOLT_HOUR, name##_task, arg); \
	} \
	TEST(name) \
	{ \
		harness_real_clock(); \
		ck_assert_int_eq(harness_run(name##_run, NULL), 0); \
		no_child_left(); \
	} \
	static int name##_task(void *arg __attribute__((unused)))

/* The same, once for each `way` from 0 to n - 1. */
#define CLAIM_OF_WAYS(name, n) \
	static int name##_task(int way); \
	static int name##_run(void *arg) \
	{ \
		return name##_task((int)(intptr_t)arg); \
	} \
	TEST_LOOP(name, 0, n) \
	{ \
		harness_real_clock(); \
		ck_assert_int_eq(harness_run(name##_run, (void *)(intptr_t)_i), 0); \
		no_child_left(); \
	} \
	static int name##_task(int way)

#define ARGS(...) ((const char *const[]){ __VA_ARGS__, NULL })
#define SH(script) ARGS("sh", "-c", script)
#define OPTIONS(...) (&(struct holt_process_options){ .size = sizeof(struct holt_process_options), __VA_ARGS__ })
#define PIPE(n) .stdio[n].how = HOLT_STDIO_PIPE

static inline holt_process *started(const struct holt_process_options *o)
{
	struct holt_process_options with = *o;
	const char *failed = "nothing";
	holt_process *p = NULL;
	int r;

	with.failed = &failed;
	r = holt_process_start(&p, &with);
	ck_assert_msg(r == 0, "start: %s: %s", failed, strerror(-r));
	ck_assert_str_eq(failed, "nothing");
	return p;
}

static inline struct holt_exit exit_of(holt_process *p)
{
	struct holt_exit e;

	ck_assert_int_eq(holt_process_wait(p, &e), 0);
	return e;
}

static inline void read_all(int fd, char *buf, size_t size)
{
	ssize_t n = holt_read_full(fd, buf, size - 1);

	ck_assert_int_ge(n, 0);
	buf[n] = 0;
}

/* Runs it to its end, which must be a good one: what it wrote to stdout. */
static inline const char *output_of(const struct holt_process_options *o)
{
	static char text[65536];
	struct holt_process_options with = *o;
	struct holt_exit e;
	holt_process *p;

	with.stdio[1].how = HOLT_STDIO_PIPE;
	p = started(&with);
	read_all(holt_process_fd(p, 1), text, sizeof text);
	e = exit_of(p);
	holt_process_close(p);
	ck_assert_msg(!e.signaled && e.code == 0, "it ended with %d", e.code);
	return text;
}

/* It cannot be started, and says why and of what; there is no child then. */
static inline void fails(const struct holt_process_options *o, int error, const char *what)
{
	struct holt_process_options with = *o;
	const char *failed = "nothing";
	holt_process *p = (void *)1;
	int r;

	with.failed = &failed;
	r = holt_process_start(&p, &with);
	ck_assert_msg(r == -error, "start: %s: %s", failed, r < 0 ? strerror(-r) : "it started");
	ck_assert_str_eq(failed, what);
	ck_assert_ptr_eq(p, (void *)1);
	no_child_left();
}

/* A line of /proc/self/status: "NAME:\tVALUE\n" of a text of such lines. */
static inline const char *value_of(const char *status, const char *name)
{
	static char value[512];
	const char *p = strstr(status, name);

	ck_assert_msg(p, "no %s in: %s", name, status);
	snprintf(value, sizeof value, "%.*s", (int)strcspn(p + strlen(name), "\n"), p + strlen(name));
	return value + strspn(value, " \t:");
}

/*
 * A child that lives until it is told to end, and has its signals set up before this returns: it says "ready". What it waits
 * for ends soon by itself, for not every test ends that, too.
 */
static inline holt_process *ready_child(const char *script, bool same_group)
{
	char text[4096], word[6];
	holt_process *p;

	snprintf(text, sizeof text, "%s; echo ready; while :; do sleep 0.1 & wait $!; done", script);
	p = started(OPTIONS(.argv = SH(text), PIPE(1), .stdio[2].how = HOLT_STDIO_NULL, .same_group = same_group));
	ck_assert_int_eq(holt_read_full(holt_process_fd(p, 1), word, sizeof word), sizeof word);
	return p;
}
