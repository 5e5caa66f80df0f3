/* SPDX-License-Identifier: MIT */
/*
 * Days of the Gregorian calendar, counted from 1970-01-01, which is a Thursday and day 0. For the years 1 to 9999.
 */
#pragma once
#include "base/base.h"

enum { HOLT__DAY_SECONDS = 24 * 60 * 60 };

struct holt__date {
	int year, month, day; /* month and day from 1 */
};

int64_t holt__days_of(int year, int month, int day);
struct holt__date holt__date_of(int64_t days);
int holt__month_days(int year, int month);

static inline int holt__weekday_of(int64_t days) /* 0: Monday */
{
	return (int)(((days + 3) % 7 + 7) % 7);
}
