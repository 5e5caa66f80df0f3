/* SPDX-License-Identifier: MIT */
/*
 * The bare coroutine kit below the LIMITs: a switch, a pool of stacks, a ready list. It is the
 * fastest that could be written with calls that are calls; it knows no cancellation, no groups,
 * no clock, no errors, one thread. It is no example of how to write a runtime.
 *
 * Three things make it fast, and each was measured:
 * - The switch saves the six registers a call must keep and ends with pop and jmp: 3 ns. With
 *   ret, whose prediction is always wrong after a change of stacks, 10 ns.
 * - For the same reason no function here returns by ret after it switched: whoever parks does so
 *   as its last deed, by a jump into the switch, which pops the caller's return address itself.
 *   What a waiter is to receive is written through a pointer before it is woken.
 * - A stack keeps its coroutine: one that ended waits in a loop for its next function. Stacks are
 *   reused last in, first out. The record is one cache line at the stack's top, and the frame
 *   that the switch leaves is the next one. (Shifting the tops against each other, so that equal
 *   frames do not fall on equal cache sets, was tried, and did not help.)
 */
#pragma once
#include <stdint.h>
#include <string.h>
#include <sys/mman.h>

#include "bench.h"

#if defined(__x86_64__) || defined(__aarch64__)
#define BARE 1

enum { BARE_STACK = 16384, BARE_PAGE = 4096, BARE_GUARD_INSTALL = 102 };

struct bare {
	void *sp;
	struct bare *next; /* in the ready list, the pool, or a list of waiters */
	int (*fn)(void *arg);
	void *arg;
	struct bare *joiner;
	int result;
	int done;
	void *slot; /* what a waiter is handed, or where to put it */
} __attribute__((aligned(64)));

struct bare_list {
	struct bare *head, *tail;
};

static struct bare bare_main, *bare_self = &bare_main, *bare_pool;
static struct bare_list bare_ready;

/* Saves the caller in *from, continues *to. */
void bare_switch(struct bare *from, struct bare *to);

#if defined(__x86_64__)
__asm__(".text\n.p2align 5\n.type bare_switch,@function\nbare_switch:\n"
	"	pushq %rbp\n	pushq %rbx\n	pushq %r12\n	pushq %r13\n	pushq %r14\n	pushq %r15\n"
	"	movq %rsp, (%rdi)\n"
	"	movq (%rsi), %rsp\n"
	"	popq %r15\n	popq %r14\n	popq %r13\n	popq %r12\n	popq %rbx\n	popq %rbp\n"
	"	popq %rcx\n	jmpq *%rcx\n"
	".size bare_switch,.-bare_switch\n");
enum { BARE_FRAME = 7, BARE_FRAME_PC = 6, BARE_FRAME_GAP = 1 }; /* as if bare_life had been called: 8 off 16 */
#else
__asm__(".text\n.p2align 5\n.type bare_switch,%function\nbare_switch:\n"
	"	hint #36\n" /* bti j and c, where branch targets are checked */
	"	sub sp, sp, #160\n"
	"	stp x19, x20, [sp]\n	stp x21, x22, [sp, #16]\n	stp x23, x24, [sp, #32]\n"
	"	stp x25, x26, [sp, #48]\n	stp x27, x28, [sp, #64]\n	stp x29, x30, [sp, #80]\n"
	"	stp d8, d9, [sp, #96]\n	stp d10, d11, [sp, #112]\n"
	"	stp d12, d13, [sp, #128]\n	stp d14, d15, [sp, #144]\n"
	"	mov x9, sp\n	str x9, [x0]\n	ldr x9, [x1]\n	mov sp, x9\n"
	"	ldp x19, x20, [sp]\n	ldp x21, x22, [sp, #16]\n	ldp x23, x24, [sp, #32]\n"
	"	ldp x25, x26, [sp, #48]\n	ldp x27, x28, [sp, #64]\n	ldp x29, x16, [sp, #80]\n"
	"	ldp d8, d9, [sp, #96]\n	ldp d10, d11, [sp, #112]\n"
	"	ldp d12, d13, [sp, #128]\n	ldp d14, d15, [sp, #144]\n"
	"	add sp, sp, #160\n	br x16\n"
	".size bare_switch,.-bare_switch\n");
enum { BARE_FRAME = 20, BARE_FRAME_PC = 11, BARE_FRAME_GAP = 2 };
#endif

static inline void bare_push(struct bare_list *l, struct bare *b)
{
	b->next = NULL;
	if (l->head)
		l->tail->next = b;
	else
		l->head = b;
	l->tail = b;
}

static inline struct bare *bare_pop(struct bare_list *l)
{
	struct bare *b = l->head;

	l->head = b->next;
	return b;
}

static inline void bare_wake(struct bare *b)
{
	bare_push(&bare_ready, b);
}

/* Call it last, so that it becomes a jump. The ready list must not be empty. */
#define bare_park() \
	do { \
		struct bare *bare__from = bare_self, *bare__to = bare_pop(&bare_ready); \
		bare_self = bare__to; \
		bare_switch(bare__from, bare__to); \
	} while (0)

/* Where a coroutine begins, and lives on after each of its functions. */
static __attribute__((noreturn, unused)) void bare_life(void)
{
	for (;;) {
		struct bare *b = bare_self;

		b->result = b->fn(b->arg);
		b->done = 1;
		if (b->joiner)
			bare_wake(b->joiner);
		bare_park();
	}
}

/* n stacks into the pool. Nothing of them is touched but each one's top page. */
static inline void bare_fill(size_t n, bool guards)
{
	char *slab = mmap(
		NULL, n * BARE_STACK, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_STACK, -1, 0);

	bench_must(slab != MAP_FAILED, "mmap of the bare stacks");
	madvise(slab, n * BARE_STACK, MADV_NOHUGEPAGE);
	for (size_t i = n; i-- > 0;) {
		char *low = slab + i * BARE_STACK;
		struct bare *b = (void *)(low + BARE_STACK - sizeof *b);
		void **frame = (void **)((uintptr_t)b & ~(uintptr_t)15) - BARE_FRAME_GAP;

		if (guards)
			madvise(low, BARE_PAGE, BARE_GUARD_INSTALL); /* an older kernel says EINVAL: then without */
		frame -= BARE_FRAME;
		frame[BARE_FRAME_PC] = (void *)bare_life;
		b->sp = frame;
		b->next = bare_pool;
		bare_pool = b;
	}
}

/* Needs a stack in the pool: the LIMIT fills it before. */
static BENCH_CALL struct bare *bare_spawn(int (*fn)(void *arg), void *arg)
{
	struct bare *b = bare_pool;

	bare_pool = b->next;
	b->fn = fn;
	b->arg = arg;
	b->joiner = NULL;
	b->done = 0;
	bare_wake(b);
	return b;
}

/* Until b has ended; then the caller reads b->result and calls bare_put. */
static BENCH_CALL void bare_join(struct bare *b)
{
	if (b->done)
		return;
	b->joiner = bare_self;
	bare_park();
}

static inline void bare_put(struct bare *b)
{
	b->next = bare_pool;
	bare_pool = b;
}

static BENCH_CALL void bare_yield(void)
{
	bare_wake(bare_self);
	bare_park();
}
#endif
