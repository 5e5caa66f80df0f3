/* SPDX-License-Identifier: MIT */
/*
 * Points in time as tests write them: "2026-11-24 20:15:00.5", in UTC. For suites that include it once.
 */
#pragma once
#include <time.h>

#include "harness.h"

#include "base/civil.h"

static inline int64_t at(const char *utc)
{
	int year, month, day, h = 0, m = 0, s = 0, us = 0;
	int n = sscanf(utc, "%d-%d-%d %d:%d:%d.%6d", &year, &month, &day, &h, &m, &s, &us);

	ck_assert_int_ge(n, 3);
	return (holt__days_of(year, month, day) * HOLT__DAY_SECONDS + h * 3600 + m * 60 + s) * 1000000 + us;
}

static inline const char *show(int64_t us)
{
	static char text[64];
	int64_t s = us / 1000000 - (us % 1000000 < 0);
	time_t t = (time_t)s;
	struct tm tm;

	gmtime_r(&t, &tm);
	strftime(text, sizeof text, "%F %T", &tm);
	if (us % 1000000 != 0)
		sprintf(strchr(text, 0), ".%06d", (int)(us - s * 1000000));
	return text;
}

static inline void use_zone(const char *tz)
{
	setenv("TZ", tz, 1);
}

static inline bool no_zones(void)
{
	return access("/usr/share/zoneinfo/Australia/Lord_Howe", R_OK) != 0;
}
