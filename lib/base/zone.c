/* SPDX-License-Identifier: MIT */
/*
 * Nothing here trusts the bytes: each count is held against their number before it is used, and each type against the types
 * that there are.
 */
#include "base/zone.h"

#include <errno.h>
#include <string.h>

#include "base/civil.h"

enum { HEADER = 44, INFO = 6, OFFSET_MAX = 26 * 3600 };

/* ---- a POSIX text */

struct reader {
	const char *at, *end;
};

static char peek(const struct reader *r)
{
	return (char)(r->at < r->end ? *r->at : 0);
}

static bool skip(struct reader *r, char c)
{
	if (peek(r) != c || c == 0)
		return false;
	r->at++;
	return true;
}

static bool is_digit(char c)
{
	return c >= '0' && c <= '9';
}

static bool is_letter(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

static int read_number(struct reader *r, int min, int max, int *ret)
{
	int value = 0;

	if (!is_digit(peek(r)))
		return -EINVAL;
	for (; is_digit(peek(r)); r->at++) {
		value = value * 10 + (*r->at - '0');
		if (value > max)
			return -EINVAL;
	}
	*ret = value;
	return value < min ? -EINVAL : 0;
}

/* [+-]hours[:minutes[:seconds]] */
static int read_span(struct reader *r, int hours_max, int32_t *ret)
{
	bool minus = skip(r, '-');
	int h, m = 0, s = 0;

	if (!minus)
		skip(r, '+');
	if (read_number(r, 0, hours_max, &h) < 0)
		return -EINVAL;
	if (skip(r, ':') && read_number(r, 0, 59, &m) < 0)
		return -EINVAL;
	if (skip(r, ':') && read_number(r, 0, 59, &s) < 0)
		return -EINVAL;
	*ret = (minus ? -1 : 1) * (h * 3600 + m * 60 + s);
	return 0;
}

/* Letters, or anything between < and >. */
static int read_name(struct reader *r)
{
	const char *start = r->at;

	if (skip(r, '<')) {
		while (r->at < r->end && *r->at != '>')
			r->at++;
		return skip(r, '>') ? 0 : -EINVAL;
	}
	while (is_letter(peek(r)))
		r->at++;
	return r->at - start < 3 ? -EINVAL : 0;
}

static int read_day(struct reader *r, struct holt__zone_day *d)
{
	int e;

	d->seconds = 2 * 3600;
	if (skip(r, 'M')) {
		d->kind = 'M';
		e = read_number(r, 1, 12, &d->month);
		if (e == 0)
			e = skip(r, '.') ? read_number(r, 1, 5, &d->week) : -EINVAL;
		if (e == 0)
			e = skip(r, '.') ? read_number(r, 0, 6, &d->day) : -EINVAL;
	} else {
		d->kind = skip(r, 'J') ? 'J' : 'N';
		e = read_number(r, d->kind == 'J', 365, &d->day);
	}
	if (e == 0 && skip(r, '/'))
		e = read_span(r, 167, &d->seconds);
	return e;
}

static int read_rule(const char *text, size_t n, struct holt__zone_rule *ret)
{
	struct holt__zone_rule rule = { 0 };
	struct reader r = { text, text + n };
	static const char usual[] = ",M3.2.0,M11.1.0"; /* where summer time has no days: as libc takes it */

	if (read_name(&r) < 0 || read_span(&r, 24, &rule.standard) < 0)
		return -EINVAL;
	rule.standard = -rule.standard; /* POSIX counts west */
	if (r.at < r.end) {
		rule.has_summer = true;
		rule.summer = rule.standard + 3600;
		if (read_name(&r) < 0)
			return -EINVAL;
		if (r.at < r.end && *r.at != ',') {
			if (read_span(&r, 24, &rule.summer) < 0)
				return -EINVAL;
			rule.summer = -rule.summer;
		}
		if (r.at == r.end)
			r = (struct reader){ usual, usual + sizeof usual - 1 };
		if (!skip(&r, ',') || read_day(&r, &rule.begin) < 0 || !skip(&r, ',') || read_day(&r, &rule.end) < 0)
			return -EINVAL;
	}
	if (r.at != r.end)
		return -EINVAL;
	*ret = rule;
	return 0;
}

int holt__zone_text(struct holt__zone *ret, const char *text, size_t n)
{
	struct holt__zone z = { .has_rule = true };
	int r = read_rule(text, n, &z.rule);

	if (r == 0)
		*ret = z;
	return r;
}

/* ---- a file */

static int64_t number(const unsigned char *p, size_t size)
{
	uint64_t v = p[0] & 0x80 && size < 8 ? UINT64_MAX : 0;

	for (size_t i = 0; i < size; i++)
		v = v << 8 | p[i];
	return (int64_t)v;
}

struct counts {
	size_t utc, standard, leap, changes, types, chars;
};

static int read_header(const unsigned char *p, size_t n, struct counts *ret)
{
	size_t v[6];

	if (n < HEADER || memcmp(p, "TZif", 4) != 0)
		return -EINVAL;
	for (size_t i = 0; i < HOLT__N(v); i++) {
		v[i] = (size_t)number(p + 20 + 4 * i, 4) & UINT32_MAX;
		if (v[i] > n)
			return -EINVAL;
	}
	*ret = (struct counts){ v[0], v[1], v[2], v[3], v[4], v[5] };
	return ret->types == 0 ? -EINVAL : 0;
}

static size_t block_size(const struct counts *c, size_t change_size)
{
	return c->changes * (change_size + 1) + c->types * INFO + c->chars + c->leap * (change_size + 4) + c->standard + c->utc;
}

static int look_at_block(struct holt__zone *z, const unsigned char *p, const struct counts *c)
{
	z->changes = p;
	z->n_changes = c->changes;
	z->types = p + c->changes * z->change_size;
	z->infos = z->types + c->changes;
	z->n_types = c->types;
	if (c->leap > 0)
		return -EOPNOTSUPP;
	for (size_t i = 0; i < c->changes; i++)
		if (z->types[i] >= c->types)
			return -EINVAL;
	for (size_t i = 0; i < c->types; i++)
		if (number(z->infos + i * INFO, 4) < -OFFSET_MAX || number(z->infos + i * INFO, 4) > OFFSET_MAX)
			return -EINVAL;
	return 0;
}

/* Behind the block: a line of its own; an empty one says that the last offset stays. */
static int read_footer(struct holt__zone *z, const unsigned char *p, size_t n)
{
	const unsigned char *end;

	if (n < 2 || p[0] != '\n')
		return -EINVAL;
	end = memchr(p + 1, '\n', n - 1);
	if (!end)
		return -EINVAL;
	z->has_rule = end > p + 1;
	return z->has_rule ? read_rule((const char *)p + 1, (size_t)(end - p - 1), &z->rule) : 0;
}

int holt__zone_file(struct holt__zone *ret, const void *bytes, size_t n)
{
	struct holt__zone z = { .change_size = 4 };
	const unsigned char *p = bytes;
	struct counts c;
	size_t size;
	int r = read_header(p, n, &c);

	if (r < 0)
		return r;
	size = HEADER + block_size(&c, 4);
	if (size > n)
		return -EINVAL;
	if (p[4] >= '2') { /* the same again with moments of eight bytes, which counts in place of the first */
		p += size;
		n -= size;
		z.change_size = 8;
		r = read_header(p, n, &c);
		if (r < 0)
			return r;
		size = HEADER + block_size(&c, 8);
		if (size > n)
			return -EINVAL;
		r = read_footer(&z, p + size, n - size);
		if (r < 0)
			return r;
	}
	r = look_at_block(&z, p + HEADER, &c);
	if (r == 0)
		*ret = z;
	return r;
}

/* ---- the offset at a moment */

static int64_t day_of(const struct holt__zone_day *d, int year)
{
	bool leap = holt__month_days(year, 2) == 29;
	int64_t days;
	int n;

	if (d->kind != 'M')
		return holt__days_of(year, 1, 1) + d->day - (d->kind == 'J') + (d->kind == 'J' && leap && d->day >= 60);
	days = holt__days_of(year, d->month, 1);
	n = (d->day + 6 - holt__weekday_of(days)) % 7 + 7 * (d->week - 1); /* theirs begins with Sunday */
	while (n >= holt__month_days(year, d->month))
		n -= 7; /* the fifth is the last */
	return days + n;
}

static int64_t change_of(const struct holt__zone_day *d, int year, int32_t offset)
{
	return day_of(d, year) * HOLT__DAY_SECONDS + d->seconds - offset;
}

static int32_t by_rule(const struct holt__zone_rule *r, int64_t at)
{
	int64_t local = at + r->standard, begin, end;
	int year;
	bool summer;

	if (!r->has_summer)
		return r->standard;
	year = holt__date_of(local / HOLT__DAY_SECONDS - (local % HOLT__DAY_SECONDS < 0)).year;
	begin = change_of(&r->begin, year, r->standard);
	end = change_of(&r->end, year, r->summer);
	summer = begin < end ? begin <= at && at < end : at < end || begin <= at;
	return summer ? r->summer : r->standard;
}

static int32_t offset_of_type(const struct holt__zone *z, size_t type)
{
	return (int32_t)number(z->infos + type * INFO, 4);
}

int32_t holt__zone_offset(const void *zone, int64_t at)
{
	const struct holt__zone *z = zone;
	size_t low = 0, high;

	if (!z)
		return 0;
	high = z->n_changes;
	while (low < high) { /* how many are not behind it */
		size_t middle = low + (high - low) / 2;

		if (number(z->changes + middle * z->change_size, z->change_size) <= at)
			low = middle + 1;
		else
			high = middle;
	}
	if (low == z->n_changes && z->has_rule)
		return by_rule(&z->rule, at);
	return offset_of_type(z, low > 0 ? z->types[low - 1] : 0);
}
