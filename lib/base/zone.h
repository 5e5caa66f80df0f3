/* SPDX-License-Identifier: MIT */
/*
 * Time zones: what a zone file (RFC 8536) or a POSIX TZ text says of the offset from UTC. libc's are the whole process's, and
 * change with its environment; these are values, so each call and each thread has the zone that it asked for.
 */
#pragma once
#include "base/base.h"

/* On which day of a year, and how many seconds after its beginning. */
struct holt__zone_day {
	char kind; /* 'M': week and weekday of a month, 'J': 1 to 365 without leap days, 'N': 0 to 365 */
	int month, week, day;
	int32_t seconds;
};

/* What a POSIX text says: for all times, or for those behind a file's last change. */
struct holt__zone_rule {
	int32_t standard, summer; /* seconds east of UTC */
	bool has_summer;
	struct holt__zone_day begin, end; /* of summer time, on the clock in force before it */
};

struct holt__zone {
	const unsigned char *changes, *types,
		*infos; /* in the file's bytes: moments, a type's number for each, offsets of types */
	size_t n_changes, n_types, change_size;
	bool has_rule;
	struct holt__zone_rule rule;
};

/*
 * A file's bytes, which stay the caller's and must outlive it. -EINVAL: they are none; -EOPNOTSUPP: it counts leap seconds, of
 * which CLOCK_REALTIME knows nothing.
 */
int holt__zone_file(struct holt__zone *ret, const void *bytes, size_t n);
int holt__zone_text(struct holt__zone *ret, const char *text, size_t n); /* "CET-1CEST,M3.5.0,M10.5.0/3"; -EINVAL */

/* Seconds east of UTC. zone: a struct holt__zone, or NULL for UTC: as holt__calendar_next asks. */
int32_t holt__zone_offset(const void *zone, int64_t at);
