/* SPDX-License-Identifier: MIT */
/*
 * The switch between two stacks, and the stacks: what a task holds in registers and on its stack is the same when it comes
 * back. The same tests run for each way of switching (our own, and CONTEXT=ucontext).
 */
#include "harness.h"

#include <execinfo.h>
#include <fenv.h>
#include <signal.h>

#include "task/task.h"

#define NUMBER(n) ((void *)(intptr_t)(n))

/* ---- mechanism alone */

static struct holt__context here, there;
static int visits;

static void visitor(void)
{
	holt__context_entered(&there);
	for (;;) {
		visits++;
		here.result = visits * 10;
		holt__context_switch(&there, &here);
	}
}

/* (Not inlined: the switch wants to be the last deed of a function.) */
static int __attribute__((noinline)) visit(void)
{
	return holt__context_switch(&here, &there);
}

TEST(switch_goes_there_and_back_with_a_result)
{
	size_t size = 256 * 1024;
	char *stack = harness_sys.map(size);

	ck_assert_ptr_nonnull(stack);
	visits = 0;
	memset(&there, 0, sizeof there);
	holt__context_init_here(&here);
	holt__context_make(&there, visitor, stack, stack + size);
	for (int i = 1; i <= 1000; i++) {
		ck_assert_int_eq(visit(), i * 10);
		ck_assert_int_eq(visits, i);
	}
	holt__context_forget(&there);
	harness_sys.unmap(stack, size);
}

/* ---- what a task holds */

#if defined(__x86_64__)
#define KEPT(X) X(a, "rbx") X(b, "r12") X(c, "r13") X(d, "r14") X(e, "r15")
#elif defined(__aarch64__)
#define KEPT(X) \
	X(a, "x19") X(b, "x20") X(c, "x21") X(d, "x22") X(e, "x23") X(f, "x24") X(g, "x25") X(h, "x26") X(i, "x27") X(j, "x28")
#define KEPT_DOUBLES(X) X(da, "d8") X(db, "d9") X(dc, "d10") X(dd, "d11") X(de, "d12") X(df, "d13") X(dg, "d14") X(dh, "d15")
#else
#define KEPT(X)
#endif
#ifndef KEPT_DOUBLES
#define KEPT_DOUBLES(X)
#endif

/* Puts a value into each register that a call must keep, makes one that switches, and looks at them again. */
static int __attribute__((noinline)) keep_registers(uint64_t seed)
{
	uint64_t n = seed, wrong = 0;
	int r;

#define DECLARE(v, name) register uint64_t v __asm__(name) = n += 0x123456789abcdefULL;
#define DECLARE_DOUBLE(v, name) register double v __asm__(name) = (double)(n += 3);
#define TOUCH(v, name) __asm__ volatile("" : "+r"(v));
#define TOUCH_DOUBLE(v, name) __asm__ volatile("" : "+w"(v));
#define LOOK(v, name) wrong += v != (n += 0x123456789abcdefULL);
#define LOOK_DOUBLE(v, name) wrong += v != (double)(n += 3);
	KEPT(DECLARE)
	KEPT_DOUBLES(DECLARE_DOUBLE)
	KEPT(TOUCH)
	KEPT_DOUBLES(TOUCH_DOUBLE)
	r = holt_yield();
	KEPT(TOUCH)
	KEPT_DOUBLES(TOUCH_DOUBLE)
	n = seed;
	KEPT(LOOK)
	KEPT_DOUBLES(LOOK_DOUBLE)
	return r < 0 ? r : (int)wrong;
}

static int keeps_registers(void *arg)
{
	for (int i = 0; i < 1000; i++)
		ck_assert_int_eq(keep_registers((uint64_t)(uintptr_t)arg * 77 + (uint64_t)i), 0);
	return 0;
}

static int several(holt_fn fn, int n)
{
	holt_group *g = NULL;

	ck_assert_int_eq(holt_group_open(&g), 0);
	for (int i = 1; i <= n; i++)
		ck_assert_int_eq(holt_spawn(g, fn, NUMBER(i)), 0);
	return holt_group_close(g, 0);
}

static int several_keep_registers(void *arg)
{
	(void)arg;
	return several(keeps_registers, 3);
}

TEST(registers_that_a_call_must_keep_are_the_same_after_a_switch)
{
	ck_assert_int_eq(harness_run(several_keep_registers, NULL), 0);
}

/* More values than there are registers, so that each kind is in some, and on the stack. */
static int keeps_values(void *arg)
{
	uint64_t i[24], seed = (uint64_t)(uintptr_t)arg;
	double d[24];

	for (int round = 0; round < 100; round++) {
		for (int k = 0; k < 24; k++) {
			i[k] = seed * 1000003 + (uint64_t)(k * round);
			d[k] = (double)seed / (k + 1) + round;
		}
		ck_assert_int_eq(round % 2 ? holt_yield() : holt_sleep(HOLT_MS), 0);
		for (int k = 0; k < 24; k++) {
			ck_assert_uint_eq(i[k], seed * 1000003 + (uint64_t)(k * round));
			ck_assert(d[k] == (double)seed / (k + 1) + round);
		}
	}
	return 0;
}

static int several_keep_values(void *arg)
{
	(void)arg;
	return several(keeps_values, 50);
}

TEST(values_of_fifty_tasks_do_not_mix)
{
	ck_assert_int_eq(harness_run(several_keep_values, NULL), 0);
}

/* Switches at each depth, so that frames above and below lie on both sides of one. */
static uint64_t __attribute__((noinline)) descend(int depth, uint64_t seed)
{
	volatile uint64_t mine = seed * 31 + (uint64_t)depth, below = 0;

	if (depth > 0) {
		if (depth % 7 == 0 && holt_yield() < 0)
			return 0;
		below = descend(depth - 1, mine);
	}
	if (depth % 5 == 0 && holt_yield() < 0)
		return 0;
	return below ^ mine;
}

static int descends(void *arg)
{
	uint64_t seed = (uint64_t)(uintptr_t)arg, first = descend(100, seed);

	for (int i = 0; i < 10; i++)
		ck_assert_uint_eq(descend(100, seed), first);
	return 0;
}

static int several_descend(void *arg)
{
	(void)arg;
	return several(descends, 10);
}

TEST(frames_at_any_depth_are_left_alone)
{
	ck_assert_int_eq(harness_run(several_descend, NULL), 0);
}

static int is_aligned(void *arg)
{
	char local[32] __attribute__((aligned(32)));
	volatile long double wide = 1.5L;

	(void)arg;
	memset(local, 0, sizeof local);
	ck_assert_uint_eq((uintptr_t)__builtin_frame_address(0) % 16, 0);
	ck_assert_uint_eq((uintptr_t)&wide % __alignof__(long double), 0);
	return holt_yield() < 0 ? -ECANCELED : local[3] + (int)(wide - 1.5L);
}

static int several_are_aligned(void *arg)
{
	(void)arg;
	return several(is_aligned, 40); /* their tops have different colours */
}

TEST(stack_of_a_task_is_aligned_as_for_any_call)
{
	ck_assert_int_eq(harness_run(several_are_aligned, NULL), 0);
}

static int blocks_a_signal(void *arg)
{
	sigset_t set;

	(void)arg;
	sigemptyset(&set);
	sigaddset(&set, SIGUSR1);
	ck_assert_int_eq(pthread_sigmask(SIG_BLOCK, &set, NULL), 0);
	return holt_yield();
}

static int sees_it_blocked(void *arg)
{
	sigset_t set;

	(void)arg;
	ck_assert_int_eq(pthread_sigmask(SIG_BLOCK, NULL, &set), 0);
	return sigismember(&set, SIGUSR1) ? 0 : -EINVAL;
}

static int mask_is_shared(void *arg)
{
	holt_group *g = NULL;

	(void)arg;
	ck_assert_int_eq(holt_group_open(&g), 0);
	ck_assert_int_eq(holt_spawn(g, blocks_a_signal, NULL), 0);
	ck_assert_int_eq(holt_spawn(g, sees_it_blocked, NULL), 0);
	ck_assert_int_eq(holt_group_wait(g), 0);
	ck_assert_int_eq(sees_it_blocked(NULL), 0);
	return holt_group_close(g, 0);
}

TEST(signal_mask_belongs_to_the_thread_and_no_switch_changes_it)
{
	ck_assert_int_eq(harness_run(mask_is_shared, NULL), 0);
}

static int traces_back(void *arg)
{
	void *frames[64];
	int n = backtrace(frames, 64);

	(void)arg;
	ck_assert_int_gt(n, 1);
	ck_assert_int_lt(n, 16); /* and ends where the task began */
	return 0;
}

static int several_trace_back(void *arg)
{
	(void)arg;
	return several(traces_back, 3);
}

TEST(backtrace_in_a_task_ends_where_it_began)
{
#if defined(HARNESS_ASAN) || defined(HARNESS_TSAN)
	SKIP("a sanitizer's backtrace() is its own");
#endif
	ck_assert_int_eq(harness_run(several_trace_back, NULL), 0);
}

/* ---- stacks */

static int uses_most_of_it(void *arg)
{
	volatile char block[48 * 1024];

	(void)arg;
	for (size_t i = 0; i < sizeof block; i += 512)
		block[i] = (char)i;
	if (holt_yield() < 0)
		return -ECANCELED;
	for (size_t i = 0; i < sizeof block; i += 512)
		if (block[i] != (char)i)
			return -EBADMSG;
	return 0;
}

static int several_use_most(void *arg)
{
	(void)arg;
	return several(uses_most_of_it, 20);
}

TEST(default_stack_holds_48_kib_of_locals)
{
	ck_assert_int_eq(harness_run(several_use_most, NULL), 0);
}

static int tells_its_stack(void *arg)
{
	*(void **)arg = holt_self()->stack_low;
	return 0;
}

static int one_after_the_other(void *arg)
{
	void *first = NULL, *low = NULL;
	holt_group *g = NULL;

	(void)arg;
	ck_assert_int_eq(holt_group_open(&g), 0);
	ck_assert_int_eq(holt_spawn(g, tells_its_stack, &first), 0);
	ck_assert_int_eq(holt_group_wait(g), 0);
	for (int i = 0; i < 100; i++) {
		ck_assert_int_eq(holt_spawn(g, tells_its_stack, &low), 0);
		ck_assert_int_eq(holt_group_wait(g), 0);
		ck_assert_ptr_eq(low, first); /* the warmest one */
	}
	return holt_group_close(g, 0);
}

TEST(stack_of_a_task_that_ended_is_the_next_ones)
{
	ck_assert_int_eq(harness_run(one_after_the_other, NULL), 0);
}

#ifdef HARNESS_TSAN
enum { MANY = 700 }; /* its fibers are slow to make */
#else
enum { MANY = 3000 };
#endif

static int waits(void *arg)
{
	return holt_event_wait(arg);
}

static int fill(holt_group *g, int n)
{
	struct holt_event e = { .set = false };

	for (int i = 0; i < n; i++)
		ck_assert_int_eq(holt_spawn(g, waits, &e), 0);
	ck_assert_int_eq(holt_yield(), 0);
	holt_event_set(&e);
	return holt_group_wait(g);
}

static int many_then_idle(void *arg)
{
	struct holt__stacks *s = &holt__here->stacks;
	holt_group *g = NULL;

	(void)arg;
	ck_assert_int_eq(holt_group_open(&g), 0);
	ck_assert_int_eq(fill(g, MANY), 0);
	ck_assert_uint_ge(s->n_warm, MANY);
	for (int i = 0; i < 60; i++)
		ck_assert_int_eq(holt_sleep(HOLT_SEC), 0);
	ck_assert_uint_lt(s->n_warm, 300); /* not all of them */
	ck_assert_uint_gt(s->n_warm, 100);
	ck_assert_uint_ge(s->n_warm + s->n_cold, MANY);
	ck_assert_int_eq(fill(g, MANY), 0); /* and back */
	ck_assert_uint_eq(s->n_cold, 0);
	return holt_group_close(g, 0);
}

TEST(stacks_that_lie_unused_are_given_back_and_can_be_used_again)
{
	ck_assert_int_eq(harness_run(many_then_idle, NULL), 0);
}
