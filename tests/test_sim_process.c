/* SPDX-License-Identifier: MIT */
/*
 * Processes, swept, with a simulated process table: a cancellation comes at each suspension, each allocation and each system call
 * of the library fails. Whatever happens, no process is left, alive or to be waited for, and each exit is told to all who wait.
 */
#include "sweep.h"

#include <holt/work.h>

#include "procs.h"

enum { KIDS = 3 };

static struct proc_script procs_script(char *const *argv)
{
	if (!strcmp(argv[0], "/sim/exits"))
		return (struct proc_script){ .lives = 3 * HOLT_MS, .status = 7, .says = "bye" };
	if (!strcmp(argv[0], "/sim/lives"))
		return (struct proc_script){ .lives = HOLT_NEVER, .takes = 2 * HOLT_MS };
	if (!strcmp(argv[0], "/sim/stubborn"))
		return (struct proc_script){ .lives = HOLT_NEVER, .ignores_sigterm = true };
	return (struct proc_script){ .exec_error = -ENOENT };
}

static int start(holt_process **ret, const char *what, bool pipe)
{
	const char *const argv[] = { what, NULL };
	struct holt_process_options o = { .size = sizeof o, .path = what, .argv = argv };

	if (pipe)
		o.stdio[1].how = HOLT_STDIO_PIPE;
	return holt_process_start(ret, &o);
}

static int nothing_is_left(void *arg, int result)
{
	(void)arg;
	HOLDS(procs_alive() == 0);
	HOLDS(procs_left() == 0);
	return result >= 0 || result == -ECANCELED || result == -ENOMEM || result == -EMFILE || result == -EAGAIN ||
			result == -EIO || result == -EPERM || result == -EINTR
		? 0
		: result;
}

static int told;

static int waits(void *arg)
{
	struct holt_exit e = { .code = -1 };
	int r = holt_process_wait(arg, &e);

	EXPECT(r != 0 || (e.code == 7 && !e.signaled));
	told += r == 0;
	return r;
}

/* Three that exit by themselves, each awaited by two, and what they say is read. */
static int children_exit(void *arg)
{
	holt_process *p[KIDS] = { NULL };
	holt_group *g = NULL;
	char buf[8];
	int r = 0;

	(void)arg;
	procs_reset();
	told = 0;
	for (int i = 0; r >= 0 && i < KIDS; i++)
		r = start(&p[i], "/sim/exits", true);
	if (r >= 0)
		r = holt_group_open(&g, .kind = HOLT_EACH);
	for (int i = 0; r >= 0 && i < 2 * KIDS; i++)
		r = holt_spawn(g, waits, p[i / 2]);
	for (int i = 0; r >= 0 && i < KIDS; i++) {
		ssize_t n = holt_read_full(holt_process_fd(p[i], 1), buf, sizeof buf);

		EXPECT(n < 0 || n == 3);
		r = n < 0 ? (int)n : 0;
	}
	if (g)
		r = holt_group_close(g, r);
	for (int i = 0; i < KIDS; i++)
		holt_process_close(p[i]);
	return r;
}
SWEEP(exit_is_told_to_all_who_wait_and_none_is_left, .fn = children_exit, .check = nothing_is_left, .before = procs_reset)

/* One that ends when asked, one that has to be killed, one that does not exist. */
static int children_are_stopped(void *arg)
{
	holt_process *a = NULL, *b = NULL, *none = NULL;
	struct holt_exit e = { .code = -1 };
	int r;

	(void)arg;
	procs_reset();
	r = start(&none, "/sim/nothing", false);
	EXPECT(r < 0 && !none);
	r = start(&a, "/sim/lives", false);
	if (r >= 0)
		r = start(&b, "/sim/stubborn", false);
	if (r >= 0)
		r = holt_sleep(HOLT_MS);
	if (r >= 0) {
		r = holt_process_stop(a, SIGTERM, HOLT_SEC, &e);
		EXPECT(r < 0 || (!e.signaled && e.code == 128 + SIGTERM) || e.signaled);
	}
	if (r >= 0) {
		r = holt_process_stop(b, SIGTERM, HOLT_SEC, &e); /* shielded: a cancellation does not cut its grace */
		EXPECT(r < 0 || (e.signaled && e.code == SIGKILL));
	}
	holt_process_close(a);
	holt_process_close(b);
	return r;
}
SWEEP(stop_ends_each_and_none_is_left, .fn = children_are_stopped, .check = nothing_is_left, .before = procs_reset)

/* Left to holt_auto: whatever ends the function ends them. */
static int children_are_forgotten(void *arg)
{
	holt_auto(process) a = NULL;
	holt_auto(process) b = NULL;
	int r;

	(void)arg;
	procs_reset();
	r = start(&a, "/sim/lives", true);
	if (r >= 0)
		r = start(&b, "/sim/stubborn", true);
	return r < 0 ? r : holt_sleep(HOLT_MS);
}
SWEEP(auto_ends_them_on_each_way_out, .fn = children_are_forgotten, .check = nothing_is_left, .before = procs_reset)
