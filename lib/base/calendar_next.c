/* SPDX-License-Identifier: MIT */
/*
 * The next point of a calendar expression.
 *
 * It is looked for on the wall clock, as if that knew no changes: the first point not before what the wall clock shows now.
 * Only then is it asked when that is. Where clocks are put forward a point may never be shown: it is left out, and the
 * search goes on behind the gap. Where they are put back one is shown twice: it counts once, the first time, unless that has passed
 * already and the clock shows it again. So "02:30" comes once in a night that has it twice, "*:30" has nothing to say for an
 * hour there, and a day on which there is no 02:30 has no moment. This is what systemd does, as its systemd-analyze tells;
 * tests/test_calendar.c compares.
 */
#include <errno.h>

#include "base/calendar.h"
#include "base/civil.h"

#define SECOND INT64_C(1000000)
#define MINUTE (60 * SECOND)
#define HOUR (60 * MINUTE)
#define DAY (24 * HOUR)

/* More than two offsets are apart, so what is in force so much before and after a point of the wall clock is what was before and after it. */
enum { AROUND = 26 * 60 * 60 };

/* ---- on the wall clock; -1: there is none */

static bool has_day(const struct holt__calendar *c, int64_t days, int day, int month_days)
{
	if (!(c->weekdays & 1U << holt__weekday_of(days)))
		return false;
	return (c->days & UINT32_C(1) << day) || (c->days_left & UINT32_C(1) << (month_days - day + 1));
}

static int64_t next_in_month(const struct holt__calendar *c, struct holt__date d)
{
	int n = holt__month_days(d.year, d.month);
	int64_t days = holt__days_of(d.year, d.month, d.day);

	for (; d.day <= n; d.day++, days++)
		if (has_day(c, days, d.day, n))
			return days;
	return -1;
}

static int64_t next_day(const struct holt__calendar *c, int64_t from)
{
	struct holt__date d = holt__date_of(from);

	for (; d.year <= HOLT__YEAR_MAX; d.year++, d.month = d.day = 1) {
		unsigned y = (unsigned)(d.year - HOLT__YEAR_MIN);

		if (!(c->years[y / 64] & UINT64_C(1) << y % 64))
			continue;
		for (; d.month <= 12; d.month++, d.day = 1) {
			int64_t days = c->months & 1U << d.month ? next_in_month(c, d) : -1;

			if (days >= 0)
				return days;
		}
	}
	return -1;
}

static int64_t next_of_run(const struct holt__calendar_run *r, int64_t from)
{
	int64_t at = r->first;

	if (from > at)
		at += (from - at + r->step - 1) / r->step * r->step;
	return at <= r->last ? at : -1;
}

static int64_t next_of_minute(const struct holt__calendar *c, int64_t from)
{
	int64_t first = -1;

	for (int64_t s = (from + SECOND - 1) / SECOND; s < 60; s++) {
		if (c->seconds & UINT64_C(1) << s) {
			first = s * SECOND;
			break;
		}
	}
	for (size_t i = 0; i < c->n_runs; i++) {
		int64_t at = next_of_run(&c->runs[i], from);

		if (at >= 0 && (first < 0 || at < first))
			first = at;
	}
	return first;
}

static int64_t next_of_hour(const struct holt__calendar *c, int64_t from)
{
	for (int64_t m = from / MINUTE; m < 60; m++) {
		int64_t at = c->minutes & UINT64_C(1) << m ? next_of_minute(c, m * MINUTE < from ? from - m * MINUTE : 0) : -1;

		if (at >= 0)
			return m * MINUTE + at;
	}
	return -1;
}

static int64_t next_of_day(const struct holt__calendar *c, int64_t from)
{
	for (int64_t h = from / HOUR; h < 24; h++) {
		int64_t at = c->hours & UINT32_C(1) << h ? next_of_hour(c, h * HOUR < from ? from - h * HOUR : 0) : -1;

		if (at >= 0)
			return h * HOUR + at;
	}
	return -1;
}

static int64_t next_on_wall(const struct holt__calendar *c, int64_t from)
{
	int64_t days = from / DAY, at = from % DAY, d;

	for (;; days = d + 1, at = 0) {
		d = next_day(c, days);
		if (d < 0)
			return -1;
		if (d > days)
			at = 0;
		at = next_of_day(c, at);
		if (at >= 0)
			return d * DAY + at;
	}
}

/* ---- when that is */

struct zone {
	holt__offset_fn *offset;
	const void *zone;
};

static int64_t floor_seconds(int64_t us)
{
	return us / SECOND - (us % SECOND < 0);
}

static int64_t offset_at(const struct zone *z, int64_t us)
{
	return z->offset(z->zone, floor_seconds(us)) * SECOND;
}

#define NEVER INT64_MAX

/* When the wall clock shows it, first or again, not before `from`. */
static int64_t moment(const struct zone *z, int64_t wall, int64_t from)
{
	int64_t before = offset_at(z, wall - AROUND * SECOND), after = offset_at(z, wall + AROUND * SECOND);
	int64_t offsets[] = { before, after, offset_at(z, wall - before), offset_at(z, wall - after) };
	int64_t first = NEVER;

	for (size_t i = 0; i < HOLT__N(offsets); i++) {
		int64_t at = wall - offsets[i];

		if (at >= from && at < first && offset_at(z, at) == offsets[i])
			first = at;
	}
	return first;
}

/* A point that is never shown: where the wall clock goes on behind the gap. */
static int64_t behind_gap(const struct zone *z, int64_t wall)
{
	int64_t low = floor_seconds(wall) - AROUND, high = floor_seconds(wall) + AROUND, end;
	int32_t before = z->offset(z->zone, low);

	while (high - low > 1) {
		int64_t middle = low + (high - low) / 2;

		if (z->offset(z->zone, middle) == before)
			low = middle;
		else
			high = middle;
	}
	end = (high + z->offset(z->zone, high)) * SECOND;
	return end > wall ? end : wall + SECOND;
}

int holt__calendar_next(
	const struct holt__calendar *c, holt__offset_fn *offset, const void *zone, int64_t after_us, int64_t *ret_us)
{
	const struct zone z = { offset, zone };
	int64_t last = holt__days_of(HOLT__YEAR_MAX + 1, 1, 2) * DAY, from, wall, at;

	if (after_us >= last)
		return -ENOENT;
	from = after_us < -2 * DAY ? -2 * DAY : after_us + 1; /* no zone's 1970 begins earlier */
	wall = from + offset_at(&z, from);
	if (wall < 0)
		wall = 0;
	for (;; wall = behind_gap(&z, wall)) {
		wall = next_on_wall(c, wall);
		if (wall < 0)
			return -ENOENT;
		at = moment(&z, wall, from);
		if (at != NEVER) {
			*ret_us = at;
			return 0;
		}
	}
}
