/* SPDX-License-Identifier: MIT */
/*
 * Calendar expressions: what is one, and when it is next; and the time zones of this machine. test_calendar_systemd.c compares with
 * systemd's own word.
 */
#include <fcntl.h>

#include "calendar.h"

#include "base/calendar.h"
#include "base/zone.h"

/* ---- the day */

TEST(days_and_dates_are_one_to_one)
{
	int64_t days = holt__days_of(1600, 1, 1);

	for (int year = 1600; year <= 2500; year++) {
		for (int month = 1; month <= 12; month++) {
			for (int day = 1; day <= holt__month_days(year, month); day++, days++) {
				struct holt__date d = holt__date_of(days);

				ck_assert_int_eq(holt__days_of(year, month, day), days);
				ck_assert(d.year == year && d.month == month && d.day == day);
			}
		}
	}
	ck_assert_int_eq(holt__days_of(1970, 1, 1), 0);
	ck_assert_int_eq(holt__days_of(2000, 3, 1), 11017);
	ck_assert_int_eq(holt__weekday_of(0), 3);
	ck_assert_int_eq(holt__weekday_of(-4), 6);
	ck_assert_int_eq(holt__weekday_of(holt__days_of(2026, 11, 24)), 1);
}

/* ---- what an expression is */

/* Each of the moments that follow one another, in one text. */
struct row {
	const char *calendar, *after, *then;
};

static const char *moments(const char *calendar, int64_t us, size_t n)
{
	static char text[1024];

	text[0] = 0;
	for (size_t i = 0; i < n; i++) {
		int r = holt_calendar_next(calendar, us, &us);

		if (i > 0)
			strcat(text, ", ");
		strcat(text, r == 0 ? show(us) : r == -ENOENT ? "never" : strerrorname_np(-r));
		if (r < 0)
			break;
	}
	return text;
}

static void check_rows(const struct row *rows, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		size_t commas = 0;

		for (const char *p = rows[i].then; *p; p++)
			commas += *p == ',';
		ck_assert_msg(strcmp(moments(rows[i].calendar, at(rows[i].after), commas + 1), rows[i].then) == 0,
			"%s after %s: %s and not %s", rows[i].calendar, rows[i].after,
			moments(rows[i].calendar, at(rows[i].after), commas + 1), rows[i].then);
	}
}

TEST(expressions_mean_what_the_manual_says)
{
	static const struct row rows[] = {
		{ "minutely", "2026-01-01 00:00:30", "2026-01-01 00:01:00, 2026-01-01 00:02:00" },
		{ "hourly", "2026-01-01", "2026-01-01 01:00:00" }, { "daily", "2026-01-01", "2026-01-02 00:00:00" },
		{ "weekly", "2026-01-01", "2026-01-05 00:00:00, 2026-01-12 00:00:00" },
		{ "monthly", "2026-01-01", "2026-02-01 00:00:00" },
		{ "quarterly", "2026-01-01",
			"2026-04-01 00:00:00, 2026-07-01 00:00:00, 2026-10-01 00:00:00, 2027-01-01 00:00:00" },
		{ "semiannually", "2026-01-01", "2026-07-01 00:00:00, 2027-01-01 00:00:00" },
		{ "Yearly", "2026-01-01", "2027-01-01 00:00:00" },
		{ "ANNUALLY", "2025-12-31 23:59:59.999999", "2026-01-01 00:00:00" },
		{ "Thu,Fri 2012-*-1,5 11:12:13", "2012-01-01", "2012-01-05 11:12:13, 2012-03-01 11:12:13, 2012-04-05 11:12:13" },
		{ "*-02~03", "2026-01-01", "2026-02-26 00:00:00, 2027-02-26 00:00:00, 2028-02-27 00:00:00" },
		{ "Mon *-05~07/1", "2026-01-01", "2026-05-25 00:00:00, 2027-05-31 00:00:00" },
		{ "Sat,Thu,Mon..Wed,Sat..Sun", "2026-01-01", "2026-01-03 00:00:00, 2026-01-04 00:00:00, 2026-01-05 00:00:00" },
		{ "Wed, 17:48", "2026-01-01", "2026-01-07 17:48:00" },
		{ "Mon,Sun 12-*-* 2,1:23", "2012-01-01", "2012-01-01 01:23:00, 2012-01-01 02:23:00, 2012-01-02 01:23:00" },
		{ "monday *-12-* 17:00", "2026-01-01", "2026-12-07 17:00:00" },
		{ "12,14,13,12:20,10,30", "2026-01-01 12:10:00",
			"2026-01-01 12:20:00, 2026-01-01 12:30:00, 2026-01-01 13:10:00" },
		{ "mon,fri *-1/2-1,3 *:30:45", "2026-01-03", "2026-05-01 00:30:45, 2026-05-01 01:30:45" },
		{ "05:40:23.4200004/3.1700005", "2026-01-01", "2026-01-01 05:40:23.420000, 2026-01-01 05:40:26.590001" },
		{ "2003-02..04-05", "2003-01-01", "2003-02-05 00:00:00, 2003-03-05 00:00:00, 2003-04-05 00:00:00, never" },
		{ "*:2/3", "2026-01-01 00:55:00", "2026-01-01 00:56:00, 2026-01-01 00:59:00, 2026-01-01 01:02:00" },
		{ "*-2-30", "2026-01-01", "never" }, { "1970-1-1", "1969-12-31", "1970-01-01 00:00:00, never" },
		{ "*:*:*", "1960-01-01", "1970-01-01 00:00:00" },
		{ "2199-12-31 23:59:59.999999", "2026-01-01", "2199-12-31 23:59:59.999999, never" },
		{ "@1767225600", "2025-12-31", "2026-01-01 00:00:00, never" },
		{ "69,70-1-1", "1960-01-01", "1970-01-01 00:00:00, 2069-01-01 00:00:00, never" },
		{ "*:*:1.5..3/0.5", "2026-01-01",
			"2026-01-01 00:00:01.500000, 2026-01-01 00:00:02, 2026-01-01 00:00:02.500000, "
			"2026-01-01 00:00:03, 2026-01-01 00:01:01.500000" },
		{ "*:*:0/20,0.5", "2026-01-01", "2026-01-01 00:00:00.500000, 2026-01-01 00:00:20" },
		{ "*-*~3..9/3 0:0", "2026-02-01",
			"2026-02-20 00:00:00, 2026-02-23 00:00:00, 2026-02-26 00:00:00, 2026-03-23 00:00:00" },
		{ "*-*~5/3", "2025-10-04", "2025-10-27 00:00:00, 2025-10-30 00:00:00, 2025-11-26 00:00:00" },
		{ "2096/4-2-29", "2096-03-01", "2104-02-29 00:00:00" }, /* 2100 is none */
	};

	use_zone("UTC");
	check_rows(rows, HOLT__N(rows));
}

TEST(what_is_no_expression_is_einval)
{
	static const char *const wrong[] = { "", " ", " Mon", "Mon\t10:00", "Monda", "Tues", "Fri..Mon", "Mon..Tue..Wed",
		"Mon,,Tue", "Mon..", "..Mon", ",Mon", "Mon,10:00", "Mon ,10:00", "Mon10:00", "Mon Tue", "Mon daily", "daily Mon",
		" daily", "10", "2020", "2020-1", "*", "~3", "1-1 10", "*-13-1", "*-0-1", "*-*-0", "*-*-32", "*-*~0", "*-*~29",
		"*-*~1/1", "*-*~5/5", "*-*~5..3", "*-*~1,*", "*~1~2", "*-1~*-1", "24:00", "23:60", "0:0:60", "0:0:59.9999999",
		"10:", ":10", "10:00:", "10:00 ", "*/2:0", "*:*/15", "*:*,5", "*:5,*", "*:0/0", "*:0/60", "*:30/30",
		"*:0:0/0.0000001", "*:0:5.", "*:0:.5", "*:0:1..", "*:0:*.5", "*:3..2", "*-*-7..1", "1969-1-1", "2200-1-1",
		"100-1-1", "2020/200-1-1", "*-*-+5", "*-*--5", "-1-1", "2020-", "@", "@-1", "@1x", "@7258118400", "now",
		"10:00 Nowhere/Atall", "10:00 Europe/../UTC", "10:00 /UTC", "10:00  UTC", "10:00UTC", "10:00 UTC UTC",
		"10:00 zone.tab", "10:00 America", "10:00 UTC+1", "UTC", " UTC", "4294967297:00", "99999999999999999999:0" };
	int64_t us = 7;

	use_zone("UTC");
	for (size_t i = 0; i < HOLT__N(wrong); i++)
		ck_assert_msg(holt_calendar_next(wrong[i], 0, &us) == -EINVAL, "\"%s\" is taken", wrong[i]);
	ck_assert_int_eq(us, 7);
}

TEST(seconds_with_fractions_are_bounded)
{
	char text[1024] = "*:*:0.5";
	struct holt__calendar c;

	for (int i = 1; i < HOLT__CALENDAR_RUNS; i++)
		sprintf(strchr(text, 0), ",%d.%d", i % 60, i % 7 + 1);
	ck_assert_int_eq(holt__calendar_parse(text, strlen(text), &c), 0);
	strcat(text, ",1..5,59");
	ck_assert_int_eq(holt__calendar_parse(text, strlen(text), &c), 0); /* whole ones cost nothing */
	strcat(text, ",0.1");
	ck_assert_int_eq(holt__calendar_parse(text, strlen(text), &c), -E2BIG);
}

TEST(any_time_may_be_asked_for)
{
	int64_t us;

	use_zone("UTC");
	ck_assert_int_eq(holt_calendar_next("daily", INT64_MAX, &us), -ENOENT);
	ck_assert_int_eq(holt_calendar_next("daily", INT64_MIN, &us), 0);
	ck_assert_int_eq(us, 0);
	ck_assert_int_eq(holt_calendar_next("*:*:*", -1, &us), 0);
	ck_assert_int_eq(us, 0);
}

/* ---- zones */

TEST(clocks_that_change_leave_out_and_never_repeat)
{
	static const struct row berlin[] = {
		{ "02:30", "2025-03-29", "2025-03-29 01:30:00, 2025-03-31 00:30:00" },
		{ "*:30", "2025-03-30", "2025-03-30 00:30:00, 2025-03-30 01:30:00" },
		{ "2025-03-30 02:30", "2025-03-01", "never" },
		{ "02:30", "2025-10-25 12:00:00", "2025-10-26 00:30:00, 2025-10-27 01:30:00" },
		{ "*:30", "2025-10-25 23:40:00", "2025-10-26 00:30:00, 2025-10-26 02:30:00" },
		{ "*:30", "2025-10-26 01:10:00", "2025-10-26 01:30:00, 2025-10-26 02:30:00" },
		{ "hourly", "2025-10-26 00:40:00", "2025-10-26 02:00:00, 2025-10-26 03:00:00" },
		{ "2100-7-1 12:00", "2026-01-01", "2100-07-01 10:00:00, never" }, /* by the rule behind the file's last change */
		{ "2100-1-1 12:00", "2026-01-01", "2100-01-01 11:00:00" },
		{ "1970-1-1", "1969-12-01", "1969-12-31 23:00:00, never" },
		{ "12:00 UTC", "2025-07-01", "2025-07-01 12:00:00" },
		{ "12:00 utc", "2025-07-01", "2025-07-01 12:00:00" },
		{ "12:00 America/New_York", "2025-07-01", "2025-07-01 16:00:00" },
		{ "Mon Asia/Kathmandu", "2025-07-01", "2025-07-06 18:15:00" },
		{ "12:00 Etc/GMT+1", "2025-07-01", "2025-07-01 13:00:00" },
		{ "@1767225600", "2025-12-31", "2026-01-01 00:00:00" },
	};
	static const struct row lord_howe[] = {
		{ "*:50", "2025-04-05 14:45:00", "2025-04-05 14:50:00, 2025-04-05 16:20:00" },
		{ "*:50", "2025-04-05 15:05:00", "2025-04-05 15:20:00, 2025-04-05 16:20:00" },
		{ "*:0/20", "2025-10-04 14:55:00", "2025-10-04 15:10:00, 2025-10-04 15:40:00" },
	};
	static const struct row apia[] = {
		/* had no 2011-12-30 at all */
		{ "12:00", "2011-12-28 22:10:00", "2011-12-29 22:00:00, 2011-12-30 22:00:00" },
		{ "*:*:0/0.000001", "2011-12-30 09:59:59.999999", "2011-12-30 10:00:00" },
		{ "2011-12-30", "2011-01-01", "never" },
	};

	if (no_zones())
		SKIP("there are no zone files");
	use_zone("Europe/Berlin");
	check_rows(berlin, HOLT__N(berlin));
	use_zone("Australia/Lord_Howe");
	check_rows(lord_howe, HOLT__N(lord_howe));
	use_zone("Pacific/Apia");
	check_rows(apia, HOLT__N(apia));
}

TEST(the_process_own_zone_is_tz_as_libc_reads_it)
{
	static const struct {
		const char *tz, *noon;
	} all[] = {
		{ "", "2025-07-01 12:00:00" },
		{ "CET-1CEST,M3.5.0,M10.5.0/3", "2025-07-01 10:00:00" },
		{ ":CET-1CEST,M3.5.0,M10.5.0/3", "2025-07-01 10:00:00" },
		{ "<-03>3", "2025-07-01 15:00:00" },
		{ "<+0530>-5:30", "2025-07-01 06:30:00" },
		{ "EST5EDT4:30", "2025-07-01 16:30:00" },
		{ "XXX3YYY,J1/0,J365/23", "2025-07-01 14:00:00" },
		{ "nonsense here", "2025-07-01 12:00:00" },
		{ "/no/such/file", "2025-07-01 12:00:00" },
		{ "/etc", "2025-07-01 12:00:00" },
	};
	int64_t us;

	for (size_t i = 0; i < HOLT__N(all); i++) {
		use_zone(all[i].tz);
		ck_assert_int_eq(holt_calendar_next("12:00", at("2025-07-01"), &us), 0);
		ck_assert_msg(strcmp(show(us), all[i].noon) == 0, "TZ=%s: %s", all[i].tz, show(us));
	}
	unsetenv("TZ");
	ck_assert_int_eq(holt_calendar_next("12:00", at("2025-07-01"), &us), 0); /* wherever this machine is */
	if (no_zones())
		SKIP("there are no zone files");
	use_zone("/usr/share/zoneinfo/Europe/Berlin");
	ck_assert_int_eq(holt_calendar_next("12:00", at("2025-07-01"), &us), 0);
	ck_assert_str_eq(show(us), "2025-07-01 10:00:00");
}

static void read_zone_file(const char *name, char *buf, size_t size, size_t *n)
{
	char path[256];
	int fd;
	ssize_t r;

	snprintf(path, sizeof path, "/usr/share/zoneinfo/%s", name);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	ck_assert_int_ge(fd, 0);
	r = read(fd, buf, size);
	close(fd);
	ck_assert_int_gt(r, 0);
	*n = (size_t)r;
}

/* libc's word on zones of all kinds: many changes, none, rules to the south, summer time that is winter time, a zone that jumped over a day. */
TEST(offsets_are_those_of_libc)
{
	static const char *const names[] = { "Europe/Berlin", "America/New_York", "Australia/Lord_Howe", "Europe/Dublin",
		"Pacific/Apia", "Africa/Casablanca", "Asia/Kathmandu", "America/Sao_Paulo", "Antarctica/Troll", "America/Nuuk",
		"Asia/Tehran", "Etc/UTC" };
	static char buf[64 * 1024];
	struct holt__zone zone;
	size_t n;

	if (no_zones())
		SKIP("there are no zone files");
	for (size_t i = 0; i < HOLT__N(names); i++) {
		read_zone_file(names[i], buf, sizeof buf, &n);
		ck_assert_int_eq(holt__zone_file(&zone, buf, n), 0);
		use_zone(names[i]);
		tzset();
		for (int64_t s = at("1960-01-01") / 1000000; s < at("2120-01-01") / 1000000; s += 17 * 3600 + 11) {
			time_t t = (time_t)s;
			struct tm tm;

			localtime_r(&t, &tm);
			ck_assert_msg(holt__zone_offset(&zone, s) == tm.tm_gmtoff, "%s at %lld: %d, and libc says %ld", names[i],
				(long long)s, holt__zone_offset(&zone, s), tm.tm_gmtoff);
		}
	}
}

TEST(zone_files_are_not_trusted)
{
	static char buf[64 * 1024], copy[64 * 1024];
	struct holt__zone zone;
	uint32_t random = 1;
	size_t n;

	if (no_zones())
		SKIP("there are no zone files");
	read_zone_file("Europe/Berlin", buf, sizeof buf, &n);
	for (size_t cut = 0; cut < n; cut++) {
		char *end = malloc(cut + 1); /* so that a sanitizer sees each byte too many */

		memcpy(end, buf, cut);
		ck_assert_int_eq(holt__zone_file(&zone, end, cut), -EINVAL);
		free(end);
	}
	for (int i = 0; i < 20000; i++) {
		memcpy(copy, buf, n);
		for (int k = 0; k < 3; k++) {
			random = random * 1664525 + 1013904223;
			copy[random / 7 % (i % 2 ? 100 : n)] = (char)(random >> 24);
		}
		if (holt__zone_file(&zone, copy, n) == 0)
			for (int64_t s = -4000000000; s < 8000000000; s += 1234567890)
				holt__zone_offset(&zone, s);
	}
}

TEST(zones_with_leap_seconds_are_not_supported)
{
	int64_t us;

	if (access("/usr/share/zoneinfo/right/UTC", R_OK) != 0)
		SKIP("there is no right/UTC");
	ck_assert_int_eq(holt_calendar_next("12:00 right/UTC", 0, &us), -EOPNOTSUPP);
}
