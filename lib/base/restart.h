/* SPDX-License-Identifier: MIT */
/*
 * The restart policy of a supervisor, as Erlang/OTP has it, and nothing that acts: who is restarted, how long to wait
 * before, and when it is too often. Used by holt_supervisor for tasks and by holtd for processes; neither has another one.
 *
 * Intensity is exact: a ring holds the times of the last `restarts` restarts, so one more is too many just when the
 * oldest of them lies within `within` of now. Back-off doubles from min to max and begins anew after `reset` of health.
 * No clock is read and no random number drawn here: both are given, so every decision can be repeated.
 */
#pragma once
#include "base/base.h" /* with enum holt_strategy and holt_restart, of <holt/base.h> */

struct holt__intensity {
	unsigned restarts; /* so many within `within` are allowed */
	holt_time within;
	holt_time *ring; /* room for `restarts` times; ours */
	unsigned first, n;
};

/* -ENOMEM. restarts 0: none is allowed. */
int holt__intensity_init(struct holt__intensity *i, unsigned restarts, holt_time within);
void holt__intensity_free(struct holt__intensity *i);
/* Notes one restart at now; false: that was one too many. */
bool holt__intensity_add(struct holt__intensity *i, holt_time now);
/* How many lie within `within` of now. */
unsigned holt__intensity_count(const struct holt__intensity *i, holt_time now);
/* Other limits from now on; what was counted stays, as far as it fits. -ENOMEM: as before. */
int holt__intensity_set(struct holt__intensity *i, unsigned restarts, holt_time within);
void holt__intensity_reset(struct holt__intensity *i);

struct holt__backoff {
	holt_time min, max, reset; /* min 0: no wait; max below min counts as min; reset 0: never by time */
	unsigned step;             /* restarts in a row */
	holt_time healthy_since;   /* 0: it is not */
};

void holt__backoff_healthy(struct holt__backoff *b, holt_time now); /* it became ready */
/* It ended, at now: how long to wait before it is started again. random: any number; jitter takes up to a quarter off, but not below min. */
holt_time holt__backoff_next(struct holt__backoff *b, holt_time now, uint64_t random);
void holt__backoff_reset(struct holt__backoff *b);

/* Whether a child that ended, well or not, is started again. */
bool holt__restart_wanted(enum holt_restart restart, bool failed);

/* Which of n children in start order are restarted when the i-th is: [*ret_first, *ret_end). */
void holt__restart_range(enum holt_strategy strategy, size_t i, size_t n, size_t *ret_first, size_t *ret_end);
