/* SPDX-License-Identifier: MIT */
#include "base/civil.h"

static bool is_leap(int year)
{
	return year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
}

/* Leap years from 1 to year. */
static int64_t leaps(int64_t year)
{
	return year / 4 - year / 100 + year / 400;
}

static int64_t first_day(int year)
{
	return 365 * ((int64_t)year - 1970) + leaps((int64_t)year - 1) - leaps(1969);
}

int holt__month_days(int year, int month)
{
	static const int8_t days[] = { 31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31 };

	return days[month - 1] + (month == 2 && is_leap(year));
}

int64_t holt__days_of(int year, int month, int day)
{
	int64_t days = first_day(year) + day - 1;

	for (int m = 1; m < month; m++)
		days += holt__month_days(year, m);
	return days;
}

struct holt__date holt__date_of(int64_t days)
{
	struct holt__date d = { .year = (int)(1970 + days * 400 / 146097), .month = 1 }; /* 400 years have so many days */
	int64_t left;

	while (first_day(d.year) > days)
		d.year--;
	while (first_day(d.year + 1) <= days)
		d.year++;
	left = days - first_day(d.year);
	for (; left >= holt__month_days(d.year, d.month); d.month++)
		left -= holt__month_days(d.year, d.month);
	d.day = (int)left + 1;
	return d;
}
