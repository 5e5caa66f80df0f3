/* SPDX-License-Identifier: MIT */
/*
 * What one change of tasks costs: two tasks that do nothing but let the other one run.
 *
 * "switch": LIMIT goes from one stack to the other and back, with nothing in between; "inlined"
 * is the same without a call, its registers in the record instead of on the stack, which only
 * a compiler could do for a user's code. "yield": LIMIT goes through a list of those that are
 * ready, which is what a yield is. Both are compared with holt_yield: a yield of holt is one
 * switch, with the ready list and the look at the cancellation in it. The peer is Boost.Context's
 * jump_fcontext, which has no scheduler either; its library is loaded if it is installed.
 */
#include <holt/holt.h>

#include <dlfcn.h>

#include "bare.h"
#include "bench.h"

#ifdef BARE
static struct bare *peer;

static int bounce(void *arg)
{
	for (;;)
		bare_switch(peer, &bare_main);
	return arg != NULL;
}

/* The peer never ends: it stays parked in its loop, and its stack is not used for another. */
static double limit(size_t n)
{
	double begin;

	if (!peer) {
		bare_fill(1, false);
		peer = bare_pool;
		bare_pool = peer->next;
		peer->fn = bounce;
		bare_self = peer;
		bare_switch(&bare_main, peer);
		bare_self = &bare_main;
	}
	begin = bench_now();
	for (size_t i = 0; i < n / 2; i++)
		bare_switch(&bare_main, peer);
	return (bench_now() - begin) / (double)(n / 2 * 2);
}

static int yielder(void *arg)
{
	for (size_t i = 0; i < (size_t)arg; i++)
		bare_yield();
	return 0;
}

static double limit_yield(size_t n)
{
	struct bare *a, *b;
	double begin;

	if (!bare_pool)
		bare_fill(2, false);
	begin = bench_now();
	a = bare_spawn(yielder, (void *)(n / 2));
	b = bare_spawn(yielder, (void *)(n / 2));
	bare_join(a);
	bare_join(b);
	bare_put(a);
	bare_put(b);
	return (bench_now() - begin) / (double)(n / 2 * 2);
}
#endif

#ifdef __x86_64__
struct inlined {
	void *sp, *pc, *kept[6];
};

static struct inlined here, there;

static inline __attribute__((always_inline)) void inlined_switch(struct inlined *from, struct inlined *to)
{
	__asm__ volatile("leaq 1f(%%rip), %%rax\n"
			 "movq %%rsp, (%0)\n	movq %%rax, 8(%0)\n	movq %%rbp, 16(%0)\n	movq %%rbx, 24(%0)\n"
			 "movq %%r12, 32(%0)\n	movq %%r13, 40(%0)\n	movq %%r14, 48(%0)\n	movq %%r15, 56(%0)\n"
			 "movq (%1), %%rsp\n	movq 16(%1), %%rbp\n	movq 24(%1), %%rbx\n	movq 32(%1), %%r12\n"
			 "movq 40(%1), %%r13\n	movq 48(%1), %%r14\n	movq 56(%1), %%r15\n	jmpq *8(%1)\n"
			 "1:\n"
			 : "+D"(from), "+S"(to)::"rax", "rcx", "rdx", "r8", "r9", "r10", "r11", "cc", "memory");
}

static __attribute__((noreturn)) void inlined_bounce(void)
{
	for (;;)
		inlined_switch(&there, &here);
}

static double inlined(size_t n)
{
	static _Alignas(16) char stack[16384];
	double begin;

	there.sp = stack + sizeof stack - 24; /* as if it had been called */
	there.pc = (void *)inlined_bounce;
	begin = bench_now();
	for (size_t i = 0; i < n / 2; i++)
		inlined_switch(&here, &there);
	return (bench_now() - begin) / (double)(n / 2 * 2);
}
#endif

/* ---- Boost.Context: what its shared library exports */
struct fcontext_transfer {
	void *from, *data;
};

static struct fcontext_transfer (*fcontext_jump)(void *to, void *data);
static void *(*fcontext_make)(void *top, size_t size, void (*fn)(struct fcontext_transfer));

static bool fcontext_load(void)
{
	void *lib = dlopen("libboost_context.so", RTLD_NOW);

	if (!lib)
		return false;
	*(void **)&fcontext_jump = dlsym(lib, "jump_fcontext");
	*(void **)&fcontext_make = dlsym(lib, "make_fcontext");
	return fcontext_jump && fcontext_make;
}

static void fcontext_bounce(struct fcontext_transfer t)
{
	for (;;)
		t = fcontext_jump(t.from, NULL);
}

static double fcontext(size_t n)
{
	static _Alignas(16) char stack[16384];
	struct fcontext_transfer t = { .from = fcontext_make(stack + sizeof stack, sizeof stack, fcontext_bounce) };
	double begin = bench_now();

	for (size_t i = 0; i < n / 2; i++)
		t = fcontext_jump(t.from, NULL);
	return (bench_now() - begin) / (double)(n / 2 * 2);
}

static int holt_yielder(void *arg)
{
	int r = 0;

	for (size_t i = 0; i < *(size_t *)arg && r >= 0; i++)
		r = holt_yield();
	return r;
}

static int two_yielders(void *arg)
{
	holt_group *g;
	int r;

	r = holt_group_open(&g);
	if (r < 0)
		return r;
	r = holt_spawn(g, holt_yielder, arg);
	if (r >= 0)
		r = holt_spawn(g, holt_yielder, arg);
	return holt_group_close(g, r);
}

static double with_holt(size_t n)
{
	size_t each = n / 2;
	double begin = bench_now();

	bench_must(holt_run(two_yielders, &each) >= 0, "two tasks that yield");
	return (bench_now() - begin) / (double)(each * 2);
}

int main(void)
{
	size_t n = bench_count(4000000);
	bool boost = fcontext_load();

	for (int i = 0; i < bench_rounds(3); i++) {
		double holt;
#ifdef BARE
		bench_tell("switch, ns", "1.1x", "LIMIT", limit(n));
		bench_tell("yield, ns", "-", "LIMIT", limit_yield(n));
#endif
#ifdef __x86_64__
		bench_tell("switch, ns", "1.1x", "inlined", inlined(n));
#endif
		if (boost)
			bench_tell("switch, ns", "1.1x", "boost", fcontext(n));
		holt = with_holt(n);
		bench_tell("switch, ns", "1.1x", "holt", holt);
		bench_tell("yield, ns", "-", "holt", holt);
	}
	return 0;
}
