/* SPDX-License-Identifier: MIT */
/*
 * How a log line looks: as an entry of the journal, and as text. Pure functions, so nothing runs here.
 */
#include "harness.h"

#include "base/logline.h"

TEST(an_entry_is_what_the_journal_reads)
{
	static const char expected[] = "MESSAGE\n\x0a\0\0\0\0\0\0\0two\nlines!\nPRIORITY=3\nSYSLOG_IDENTIFIER=me\nA=1\n"
				       "B\n\x02\0\0\0\0\0\0\0\n\n\nC=\n";
	struct holt_field f[] = { { "A", "1" }, { "B", "\n\n" }, { "C", "" } };
	struct holt__logline l = {
		.priority = 3, .identifier = "me", .message = "two\nlines!", .n_message = 10, .fields = f, .n = 3
	};
	char buf[256];

	ck_assert_uint_eq(holt__logline_write(&l, HOLT__LOG_ENTRY, buf, sizeof buf), sizeof expected - 1);
	ck_assert_mem_eq(buf, expected, sizeof expected - 1);
}

TEST(a_key_is_what_the_journal_takes)
{
	char longest[66];

	memset(longest, 'A', 65);
	longest[65] = 0;
	ck_assert(holt__log_key("A"));
	ck_assert(holt__log_key("HOLT_9"));
	ck_assert(holt__log_key(longest + 1));
	ck_assert(!holt__log_key(longest));
	ck_assert(!holt__log_key(NULL));
	ck_assert(!holt__log_key(""));
	ck_assert(!holt__log_key("_PID"));
	ck_assert(!holt__log_key("9A"));
	ck_assert(!holt__log_key("a"));
	ck_assert(!holt__log_key("A B"));
	ck_assert(!holt__log_key("A=B"));
	ck_assert(!holt__log_key("A\n"));
}

TEST(a_line_never_writes_over_its_room)
{
	struct holt_field f[] = { { "KEY", "some value" }, { "OTHER", "with\nnewline" } };
	struct holt__logline l = { .priority = 6,
		.identifier = "me",
		.task = "web/a",
		.message = "one\ntwo\n\x1b",
		.n_message = 9,
		.fields = f,
		.n_own = 1,
		.n = 2 };
	char whole[256], part[256];

	for (int form = HOLT__LOG_ENTRY; form <= HOLT__LOG_COLORED; form++) {
		size_t n = holt__logline_write(&l, (enum holt__log_form)form, whole, sizeof whole);

		ck_assert_uint_lt(n, sizeof whole);
		for (size_t room = 0; room <= n; room++) {
			memset(part, '~', sizeof part);
			ck_assert_uint_eq(holt__logline_write(&l, (enum holt__log_form)form, part, room), n);
			ck_assert_mem_eq(part, whole, room);
			ck_assert_int_eq(part[room], '~');
		}
	}
}

static const char *as_text(const struct holt__logline *l, enum holt__log_form form)
{
	static char buf[512];
	size_t n = holt__logline_write(l, form, buf, sizeof buf - 1);

	ck_assert_uint_lt(n, sizeof buf);
	buf[n] = 0;
	return buf;
}

TEST(text_quotes_what_is_not_one_word)
{
	struct holt_field f[] = { { "A", "word=1" }, { "B", "two words" }, { "C", "" }, { "D", "a\n\"b\\\t\x01" },
		{ "MESSAGE_ID", "0123" }, { "CODE_FILE", "x.c" } };
	struct holt__logline l = { .priority = 6, .message = "m", .n_message = 1, .fields = f, .n_own = 5, .n = 6 };

	ck_assert_str_eq(as_text(&l, HOLT__LOG_PREFIXED), "<6>m A=word=1 B=\"two words\" C=\"\" D=\"a\\n\\\"b\\\\\\t\\x01\"\n");
}

TEST(a_terminal_is_sent_no_control_characters)
{
	struct holt__logline l = { .priority = 6, .message = "a\x1b[2J\tb\x7f\r\xc2\x9b\xc3\xa4", .n_message = 13 };

	ck_assert_str_eq(as_text(&l, HOLT__LOG_PLAIN), "a\\x1b[2J\tb\\x7f\\x0d\\xc2\\x9b\xc3\xa4\n");
}

TEST(a_line_that_must_be_cut_loses_its_longest_part)
{
	static char big[5000];
	struct holt_field f[] = { { "A", "1" }, { "B", big }, { "C", "3" } };
	struct holt__logline l = { .priority = 6, .message = big, .n_message = 100, .fields = f, .n_own = 2, .n = 3 };

	memset(big, 'x', sizeof big - 1);
	holt__logline_fit(&l, HOLT__LOG_ENTRY, 1000);
	ck_assert_uint_eq(l.n_message, 100);
	ck_assert_uint_eq(l.n, 2);
	ck_assert_uint_eq(l.n_own, 1);
	ck_assert_str_eq(f[1].key, "C");

	l.message = big;
	l.n_message = sizeof big - 1;
	holt__logline_fit(&l, HOLT__LOG_ENTRY, 1000);
	ck_assert_uint_eq(l.n, 2);
	ck_assert(l.cut);
	ck_assert_uint_le(holt__logline_write(&l, HOLT__LOG_ENTRY, NULL, 0), 1000);
	ck_assert_uint_gt(l.n_message, 300);

	memset(big, '\n', sizeof big - 1); /* each of them is many bytes of color */
	l = (struct holt__logline){ .priority = 3, .task = "web/a", .message = big, .n_message = sizeof big - 1, .fields = f };
	holt__logline_fit(&l, HOLT__LOG_COLORED, 1000);
	ck_assert_uint_le(holt__logline_write(&l, HOLT__LOG_COLORED, NULL, 0), 1000);
}

TEST(a_cut_leaves_whole_characters)
{
	ck_assert_uint_eq(holt__log_cut("ab\xc3\xa4", 3), 2);
	ck_assert_uint_eq(holt__log_cut("ab\xc3\xa4", 4), 4);
	ck_assert_uint_eq(holt__log_cut("a\xf0\x9f\x99\x82", 4), 1);
	ck_assert_uint_eq(holt__log_cut("a\xf0\x9f\x99\x82", 2), 1);
	ck_assert_uint_eq(holt__log_cut("\x80\x80\x80\x80\x80", 4), 4); /* no UTF-8 */
}
