/* SPDX-License-Identifier: MIT */
/*
 * The parts of lib/varlink that can be looked at alone: loading jansson, the look at a message before it is parsed, the
 * descriptions of interfaces, the quota, and messages on a socket.
 */
#include <malloc.h>

#include "varlink/json.h"

#include <holt/varlink.h>

#include "io.h"
#include "varlink/idl.h"
#include "varlink/scan.h"
#include "varlink/wire.h"

/* ---- jansson */

TEST(a_machine_without_jansson_is_told_so)
{
	holt_varlink *v = NULL;

	holt_log_level(LOG_DEBUG);
	holt__json_name = "libholt-no-such-thing.so.4";
	ck_assert_int_eq(holt_varlink_open_fd(&v, 0), -ELIBACC);
	ck_assert(harness_logged("libholt-no-such-thing.so.4"));
	ck_assert_ptr_null(v);
}

TEST(a_jansson_without_one_of_the_functions_is_told_so)
{
	holt_log_level(LOG_DEBUG);
	holt__json_name = "libc.so.6";
	ck_assert_int_eq(holt__json_load(), -ELIBBAD);
	ck_assert(harness_logged("libc.so.6 has no json_loadb"));
	ck_assert_ptr_null(holt__json.loadb);

	holt__json_name = "libjansson.so.4"; /* installed meanwhile */
	ck_assert_int_eq(holt__json_load(), 0);
	ck_assert_ptr_nonnull(holt__json.integer_value);
	holt__json_name = "not asked for again";
	ck_assert_int_eq(holt__json_load(), 0);
}

static char deep_text[4096];

static json_t *nested(size_t depth, bool objects)
{
	char *p = deep_text;
	json_error_t e;
	json_t *j;

	for (size_t i = 0; i < depth; i++)
		p = stpcpy(p, objects ? "{\"a\":" : "[");
	p = stpcpy(p, "0");
	for (size_t i = 0; i < depth; i++)
		p = stpcpy(p, objects ? "}" : "]");
	j = json_loads(deep_text, JSON_DECODE_ANY, &e);
	ck_assert_ptr_nonnull(j);
	return j;
}

TEST(depth_is_measured_before_a_value_is_dumped)
{
	ck_assert_int_eq(holt__json_load(), 0);
	for (int objects = 0; objects < 2; objects++) {
		for (size_t depth = 0; depth < 70; depth += depth < 60 ? 7 : 1) {
			json_t *j = nested(depth, objects);
			size_t cost;

			ck_assert(holt__json_fits(j, depth));
			ck_assert(holt__varlink_scan(deep_text, strlen(deep_text), depth, &cost));
			ck_assert(depth == 0 || !holt__json_fits(j, depth - 1));
			ck_assert(depth == 0 || !holt__varlink_scan(deep_text, strlen(deep_text), depth - 1, &cost));
			json_decref(j);
		}
	}
}

TEST(a_value_that_holds_itself_is_too_deep)
{
	json_t *a = json_array();

	ck_assert_int_eq(holt__json_load(), 0);
	/* jansson refuses the direct way, not the one through another */
	json_array_append_new(a, json_pack("[O, O]", a, a));
	ck_assert(!holt__json_fits(a, 64));
	json_array_clear(a);
	json_decref(a);
}

TEST(text_that_finds_no_memory_says_so_and_keeps_what_it_has)
{
	struct holt__json_text t = { .n = 0 };
	unsigned refused = 0;

	for (size_t i = 0; i < 5000; i++) {
		harness_fail_alloc(1);
		if (holt__json_text_add(&t, "x", 1) == 0)
			continue;
		refused++;
		ck_assert_uint_eq(t.n, i);
		harness_fail_alloc(0);
		ck_assert_int_eq(holt__json_text_add(&t, "x", 1), 0);
	}
	ck_assert_uint_eq(refused, 6);
	ck_assert_uint_eq(strspn(t.buf, "x"), 5000);
	ck_assert_int_eq(holt__json_text_add(&t, "x", SIZE_MAX - 1), -ENOMEM);
	holt__json_text_free(&t);
}

/* ---- the scan */

static size_t live_now, live_most;

static void *measured_malloc(size_t n)
{
	void *p = malloc(n);

	live_now += malloc_usable_size(p) + sizeof(size_t);
	live_most = live_now > live_most ? live_now : live_most;
	return p;
}

static void measured_free(void *p)
{
	live_now -= p ? malloc_usable_size(p) + sizeof(size_t) : 0;
	free(p);
}

/* n times item, in which # is the number, with commas between. */
static char *repeated(const char *open, const char *item, size_t n, const char *close)
{
	size_t size = strlen(open) + n * (strlen(item) + 16) + strlen(close) + 1;
	char *text = malloc(size), *p = stpcpy(text, open);

	for (size_t i = 0; i < n; i++) {
		if (i > 0)
			*p++ = ',';
		for (const char *c = item; *c; c++)
			p += *c == '#' ? sprintf(p, "%zu", i) : sprintf(p, "%c", *c);
	}
	strcpy(p, close);
	return text;
}

TEST(what_a_message_may_cost_is_never_less_than_what_it_does)
{
	static const struct {
		const char *open, *item, *close;
	} kinds[] = {
		{ "[", "{}", "]" },
		{ "[", "[]", "]" },
		{ "[", "0", "]" },
		{ "[", "1.5", "]" },
		{ "[", "\"\"", "]" },
		{ "[", "true", "]" },
		{ "{", "\"#\":0", "}" },
		{ "{", "\"#\":{}", "}" },
		{ "{", "\"#\":\"text\"", "}" },
		{ "[", "{\"a\":[]}", "]" },
		{ "{\"a\":\"", "a long text, which itself has commas #", "\"}" },
		{ "[", "\"\\u00e4\\n\"", "]" },
	};

	ck_assert_int_eq(holt__json_load(), 0); /* json_decref() is ours here */
	json_set_alloc_funcs(measured_malloc, measured_free);
	for (size_t i = 0; i < HOLT__N(kinds); i++) {
		for (size_t n = 0; n <= 3000; n = n < 20 ? n + 1 : n * 3 / 2) {
			char *text = repeated(kinds[i].open, kinds[i].item, n, kinds[i].close);
			size_t cost;
			json_t *j;

			ck_assert(holt__varlink_scan(text, strlen(text), 64, &cost));
			live_most = live_now = 0;
			j = json_loads(text, JSON_REJECT_DUPLICATES, NULL);
			ck_assert_ptr_nonnull(j);
			ck_assert_msg(live_most <= cost, "%zu times %s: said %zu, took %zu", n, kinds[i].item, cost, live_most);
			if (n > 100)
				ck_assert_msg(cost < 8 * live_most, "%s: said %zu, took %zu", kinds[i].item, cost, live_most);
			json_decref(j);
			free(text);
		}
	}
	json_set_alloc_funcs(malloc, free);
}

TEST(brackets_in_strings_do_not_nest)
{
	static const struct {
		const char *text;
		size_t depth; /* that it needs */
	} texts[] = {
		{ "", 0 },
		{ "0", 0 },
		{ "{}", 1 },
		{ "[{}]", 2 },
		{ "{\"[[[[\":1}", 1 },
		{ "[\"\\\"[[\",[]]", 2 },
		{ "[\"\\\\\",[[]]]", 3 },
		{ "]]]]{}", 1 },
		{ "[\"", 1 },
		{ "[\"\\", 1 },
		{ "[][][]", 1 },
	};
	size_t cost;

	for (size_t i = 0; i < HOLT__N(texts); i++) {
		const char *text = texts[i].text;

		ck_assert_msg(holt__varlink_scan(text, strlen(text), texts[i].depth, &cost), "%s", text);
		if (texts[i].depth > 0)
			ck_assert_msg(!holt__varlink_scan(text, strlen(text), texts[i].depth - 1, &cost), "%s", text);
	}
}

/* ---- descriptions */

TEST(a_description_is_checked_in_outline)
{
	static const struct {
		const char *idl;
		unsigned line; /* where it is wrong; 0: it is right */
	} texts[] = {
		{ "interface a.b", 0 },
		{ "# first\ninterface com.example-1.x\n\n# a\nmethod A() -> ()\n", 0 },
		{ "interface a.b\ntype T (a: int, b: ?[]string, c: [string](x, y))\nerror E (t: T)\nmethod M(t: T) -> (u: []T)",
			0 },
		{ "interface a.b\nmethod M(\n # within (\n) -> ()", 0 },
		{ "interface a.b method M()->()", 0 },
		{ "interface a.b\nmethod M(method: string, type: (error, method)) -> ()", 0 },
		{ "", 1 },
		{ "interface", 1 },
		{ "interface a", 1 },
		{ "interface a..b", 1 },
		{ "interface -a.b", 1 },
		{ "interface a.b-", 1 },
		{ "interface 1.b", 1 },
		{ "interface a_b.c", 1 },
		{ "method M() -> ()", 1 },
		{ "interface a.b\nmethod m() -> ()", 2 },
		{ "interface a.b\nmethod M", 2 },
		{ "interface a.b\nmethod M()", 2 },
		{ "interface a.b\nmethod M() -> (\n", 3 },
		{ "interface a.b\nmethod M() -> ())", 2 },
		{ "interface a.b\nmethod M() ()", 2 },
		{ "interface a.b\n\nerror E", 3 },
		{ "interface a.b\nerror E (a: string;)", 2 },
		{ "interface a.b\nfunction F() -> ()", 2 },
		{ "interface a.b\ninterface c.d", 2 },
		{ "interface a.b\nmethod M(a -> b) -> ()", 2 },
	};

	for (size_t i = 0; i < HOLT__N(texts); i++) {
		unsigned line;
		int r = holt__varlink_idl_check(texts[i].idl, &line);

		ck_assert_msg(r == (texts[i].line ? -EINVAL : 0), "%s: %d", texts[i].idl, r);
		if (r < 0)
			ck_assert_msg(line == texts[i].line, "%s: said line %u", texts[i].idl, line);
	}
}

TEST(methods_are_found_where_they_are_described_only)
{
	static const char idl[] = "# method Comment() -> ()\ninterface a.b\n"
				  "method One(method: string) -> (Two: int) # method Late() -> ()\n"
				  "type Three (method: Five)\nmethod Four() -> ()";
	size_t n;

	ck_assert_int_eq(strncmp(holt__varlink_idl_name(idl, &n), "a.b", 3), 0);
	ck_assert_uint_eq(n, 3);
	ck_assert(holt__varlink_idl_has(idl, "One"));
	ck_assert(holt__varlink_idl_has(idl, "Four"));
	ck_assert(!holt__varlink_idl_has(idl, "Two"));
	ck_assert(!holt__varlink_idl_has(idl, "Three"));
	ck_assert(!holt__varlink_idl_has(idl, "Comment"));
	ck_assert(!holt__varlink_idl_has(idl, "Late"));
	ck_assert(!holt__varlink_idl_has(idl, ""));
	ck_assert(!holt__varlink_idl_has(idl, "On"));
}

TEST(a_member_is_an_interface_and_a_name)
{
	static const char *const good[] = { "a.b.C", "com.example.Sum.Add", "a.b-c.D9", "org.varlink.service.GetInfo" };
	static const char *const bad[] = { "", ".", "A", "a.B", "a.b.c", "a.b.", "a..B", ".a.B", "a.b.C d", "a.b.C\"", "a b.c.D",
		"a.b.Ä", "a.-b.C" };
	size_t n;

	for (size_t i = 0; i < HOLT__N(good); i++)
		ck_assert_msg(holt__varlink_is_member(good[i], &n) && good[i][n] == '.', "%s", good[i]);
	for (size_t i = 0; i < HOLT__N(bad); i++)
		ck_assert_msg(!holt__varlink_is_member(bad[i], NULL), "%s", bad[i]);
}

/* ---- the quota */

TEST(a_user_has_a_quarter_and_all_others_together_seven_eighths)
{
	struct holt__varlink_quota q = { .connections_max = 16, .memory_max = 1000 };
	struct holt__varlink_account a[16] = { { .quota = NULL } };
	size_t n = 0;

	for (uid_t uid = 1; uid < 5; uid++) {
		for (int k = 0; k < 4 && n < 14; k++)
			ck_assert_int_eq(holt__varlink_join(&a[n++], &q, uid), 0);
		if (uid < 4)
			ck_assert_int_eq(holt__varlink_join(&a[n], &q, uid), -EUSERS);
	}
	ck_assert_int_eq(holt__varlink_join(&a[n], &q, 77), -EUSERS);
	ck_assert_ptr_null(a[n].share);
	holt__varlink_leave(&a[n]); /* nothing */
	holt__varlink_leave(&a[3]);
	harness_fail_alloc(1);
	ck_assert_int_eq(holt__varlink_join(&a[3], &q, 77), -ENOMEM);
	ck_assert_int_eq(holt__varlink_join(&a[3], &q, 77), 0);
	for (size_t i = 0; i < n; i++)
		holt__varlink_leave(&a[i]);
	ck_assert_ptr_null(q.shares);
	ck_assert_uint_eq(q.others, 0);
}

TEST(memory_is_refused_before_it_is_too_much_and_a_reply_after)
{
	struct holt__varlink_quota q = { .connections_max = 8, .memory_max = 1000 };
	struct holt__varlink_account one, other, root = { .quota = &q }, nobody = { .quota = NULL };

	ck_assert_int_eq(holt__varlink_join(&one, &q, 1), 0);
	ck_assert_int_eq(holt__varlink_join(&other, &q, 2), 0);
	ck_assert_int_eq(holt__varlink_charge(&one, 251), -ENOBUFS);
	ck_assert_int_eq(holt__varlink_charge(&one, SIZE_MAX), -ENOBUFS);
	ck_assert_int_eq(holt__varlink_charge(&one, 240), 0);
	ck_assert_int_eq(holt__varlink_charge(&one, 11), -ENOBUFS);
	ck_assert_int_eq(holt__varlink_charge(&other, 250), 0);
	ck_assert_int_eq(holt__varlink_charge_ours(&other, 1), -ENOBUFS);
	ck_assert_int_eq(holt__varlink_charge_ours(&one, 5000), 0); /* there was room; now there is for nobody */
	ck_assert_int_eq(holt__varlink_charge(&one, 1), -ENOBUFS);
	ck_assert_int_eq(holt__varlink_charge(&root, 1), -ENOBUFS);
	holt__varlink_uncharge(&one, 5000);
	ck_assert_int_eq(holt__varlink_charge(&root, 510), 0);
	ck_assert_int_eq(holt__varlink_charge(&root, 1), -ENOBUFS);
	ck_assert_int_eq(holt__varlink_charge(&nobody, SIZE_MAX), 0);
	holt__varlink_uncharge(&nobody, SIZE_MAX);
	holt__varlink_uncharge(&root, 510);
	holt__varlink_uncharge(&other, 250);
	holt__varlink_uncharge(&one, 240);
	ck_assert_uint_eq(q.memory, 0);
	holt__varlink_leave(&one);
	holt__varlink_leave(&other);
}

/* ---- messages on a socket */

static unsigned long dice = 1;

static size_t roll(size_t n)
{
	dice = dice * 6364136223846793005UL + 1442695040888963407UL;
	return (dice >> 33) % n;
}

enum { MESSAGES = 120, LONGEST = 20000 };

static size_t length_of(int i)
{
	return (size_t)(i * 7919) % (i % 5 == 0 ? LONGEST + 1 : 700);
}

static int send_many(void *arg)
{
	int fd = *(int *)arg;
	static char all[LONGEST + 1];

	for (int i = 0; i < MESSAGES; i++) {
		size_t n = length_of(i), sent = 0;

		memset(all, 'a' + i % 26, n);
		all[n] = 0;
		while (sent <= n) {
			size_t piece = 1 + roll(n + 1 - sent);
			ssize_t k = holt_send(fd, all + sent, piece, 0);

			ck_assert_int_gt(k, 0);
			sent += (size_t)k;
			if (roll(2))
				holt_yield();
		}
	}
	return 0;
}

CLAIM(messages_of_all_lengths_come_out_as_they_went_in)
{
	struct holt__varlink_quota q = { .connections_max = 1, .memory_max = SIZE_MAX };
	struct holt__varlink_wire w;
	int fd[2];

	socket_pair(fd);
	holt__varlink_wire_init(&w, fd[0], LONGEST);
	w.account.quota = &q;
	with_group(g)
	{
		ck_assert_int_eq(holt_spawn(g, send_many, &fd[1]), 0);
		for (int i = 0; i < MESSAGES; i++) {
			const char *text;
			size_t n;
			int r;

			while ((r = holt__varlink_wire_message(&w, &text, &n)) == 0)
				ck_assert_int_gt(holt__varlink_wire_fill(&w), 0);
			ck_assert_int_eq(r, 1);
			ck_assert_uint_eq(n, length_of(i));
			ck_assert_int_eq(text[n], 0);
			for (size_t k = 0; k < n; k++)
				ck_assert_int_eq(text[k], 'a' + i % 26);
			holt__varlink_wire_take(&w, n);
			ck_assert_uint_le(w.size, LONGEST + 1);
			ck_assert_uint_eq(q.memory, w.buf == w.small ? 0 : w.size);
		}
	}
	ck_assert_ptr_eq(w.buf, w.small); /* all was taken */
	ck_assert_uint_eq(q.memory, 0);
	holt__varlink_wire_free(&w);
	close_pair(fd);
	return 0;
}

/* A limit of whatever size is that of one message, and one byte more is too much. */
CLAIM(a_message_of_just_the_limit_passes)
{
	static const size_t limits[] = { 1, 100, 510, 511, 512, 513, 4095, 4096, 10000 };
	static char text[10002];

	memset(text, 'x', sizeof text - 1);
	for (size_t i = 0; i < 2 * HOLT__N(limits); i++) {
		size_t max = limits[i / 2], length = max + i % 2, n;
		struct holt__varlink_wire w;
		const char *got;
		int fd[2], r;

		socket_pair(fd);
		holt__varlink_wire_init(&w, fd[0], max);
		ck_assert_int_eq(holt_write_full(fd[1], "y", 2), 2);
		ck_assert_int_eq(holt_write_full(fd[1], text, length), length);
		ck_assert_int_eq(holt_write_full(fd[1], "", 1), 1);
		while ((r = holt__varlink_wire_message(&w, &got, &n)) == 0 || (r == 1 && n == 1 && *got == 'y')) {
			if (r == 1)
				holt__varlink_wire_take(&w, n);
			else
				ck_assert_int_gt(holt__varlink_wire_fill(&w), 0);
		}
		ck_assert_msg(r == (i % 2 ? -EMSGSIZE : 1), "limit %zu, message %zu: %d", max, length, r);
		if (r == 1)
			ck_assert_uint_eq(n, length);
		holt__varlink_wire_free(&w);
		close_pair(fd);
	}
	return 0;
}

CLAIM(a_buffer_that_cannot_grow_keeps_what_it_has)
{
	struct holt__varlink_quota q = { .connections_max = 1, .memory_max = 5000 };
	struct holt__varlink_wire w;
	static char text[9000];
	const char *got;
	size_t n;
	int fd[2], r;

	memset(text, 'x', sizeof text);
	socket_pair(fd);
	holt__varlink_wire_init(&w, fd[0], 1 << 20);
	w.account.quota = &q;
	ck_assert_int_eq(holt_write_full(fd[1], text, 4096), 4096);
	ck_assert_int_eq(holt__varlink_wire_fill(&w), 512);
	harness_fail_alloc(1);
	ck_assert_int_eq(holt__varlink_wire_fill(&w), -ENOMEM);
	ck_assert_uint_eq(q.memory, 0);
	while (w.end < 4096)
		ck_assert_int_gt(holt__varlink_wire_fill(&w), 0);
	ck_assert_int_eq(holt_write_full(fd[1], "", 1), 1);
	ck_assert_int_eq(holt__varlink_wire_fill(&w), -ENOBUFS);
	ck_assert_uint_eq(w.end, 4096);
	q.memory_max = 50000;
	ck_assert_int_eq(holt__varlink_wire_fill(&w), 1);
	ck_assert_uint_eq(q.memory, 8192);
	r = holt__varlink_wire_message(&w, &got, &n);
	ck_assert_int_eq(r, 1);
	ck_assert_uint_eq(n, 4096);
	holt__varlink_wire_free(&w);
	ck_assert_uint_eq(q.memory, 0);
	close_pair(fd);
	return 0;
}
