/* SPDX-License-Identifier: MIT */
/*
 * What every benchmark program shares: a clock, counts that shrink for a smoke run, and the one
 * line a sample is told in. A program runs its workload once per series (LIMIT, holt, sometimes
 * more) and prints
 *
 *	workload TAB target TAB series TAB value
 *
 * for each, several times if it likes. The script beside this file runs all programs round by
 * round, takes the median of what it read for each workload and series, and makes the table.
 *
 * The target is text for the table: "2x" is a ratio of holt to LIMIT, "<=4200" a value of holt's
 * own, "-" none. The script judges nothing by it but a mark in the table, and never fails.
 *
 * LIMIT is a bare implementation with nothing but the thing measured. It pays what a library
 * cannot avoid (a real call into a function that was not inlined) and nothing else.
 */
#pragma once
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

/* A library's function cannot be looked into by its caller; neither can LIMIT's. */
#ifdef __clang__
#define BENCH_CALL __attribute__((noinline, unused))
#else
#define BENCH_CALL __attribute__((noipa, unused))
#endif

static inline double bench_clock(clockid_t id)
{
	struct timespec t;

	clock_gettime(id, &t);
	return (double)t.tv_sec * 1e9 + (double)t.tv_nsec;
}

static inline double bench_now(void)
{
	return bench_clock(CLOCK_MONOTONIC);
}

static inline bool bench_smoke(void)
{
	const char *s = getenv("BENCH_SMOKE");

	return s && *s && strcmp(s, "0") != 0;
}

/* n, or a thousandth of it and at least 8, when only checking that the programs run. */
static inline size_t bench_count(size_t n)
{
	if (!bench_smoke())
		return n;
	return n / 1000 < 8 ? 8 : n / 1000;
}

/* How often a program interleaves its series within one run of it. */
static inline int bench_rounds(int n)
{
	return bench_smoke() ? 1 : n;
}

static inline void bench_tell(const char *workload, const char *target, const char *series, double value)
{
	printf("%s\t%s\t%s\t%.3f\n", workload, target, series, value);
	fflush(stdout);
}

static inline void bench_must(bool ok, const char *what)
{
	if (ok)
		return;
	fprintf(stderr, "bench: failed: %s\n", what);
	exit(1);
}

/*
 * Runs fn(n) in a child, so that it finds a process that never had a stack, a page or a loop
 * before. For the workloads that are about memory; nothing of holt may have run in the parent.
 */
static inline double bench_fresh(double (*fn)(size_t n), size_t n)
{
	double value = -1;
	int p[2], status;
	pid_t pid;

	bench_must(pipe(p) == 0, "pipe");
	fflush(stdout);
	pid = fork();
	bench_must(pid >= 0, "fork");
	if (pid == 0) {
		value = fn(n);
		_exit(write(p[1], &value, sizeof value) == (ssize_t)sizeof value ? 0 : 1);
	}
	close(p[1]);
	if (read(p[0], &value, sizeof value) != (ssize_t)sizeof value)
		value = -1;
	close(p[0]);
	bench_must(waitpid(pid, &status, 0) == pid && status == 0 && value >= 0, "the child that measures");
	return value;
}

/* A small, fast, repeatable source of numbers: the same in LIMIT, holt and peers. */
static inline uint64_t bench_random(uint64_t *state)
{
	uint64_t z = (*state += 0x9e3779b97f4a7c15u);

	z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
	z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
	return z ^ (z >> 31);
}
