/* SPDX-License-Identifier: MIT */
/*
 * Signals by one signalfd a loop. A signal that was taken stays blocked and ours until the
 * loop closes, so that none falls through between two waits.
 */
#pragma once
#include <sys/signalfd.h>

struct holt_loop;

struct holt__signal {
	void (*fire)(struct holt__signal *s, const struct signalfd_siginfo *si);
	bool keep_blocked; /* after the loop, too: a late one shall not kill a process that is on its way out */
};

/* -EINVAL: cannot be taken; -EBUSY: somebody else has it; -ENOMEM, -EMFILE, ... */
int holt__signal_take(struct holt_loop *loop, int sig, struct holt__signal *s);
struct holt__signal *holt__signal_taken(struct holt_loop *loop, int sig);
void holt__signals_close(struct holt_loop *loop); /* restores the mask */
