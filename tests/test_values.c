/* SPDX-License-Identifier: MIT */
/*
 * What can be written as a value in a tree file, and what cannot. The spans were compared with `systemd-analyze timespan`,
 * the rest is from systemd's manual pages.
 */
#include "harness.h"

#include <signal.h>

#include "daemon/nearest.h"
#include "daemon/values.h"

/* ---- switches and numbers */

TEST(a_switch_has_twelve_words)
{
	static const char *const yes[] = { "1", "yes", "y", "true", "t", "on", "YES", "True" };
	static const char *const no[] = { "0", "no", "n", "false", "f", "off", "Off" };
	static const char *const none[] = { "", "2", "enable", "yess", " yes", "tru" };
	bool v;

	for (size_t i = 0; i < HOLT__N(yes); i++)
		ck_assert_msg(value_bool(yes[i], &v) == 0 && v, "%s", yes[i]);
	for (size_t i = 0; i < HOLT__N(no); i++)
		ck_assert_msg(value_bool(no[i], &v) == 0 && !v, "%s", no[i]);
	for (size_t i = 0; i < HOLT__N(none); i++)
		ck_assert_msg(value_bool(none[i], &v) == -EINVAL, "%s", none[i]);
}

TEST(a_number_is_digits_within_its_range)
{
	uint64_t v = 7;
	int64_t i;
	mode_t mode;

	ck_assert_int_eq(value_number("12", 0, 100, &v), 0);
	ck_assert_uint_eq(v, 12);
	ck_assert_int_eq(value_number("18446744073709551615", 0, UINT64_MAX, &v), 0);
	ck_assert_uint_eq(v, UINT64_MAX);
	ck_assert_int_eq(value_number("18446744073709551616", 0, UINT64_MAX, &v), -ERANGE);
	ck_assert_int_eq(value_number("99999999999999999999999", 0, UINT64_MAX, &v), -ERANGE);
	ck_assert_int_eq(value_number("101", 0, 100, &v), -ERANGE);
	ck_assert_int_eq(value_number("1", 2, 100, &v), -ERANGE);
	ck_assert_int_eq(value_number("", 0, 100, &v), -EINVAL);
	ck_assert_int_eq(value_number("-1", 0, 100, &v), -EINVAL);
	ck_assert_int_eq(value_number("+1", 0, 100, &v), -EINVAL);
	ck_assert_int_eq(value_number("1x", 0, 100, &v), -EINVAL);
	ck_assert_int_eq(value_number("0x1", 0, 100, &v), -EINVAL);
	ck_assert_uint_eq(v, UINT64_MAX); /* set on success only */

	ck_assert_int_eq(value_integer("-20", -20, 19, &i), 0);
	ck_assert_int_eq(i, -20);
	ck_assert_int_eq(value_integer("+5", -20, 19, &i), 0);
	ck_assert_int_eq(i, 5);
	ck_assert_int_eq(value_integer("20", -20, 19, &i), -ERANGE);
	ck_assert_int_eq(value_integer("--1", -20, 19, &i), -EINVAL);
	ck_assert_int_eq(value_integer("9223372036854775808", INT64_MIN, INT64_MAX, &i), -ERANGE);

	ck_assert_int_eq(value_mode("0022", &mode), 0);
	ck_assert_uint_eq(mode, 022);
	ck_assert_int_eq(value_mode("777", &mode), 0);
	ck_assert_int_eq(value_mode("1000", &mode), -ERANGE);
	ck_assert_int_eq(value_mode("008", &mode), -EINVAL);
	ck_assert_int_eq(value_mode("", &mode), -EINVAL);
}

/* ---- spans */

static const struct {
	const char *text;
	holt_time value;
	int result;
} spans[] = {
	{ "0", 0, 0 },
	{ "5", 5 * HOLT_SEC, 0 },
	{ "1min 30s", 90 * HOLT_SEC, 0 },
	{ "1min30s", 90 * HOLT_SEC, 0 },
	{ "1.5h", 5400 * HOLT_SEC, 0 },
	{ ".5s", HOLT_SEC / 2, 0 },
	{ "1.5", 1500 * HOLT_MS, 0 },
	{ "0.000000001", 1, 0 },
	{ "0.0000000019", 1, 0 },
	{ "0.33333333333333333333333333333333333", 333333333, 0 },
	{ "infinity", HOLT_NEVER, 0 },
	{ "7 s", 7 * HOLT_SEC, 0 },
	{ "3 4", 7 * HOLT_SEC, 0 },
	{ "5min30", 330 * HOLT_SEC, 0 },
	{ "1h1h", 2 * HOLT_HOUR, 0 },
	{ "2 minutes 200 msec", 120200 * HOLT_MS, 0 },
	{ "1M", 2629800 * HOLT_SEC, 0 },
	{ "1m", HOLT_MIN, 0 },
	{ "1y2w", (31557600 + 14 * 86400) * HOLT_SEC, 0 },
	{ "5us", 5 * HOLT_US, 0 },
	{ "3\xc2\xb5s", 3 * HOLT_US, 0 },
	{ "3\xce\xbcs", 3 * HOLT_US, 0 },
	{ "5ns", 5, 0 },
	{ "1d 2hr 3usec 4nsec", 93600 * HOLT_SEC + 3004, 0 },
	{ "584years", (holt_time)584 * 31557600 * HOLT_SEC, 0 },
	{ "585years", 0, -ERANGE },
	{ "18446744073709551616s", 0, -ERANGE },
	{ "18446744074", 0, -ERANGE },
	{ "400years 400years", 0, -ERANGE },
	{ "", 0, -EINVAL },
	{ "1.s", 0, -EINVAL },
	{ ".", 0, -EINVAL },
	{ "1e3", 0, -EINVAL },
	{ "1 . 5s", 0, -EINVAL },
	{ "-1s", 0, -EINVAL },
	{ "s", 0, -EINVAL },
	{ "1D", 0, -EINVAL },
	{ "1S", 0, -EINVAL },
	{ "1MS", 0, -EINVAL },
	{ "infinity s", 0, -EINVAL },
	{ "Infinity", 0, -EINVAL },
	{ "99999999999999999999 parsecs", 0, -EINVAL },
	{ "10s,", 0, -EINVAL },
};

TEST_LOOP(a_span_is_as_systemd_reads_it, 0, (int)HOLT__N(spans))
{
	holt_time v = 12345;
	int r = value_span(spans[_i].text, &v);

	ck_assert_msg(r == spans[_i].result, "%s: %d", spans[_i].text, r);
	ck_assert_msg(v == (r < 0 ? 12345 : spans[_i].value), "%s: %llu", spans[_i].text, (unsigned long long)v);
}

TEST(a_range_of_spans_has_two_ends_or_is_one)
{
	holt_time min, max;

	ck_assert_int_eq(value_spans("100ms..30s", &min, &max), 0);
	ck_assert_uint_eq(min, 100 * HOLT_MS);
	ck_assert_uint_eq(max, 30 * HOLT_SEC);
	ck_assert_int_eq(value_spans("1min 1s .. 2min", &min, &max), 0);
	ck_assert_uint_eq(min, 61 * HOLT_SEC);
	ck_assert_uint_eq(max, 120 * HOLT_SEC);
	ck_assert_int_eq(value_spans("1.5s..2.5s", &min, &max), 0);
	ck_assert_uint_eq(min, 1500 * HOLT_MS);
	ck_assert_int_eq(value_spans("0..0", &min, &max), 0);
	ck_assert_int_eq(value_spans("2s", &min, &max), 0);
	ck_assert_uint_eq(min, 2 * HOLT_SEC);
	ck_assert_uint_eq(max, 2 * HOLT_SEC);

	ck_assert_int_eq(value_spans("2s..1s", &min, &max), -ERANGE);
	ck_assert_int_eq(value_spans("1s..infinity", &min, &max), -ERANGE);
	ck_assert_int_eq(value_spans("infinity", &min, &max), -ERANGE);
	ck_assert_int_eq(value_spans("..1s", &min, &max), -EINVAL);
	ck_assert_int_eq(value_spans("1s..", &min, &max), -EINVAL);
	ck_assert_int_eq(value_spans("1s...2s", &min, &max), -ERANGE); /* 1 s to .2 s */
	ck_assert_int_eq(value_spans("", &min, &max), -EINVAL);
}

TEST(an_intensity_is_a_number_in_a_span)
{
	holt_time within;
	unsigned n;

	ck_assert_int_eq(value_rate("5/10s", &n, &within), 0);
	ck_assert_uint_eq(n, 5);
	ck_assert_uint_eq(within, 10 * HOLT_SEC);
	ck_assert_int_eq(value_rate("0 / 1min", &n, &within), 0);
	ck_assert_uint_eq(n, 0);
	ck_assert_uint_eq(within, HOLT_MIN);
	ck_assert_int_eq(value_rate("3/infinity", &n, &within), 0);
	ck_assert_uint_eq(within, HOLT_NEVER);
	ck_assert_int_eq(value_rate("5", &n, &within), -EINVAL);
	ck_assert_int_eq(value_rate("5/", &n, &within), -EINVAL);
	ck_assert_int_eq(value_rate("/5s", &n, &within), -EINVAL);
	ck_assert_int_eq(value_rate("-1/5s", &n, &within), -EINVAL);
	ck_assert_int_eq(value_rate("5/0", &n, &within), -ERANGE);
	ck_assert_int_eq(value_rate("10001/1s", &n, &within), -ERANGE);
}

/* ---- sizes */

static const struct {
	const char *text;
	uint64_t value;
	int result;
} sizes[] = {
	{ "0", 0, 0 },
	{ "4096", 4096, 0 },
	{ "64K", 65536, 0 },
	{ "64 K", 65536, 0 },
	{ "1.5G", 3ull << 29, 0 },
	{ "1G 500M", (1ull << 30) + (500ull << 20), 0 },
	{ "1G500M12", (1ull << 30) + (500ull << 20) + 12, 0 },
	{ "12B", 12, 0 },
	{ "2T", 2ull << 40, 0 },
	{ "15E", 15ull << 60, 0 },
	{ "16E", 0, -ERANGE },
	{ "18446744073709551616", 0, -ERANGE },
	{ "500M 1G", 0, -EINVAL },
	{ "1k", 0, -EINVAL },
	{ "1KB", 0, -EINVAL },
	{ "1Ki", 0, -EINVAL },
	{ "infinity", 0, -EINVAL },
	{ "", 0, -EINVAL },
	{ "-1K", 0, -EINVAL },
	{ "K", 0, -EINVAL },
};

TEST_LOOP(a_size_counts_by_1024, 0, (int)HOLT__N(sizes))
{
	uint64_t v = 12345;
	int r = value_size(sizes[_i].text, &v);

	ck_assert_msg(r == sizes[_i].result, "%s: %d", sizes[_i].text, r);
	ck_assert_msg(v == (r < 0 ? 12345 : sizes[_i].value), "%s: %llu", sizes[_i].text, (unsigned long long)v);
}

TEST(a_percentage_ends_at_a_hundred)
{
	unsigned v;

	ck_assert_int_eq(value_percent("12.5%", &v), 0);
	ck_assert_uint_eq(v, 1250);
	ck_assert_int_eq(value_percent("100%", &v), 0);
	ck_assert_uint_eq(v, 10000);
	ck_assert_int_eq(value_percent("100.01%", &v), -ERANGE);
	ck_assert_int_eq(value_percent("99999999999999999999%", &v), -ERANGE);
	ck_assert_int_eq(value_percent("12", &v), -EINVAL);
	ck_assert_int_eq(value_percent("%", &v), -EINVAL);
	ck_assert_int_eq(value_percent("1%%", &v), -EINVAL);
}

/* ---- signals and statuses */

TEST(a_signal_is_a_name_or_a_number)
{
	int sig;

	ck_assert_int_eq(value_signal("SIGTERM", &sig), 0);
	ck_assert_int_eq(sig, SIGTERM);
	ck_assert_int_eq(value_signal("INT", &sig), 0);
	ck_assert_int_eq(sig, SIGINT);
	ck_assert_int_eq(value_signal("9", &sig), 0);
	ck_assert_int_eq(sig, SIGKILL);
	ck_assert_int_eq(value_signal("SIGRTMIN+3", &sig), 0);
	ck_assert_int_eq(sig, SIGRTMIN + 3);
	ck_assert_int_eq(value_signal("RTMIN", &sig), 0);
	ck_assert_int_eq(sig, SIGRTMIN);
	ck_assert_int_eq(value_signal("RTMAX-1", &sig), 0);
	ck_assert_int_eq(sig, SIGRTMAX - 1);

	ck_assert_int_eq(value_signal("0", &sig), -ERANGE);
	ck_assert_int_eq(value_signal("65", &sig), -ERANGE);
	ck_assert_int_eq(value_signal("RTMIN+31", &sig), -ERANGE);
	ck_assert_int_eq(value_signal("RTMIN-1", &sig), -EINVAL);
	ck_assert_int_eq(value_signal("RTMAX+1", &sig), -EINVAL);
	ck_assert_int_eq(value_signal("RTMIN+", &sig), -EINVAL);
	ck_assert_int_eq(value_signal("term", &sig), -EINVAL);
	ck_assert_int_eq(value_signal("SIGSIGTERM", &sig), -EINVAL);
	ck_assert_int_eq(value_signal("", &sig), -EINVAL);
	ck_assert_int_eq(value_signal("-9", &sig), -EINVAL);
}

TEST(exit_statuses_add_up)
{
	struct success_status s = { 0 };

	ck_assert_int_eq(value_exit_status("3", &s), 0);
	ck_assert_int_eq(value_exit_status("255", &s), 0);
	ck_assert_int_eq(value_exit_status("TEMPFAIL", &s), 0);
	ck_assert_int_eq(value_exit_status("NOTRUNNING", &s), 0);
	ck_assert_int_eq(value_exit_status("SIGKILL", &s), 0);
	ck_assert_int_eq(value_exit_status("RTMAX", &s), 0);
	ck_assert_int_eq(value_exit_status("256", &s), -ERANGE);
	ck_assert_int_eq(value_exit_status("FAIL", &s), -EINVAL);
	for (unsigned code = 0; code < 256; code++)
		ck_assert_msg(
			(s.codes[code / 8] >> code % 8 & 1) == (code == 3 || code == 7 || code == 75 || code == 255), "%u", code);
	ck_assert_uint_eq(s.signals, 1ull << (SIGKILL - 1) | 1ull << (SIGRTMAX - 1));
}

/* ---- limits */

static const struct {
	const char *name, *text;
	rlim_t soft, hard;
	int result;
} limits[] = {
	{ "NOFILE", "1024", 1024, 1024, 0 },
	{ "NOFILE", "1024:4096", 1024, 4096, 0 },
	{ "NOFILE", "1024 : infinity", 1024, RLIM_INFINITY, 0 },
	{ "NOFILE", "1K", 0, 0, -EINVAL },
	{ "NOFILE", "4096:1024", 0, 0, -EILSEQ },
	{ "NOFILE", "infinity:1024", 0, 0, -EILSEQ },
	{ "NOFILE", "", 0, 0, -EINVAL },
	{ "NOFILE", ":5", 0, 0, -EINVAL },
	{ "NOFILE", "5:", 0, 0, -EINVAL },
	{ "CORE", "infinity", RLIM_INFINITY, RLIM_INFINITY, 0 },
	{ "CORE", "0:1G", 0, 1 << 30, 0 },
	{ "AS", "1.5G", 3ull << 29, 3ull << 29, 0 },
	{ "CPU", "1min 500ms", 61, 61, 0 },
	{ "CPU", "90", 90, 90, 0 },
	{ "RTTIME", "100", 100, 100, 0 },
	{ "RTTIME", "1s:2s", 1000000, 2000000, 0 },
	{ "NICE", "+5", 15, 15, 0 },
	{ "NICE", "-20", 40, 40, 0 },
	{ "NICE", "30", 30, 30, 0 },
	{ "NICE", "+20", 0, 0, -ERANGE },
	{ "NICE", "41", 0, 0, -ERANGE },
	{ "SIGPENDING", "18446744073709551615", 0, 0, -ERANGE },
};

TEST_LOOP(a_limit_is_one_or_two_of_its_kind, 0, (int)HOLT__N(limits))
{
	struct rlimit v = { 7, 8 };
	int r = value_limit(value_resource(limits[_i].name), limits[_i].text, &v);

	ck_assert_msg(r == limits[_i].result, "%s: %d", limits[_i].text, r);
	ck_assert_uint_eq(v.rlim_cur, r < 0 ? 7 : limits[_i].soft);
	ck_assert_uint_eq(v.rlim_max, r < 0 ? 8 : limits[_i].hard);
}

TEST(every_resource_of_the_kernel_has_its_name)
{
	static const char *const names[] = { "CPU", "FSIZE", "DATA", "STACK", "CORE", "RSS", "NPROC", "NOFILE", "MEMLOCK", "AS",
		"LOCKS", "SIGPENDING", "MSGQUEUE", "NICE", "RTPRIO", "RTTIME" };

	ck_assert_uint_eq(HOLT__N(names), RLIM_NLIMITS);
	for (int i = 0; i < (int)HOLT__N(names); i++)
		ck_assert_msg(value_resource(names[i]) == i, "%s", names[i]);
	ck_assert_int_eq(value_resource("nofile"), -EINVAL);
}

/* ---- names and paths */

TEST(a_path_is_made_plain)
{
	static const struct {
		const char *from, *to;
	} paths[] = { { "/", "/" }, { "//", "/" }, { "/a//b/", "/a/b" }, { "/./a/./b/.", "/a/b" }, { "/a/.b/..c", "/a/.b/..c" },
		{ "a", NULL }, { "", NULL }, { "/a/../b", NULL }, { "/..", NULL }, { "./a", NULL } };
	char buf[5000];

	for (size_t i = 0; i < HOLT__N(paths); i++) {
		strcpy(buf, paths[i].from);
		ck_assert_msg(value_path(buf) == (paths[i].to ? 0 : -EINVAL), "%s", paths[i].from);
		if (paths[i].to)
			ck_assert_str_eq(buf, paths[i].to);
	}
	memset(buf, 'x', sizeof buf);
	buf[0] = '/';
	buf[4096] = 0;
	ck_assert_int_eq(value_path(buf), -EINVAL);
	buf[4095] = 0;
	ck_assert_int_eq(value_path(buf), 0);
}

TEST(a_user_is_a_name_or_a_number)
{
	static const char *const good[] = { "root", "www-data", "0", "1000", "_x", "a.b", "4294967294", "user@host" };
	static const char *const none[] = { "", "-x", ".", "..", "a b", "a:b", "a/b", "65535", "4294967295",
		"99999999999999999999", "a\tb" };

	for (size_t i = 0; i < HOLT__N(good); i++)
		ck_assert_msg(value_is_user(good[i]), "%s", good[i]);
	for (size_t i = 0; i < HOLT__N(none); i++)
		ck_assert_msg(!value_is_user(none[i]), "%s", none[i]);
}

TEST(a_node_and_a_variable_have_names)
{
	ck_assert(value_is_node_name("api-2.x:y_z", 11));
	ck_assert(value_is_node_name("...", 3));
	ck_assert(!value_is_node_name("", 0));
	ck_assert(!value_is_node_name(".", 1));
	ck_assert(!value_is_node_name("..", 2));
	ck_assert(!value_is_node_name("a@1", 3));
	ck_assert(!value_is_node_name("a/b", 3));
	ck_assert(!value_is_node_name("\xc3\xa4", 2));
	ck_assert(!value_is_node_name("a\0b", 3));
	ck_assert(value_is_variable("_A1", 3));
	ck_assert(!value_is_variable("1A", 2));
	ck_assert(!value_is_variable("A-B", 3));
	ck_assert(!value_is_variable("", 0));
}

/* ---- nearest names */

static const char *nearest_of(const char *word)
{
	static const char *const names[] = { "MemoryMax", "ExecStart", "ExecStartPre", "Restart", "RestartSec", "Nice", "UMask" };
	struct nearest x;

	nearest_init(&x, word, strlen(word));
	for (size_t i = 0; i < HOLT__N(names); i++)
		nearest_try(&x, names[i]);
	return x.best ? x.best : "";
}

TEST(a_mistyped_name_finds_the_one_that_was_meant)
{
	char longest[200];

	ck_assert_str_eq(nearest_of("Memorymax"), "MemoryMax");
	ck_assert_str_eq(nearest_of("ExecStrat"), "ExecStart");
	ck_assert_str_eq(nearest_of("Execstart"), "ExecStart");
	ck_assert_str_eq(nearest_of("ExecStartPer"), "ExecStartPre");
	ck_assert_str_eq(nearest_of("Restat"), "Restart");
	ck_assert_str_eq(nearest_of("RestartSecs"), "RestartSec");
	ck_assert_str_eq(nearest_of("nise"), "Nice");
	ck_assert_str_eq(nearest_of("Umaks"), "UMask");
	ck_assert_str_eq(nearest_of("Colour"), "");
	ck_assert_str_eq(nearest_of(""), "");
	ck_assert_str_eq(nearest_of("x"), "");
	memset(longest, 'N', sizeof longest);
	longest[sizeof longest - 1] = 0;
	ck_assert_str_eq(nearest_of(longest), "");
}
