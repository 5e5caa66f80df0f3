/* SPDX-License-Identifier: MIT */
/*
 * Sweeps of the library by its own simulator: a scenario is a main task that begins anew each time, and a check of what must hold
 * whatever was canceled or failed. For suites that include it once.
 *
 * Each sweep has HOLT_SIM_SEEDS seeds (else 12; three with HOLT_TEST_SMALL or a sanitizer). With HOLT_SIM_FIGURES, the name of a file, each adds a
 * line to it: its name, runs, suspensions canceled at, allocations and system calls made to fail.
 */
#pragma once
#include "steps.h"

#include "sim/sim.h"

enum { SWEEP_CANCEL = HOLT_SWEEP_CANCEL | HOLT_SWEEP_CANCEL_ONE, SWEEP_FAIL = HOLT_SWEEP_ALLOC | HOLT_SWEEP_SYSCALL };
enum { SWEEP_ALL = SWEEP_CANCEL | SWEEP_FAIL };

#if defined(HARNESS_ASAN) || defined(HARNESS_TSAN)
enum { SEEDS = 3 };
#else
enum { SEEDS = 12 };
#endif

static unsigned sweep_seeds(void)
{
	const char *n = getenv("HOLT_SIM_SEEDS");

	return n ? (unsigned)atoi(n) : getenv("HOLT_TEST_SMALL") ? 3 : SEEDS;
}

/* A sweep is many runs, which takes its time where several machines share a processor. */
static void __attribute__((constructor)) sweep_takes_its_time(void)
{
	setenv("CK_DEFAULT_TIMEOUT", getenv("HOLT_SIM_SEEDS") ? "3600" : "250", 1);
}

static void sweep_figures(const char *name, const struct holt_sim_report *r)
{
	const char *path = getenv("HOLT_SIM_FIGURES");
	FILE *f = path ? fopen(path, "a") : NULL;

	if (!f)
		return;
	fprintf(f, "%s %llu %llu %llu %llu %llu\n", name, (unsigned long long)r->runs, (unsigned long long)r->suspensions,
		(unsigned long long)r->allocations, (unsigned long long)r->syscalls, (unsigned long long)r->failures);
	fclose(f);
}

/*
 * What a deadline of the scenario has ended: fine where one task alone was canceled, whose partners then wait in vain. In all
 * other runs it would hide a wait without end.
 */
static inline int unless_alone(int r)
{
	return r == -ETIME && holt__sim->o.cancel_one ? 0 : r;
}

/* Aborts the check with a sentence; checks of a scenario are full of it. */
static char sweep_said[256];

#define HOLDS(expr) \
	do { \
		if (!(expr)) { \
			snprintf(sweep_said, sizeof sweep_said, "%s:%d: %s", __FILE__, __LINE__, #expr); \
			return -EBADMSG; \
		} \
	} while (0)

/* In a task of a scenario: remembered, and told by the check. */
static char scenario_said[256];

#define EXPECT(expr) \
	do { \
		if (!(expr) && !scenario_said[0]) \
			snprintf(scenario_said, sizeof scenario_said, "%s:%d: %s", __FILE__, __LINE__, #expr); \
	} while (0)

struct scenario {
	const char *name;
	int (*fn)(void *arg);
	int (*check)(void *arg, int result);
	void *arg;
	void (*before)(void); /* once, before all runs: what a test puts into the tables */
	struct holt_sim sim;
	unsigned what; /* 0: SWEEP_ALL */
};

static int sweep_run(void *arg)
{
	const struct scenario *s = arg;

	scenario_said[0] = 0;
	return s->fn(s->arg);
}

static int sweep_check(void *arg, int result)
{
	const struct scenario *s = arg;

	if (scenario_said[0]) {
		snprintf(sweep_said, sizeof sweep_said, "%s", scenario_said);
		return -EBADMSG;
	}
	return s->check ? s->check(s->arg, result) : 0;
}

static void sweep(struct scenario s)
{
	struct holt_sim_report r;
	int result;

	s.sim.size = sizeof s.sim;
	s.what = s.what ? s.what : SWEEP_ALL;
	sweep_said[0] = 0;
	if (s.before)
		s.before();
	/* first as it is, in each order: there it comes to success */
	for (unsigned i = 0; i < sweep_seeds(); i++) {
		struct holt_sim sim = s.sim;

		sim.seed += i;
		result = holt_sim_run(&sim, sweep_run, &s, &r);
		ck_assert_msg(r.failures == 0, "seed %u: %s", i, r.text);
		ck_assert_msg(!scenario_said[0], "seed %u: %s", i, scenario_said);
		ck_assert_msg(result >= 0, "seed %u: result %d", i, result);
	}
	result = holt_sim_sweep(&s.sim, s.what, sweep_seeds(), sweep_run, sweep_check, &s, &r);
	sweep_figures(s.name, &r);
	ck_assert_msg(result == 0, "%llu of %llu runs failed; the first: %s; %s", (unsigned long long)r.failures,
		(unsigned long long)r.runs, r.text, sweep_said);
	if (s.what & SWEEP_CANCEL)
		ck_assert_uint_gt(r.suspensions, 0);
}

#define SWEEP(claim, ...) \
	TEST(claim) \
	{ \
		sweep((struct scenario){ .name = #claim, __VA_ARGS__ }); \
	}
