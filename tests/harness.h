/* SPDX-License-Identifier: MIT */
/*
 * What every tests/test_*.c stands on. It brings main(), so a suite is nothing but its tests:
 *
 *	#include "harness.h"
 *
 *	static int sleeper(void *arg) { return holt_sleep(HOLT_HOUR); }
 *
 *	TEST(an_hour_passes_at_once) { ck_assert_int_eq(harness_run(sleeper, NULL), 0); }
 *
 * Each test is a process of its own (libcheck's fork mode; CK_FORK=no for a debugger), so it may end by a signal, and
 * nothing of one reaches the next. Around each of them the harness promises:
 *
 *	- the clock is virtual: it starts at HARNESS_EPOCH and stands still while tasks run. When the loop would
 *	  wait, and no descriptor is ready, it jumps to the next timer. With no timer the loop waits for real;
 *	- the wall clock goes with it, from HARNESS_WALL_EPOCH on, until a test sets it;
 *	- it ends with the open descriptors, the tasks and the allocations that it began with, or fails;
 *	- holt_log goes into a buffer that the test can look into.
 *
 * `test_x WORD...` runs only the tests whose names contain one of the words.
 *
 * It is no simulator: descriptors, signals and threads are real. What waits for another process or thread, and has a
 * timer beside it, uses harness_real_clock(): else the clock jumps before the other was quick enough. ck_assert works in
 * tasks, in threads not.
 */
#pragma once
#include <check.h>
#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <holt.h>

#include "base/alloc.h"
#include "base/base.h"
#include "sys/sys.h"

#if defined(__SANITIZE_ADDRESS__)
#define HARNESS_ASAN 1
#endif
#if defined(__SANITIZE_THREAD__)
#define HARNESS_TSAN 1
#endif
#if defined(__has_feature)
#if __has_feature(address_sanitizer)
#define HARNESS_ASAN 1
#endif
#if __has_feature(thread_sanitizer)
#define HARNESS_TSAN 1
#endif
#endif

/* ---- tests: each is a claim, and adds itself to the suite in the order of the file */

#define TEST(claim) HARNESS__TEST(claim, 0, 0, 0, 1)
#define TEST_SIGNAL(claim, sig) HARNESS__TEST(claim, sig, 0, 0, 1)          /* passes when the signal ends it */
#define TEST_EXIT(claim, status) HARNESS__TEST(claim, 0, status, 0, 1)      /* passes when it exits with the status */
#define TEST_LOOP(claim, start, end) HARNESS__TEST(claim, 0, 0, start, end) /* once for each _i from start, below end */

/* For a test that cannot run here: counted as skipped, with its reason. */
#define SKIP(...) \
	do { \
		harness_skip(__func__, __VA_ARGS__); \
		return; \
	} while (0)

#define HARNESS__TEST(claim, sig, status, start, end) \
	static const TTest *claim; \
	static void __attribute__((constructor)) harness__add_##claim(void) \
	{ \
		harness_add(claim, #claim, sig, status, start, end); \
	} \
	START_TEST(claim)

void harness_add(const TTest *test, const char *name, int sig, int status, int start, int end);
void harness_skip(const char *func, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

/* ---- running: holt_run, and afterwards no descriptor more or less, and no task */

#define harness_run(fn, arg, ...) \
	harness_run_with(fn, arg, &(struct holt_run_options){ .size = sizeof(struct holt_run_options), __VA_ARGS__ })
int harness_run_with(holt_fn fn, void *arg, const struct holt_run_options *o);

/*
 * Runs fn in a child process, and waits for it: its wait status, as of waitpid. fn's result is its exit status. Only
 * before this process has run a loop. What the child wrote to stdout and stderr is harness_output().
 */
int harness_child(int (*fn)(void *arg), void *arg);
const char *harness_output(void);

/* ---- the clock */

#define HARNESS_EPOCH (1000 * HOLT_SEC)

#define HARNESS_WALL_EPOCH INT64_C(1767225600000000) /* the wall clock's, in microseconds: 2026-01-01 00:00 UTC */

void harness_real_clock(void);        /* for the rest of the test; before a loop runs */
holt_time harness_time(void);         /* since the beginning of the test */
void harness_set_wall(int64_t us);    /* as if somebody set CLOCK_REALTIME; who watches it is told */
void harness_advance(holt_time span); /* time passes here and now, as if somebody had computed so long */
/* fn is called at a point counted from the beginning, from inside the loop's wait, outside of tasks. At most 32. */
void harness_at(holt_time point, void (*fn)(void *arg), void *arg);

/* ---- the seams */

/* The table in use, a copy: a test may put its own functions in, before a loop runs or between two calls. */
extern struct holt__sys harness_sys;

/* Lets the n-th allocation from now fail, once; 1: the next, 0: none. */
void harness_fail_alloc(uint64_t n);
uint64_t harness_allocs(void);   /* made since the last harness_fail_alloc, or the beginning */
bool harness_alloc_failed(void); /* the one that should fail has been reached */
size_t harness_live(void);       /* allocations that were not given back */
void harness_keep(size_t n);     /* so many of them are for the life of the process: no leak */

/* ---- looking */

size_t harness_fds(void);                                 /* open descriptors of this process */
const char *harness_log(void);                            /* all that was logged, a line each: "<4>message" */
bool harness_logged(const char *part);                    /* a line of the log contains it */
size_t harness_count(const char *text, const char *part); /* how often part occurs in it */
void harness_log_clear(void);
/* As ck_assert_str_eq, for texts of many lines: a difference is told by its first line. */
void harness_same(const char *got, const char *expected);
