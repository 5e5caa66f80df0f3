/* SPDX-License-Identifier: MIT */
/*
 * Calendar expressions, as of systemd.time(7): which points of the wall clock one means, and which of them is the next. Pure: no
 * system call, no allocation. What is accepted is said in <holt/time.h>; what was found out about clock changes, in calendar_next.c.
 */
#pragma once
#include "base/base.h"

enum { HOLT__YEAR_MIN = 1970, HOLT__YEAR_MAX = 2199, HOLT__CALENDAR_RUNS = 32 };

/* Microseconds of a minute: first, first + step, ... up to last. */
struct holt__calendar_run {
	int32_t first, last, step;
};

/* Bit n of a set stands for the value n, if nothing else is said. */
struct holt__calendar {
	uint64_t years[4]; /* bit n: 1970 + n */
	uint64_t minutes, seconds;
	uint32_t hours, days;
	uint32_t days_left; /* bit n: the n-th last day of the month */
	uint16_t months;
	uint8_t weekdays; /* bit 0: Monday */
	bool utc;         /* the expression says so itself: @SECONDS */
	uint8_t n_runs;
	struct holt__calendar_run runs[HOLT__CALENDAR_RUNS]; /* seconds with fractions */
};

/*
 * The last word of an expression, if it could be a time zone's name: it and its length, and how long the expression before it is.
 * Whether there is such a zone only the caller can find out.
 */
bool holt__calendar_zone(const char *text, size_t *ret_before, const char **ret_name, size_t *ret_n);

/* An expression of n bytes, without its zone. -EINVAL: it is none; -E2BIG: too many seconds with fractions. */
int holt__calendar_parse(const char *text, size_t n, struct holt__calendar *ret);

/* The seam to time zones: seconds east of UTC, at a second of UTC since 1970. */
typedef int32_t holt__offset_fn(const void *zone, int64_t at);

/* The first point after after_us, both in microseconds of UTC since 1970. -ENOENT: there is none. */
int holt__calendar_next(
	const struct holt__calendar *c, holt__offset_fn *offset, const void *zone, int64_t after_us, int64_t *ret_us);
