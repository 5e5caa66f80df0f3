/* SPDX-License-Identifier: MIT */
/*
 * A stack that runs into its guard page is reported as that, with the task's name, on an alternate stack;
 * then the fault takes its course, core file and all. A program that handles SIGSEGV by itself keeps its handler.
 */
#include <signal.h>
#include <stdlib.h>

#include "task/task.h"

enum { ALT_STACK = 64 * 1024 };

static bool in_guard(const holt_task *t, const void *address)
{
	uintptr_t a = (uintptr_t)address, low = (uintptr_t)t->stack_low;

	return a >= low && a < low + t->stacks->page;
}

static void on_fault(int sig, siginfo_t *si, void *context)
{
	holt_task *t = holt__self;

	(void)context;
	if (t && in_guard(t, si->si_addr)) {
		char buf[512];
		struct holt__text text = HOLT__TEXT(buf);

		holt__text_add(&text, "holt: stack overflow in task ");
		holt__task_path(t, &text);
		holt__text_add(&text, " (");
		holt__text_uint(&text, t->stacks->size / 1024);
		holt__text_add(&text, " KiB): spawn it with a larger .stack_size\n");
		holt__sys_say(buf, text.len);
	}
	signal(sig, SIG_DFL); /* the instruction is tried again, and ends us */
}

void holt__overflow_init(struct holt__sched *s)
{
	struct sigaction now, ours = { .sa_sigaction = on_fault, .sa_flags = SA_SIGINFO | SA_ONSTACK | SA_NODEFER };
	stack_t old, alt = { .ss_size = ALT_STACK };

	if (sigaltstack(NULL, &old) < 0 || !(old.ss_flags & SS_DISABLE))
		return;
	alt.ss_sp = s->alt_stack = holt__malloc(ALT_STACK);
	if (!alt.ss_sp || sigaltstack(&alt, NULL) < 0) {
		holt__free(s->alt_stack);
		s->alt_stack = NULL;
		return;
	}
	if (sigaction(SIGSEGV, NULL, &now) == 0 && !(now.sa_flags & SA_SIGINFO) && now.sa_handler == SIG_DFL)
		sigaction(SIGSEGV, &ours, NULL); /* and stays: without a task in the thread it changes nothing */
}

void holt__overflow_done(struct holt__sched *s)
{
	stack_t none = { .ss_flags = SS_DISABLE };

	if (!s->alt_stack)
		return;
	sigaltstack(&none, NULL);
	holt__free(s->alt_stack);
	s->alt_stack = NULL;
}
