/* SPDX-License-Identifier: MIT */
/*
 * Calendar expressions against systemd: its systemd-analyze is asked about thousands of random ones, in zones whose clocks change by an
 * hour and by half an hour, from points close to those changes. HOLT_SEED and HOLT_ROUNDS, of a hundred expressions each, try others
 * and more.
 */
#include <stdarg.h>
#include <sys/mman.h>

#include "calendar.h"

static void __attribute__((constructor)) systemd_takes_its_time(void)
{
	setenv("CK_DEFAULT_TIMEOUT", "250", 1);
}

enum { BATCH = 100, ITERATIONS = 6, OUTPUT = 1 << 20 };

static uint64_t state;

static int any(int n)
{
	state = state * 6364136223846793005 + 1442695040888963407;
	return (int)((state >> 33) % (unsigned)n);
}

static void put(char *text, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
static void put(char *text, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	vsprintf(strchr(text, 0), fmt, ap);
	va_end(ap);
}

/*
 * Mostly valid: the borders are there, too. A repetition without an end goes evenly into its component: of others systemd 252 looks
 * beyond the component's last value, and misses what comes first in the next hour, day or month.
 */
static void put_item(char *text, int min, int max)
{
	static const int even[] = { 2, 3, 4, 6, 12 };
	int first = any(30) ? min + any(max - min + 1) : any(2) ? min : max, last = first + any(max - first + 1), step;

	switch (any(8)) {
	case 0:
		put(text, "%d..%d", first, last + (any(40) == 0));
		break;
	case 1:
		put(text, "%02d..%d/%d", first, last, 1 + any(max));
		break;
	case 2:
		step = even[any(max == 12 ? 3 : 5)];
		if (max != 31)
			put(text, "%d/%d", max == 59 ? any(step) : min, step);
		else
			put(text, "%d", first + (any(40) == 0));
		break;
	default:
		put(text, any(2) ? "%02d" : "%d", first);
		break;
	}
}

static void put_list(char *text, int min, int max, bool often_any)
{
	if (any(often_any ? 2 : 4) == 0) {
		put(text, "*");
		return;
	}
	put_item(text, min, max);
	while (any(3) == 0) {
		put(text, ",");
		put_item(text, min, max);
	}
}

static void put_weekdays(char *text)
{
	static const char *const days[] = { "Mon", "Tue", "wed", "Thursday", "FRI", "Sat", "sunday" };

	for (int more = 1; more; more = any(3) == 0) {
		int first = any(7), last = first + any(7 - first + (any(40) == 0));

		put(text, "%s%s", text[0] ? "," : "", days[first]);
		if (any(3) == 0)
			put(text, "..%s", days[last % 7]);
	}
}

/*
 * Days from the month's end only where clocks do not change: which of two moments with the same time libc then finds for systemd
 * depends on what that asked it before, the month's end.
 */
static void put_date(char *text, bool in_utc)
{
	int left = !in_utc || any(4);

	if (any(3)) {
		if (any(3))
			put(text, "*");
		else if (any(2))
			put(text, "%d", 2020 + any(15));
		else
			put(text, "%d..%d/%d", 2020 + any(8), 2028 + any(9), 1 + any(5));
		put(text, "-");
	}
	put_list(text, 1, 12, true);
	put(text, left ? "-" : "~");
	if (left)
		put_list(text, 1, 31, true);
	else if (any(2))
		put(text, "%02d", 1 + any(28 + (any(40) == 0)));
	else
		put(text, any(2) ? "%d/%d" : "%d,%d..20", 5 + any(15), 1 + any(4));
}

static void put_time(char *text)
{
	put_list(text, 0, 23, true);
	put(text, ":");
	put_list(text, 0, 59, false);
	if (any(3) == 0) {
		put(text, ":");
		switch (any(4)) {
		case 0:
			put(text, "%d.%d", any(60), any(1000000000));
			break;
		case 1:
			put(text, "%d/%d.%d", 1 + any(49), 1 + any(9), any(100));
			break;
		case 2:
			put(text, "%d..%d/%d.%d", 1 + any(29), 30 + any(30), 1 + any(9), any(10));
			break;
		default:
			put(text, "%d,%d", any(60), any(60));
			break;
		}
	}
}

static void random_expression(char *text, bool in_utc)
{
	static const char *const zones[] = { "UTC", "Europe/Berlin", "America/New_York", "Australia/Lord_Howe", "Asia/Nowhere" };
	int parts;

	do
		parts = any(8);
	while (parts == 0);
	text[0] = 0;
	if (parts & 1)
		put_weekdays(text);
	if (parts & 2) {
		put(text, text[0] ? " " : "");
		put_date(text, in_utc);
	}
	if (parts & 4) {
		put(text, text[0] ? " " : "");
		put_time(text);
	}
	if (any(50) == 0) /* broken somewhere */
		text[any((int)strlen(text))] = ",:-* xM"[any(7)];
	if (any(8) == 0 && !strchr(text, '~'))
		put(text, " %s", zones[any(5)]);
}

/* What a program wrote to stdout and stderr; -1: there is none. */
static int run_program(char *const argv[], const char *tz, char *out, char *err)
{
	int fds[2] = { memfd_create("out", MFD_CLOEXEC), memfd_create("err", MFD_CLOEXEC) }, status = -1;
	pid_t pid = fork();

	ck_assert_int_ge(pid, 0);
	if (pid == 0) {
		setenv("TZ", tz, 1);
		setenv("LC_ALL", "C.UTF-8", 1);
		dup2(fds[0], STDOUT_FILENO);
		dup2(fds[1], STDERR_FILENO);
		execvp(argv[0], argv);
		_exit(127);
	}
	while (waitpid(pid, &status, 0) < 0)
		ck_assert_int_eq(errno, EINTR);
	for (int i = 0; i < 2; i++) {
		ssize_t n = pread(fds[i], i ? err : out, OUTPUT - 1, 0);

		ck_assert_int_ge(n, 0);
		(i ? err : out)[n] = 0;
		close(fds[i]);
	}
	return WIFEXITED(status) && WEXITSTATUS(status) == 127 ? -1 : status;
}

/* The next line from *p on; NULL: none is left. */
static char *line_of(char **p)
{
	char *start = *p, *end = strchr(start, '\n');

	if (!end)
		return NULL;
	*end = 0;
	*p = end + 1;
	return start;
}

/*
 * What systemd said of one expression, whole seconds, in one text; *p goes on to the next one, behind an empty line. A moment is
 * said as "Next elapse: Tue 2025-01-07 00:00:00 CET", or Iter. #2, and then "(in UTC): ..." if the zone is another.
 */
static void systemd_moments(char **p, bool in_utc, char *ret)
{
	char *line;

	ret[0] = 0;
	*p += strspn(*p, "\n"); /* one that failed leaves an empty line, too */
	while ((line = line_of(p)) && *line) {
		char *value = strstr(line, ": ");

		if (!value)
			continue;
		if (strstr(line, "Next elapse: never"))
			strcat(ret, "never");
		else if (in_utc ? strstr(line, "Next elapse") || strstr(line, "Iter. #") : strstr(line, "(in UTC)") != NULL)
			put(ret, "%s%.19s", *ret ? ", " : "", strchr(value + 2, ' ') + 1);
	}
}

/* Ours in the same form: without fractions, and without a word when there is no further one. */
static void own_moments(const char *calendar, int64_t us, char *ret)
{
	ret[0] = 0;
	for (size_t i = 0; i < ITERATIONS; i++) {
		int r = holt_calendar_next(calendar, us, &us);

		if (r < 0) {
			put(ret, "%s", i > 0 ? "" : r == -ENOENT ? "never" : strerrorname_np(-r));
			return;
		}
		put(ret, "%s%.19s", i > 0 ? ", " : "", show(us));
	}
}

static size_t n_valid, n_compared;

static void compare_batch(const char *zone, const char *base)
{
	static char out[OUTPUT], err[OUTPUT], texts[BATCH][512];
	bool in_utc = strcmp(zone, "UTC") == 0;
	char *argv[BATCH + 6] = { "systemd-analyze", "calendar", "--iterations=6", NULL, "--" }, since[64], *p = out;

	snprintf(since, sizeof since, "--base-time=%s UTC", base);
	argv[3] = since;
	for (int i = 0; i < BATCH; i++) {
		random_expression(texts[i], in_utc);
		argv[5 + i] = texts[i];
	}
	ck_assert_int_ge(run_program(argv, zone, out, err), 0);
	use_zone(zone);
	for (int i = 0; i < BATCH; i++) {
		char quoted[sizeof texts[i] + 3], theirs[1024], own[1024];

		strcat(strcat(strcpy(quoted, "'"), texts[i]), "'");
		own_moments(texts[i], at(base), own);
		if (strstr(err, quoted)) {
			snprintf(theirs, sizeof theirs, "EINVAL");
		} else {
			systemd_moments(&p, in_utc, theirs);
			n_valid++;
		}
		n_compared++;
		ck_assert_msg(
			strcmp(own, theirs) == 0, "TZ=%s %s [%s]:\nours:    %s\nsystemd: %s", zone, base, texts[i], own, theirs);
	}
}

/* Half of the time close to a change of clocks. */
static void random_base(const char *zone, char *ret)
{
	static const struct {
		const char *zone, *changes[2];
	} near[] = {
		{ "Europe/Berlin", { "2025-03-30 01:00:00", "2025-10-26 01:00:00" } },
		{ "America/New_York", { "2025-03-09 07:00:00", "2025-11-02 06:00:00" } },
		{ "Australia/Lord_Howe", { "2025-04-05 15:00:00", "2025-10-04 15:30:00" } },
	};
	int64_t us = at("2024-01-01") + any(3 * 365) * INT64_C(86400000000) + any(86400) * INT64_C(1000000);

	for (size_t i = 0; i < HOLT__N(near); i++)
		if (strcmp(near[i].zone, zone) == 0 && any(2))
			us = at(near[i].changes[any(2)]) + (any(6 * 3600) - 4 * 3600) * INT64_C(1000000);
	strcpy(ret, show(us));
}

TEST(expressions_mean_what_systemd_says)
{
	static const char *const zones[] = { "UTC", "Europe/Berlin", "America/New_York", "Australia/Lord_Howe" };
	static char out[OUTPUT], err[OUTPUT];
	char *probe[] = { "systemd-analyze", "calendar", "--iterations=1", "--base-time=2025-01-01 00:00:00 UTC", "daily", NULL },
	     base[64];
	const char *seed = getenv("HOLT_SEED"), *rounds = getenv("HOLT_ROUNDS");

	if (no_zones())
		SKIP("there are no zone files");
	if (run_program(probe, "UTC", out, err) != 0)
		SKIP("there is no systemd-analyze with --base-time");
	state = seed ? strtoull(seed, NULL, 0) : 1;
	for (int i = 0; i < (rounds ? atoi(rounds) : 24); i++) {
		random_base(zones[i % 4], base);
		compare_batch(zones[i % 4], base);
	}
	ck_assert_msg(n_valid > n_compared / 2, "only %zu of %zu are valid", n_valid, n_compared);
}
