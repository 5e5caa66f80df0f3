/* SPDX-License-Identifier: MIT */
/*
 * Reading a calendar expression. Each of its parts becomes a set of numbers, so that lists, ranges and repetitions in any
 * order and number need no memory; only seconds with fractions are kept as they were written.
 *
 * An expression is read from the left, and a part that is not there leaves the text where it was. Whether a number belongs to
 * a date or to a time is known by what follows it, so a date is tried first.
 */
#include "base/calendar.h"

#include <errno.h>
#include <string.h>
#include <strings.h>

#include "base/civil.h"

enum { SECOND = 1000000, MINUTE = 60 * SECOND, NUMBER_MAX = 1000000 };

struct reader {
	const char *at, *end;
};

static char peek(const struct reader *r)
{
	return (char)(r->at < r->end ? *r->at : 0);
}

static bool skip(struct reader *r, const char *word)
{
	size_t n = strlen(word);

	if ((size_t)(r->end - r->at) < n || memcmp(r->at, word, n) != 0)
		return false;
	r->at += n;
	return true;
}

static bool at_word_end(const struct reader *r)
{
	return r->at == r->end || *r->at == ' ';
}

static void skip_spaces(struct reader *r)
{
	while (skip(r, " "))
		;
}

static bool is_digit(char c)
{
	return c >= '0' && c <= '9';
}

static bool is_letter(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

/* ---- sets */

/* One item of a list: first[..last][/step], with step 0: none was said, and last -1: none. */
struct item {
	int64_t first, last, step;
};

/* What a component may hold, and where its items go. */
struct field {
	int64_t min, max, unit; /* unit: of what a number counts; a fraction only where it is more than 1 */
	bool year;
	int (*add)(struct holt__calendar *c, const struct item *i); /* last >= first, step > 0 */
};

static int add_year(struct holt__calendar *c, const struct item *i)
{
	for (int64_t v = i->first - HOLT__YEAR_MIN; v <= i->last - HOLT__YEAR_MIN; v += i->step)
		c->years[v / 64] |= UINT64_C(1) << v % 64;
	return 0;
}

static uint64_t bits(const struct item *i)
{
	uint64_t set = 0;

	for (int64_t v = i->first; v <= i->last; v += i->step)
		set |= UINT64_C(1) << v;
	return set;
}

static int add_month(struct holt__calendar *c, const struct item *i)
{
	c->months |= (uint16_t)bits(i);
	return 0;
}

static int add_day(struct holt__calendar *c, const struct item *i)
{
	c->days |= (uint32_t)bits(i);
	return 0;
}

static int add_day_left(struct holt__calendar *c, const struct item *i)
{
	c->days_left |= (uint32_t)bits(i);
	return 0;
}

static int add_hour(struct holt__calendar *c, const struct item *i)
{
	c->hours |= (uint32_t)bits(i);
	return 0;
}

static int add_minute(struct holt__calendar *c, const struct item *i)
{
	c->minutes |= bits(i);
	return 0;
}

static int add_second(struct holt__calendar *c, const struct item *i)
{
	if (i->first % SECOND == 0 && (i->step % SECOND == 0 || i->last - i->first < i->step)) {
		for (int64_t v = i->first; v <= i->last; v += i->step)
			c->seconds |= UINT64_C(1) << v / SECOND;
		return 0;
	}
	if (c->n_runs == HOLT__CALENDAR_RUNS)
		return -E2BIG;
	c->runs[c->n_runs++] = (struct holt__calendar_run){ (int32_t)i->first, (int32_t)i->last,
		(int32_t)(i->step < MINUTE ? i->step : MINUTE) }; /* a longer step is past the last, too */
	return 0;
}

static const struct field year = { HOLT__YEAR_MIN, HOLT__YEAR_MAX, 1, true, add_year };
static const struct field month = { 1, 12, 1, false, add_month };
static const struct field day = { 1, 31, 1, false, add_day };
static const struct field day_left = { 1, 28, 1, false, add_day_left }; /* every month has as many */
static const struct field hour = { 0, 23, 1, false, add_hour };
static const struct field minute = { 0, 59, 1, false, add_minute };
static const struct field second = { 0, MINUTE - 1, SECOND, false, add_second };

/* ---- numbers and lists */

static int read_fraction(struct reader *r, int64_t *value)
{
	int64_t unit = SECOND / 10;

	if (!is_digit(peek(r)))
		return -EINVAL;
	for (size_t n = 0; is_digit(peek(r)); r->at++, n++, unit /= 10) {
		if (unit > 0)
			*value += (*r->at - '0') * unit;
		else if (n == 6 && *r->at >= '5') /* the seventh rounds, and those behind it say nothing */
			++*value;
	}
	return 0;
}

static int read_number(struct reader *r, const struct field *f, int64_t *ret)
{
	int64_t value = 0;

	if (!is_digit(peek(r)))
		return -EINVAL;
	for (; is_digit(peek(r)); r->at++) {
		value = value * 10 + (*r->at - '0');
		if (value > NUMBER_MAX)
			return -EINVAL;
	}
	value *= f->unit;
	*ret = value;
	if (f->unit > 1 && peek(r) == '.' && r->at + 1 < r->end && r->at[1] != '.') {
		r->at++;
		return read_fraction(r, ret);
	}
	return 0;
}

static int read_value(struct reader *r, const struct field *f, int64_t *ret)
{
	int n = read_number(r, f, ret);

	if (n < 0)
		return n;
	if (f->year && *ret < 100) /* two digits */
		*ret += *ret < 70 ? 2000 : 1900;
	return *ret < f->min || *ret > f->max ? -EINVAL : 0;
}

static int read_item(struct reader *r, const struct field *f, struct item *ret)
{
	struct item i = { .last = -1 };

	if (read_value(r, f, &i.first) < 0)
		return -EINVAL;
	if (skip(r, "..") && (read_value(r, f, &i.last) < 0 || i.last < i.first))
		return -EINVAL;
	if (skip(r, "/") && (read_number(r, f, &i.step) < 0 || i.step == 0))
		return -EINVAL;
	*ret = i;
	return 0;
}

/* Without an end an item goes on as far as the component does; from the month's end it counts down to the last day. */
static int complete(const struct field *f, struct item *i)
{
	if (i->last < 0 && i->step > 0 && f == &day_left) {
		if (i->first - i->step < f->min)
			return -EINVAL;
		i->last = i->first;
		i->first -= (i->first - f->min) / i->step * i->step;
	} else if (i->last < 0 && i->step > 0) {
		if (i->first + i->step > f->max)
			return -EINVAL;
		i->last = f->max;
	} else if (i->last < 0) {
		i->last = i->first;
	}
	if (i->step == 0)
		i->step = f->unit;
	return 0;
}

static int read_list(struct reader *r, const struct field *f, struct holt__calendar *c)
{
	struct item i;
	int n;

	if (skip(r, "*")) {
		i = (struct item){ f->min, f == &day_left ? day.max : f->max, f->unit };
		return f == &day_left ? day.add(c, &i) : f->add(c, &i);
	}
	do {
		n = read_item(r, f, &i);
		if (n == 0)
			n = complete(f, &i);
		if (n == 0)
			n = f->add(c, &i);
	} while (n == 0 && skip(r, ","));
	return n;
}

/* ---- the parts */

/* A name, in full or its first three letters, and then none more. Which one, from 0: Monday; or -1. */
static int read_weekday(struct reader *r)
{
	static const char *const names[] = { "monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday" };
	size_t n = 0;

	while (r->at + n < r->end && is_letter(r->at[n]))
		n++;
	for (int i = 0; i < (int)HOLT__N(names); i++) {
		if ((n == 3 || n == strlen(names[i])) && strncasecmp(r->at, names[i], n) == 0) {
			r->at += n;
			return i;
		}
	}
	return -1;
}

static int read_weekdays(struct reader *r, struct holt__calendar *c)
{
	int first = read_weekday(r), last;

	if (first < 0) { /* none is said */
		c->weekdays = 0x7f;
		return 0;
	}
	for (;; first = read_weekday(r)) {
		last = first;
		if (skip(r, "..") || skip(r, "-")) /* the second is how it was written once */
			last = read_weekday(r);
		if (first < 0 || last < first)
			return -EINVAL;
		for (int i = first; i <= last; i++)
			c->weekdays |= (uint8_t)(1U << i);
		if (skip(r, ",")) {
			if (at_word_end(r))
				break;
		} else if (at_word_end(r)) {
			break;
		} else {
			return -EINVAL;
		}
	}
	skip_spaces(r);
	return 0;
}

static void any_year(struct holt__calendar *c)
{
	year.add(c, &(struct item){ year.min, year.max, 1 });
}

static void any_day(struct holt__calendar *c)
{
	any_year(c);
	month.add(c, &(struct item){ month.min, month.max, 1 });
	day.add(c, &(struct item){ day.min, day.max, 1 });
}

/* How many of the word's separators come: what its lists are for is not known before. */
static size_t count_separators(const struct reader *r, const char *which)
{
	size_t n = 0;

	for (const char *p = r->at; p < r->end && *p != ' '; p++)
		n += strchr(which, *p) != NULL;
	return n;
}

static int read_date(struct reader *r, struct holt__calendar *c)
{
	size_t n = count_separators(r, "-~");
	bool left;
	int e = 0;

	if (n == 0) {
		any_day(c);
		return 0;
	}
	if (n > 2)
		return -EINVAL;
	if (n == 2) {
		e = read_list(r, &year, c);
		if (e == 0 && !skip(r, "-"))
			e = -EINVAL;
	} else {
		any_year(c);
	}
	if (e == 0)
		e = read_list(r, &month, c);
	left = skip(r, "~");
	if (e == 0 && !left && !skip(r, "-"))
		e = -EINVAL;
	if (e == 0)
		e = read_list(r, left ? &day_left : &day, c);
	if (e < 0)
		return e;
	if (!at_word_end(r))
		return -EINVAL;
	skip_spaces(r);
	return 0;
}

static int read_time(struct reader *r, struct holt__calendar *c)
{
	int e;

	if (r->at == r->end) {
		c->hours = 1;
		c->minutes = c->seconds = 1;
		return 0;
	}
	e = read_list(r, &hour, c);
	if (e == 0 && !skip(r, ":"))
		e = -EINVAL;
	if (e == 0)
		e = read_list(r, &minute, c);
	if (e < 0)
		return e;
	if (skip(r, ":")) {
		e = read_list(r, &second, c);
	} else {
		c->seconds = 1;
	}
	return e < 0 || r->at == r->end ? e : -EINVAL;
}

/* @SECONDS since 1970. */
static int read_epoch(struct reader *r, struct holt__calendar *c)
{
	int64_t s = 0, of_day;
	struct holt__date d;

	if (!is_digit(peek(r)))
		return -EINVAL;
	for (; is_digit(peek(r)); r->at++) {
		s = s * 10 + (*r->at - '0');
		if (s >= holt__days_of(HOLT__YEAR_MAX + 1, 1, 1) * HOLT__DAY_SECONDS)
			return -EINVAL;
	}
	if (r->at != r->end)
		return -EINVAL;
	d = holt__date_of(s / HOLT__DAY_SECONDS);
	of_day = s % HOLT__DAY_SECONDS;
	c->utc = true;
	c->weekdays = 0x7f;
	year.add(c, &(struct item){ d.year, d.year, 1 });
	c->months = (uint16_t)(1U << d.month);
	c->days = UINT32_C(1) << d.day;
	c->hours = UINT32_C(1) << of_day / 3600;
	c->minutes = UINT64_C(1) << of_day / 60 % 60;
	c->seconds = UINT64_C(1) << of_day % 60;
	return 0;
}

static const char *shorthand(const char *text, size_t n)
{
	static const struct {
		const char *name, *means;
	} all[] = {
		{ "minutely", "*-*-* *:*:00" }, { "hourly", "*-*-* *:00:00" }, { "daily", "*-*-* 00:00:00" },
		{ "weekly", "Mon *-*-* 00:00:00" }, { "monthly", "*-*-01 00:00:00" },
		{ "quarterly", "*-01,04,07,10-01 00:00:00" }, { "semiannually", "*-01,07-01 00:00:00" },
		{ "semi-annually", "*-01,07-01 00:00:00" }, { "biannually", "*-01,07-01 00:00:00" },
		{ "bi-annually", "*-01,07-01 00:00:00" }, { "yearly", "*-01-01 00:00:00" }, { "annually", "*-01-01 00:00:00" },
		{ "anually", "*-01-01 00:00:00" }, /* systemd lets it pass */
	};

	for (size_t i = 0; i < HOLT__N(all); i++)
		if (strlen(all[i].name) == n && strncasecmp(text, all[i].name, n) == 0)
			return all[i].means;
	return NULL;
}

int holt__calendar_parse(const char *text, size_t n, struct holt__calendar *ret)
{
	const char *means = shorthand(text, n);
	struct reader r = { means ? means : text, means ? means + strlen(means) : text + n };
	struct holt__calendar c = { .n_runs = 0 };
	int e;

	if (skip(&r, "@")) {
		e = read_epoch(&r, &c);
	} else {
		e = r.at == r.end || *r.at == ' ' ? -EINVAL : read_weekdays(&r, &c);
		if (e == 0)
			e = read_date(&r, &c);
		if (e == 0)
			e = read_time(&r, &c);
	}
	if (e == 0)
		*ret = c;
	return e;
}

bool holt__calendar_zone(const char *text, size_t *ret_before, const char **ret_name, size_t *ret_n)
{
	const char *space = strrchr(text, ' '), *name;

	if (!space || !is_letter(space[1]))
		return false;
	name = space + 1;
	for (const char *p = name; *p; p++)
		if (!is_letter(*p) && !is_digit(*p) && !(*p == '/' ? p[1] && p[1] != '/' : strchr("+-_", *p) != NULL))
			return false;
	*ret_before = (size_t)(space - text);
	*ret_name = name;
	*ret_n = strlen(name);
	return true;
}
