/* SPDX-License-Identifier: MIT */
/*
 * The drawing of a tree (daemon/draw.h), letter by letter, and what it stands on: columns of text from strangers (row.h, utf8.h).
 */
#include "harness.h"

#include "daemon/draw.h"
#include "daemon/row.h"
#include "daemon/utf8.h"

static char drawn[1 << 18];

static void keep_line(void *arg, const char *line)
{
	size_t n = strlen(drawn);

	(void)arg;
	ck_assert_uint_lt(n + strlen(line) + 2, sizeof drawn);
	sprintf(drawn + n, "%s\n", line);
}

/* A node of which nothing is known but what is said here. */
#define NODE(path_, name_, kind_, state_, ...) \
	{ \
		.path = path_, .name = name_, .kind = kind_, .state = state_, .since = HOLT_NEVER, .next = HOLT_NEVER, \
		.within = HOLT_NEVER, .pid = -1, .memory = -1, .restarts = -1, .used = -1, .intensity = -1, .members = -1, \
		.members_ready = -1, .finally = -1, __VA_ARGS__ \
	}
#define MB (INT64_C(1) << 20)

static void draws(const struct draw_node *nodes, size_t n, struct draw_options o, const char *expected)
{
	drawn[0] = 0;
	ck_assert_int_eq(draw_tree(nodes, n, &o, keep_line, NULL), 0);
	harness_same(drawn, expected);
}

#pragma GCC diagnostic ignored "-Woverride-init"

static const struct draw_node shop[] = {
	NODE("", "shop", "tree", "ready", .strategy = "rest_for_one", .used = 1, .intensity = 5, .within = HOLT_MIN, .members = 5,
		.members_ready = 5, .finally = 1, .since = (3 * 24 + 2) * HOLT_HOUR + 59 * HOLT_MIN),
	NODE("http", "http", "socket", "listening", .status = "0.0.0.0:8080"),
	NODE("api", "api", "process", "ready", .pid = 812, .memory = 118 * MB, .type = "notify", .status = "check 3/3 ok"),
	NODE("workers", "workers", "group", "degraded", .strategy = "one_for_one", .members = 4, .members_ready = 3, .finally = 0,
		.why = "not ready: workers/w@2 (backoff)"),
	NODE("workers/w@1", "w@1", "process", "ready", .pid = 820, .memory = 41 * MB, .type = "exec"),
	NODE("workers/w@2", "w@2", "process", "backoff", .ended = "exit 1", .restarts = 3, .next = 1650 * HOLT_MS,
		.type = "exec"),
	NODE("front", "front", "proxy", "ready", .why = "214 conns → api"),
	NODE("nightly", "nightly", "job", "waiting", .why = "next 02:30 (in 7h); last ok 41s"),
};

TEST(a_tree_is_drawn_as_the_manual_shows_it)
{
	draws(shop, HOLT__N(shop), (struct draw_options){ 0 },
		"● shop                     ready      rest_for_one  restarts 1/5 in 60s   up 3d2h\n"
		"├─● http        socket     listening  0.0.0.0:8080\n"
		"├─● api         process    ready      pid 812  118M  notify  check 3/3 ok\n"
		"├─◐ workers     group      degraded   one_for_one  3/4\n"
		"│ ├─● w@1       process    ready      pid 820  41M\n"
		"│ └─✗ w@2       process    backoff    exit 1 ×3, next in 1.6s\n"
		"├─● front       proxy      ready      214 conns → api\n"
		"├─○ nightly     job        waiting    next 02:30 (in 7h); last ok 41s\n"
		"└─⚑ finally     1 armed\n");
}

TEST(where_there_is_only_ascii_it_is_drawn_in_ascii)
{
	draws(shop, HOLT__N(shop), (struct draw_options){ .ascii = true },
		"* shop                     ready      rest_for_one  restarts 1/5 in 60s   up 3d2h\n"
		"|-* http        socket     listening  0.0.0.0:8080\n"
		"|-* api         process    ready      pid 812  118M  notify  check 3/3 ok\n"
		"|-~ workers     group      degraded   one_for_one  3/4\n"
		"| |-* w@1       process    ready      pid 820  41M\n"
		"| `-x w@2       process    backoff    exit 1 x3, next in 1.6s\n"
		"|-* front       proxy      ready      214 conns ? api\n"
		"|-o nightly     job        waiting    next 02:30 (in 7h); last ok 41s\n"
		"`-! finally     1 armed\n");
	for (const char *p = drawn; *p; p++)
		ck_assert_int_gt(*p, 0);
}

TEST(lines_are_cut_at_the_edge)
{
	draws(shop, 4, (struct draw_options){ .columns = 50 },
		"● shop                     ready      rest_for_on…\n"
		"├─● http        socket     listening  0.0.0.0:8080\n"
		"├─● api         process    ready      pid 812  11…\n"
		"├─◐ workers     group      degraded   one_for_one…\n"
		"└─⚑ finally     1 armed\n");
	draws(shop, 1, (struct draw_options){ .columns = 1 }, "…\n…\n");
	draws(shop, 1, (struct draw_options){ .columns = 20, .ascii = true }, "* shop             >\n`-! finally     1 a>\n");
}

TEST(colors_end_where_the_word_ends)
{
	static const struct draw_node nodes[] = {
		NODE("", "t", "tree", "ready"),
		NODE("a", "a", "process", "failed", .why = "exit 1"),
	};

	draws(nodes, 2, (struct draw_options){ .color = true },
		"\033[32m●\033[0m t                        \033[32mready\033[0m\n"
		"└─\033[31m✗\033[0m a           process    \033[31mfailed\033[0m     exit 1\n");
	draws(nodes, 2, (struct draw_options){ .color = true, .columns = 29 },
		"\033[32m●\033[0m t                        \033[32mr…\033[0m\n"
		"└─\033[31m✗\033[0m a           process    \033[31mf…\033[0m\n");
}

TEST(the_first_one_may_be_called_by_its_path)
{
	draws(&shop[3], 3, (struct draw_options){ .name = "shop/workers" },
		"◐ shop/workers  group      degraded   one_for_one  3/4\n"
		"├─● w@1         process    ready      pid 820  41M\n"
		"└─✗ w@2         process    backoff    exit 1 ×3, next in 1.6s\n");
	draws(&shop[2], 1, (struct draw_options){ 0 },
		"● api           process    ready      pid 812  118M  notify  check 3/3 ok\n");
}

TEST(each_state_says_what_helps)
{
	static const struct draw_node nodes[] = {
		NODE("", "t", "tree", "stopping", .strategy = "one_for_one", .why = "was asked to stop; at most 8s more",
			.finally = 2, .members = 3, .members_ready = 0),
		NODE("a", "a", "process", "starting", .pid = 7, .type = "notify", .since = 2100 * HOLT_MS, .status = "reading",
			.why = "has been started, and is not ready yet"),
		NODE("b", "b", "process", "stopping", .pid = 8, .type = "exec", .why = "was asked to stop; at most 7s more"),
		NODE("c", "c", "process", "waiting", .why = "starts after a (starting)"),
		NODE("d", "d", "process", "disabled", .why = ""),
		NODE("e", "e", "process", "done", .type = "oneshot", .why = "ended well, exit 0"),
		NODE("f", "f", "process", "backoff", .ended = "killed by SIGKILL", .restarts = 1, .next = 0),
		NODE("g", "g", "group", "finally", .strategy = "one_for_all", .why = "its finally commands run", .finally = 1),
		NODE("h", "h", "group", "backoff", .strategy = "one_for_all", .why = "h/i: exit 1; restarted 1 time, next in 3s"),
		NODE("h/i", "i", "process", "stopped", .why = "stopped with its group"),
	};

	draws(nodes, HOLT__N(nodes), (struct draw_options){ 0 },
		"◐ t                        stopping   one_for_one  was asked to stop; at most 8s more\n"
		"├─◐ a           process    starting   pid 7  notify  for 2.1s  reading\n"
		"├─◐ b           process    stopping   pid 8  was asked to stop; at most 7s more\n"
		"├─○ c           process    waiting    starts after a (starting)\n"
		"├─○ d           process    disabled\n"
		"├─○ e           process    done       oneshot  ended well, exit 0\n"
		"├─✗ f           process    backoff    killed by SIGKILL, next in 0ms\n"
		"├─◐ g           group      finally    one_for_all  its finally commands run\n"
		"│ └─⚑ finally   1 armed, running\n"
		"├─✗ h           group      backoff    one_for_all  h/i: exit 1; restarted 1 time, next in 3s\n"
		"│ └─○ i         process    stopped    stopped with its group\n"
		"└─⚑ finally     2 armed\n");
}

TEST(branches_of_closed_groups_do_not_go_on)
{
	static const struct draw_node nodes[] = {
		NODE("", "t", "tree", "ready"),
		NODE("a", "a", "group", "ready", .finally = 1),
		NODE("a/b", "b", "group", "ready", .finally = 1),
		NODE("a/b/c", "c", "process", "ready"),
		NODE("a/d", "d", "process", "ready"),
		NODE("e", "e", "group", "ready"),
		NODE("e/a_rather_long_name", "a_rather_long_name", "process", "ready"),
	};

	draws(nodes, HOLT__N(nodes), (struct draw_options){ 0 },
		"● t                                  ready\n"
		"├─● a                     group      ready\n"
		"│ ├─● b                   group      ready\n"
		"│ │ ├─● c                 process    ready\n"
		"│ │ └─⚑ finally           1 armed\n"
		"│ ├─● d                   process    ready\n"
		"│ └─⚑ finally             1 armed\n"
		"└─● e                     group      ready\n"
		"  └─● a_rather_long_name  process    ready\n");
}

/* ---- pools */

enum { MANY = 1000 };

static struct draw_node pool[MANY + 3];
static char names[MANY][16];

static void make_pool(void)
{
	pool[0] = (struct draw_node)NODE("", "farm", "tree", "degraded", .members = MANY + 1, .members_ready = MANY - 1);
	for (int i = 0; i < MANY; i++) {
		snprintf(names[i], sizeof names[i], "w@%d", i + 1);
		pool[i + 1] = (struct draw_node)NODE(
			names[i], names[i], "process", "ready", .pid = 100 + i, .memory = 4 * MB, .type = "exec");
	}
	pool[18].state = pool[800].state = "backoff";
	pool[18].ended = pool[800].ended = "exit 1";
	pool[18].restarts = pool[800].restarts = 2;
	pool[MANY + 1] = (struct draw_node)NODE("x@1", "x@1", "process", "ready", .pid = 5);
	pool[MANY + 2] = (struct draw_node)NODE("mail@home", "mail@home", "process", "ready", .pid = 6);
}

TEST(a_thousand_replicas_take_a_few_lines)
{
	make_pool();
	draws(pool, HOLT__N(pool), (struct draw_options){ 0 },
		"◐ farm                     degraded   999/1001\n"
		"├─● w@*         process    ready      998 of 1000  3.8G\n"
		"├─✗ w@18        process    backoff    exit 1 ×2\n"
		"├─✗ w@800       process    backoff    exit 1 ×2\n"
		"├─● x@1         process    ready      pid 5\n"
		"└─● mail@home   process    ready      pid 6\n");
}

TEST(many_that_fail_alike_are_one_line_too_and_it_says_how)
{
	make_pool();
	for (int i = 501; i <= MANY; i++) {
		pool[i].state = "failed";
		pool[i].ended = "exit 3";
	}
	draws(pool, MANY + 1, (struct draw_options){ 0 },
		"◐ farm                     degraded   999/1001\n"
		"├─● w@*         process    ready      499 of 1000  1.9G\n"
		"├─✗ w@18        process    backoff    exit 1 ×2\n"
		"└─✗ w@*         process    failed     500 of 1000  1.9G  w@501: exit 3\n");
}

TEST(all_of_them_are_shown_when_asked_for)
{
	make_pool();
	drawn[0] = 0;
	ck_assert_int_eq(draw_tree(pool, HOLT__N(pool), &(struct draw_options){ .all = true }, keep_line, NULL), 0);
	ck_assert_uint_eq(harness_count(drawn, "\n"), MANY + 3);
}

TEST(four_of_a_kind_stand_for_themselves)
{
	make_pool();
	drawn[0] = 0;
	ck_assert_int_eq(draw_tree(pool, 1 + DRAW_REPLICAS, &(struct draw_options){ 0 }, keep_line, NULL), 0);
	ck_assert_uint_eq(harness_count(drawn, "\n"), 1 + DRAW_REPLICAS);
	drawn[0] = 0;
	ck_assert_int_eq(draw_tree(pool, 2 + DRAW_REPLICAS, &(struct draw_options){ 0 }, keep_line, NULL), 0);
	ck_assert_uint_eq(harness_count(drawn, "\n"), 2);
}

/* ---- rubbish */

TEST(nothing_reaches_the_terminal_that_could_steer_it)
{
	static const struct draw_node nodes[] = {
		NODE("", "t\033[2J", "tree", "ready\001", .strategy = "\002\003"),
		NODE("a", "a", "process", "ready", .pid = 1,
			.status = "\033]0;owned\007 \xc2\x9b"
				  "1m half \xe2\x97 \xff end\u202e"),
	};

	draws(nodes, 2, (struct draw_options){ .color = true },
		"\033[2m○\033[0m t?[2J                    \033[2mready?\033[0m     ??\n"
		"└─\033[32m●\033[0m a           process    \033[32mready\033[0m      pid 1  ?]0;owned? ?1m half ?? ? end?\n");
}

TEST(a_list_in_no_order_is_drawn_oddly_and_harms_nobody)
{
	static const struct draw_node nodes[] = {
		NODE("a/b/c/d", "d", "process", "ready"),
		NODE("x/y/z/q/r/s/t/u/v/w", "w", "group", "ready", .finally = 1),
		NODE("", "t", "tree", "ready", .finally = 3),
		NODE("b", "b", "process", "ready"),
	};
	char deep[4096] = "";
	struct draw_node down[200];

	drawn[0] = 0;
	ck_assert_int_eq(draw_tree(nodes, HOLT__N(nodes), &(struct draw_options){ 0 }, keep_line, NULL), 0);
	ck_assert_uint_eq(harness_count(drawn, "\n"), 6);
	for (size_t i = 0; i < HOLT__N(down); i++) {
		memset(deep + 2 * i, i % 2 ? 'a' : 'b', 1);
		deep[2 * i + 1] = '/';
		down[i] = (struct draw_node)NODE(strndup(deep, 2 * i + 1), "n", "group", "ready", .finally = 1);
	}
	drawn[0] = 0;
	ck_assert_int_eq(draw_tree(down, HOLT__N(down), &(struct draw_options){ 0 }, keep_line, NULL), 0);
	for (size_t i = 0; i < HOLT__N(down); i++)
		free((char *)down[i].path);
	draws(nodes, 0, (struct draw_options){ 0 }, "");
}

TEST(a_line_longer_than_any_terminal_ends_somewhere)
{
	static char words[20000];
	const struct draw_node nodes[] = { NODE("", "t", "tree", "ready", .why = words) };

	memset(words, 'x', sizeof words - 1);
	drawn[0] = 0;
	ck_assert_int_eq(draw_tree(nodes, 1, &(struct draw_options){ .color = true }, keep_line, NULL), 0);
	ck_assert_uint_lt(strlen(drawn), 4200);
	memcpy(words, "\xe4\xb8\xad\xe6\x96\x87", 7); /* two characters of two columns */
	draws(nodes, 1, (struct draw_options){ .columns = 42 }, "● t                        ready      中文\n");
	draws(nodes, 1, (struct draw_options){ .columns = 41 }, "● t                        ready      中…\n");
}

TEST(without_memory_nothing_is_drawn)
{
	for (uint64_t n = 1;; n++) {
		int r;

		drawn[0] = 0;
		harness_fail_alloc(n);
		r = draw_tree(shop, HOLT__N(shop), &(struct draw_options){ 0 }, keep_line, NULL);
		if (!harness_alloc_failed())
			break;
		ck_assert_int_eq(r, -ENOMEM);
		ck_assert_str_eq(drawn, "");
	}
	harness_fail_alloc(0);
}

/* ---- numbers and characters */

TEST(spans_have_two_units_at_the_most)
{
	static const struct {
		holt_time span;
		const char *text;
	} spans[] = {
		{ 0, "0ms" },
		{ 999, "<1ms" },
		{ 350 * HOLT_MS, "350ms" },
		{ HOLT_SEC, "1s" },
		{ 1050 * HOLT_MS, "1s" },
		{ 1650 * HOLT_MS, "1.6s" },
		{ 9999 * HOLT_MS, "9.9s" },
		{ 41 * HOLT_SEC, "41s" },
		{ HOLT_MIN, "60s" },
		{ 119 * HOLT_SEC, "119s" },
		{ 2 * HOLT_MIN, "2min" },
		{ 3 * HOLT_MIN + 7 * HOLT_SEC, "3min7s" },
		{ HOLT_HOUR, "1h" },
		{ 7 * HOLT_HOUR + 5 * HOLT_MIN, "7h5min" },
		{ 24 * HOLT_HOUR, "1d" },
		{ 74 * HOLT_HOUR + 59 * HOLT_MIN, "3d2h" },
		{ HOLT_NEVER, "for ever" },
	};

	for (size_t i = 0; i < HOLT__N(spans); i++) {
		char buf[64] = "";
		struct holt__text t = HOLT__TEXT(buf);

		draw_span(&t, spans[i].span);
		ck_assert_str_eq(buf, spans[i].text);
	}
}

TEST(sizes_are_short)
{
	static const struct {
		uint64_t bytes;
		const char *text;
	} sizes[] = { { 812, "812B" }, { 1024, "1K" }, { 1536, "1.5K" }, { 118 << 20, "118M" }, { UINT64_C(5) << 30, "5G" },
		{ UINT64_MAX, "15E" } };

	for (size_t i = 0; i < HOLT__N(sizes); i++) {
		char buf[64] = "";
		struct holt__text t = HOLT__TEXT(buf);

		draw_size(&t, sizes[i].bytes);
		ck_assert_str_eq(buf, sizes[i].text);
	}
}

TEST(what_is_no_utf8_becomes_a_question_mark)
{
	static const struct {
		const char *in, *out;
	} texts[] = {
		{ "", "" },
		{ "plain", "plain" },
		{ "über ● 𝄞", "über ● 𝄞" },
		{ "\xff\xfe", "??" },
		{ "\xc0\xaf", "??" },
		{ "\xed\xa0\x80", "???" },
		{ "\xf4\x90\x80\x80", "????" },
		{ "a\tb\nc\x7f", "a?b?c?" },
		{ "cut \xe2\x97", "cut ??" },
	};

	for (size_t i = 0; i < HOLT__N(texts); i++) {
		char buf[64];

		utf8_clean(buf, sizeof buf, texts[i].in);
		ck_assert_str_eq(buf, texts[i].out);
	}
}

TEST(a_cut_leaves_no_half_character)
{
	for (size_t size = 1; size < 12; size++) {
		char buf[12];
		uint32_t c;

		utf8_clean(buf, size, "●●●");
		ck_assert_uint_eq(strlen(buf), (size - 1) / 3 * 3 > 9 ? 9 : (size - 1) / 3 * 3);
		for (size_t i = 0; buf[i]; i += 3)
			ck_assert_uint_eq(utf8_next(buf + i, strlen(buf + i), &c), 3);
	}
}
