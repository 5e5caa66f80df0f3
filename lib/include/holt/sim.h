/* SPDX-License-Identifier: MIT */
/*
 * holt/sim.h - the simulator: a run where all that may happen does, by number, and can be made to happen again
 *
 * For tests, of the library and of every daemon that is written on it. It is a library of its own, which has
 * all of holt in it: link with -lholt-sim in place of -lholt, or before it. A test in full:
 *
 *	static int reset_and_run(void *arg)     from the beginning, each time
 *	{
 *		struct shop *shop = arg;
 *
 *		memset(shop, 0, sizeof *shop);
 *		return run_shop(shop);
 *	}
 *
 *	static int nothing_is_lost(void *arg, int result)       after each run, whatever happened in it
 *	{
 *		const struct shop *shop = arg;
 *
 *		return shop->put == shop->got + shop->left ? 0 : -EBADMSG;
 *	}
 *
 *	int main(void)
 *	{
 *		struct holt_sim_report report;
 *		struct shop shop;
 *		int r = holt_sim_sweep(&(struct holt_sim){ .size = sizeof(struct holt_sim), .seed = 1 },
 *			HOLT_SWEEP_CANCEL | HOLT_SWEEP_ALLOC | HOLT_SWEEP_SYSCALL, 10,
 *			reset_and_run, nothing_is_lost, &shop, &report);
 *
 *		if (r < 0)
 *			puts(report.text);      what, where, and the seed and number that repeat it
 *		return r < 0;
 *	}
 *
 * WHAT A RUN PROMISES. Time is virtual: it stands still while tasks run, and when all of them wait it jumps to the
 * next deadline. The ready ones run in an order that the seed chooses. Reads and writes are cut short, or interrupted, as
 * often as was said. The n-th allocation or system call of the library fails; at the n-th suspension a cancellation
 * comes. The same struct holt_sim, and the same function, give the same run.
 *
 * WHAT IT FINDS. When every task waits, and no descriptor and no deadline will wake one, that is a deadlock: the report has
 * who waits for what. Tasks that go on without end are a livelock. At the end there may be no descriptor that was not there in
 * the beginning, nothing that the library has allocated, no reference to a task, and no finally handler that was not run: the
 * report names whose it is.
 *
 * WHAT IS REAL. Descriptors are: pipes, sockets, files. (TCP has clocks of its own in the kernel, so a run with it cannot be
 * repeated exactly: unix sockets can.) So what a test talks to has to be in the run: tasks at both
 * ends of a socketpair. Other processes, and threads, need .real_io, and with it the clock is real, and a run cannot be
 * repeated exactly. What is allocated or called past the library, by malloc() or read() itself, is not seen, apart from open
 * descriptors; the sanitizers are for that. A task that never suspends cannot be ended: it hangs the test.
 */
#ifndef HOLT_SIM_H
#define HOLT_SIM_H

#include <stdbool.h>

#include <holt/base.h>

#ifdef __cplusplus
extern "C" {
#endif

/**
 * struct holt_sim - what shall happen in a run
 * @size: sizeof(struct holt_sim)
 * @seed: of all that is left to chance: which of the first 16 ready tasks is next, the order of events, where reads and writes
 *	are cut, the jitter of a supervisor's back-off
 * @keep_order: ready tasks run in the order in which they were woken, as without the simulator
 * @real_io: others than the tasks of this run are waited for, in real time: see above. Deadlocks are not found
 * @short_io_percent: of 100 reads and writes on pipes and stream sockets so many move only a part of what they could, or, on
 *	non-blocking descriptors, say -EAGAIN now and then
 * @eintr_percent: of 100 reads, writes and waits so many are interrupted; at most 99
 * @fail_alloc_at: the n-th allocation fails, from 1; 0: none
 * @fail_syscall_at: the n-th system call fails with an error that it may have, as ENOMEM or EMFILE; from 1; 0: none.
 *	Calls that cannot fail, as close, are not counted
 * @cancel_at: at the n-th suspension the main task is canceled with all that it holds; from 1; 0: none
 * @max_switches: so many switches between tasks are a livelock; 0: a million
 * @cancel_one: @cancel_at cancels the task that is suspending, alone. It finds what the others make of that; a program
 *	that cannot lose one of its tasks will deadlock
 */
struct holt_sim {
	size_t size;
	uint64_t seed;
	bool keep_order, real_io;
	unsigned short_io_percent, eintr_percent;
	uint64_t fail_alloc_at, fail_syscall_at, cancel_at;
	uint64_t max_switches;
	bool cancel_one;
};

/**
 * struct holt_sim_report - what happened
 * @runs: how many
 * @suspensions: of a run: how often a task waited or yielded; of a sweep: how many points it has canceled at
 * @allocations: of a run: how many were asked for; of a sweep: how many it has let fail
 * @syscalls: of a run: how many that may fail; of a sweep: how many it has let fail
 * @failures: of a run: 1 if the simulator found something; of a sweep: how many of its runs, or their checks, failed
 * @bad_seed: the seed of the first of them
 * @bad_n: and its number; 0: it was none that had one
 * @text: what the first of them was, in words, lines separated by newlines; empty: there was none
 */
struct holt_sim_report {
	uint64_t runs, suspensions, allocations, syscalls, failures;
	uint64_t bad_seed, bad_n;
	char text[512];
};

/**
 * holt_sim_run() - run a function as holt_run() does, simulated
 * @s: what shall happen; NULL: nothing but the virtual clock, an order by seed 0 and the checks
 * @fn: the main task
 * @arg: handed to @fn
 * @ret: NULL, or where the report goes; always written
 *
 * Blocks the calling thread, and only one at a time can be simulated in a process. SIGINT is left as it is. After a
 * deadlock or a livelock the root is canceled so that all can end; what does not end even after its cleanup is
 * thrown away, with the finally handlers that it still had.
 *
 * Returns what @fn returned, or, with a report that says what was found:
 * -EDEADLK: a deadlock; or, without a text: this thread runs a loop already, or another one simulates.
 * -EOVERFLOW: a livelock.
 * -EUCLEAN: something is left: descriptors, memory, references to tasks.
 * -ETIMEDOUT: the end took longer than the root's cleanup allows; the process would have left by _exit(1).
 * Or -EINVAL: no function, or a percentage that is too high; -E2BIG; -ENOMEM.
 */
HOLT_EXPORT int holt_sim_run(const struct holt_sim *s, holt_fn fn, void *arg, struct holt_sim_report *ret);

/* What a sweep does at each point; to be added up. CANCEL_ONE is CANCEL with .cancel_one. */
enum { HOLT_SWEEP_CANCEL = 1, HOLT_SWEEP_ALLOC = 2, HOLT_SWEEP_SYSCALL = 4, HOLT_SWEEP_CANCEL_ONE = 8 };

/**
 * holt_sim_sweep() - run a function again and again: as it is, and canceled or failing at each point
 * @s: what shall happen in each run besides; NULL: as for holt_sim_run()
 * @what: HOLT_SWEEP_...; 0: only the runs as they are
 * @seeds: so many, from .seed on; at least one
 * @fn: the main task; it has to begin anew each time
 * @check: NULL, or called after each run, outside of tasks, with @arg and what @fn returned; a negative result is a failure. Without
 *	it a negative result of @fn is one, in the runs where nothing was made to fail
 * @arg: handed to both
 * @ret: NULL, or where the report goes; always written
 *
 * For each seed comes one run as it is, and, if nothing was found in that, one for each suspension, allocation and
 * system call, until a run has no such point any more. The log is silent meanwhile, unless it has a sink.
 *
 * Blocks the calling thread. Returns 0: all passed; else what the first failure was, as of holt_sim_run() or of
 * @check; or -EINVAL, -E2BIG, -EDEADLK as for holt_sim_run().
 */
HOLT_EXPORT int holt_sim_sweep(const struct holt_sim *s, unsigned what, unsigned seeds, int (*fn)(void *arg),
	int (*check)(void *arg, int result), void *arg, struct holt_sim_report *ret);

#ifdef __cplusplus
}
#endif
#endif
