/* SPDX-License-Identifier: MIT */
/*
 * See values.h: numbers and what is made of them. Names (signals, exit statuses, limits, paths) are in symbols.c.
 */
#include "daemon/values.h"

#include <errno.h>
#include <string.h>
#include <strings.h>

static bool is_digit(char c)
{
	return c >= '0' && c <= '9';
}

static bool is_letter(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

static bool one_of(const char *s, const char *const *words)
{
	for (; *words; words++)
		if (strcasecmp(s, *words) == 0)
			return true;
	return false;
}

int value_bool(const char *s, bool *ret)
{
	static const char *const yes[] = { "1", "yes", "y", "true", "t", "on", NULL };
	static const char *const no[] = { "0", "no", "n", "false", "f", "off", NULL };

	if (!one_of(s, yes) && !one_of(s, no))
		return -EINVAL;
	*ret = one_of(s, yes);
	return 0;
}

/* ---- numbers */

/* Digits of a base at *s, which goes on behind them; there has to be one. */
static int digits(const char **s, unsigned base, uint64_t *ret)
{
	const char *start = *s;
	uint64_t v = 0;
	bool over = false;

	for (; is_digit(**s) && (unsigned)(**s - '0') < base; ++*s)
		over |= __builtin_mul_overflow(v, base, &v) || __builtin_add_overflow(v, (uint64_t)(**s - '0'), &v);
	if (*s == start)
		return -EINVAL;
	if (over)
		return -ERANGE;
	*ret = v;
	return 0;
}

int value_number(const char *s, uint64_t min, uint64_t max, uint64_t *ret)
{
	uint64_t v = UINT64_MAX;
	int r = digits(&s, 10, &v);

	if (r == -EINVAL || *s)
		return -EINVAL;
	if (r < 0 || v < min || v > max)
		return -ERANGE;
	*ret = v;
	return 0;
}

int value_integer(const char *s, int64_t min, int64_t max, int64_t *ret)
{
	bool negative = *s == '-';
	uint64_t v;
	int r = value_number(s + (*s == '-' || *s == '+'), 0, INT64_MAX, &v);

	if (r < 0)
		return r;
	if ((negative ? -(int64_t)v : (int64_t)v) < min || (negative ? -(int64_t)v : (int64_t)v) > max)
		return -ERANGE;
	*ret = negative ? -(int64_t)v : (int64_t)v;
	return 0;
}

int value_mode(const char *s, mode_t *ret)
{
	uint64_t v;
	int r = digits(&s, 8, &v);

	if (r == -EINVAL || *s)
		return -EINVAL;
	if (r < 0 || v > 0777)
		return -ERANGE;
	*ret = (mode_t)v;
	return 0;
}

/* ---- quantities: numbers with a fraction, each with a unit, added up */

#define DAY (24 * HOLT_HOUR)

struct quantity_unit {
	const char *name;
	uint64_t worth;
};

struct quantity {
	uint64_t whole, part, parts; /* whole + part / parts */
};

/* "7", "1.5" or ".5" at *s, which goes on behind it and the blanks after it. */
static int quantity(const char **s, struct quantity *ret)
{
	int r = digits(s, 10, &ret->whole);

	ret->part = 0;
	ret->parts = 1;
	if (r == -EINVAL && **s == '.')
		ret->whole = 0;
	else if (r < 0)
		return r;
	if (**s == '.') {
		if (!is_digit(*++*s))
			return -EINVAL;
		for (; is_digit(**s); ++*s) {
			if (ret->parts > UINT64_MAX / 1000)
				continue; /* what is finer than that makes no difference */
			ret->part = ret->part * 10 + (uint64_t)(**s - '0');
			ret->parts *= 10;
		}
	}
	*s += strspn(*s, " \t");
	return 0;
}

/* Adds a quantity of a unit to *sum. */
static int add_quantity(const struct quantity *q, uint64_t worth, uint64_t *sum)
{
	__uint128_t v = (__uint128_t)q->whole * worth + (__uint128_t)q->part * worth / q->parts + *sum;

	if (v >= UINT64_MAX)
		return -ERANGE;
	*sum = (uint64_t)v;
	return 0;
}

/*
 * What the unit at *s is worth, whose name goes as far as its letters (the micro signs are not ASCII); unitless, if there is
 * none; 0 for one that is not known. *s goes on behind it and the blanks after it.
 */
static uint64_t unit(const char **s, const struct quantity_unit *units, size_t n_units, uint64_t unitless)
{
	const char *name = *s;
	size_t n;

	while (is_letter(**s) || (unsigned char)**s >= 0x80)
		++*s;
	n = (size_t)(*s - name);
	*s += strspn(*s, " \t");
	if (n == 0)
		return unitless;
	for (size_t i = 0; i < n_units; i++)
		if (strlen(units[i].name) == n && memcmp(units[i].name, name, n) == 0)
			return units[i].worth;
	return 0;
}

/* As systemd.time(7) has them; a month is 30.44 days, a year 365.25. */
static const struct quantity_unit span_units[] = {
	{ "s", HOLT_SEC },
	{ "sec", HOLT_SEC },
	{ "second", HOLT_SEC },
	{ "seconds", HOLT_SEC },
	{ "ms", HOLT_MS },
	{ "msec", HOLT_MS },
	{ "us", HOLT_US },
	{ "usec", HOLT_US },
	{ "\xc2\xb5s", HOLT_US }, /* the micro sign */
	{ "\xce\xbcs", HOLT_US }, /* the Greek letter */
	{ "ns", HOLT_NS },
	{ "nsec", HOLT_NS },
	{ "m", HOLT_MIN },
	{ "min", HOLT_MIN },
	{ "minute", HOLT_MIN },
	{ "minutes", HOLT_MIN },
	{ "h", HOLT_HOUR },
	{ "hr", HOLT_HOUR },
	{ "hour", HOLT_HOUR },
	{ "hours", HOLT_HOUR },
	{ "d", DAY },
	{ "day", DAY },
	{ "days", DAY },
	{ "w", 7 * DAY },
	{ "week", 7 * DAY },
	{ "weeks", 7 * DAY },
	{ "M", 2629800 * HOLT_SEC },
	{ "month", 2629800 * HOLT_SEC },
	{ "months", 2629800 * HOLT_SEC },
	{ "y", 31557600 * HOLT_SEC },
	{ "year", 31557600 * HOLT_SEC },
	{ "years", 31557600 * HOLT_SEC },
};

int value_span_in(const char *s, holt_time unitless, holt_time *ret)
{
	holt_time sum = 0;
	int r, over = 0;

	if (strcmp(s, "infinity") == 0) {
		*ret = HOLT_NEVER;
		return 0;
	}
	do {
		struct quantity q;
		uint64_t worth;

		r = quantity(&s, &q);
		if (r == -EINVAL)
			return r;
		worth = unit(&s, span_units, HOLT__N(span_units), unitless);
		if (!worth)
			return -EINVAL;
		over = r < 0 || add_quantity(&q, worth, &sum) < 0 ? -ERANGE : over;
	} while (*s);
	if (over < 0)
		return over;
	*ret = sum;
	return 0;
}

int value_span(const char *s, holt_time *ret)
{
	return value_span_in(s, HOLT_SEC, ret);
}

int value_part(const char *s, const char *end, char *buf, size_t size)
{
	while (end > s && (end[-1] == ' ' || end[-1] == '\t'))
		end--;
	if ((size_t)(end - s) >= size)
		return -EINVAL;
	memcpy(buf, s, (size_t)(end - s));
	buf[end - s] = 0;
	return 0;
}

int value_spans(const char *s, holt_time *ret_min, holt_time *ret_max)
{
	const char *dots = strstr(s, ".."), *rest = dots ? dots + 2 + strspn(dots + 2, " \t") : s;
	holt_time min = 0, max = 0;
	char buf[64];
	int r = 0;

	if (dots)
		r = value_part(s, dots, buf, sizeof buf);
	if (r == 0)
		r = value_span(dots ? buf : s, &min);
	if (r == 0)
		r = value_span(rest, &max);
	if (r < 0)
		return r;
	if (min > max || max == HOLT_NEVER)
		return -ERANGE;
	*ret_min = min;
	*ret_max = max;
	return 0;
}

int value_rate(const char *s, unsigned *ret_n, holt_time *ret_within)
{
	const char *slash = strchr(s, '/');
	holt_time within;
	uint64_t n;
	char buf[32];
	int r;

	if (!slash || value_part(s, slash, buf, sizeof buf) < 0)
		return -EINVAL;
	r = value_number(buf, 0, 10000, &n); /* holtd keeps the times of so many restarts */
	if (r < 0)
		return r;
	slash += 1 + strspn(slash + 1, " \t");
	r = value_span(slash, &within);
	if (r < 0)
		return r;
	if (within == 0)
		return -ERANGE;
	*ret_n = (unsigned)n;
	*ret_within = within;
	return 0;
}

int value_size(const char *s, uint64_t *ret)
{
	static const struct quantity_unit units[] = {
		{ "B", 1 },
		{ "K", 1ull << 10 },
		{ "M", 1ull << 20 },
		{ "G", 1ull << 30 },
		{ "T", 1ull << 40 },
		{ "P", 1ull << 50 },
		{ "E", 1ull << 60 },
	};
	uint64_t sum = 0, worth, last = UINT64_MAX;
	int r, over = 0;

	do {
		struct quantity q;

		r = quantity(&s, &q);
		if (r == -EINVAL)
			return r;
		worth = unit(&s, units, HOLT__N(units), 1);
		if (!worth || worth >= last) /* "1G 500M", but not the other way round */
			return -EINVAL;
		last = worth;
		over = r < 0 || add_quantity(&q, worth, &sum) < 0 ? -ERANGE : over;
	} while (*s);
	if (over < 0)
		return over;
	*ret = sum;
	return 0;
}

int value_percent(const char *s, unsigned *ret)
{
	struct quantity q;
	uint64_t v = 0;
	int r = quantity(&s, &q);

	if (r == -EINVAL || strcmp(s, "%") != 0)
		return -EINVAL;
	if (r < 0 || add_quantity(&q, 100, &v) < 0 || v > 10000)
		return -ERANGE;
	*ret = (unsigned)v;
	return 0;
}
