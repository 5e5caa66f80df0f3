/* SPDX-License-Identifier: MIT */
/*
 * Lines, sections, assignments, continuation, quoting: as systemd.syntax(7) has them, each piece with its line and column.
 */
#include "harness.h"

#include <stdarg.h>

#include "daemon/memory.h"
#include "daemon/syntax.h"

/* ---- items, written as "LINE:COLUMN[name]", "LINE:COLUMN key=LINE:COLUMN value", "LINE:COLUMN!error" */

static char shown[2000];

static void show(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
static void show(const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(shown + strlen(shown), sizeof shown - strlen(shown), fmt, ap);
	va_end(ap);
}

static const char *items_of(const char *text, size_t n)
{
	char *copy = malloc(n + 1);
	struct syntax s;
	struct item i;

	memcpy(copy, text, n);
	shown[0] = 0;
	syntax_init(&s, copy, n);
	while (syntax_next(&s, &i) > 0) {
		show("%u:%u", i.name.line, i.name.column);
		if (i.kind == ITEM_SECTION)
			show("[%.*s] ", (int)i.name.n, i.name.text);
		else if (i.kind == ITEM_ASSIGNMENT)
			show(" %.*s=%u:%u %.*s; ", (int)i.name.n, i.name.text, i.value.line, i.value.column, (int)i.value.n,
				i.value.text);
		else
			show("!%s; ", i.error);
	}
	syntax_free(&s);
	free(copy);
	return shown;
}

static const struct {
	const char *text, *items;
} texts[] = {
	{ "", "" },
	{ "\n\n  \n\t\n", "" },
	{ "[a b]\nk=v\n", "1:2[a b] 2:1 k=2:3 v; " },
	{ "[a]\nk=v", "1:2[a] 2:1 k=2:3 v; " },
	{ "\xef\xbb\xbf[a]\r\nk = v \r\n", "1:2[a] 2:1 k=2:5 v; " },
	{ "  [ a  b ]  \n\t k \t= \t v w\t \n", "1:5[a  b] 2:3 k=2:10 v w; " },
	{ "# c\n; c\n  # c\nk=#v;w\n", "4:1 k=4:3 #v;w; " },
	{ "k=\nk= \n", "1:1 k=1:3 ; 2:1 k=2:4 ; " },
	{ "k=a=b\n", "1:1 k=1:3 a=b; " },
	{ "k=a \\\n  b\\\n\tc\n", "1:1 k=1:3 a  b c; " },
	{ "k=a\\\n# c\n ; c \\\nb\nl=1\n", "1:1 k=1:3 a b; 5:1 l=5:3 1; " },
	{ "k=a\\\n\nl=1\n", "1:1 k=1:3 a; 3:1 l=3:3 1; " },
	{ "k=\\\n\\\n  v\n", "1:1 k=3:3 v; " },
	{ "k=a\\", "1:1 k=1:3 a; " },
	{ "k=a\\\n", "1:1 k=1:3 a; " },
	{ "k=a\\\\\nl=1\n", "1:1 k=1:3 a\\\\; 2:1 l=2:3 1; " },
	{ "k=a\\\\\\\nb\n", "1:1 k=1:3 a\\\\ b; " },
	{ "k\\\n = \\\n v\n", "1:1 k=3:2 v; " },
	{ "[a\\\nb]\n", "1:2[a b] " },
	{ "k=\xc3\xa4\xc3\xb6 \\\n\xc3\xbc=x\n\xc3\xa4=\xc3\xb6\n",
		"1:1 k=1:3 \xc3\xa4\xc3\xb6  \xc3\xbc=x; 3:1 \xc3\xa4=3:3 \xc3\xb6; " },
	{ "k=a\\ \nl=1\n", "1:4!blanks after the backslash: so the line does not go on; 2:1 l=2:3 1; " },
	{ "junk\n", "1:1!neither [section] nor Key=value nor a comment; " },
	{ " =v\n", "1:2!no key before the =; " },
	{ "[a\n", "1:1!a section has no ] at its end; " },
	{ "[\n", "1:1!a section has no ] at its end; " },
	{ "[]\n[ ]", "1:1!a section without a name; 2:1!a section without a name; " },
	{ "[a] x\n", "1:1!a section has no ] at its end; " },
};

TEST_LOOP(text_becomes_sections_and_assignments, 0, (int)HOLT__N(texts))
{
	ck_assert_str_eq(items_of(texts[_i].text, strlen(texts[_i].text)), texts[_i].items);
}

TEST(each_word_of_a_continued_line_knows_its_place)
{
	char text[] = "k = \\\n  one two \\\n# no\n\tthree\\\nfour\n";
	static const struct {
		unsigned offset, line, column;
	} places[] = { { 0, 2, 3 }, { 4, 2, 7 }, { 7, 2, 10 }, { 9, 4, 2 }, { 13, 4, 6 }, { 15, 5, 1 }, { 18, 5, 4 } };
	unsigned line, column;
	struct syntax s;
	struct item i;

	syntax_init(&s, text, sizeof text - 1);
	ck_assert_int_eq(syntax_next(&s, &i), 1);
	ck_assert_msg(
		i.value.n == 19 && memcmp(i.value.text, "one two  three four", 19) == 0, "%.*s", (int)i.value.n, i.value.text);
	for (size_t k = 0; k < HOLT__N(places); k++) {
		syntax_place(&s, &i.value, places[k].offset, &line, &column);
		ck_assert_msg(line == places[k].line && column == places[k].column, "%u: %u:%u", places[k].offset, line, column);
	}
	syntax_free(&s);
}

TEST(what_is_no_text_is_told_with_its_place)
{
	static const struct {
		const char *text;
		size_t n;
		const char *why;
		unsigned line, column;
	} bad[] = {
		{ "a\n\xc3\xa4\xff", 5, "not UTF-8", 2, 2 },
		{ "a\0b", 3, "a NUL byte", 1, 2 },
		{ "\xc3", 1, "not UTF-8", 1, 1 },
		{ "\xed\xa0\x80", 3, "not UTF-8", 1, 1 },
		{ "\xc0\xaf", 2, "not UTF-8", 1, 1 },
		{ "\xf4\x90\x80\x80", 4, "not UTF-8", 1, 1 },
		{ "\xf0\x9f\x8c\xb2\n\x80", 6, "not UTF-8", 2, 1 },
	};
	char *large = calloc(1, SYNTAX_MAX + 1);
	unsigned line, column;

	for (size_t i = 0; i < HOLT__N(bad); i++) {
		ck_assert_str_eq(syntax_check(bad[i].text, bad[i].n, &line, &column), bad[i].why);
		ck_assert_msg(line == bad[i].line && column == bad[i].column, "%zu: %u:%u", i, line, column);
	}
	ck_assert_ptr_null(syntax_check("\xf0\x9f\x8c\xb2 \xef\xbf\xbf \x7f", 10, &line, &column));
	memset(large, 'x', SYNTAX_MAX + 1);
	ck_assert_ptr_null(syntax_check(large, SYNTAX_MAX, &line, &column));
	ck_assert_str_eq(syntax_check(large, SYNTAX_MAX + 1, &line, &column), "larger than 1 MiB");
	ck_assert_uint_eq(line, 0);
	free(large);
}

TEST(the_first_word_comes_off_a_piece)
{
	char text[] = "[ process \t a/b c ]";
	struct piece first;
	struct syntax s;
	struct item i;

	syntax_init(&s, text, sizeof text - 1);
	ck_assert_int_eq(syntax_next(&s, &i), 1);
	first = syntax_first(&s, &i.name);
	ck_assert(first.n == 7 && memcmp(first.text, "process", 7) == 0 && first.column == 3);
	ck_assert(i.name.n == 5 && memcmp(i.name.text, "a/b c", 5) == 0 && i.name.column == 13);
	first = syntax_first(&s, &i.name);
	first = syntax_first(&s, &i.name);
	ck_assert(first.n == 1 && i.name.n == 0);
	first = syntax_first(&s, &i.name);
	ck_assert_uint_eq(first.n, 0);
	syntax_free(&s);
}

/* ---- words, each in <>, or the offset and the reason of an error */

static const char *words_of_text(const char *text)
{
	struct piece p = { .text = text, .n = (unsigned)strlen(text), .line = 1, .column = 1 };
	struct words w = { .piece = &p };
	struct list buf = { 0 };
	struct word word;
	int r;

	shown[0] = 0;
	while (buf.n = 0, (r = words_next(&w, &word, &buf)) > 0)
		show("<%.*s>%s", (int)buf.n, (const char *)buf.v, word.plain ? "" : "'");
	if (r == -EINVAL)
		show("%zu: %s", w.at, w.error);
	list_free(&buf);
	return shown;
}

static const struct {
	const char *text, *words;
} lines[] = {
	{ "", "" },
	{ " \t ", "" },
	{ "a bc\td", "<a><bc><d>" },
	{ "\"a b\" 'c d'", "<a b>'<c d>'" },
	{ "'' \"\"", "<>'<>'" },
	{ "a\"b c\"d'e f'", "<ab cde f>'" },
	{ "\"it's\" '\"'", "<it's>'<\">'" },
	{ "; \";\" \\; \\;x", "<;><;>'<;>'9: an unknown escape after the backslash; \\\\ is a backslash" },
	{ "a;", "<a;>" },
	{ "\\a\\b\\f\\n\\r\\t\\v\\\\\\\"\\'\\s", "<\a\b\f\n\r\t\v\\\"' >'" },
	{ "'\\n' \"\\x41\"", "<\n>'<A>'" },
	{ "\\x41\\101\\u00e4\\U0001F332\\xff\\377", "<AA\xc3\xa4\xf0\x9f\x8c\xb2\xff\xff>'" },
	{ "\\u20ac\\u07ff\\u0800", "<\xe2\x82\xac\xdf\xbf\xe0\xa0\x80>'" },
	{ "a\\qb", "1: an unknown escape after the backslash; \\\\ is a backslash" },
	{ "\\$x", "0: an unknown escape after the backslash; \\\\ is a backslash" },
	{ "ok \\x4", "<ok>3: an unknown escape after the backslash; \\\\ is a backslash" },
	{ "\\x00", "0: an unknown escape after the backslash; \\\\ is a backslash" },
	{ "\\000", "0: an unknown escape after the backslash; \\\\ is a backslash" },
	{ "\\400", "0: an unknown escape after the backslash; \\\\ is a backslash" },
	{ "\\18", "0: an unknown escape after the backslash; \\\\ is a backslash" },
	{ "\\ud800", "0: an unknown escape after the backslash; \\\\ is a backslash" },
	{ "\\U00110000", "0: an unknown escape after the backslash; \\\\ is a backslash" },
	{ "\\u0000", "0: an unknown escape after the backslash; \\\\ is a backslash" },
	{ "a\\", "1: a single backslash at the end" },
	{ "a 'b c", "<a>2: a quote that is not closed" },
	{ "a b\"c", "<a>3: a quote that is not closed" },
	{ "'a\\'b'", "<a'b>'" },
};

TEST_LOOP(a_line_is_split_as_systemd_does, 0, (int)HOLT__N(lines))
{
	ck_assert_str_eq(words_of_text(lines[_i].text), lines[_i].words);
}

/* ---- memory */

TEST(equals_are_kept_once)
{
	struct config_memory *m;
	const char *a;
	uint64_t v[3] = { 1, 2, 3 }, *p;
	size_t size;

	ck_assert_int_eq(memory_open(&m), 0);
	a = memory_string(m, "hello, world", 5);
	ck_assert_str_eq(a, "hello");
	ck_assert_ptr_eq(memory_string(m, "hello", 5), a);
	ck_assert_ptr_ne(memory_string(m, "hello,", 6), a);
	ck_assert_str_eq(memory_string(m, "", 0), "");
	p = memory_same(m, v, sizeof v);
	ck_assert_ptr_eq(memory_same(m, v, sizeof v), p);
	ck_assert_ptr_ne(memory_same(m, v, sizeof *v), p);
	ck_assert_ptr_ne(memory_string(m, (char *)v, sizeof v), p);
	ck_assert_ptr_null(memory_same(m, v, 0));
	for (unsigned i = 0; i < 5000; i++) {
		char text[40];
		size_t n = (size_t)snprintf(text, sizeof text, "text number %u", i);

		ck_assert_str_eq(memory_string(m, text, n), text);
		ck_assert_uint_eq((uintptr_t)memory_same(m, &i, sizeof i) % sizeof(void *), 0);
		ck_assert_uint_eq((uintptr_t)memory_get(m, i % 40 + 1) % sizeof(void *), 0);
	}
	ck_assert_ptr_eq(memory_string(m, "hello", 5), a);
	ck_assert_ptr_eq(memory_same(m, v, sizeof v), p);
	size = memory_size(m);
	memory_settle(m);
	ck_assert_uint_lt(size, 300000);
	ck_assert_uint_eq(p[2], 3);
	memory_close(m);
	memory_close(NULL);
}

TEST(a_large_piece_leaves_room_for_small_ones)
{
	struct config_memory *m;
	char *a, *b;
	size_t size;

	ck_assert_int_eq(memory_open(&m), 0);
	a = memory_get(m, 100);
	b = memory_get(m, 100000);
	ck_assert(a[99] == 0 && b[99999] == 0);
	size = memory_size(m);
	memory_get(m, 100);
	ck_assert_uint_eq(memory_size(m), size);
	memory_close(m);
}
