/* SPDX-License-Identifier: MIT */
/*
 * See syntax.h.
 */
#include "daemon/syntax.h"

#include <errno.h>
#include <string.h>

#include "daemon/utf8.h"

static bool is_blank(char c)
{
	return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

/* ---- places */

static bool starts_character(char c)
{
	return ((unsigned char)c & 0xc0) != 0x80;
}

static unsigned characters(const char *from, const char *to)
{
	unsigned n = 0;

	for (; from < to; from++)
		n += starts_character(*from);
	return n;
}

void syntax_place(const struct syntax *s, const struct piece *p, size_t offset, unsigned *ret_line, unsigned *ret_column)
{
	const struct join *joins = s->joins.v, *last = NULL;
	const char *at = p->text + offset;

	for (unsigned i = 0; i < p->n_joins && joins[p->joins + i].text <= at; i++)
		if (joins[p->joins + i].text > p->text)
			last = &joins[p->joins + i];
	*ret_line = last ? last->line : p->line;
	*ret_column = last ? last->column + characters(last->text, at) : p->column + characters(p->text, at);
}

/* ---- what is no text at all */

const char *syntax_check(const char *text, size_t n, unsigned *ret_line, unsigned *ret_column)
{
	const char *start = text, *end = text + n;
	uint32_t c;
	size_t k;

	*ret_line = *ret_column = 0;
	if (n > SYNTAX_MAX)
		return "larger than 1 MiB";
	for (*ret_line = 1; text < end; text += k) {
		k = (unsigned char)*text < 0x80 ? 1 : utf8_next(text, (size_t)(end - text), &c);
		if (k == 0 || *text == 0) {
			*ret_column = 1 + characters(start, text);
			return k == 0 ? "not UTF-8" : "a NUL byte";
		}
		if (*text == '\n') {
			++*ret_line;
			start = text + 1;
		}
	}
	return NULL;
}

/* ---- lines */

void syntax_init(struct syntax *s, char *text, size_t n)
{
	if (n >= 3 && memcmp(text, "\xef\xbb\xbf", 3) == 0) { /* a byte order mark */
		text += 3;
		n -= 3;
	}
	*s = (struct syntax){ .text = text, .at = text, .end = text + n, .line = 1 };
}

void syntax_free(struct syntax *s)
{
	list_free(&s->joins);
}

struct line {
	char *text, *end;      /* without the blanks before it and without its end */
	unsigned line, column; /* of text */
};

static bool next_line(struct syntax *s, struct line *ret)
{
	char *start = s->at, *newline;

	if (s->at == s->end)
		return false;
	newline = memchr(start, '\n', (size_t)(s->end - start));
	*ret = (struct line){ .text = start, .end = newline ? newline : s->end, .line = s->line };
	s->at = newline ? newline + 1 : s->end;
	s->line++;
	if (ret->end > start && ret->end[-1] == '\r')
		ret->end--;
	while (ret->text < ret->end && is_blank(*ret->text))
		ret->text++;
	ret->column = 1 + characters(start, ret->text);
	return true;
}

static bool is_comment(const struct line *l)
{
	return l->text < l->end && (*l->text == '#' || *l->text == ';');
}

/* It goes on: an odd number of backslashes is at its end. */
static bool is_continued(const struct line *l)
{
	const char *p = l->end;

	while (p > l->text && p[-1] == '\\')
		p--;
	return (l->end - p) & 1;
}

/* The next line with what continues it, moved up to its first part. Comments in between are left out, as systemd does. */
static int next_logical(struct syntax *s, struct line *ret, unsigned *ret_joins)
{
	struct line more;

	do {
		if (!next_line(s, ret))
			return 0;
	} while (is_comment(ret) || ret->text == ret->end);

	*ret_joins = (unsigned)s->joins.n;
	for (more = *ret; is_continued(&more);) {
		struct join *j;

		ret->end[-1] = ' ';
		do {
			if (!next_line(s, &more))
				return 1;
		} while (is_comment(&more));
		j = list_add(&s->joins, sizeof *j);
		if (!j)
			return -ENOMEM;
		*j = (struct join){ ret->end, more.line, more.column };
		memmove(ret->end, more.text, (size_t)(more.end - more.text));
		ret->end += more.end - more.text;
		more.end = ret->end;
		more.text = (char *)j->text;
	}
	return 1;
}

/* The part of a logical line from its offset from to its offset to, without the blanks around. */
static struct piece cut(const struct syntax *s, const struct piece *line, size_t from, size_t to)
{
	struct piece p = *line;

	while (from < to && is_blank(line->text[from]))
		from++;
	while (from < to && is_blank(line->text[to - 1]))
		to--;
	p.text += from;
	p.n = (unsigned)(to - from);
	syntax_place(s, line, from, &p.line, &p.column);
	return p;
}

struct piece syntax_first(const struct syntax *s, struct piece *p)
{
	struct piece whole = *p;
	size_t n = 0;

	while (n < p->n && !is_blank(p->text[n]))
		n++;
	*p = cut(s, &whole, n, whole.n);
	return cut(s, &whole, 0, n);
}

static void bad(struct item *i, const struct piece *where, const char *error)
{
	*i = (struct item){ .kind = ITEM_BAD, .name = *where, .error = error };
}

static void section(const struct syntax *s, const struct piece *line, struct item *ret)
{
	if (line->text[line->n - 1] != ']' || line->n < 2) {
		bad(ret, line, "a section has no ] at its end");
		return;
	}
	*ret = (struct item){ .kind = ITEM_SECTION, .name = cut(s, line, 1, line->n - 1) };
	if (ret->name.n == 0)
		bad(ret, line, "a section without a name");
}

static void assignment(const struct syntax *s, const struct piece *line, struct item *ret)
{
	const char *equals = memchr(line->text, '=', line->n);
	size_t at = equals ? (size_t)(equals - line->text) : line->n;
	const struct piece *v = &ret->value;
	size_t slashes = 0;

	*ret = (struct item){ .kind = ITEM_ASSIGNMENT, .name = cut(s, line, 0, at) };
	if (!equals) {
		bad(ret, line, "neither [section] nor Key=value nor a comment");
		return;
	}
	if (ret->name.n == 0) {
		bad(ret, line, "no key before the =");
		return;
	}
	ret->value = cut(s, line, at + 1, line->n);
	while (slashes < v->n && v->text[v->n - 1 - slashes] == '\\')
		slashes++;
	if (slashes & 1 && v->text + v->n < line->text + line->n) {
		struct piece end = cut(s, line, (size_t)(v->text - line->text) + v->n - 1, line->n);

		bad(ret, &end, "blanks after the backslash: so the line does not go on");
	}
}

int syntax_next(struct syntax *s, struct item *ret)
{
	struct piece whole = { 0 }, line;
	struct line l;
	int r = next_logical(s, &l, &whole.joins);

	if (r <= 0)
		return r;
	whole = (struct piece){
		.text = l.text,
		.n = (unsigned)(l.end - l.text),
		.line = l.line,
		.column = l.column,
		.joins = whole.joins,
		.n_joins = (unsigned)s->joins.n - whole.joins,
	};
	line = whole;
	while (line.n > 0 && is_blank(line.text[line.n - 1]) && *line.text == '[')
		line.n--;
	if (*line.text == '[')
		section(s, &line, ret);
	else
		assignment(s, &line, ret);
	return 1;
}

/* ---- words */

static int hex(char c)
{
	return c >= '0' && c <= '9' ? c - '0' : c >= 'a' && c <= 'f' ? c - 'a' + 10 : c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

/* The number of just n digits at s; -1: there are not so many. */
static long number(const char *s, size_t left, size_t n, int base)
{
	long v = 0;

	if (left < n)
		return -1;
	for (size_t i = 0; i < n; i++) {
		int digit = hex(s[i]);

		if (digit < 0 || digit >= base)
			return -1;
		v = v * base + digit;
	}
	return v;
}

static int add_character(struct list *buf, unsigned long c)
{
	char s[4];
	size_t n = c < 0x80 ? 1 : c < 0x800 ? 2 : c < 0x10000 ? 3 : 4;

	for (size_t i = n; i-- > 1; c >>= 6)
		s[i] = (char)(0x80 | (c & 0x3f));
	s[0] = (char)(n == 1 ? c : (0xf00u >> n & 0xff) | c);
	return list_add_bytes(buf, s, n);
}

/* What stands after a backslash, n of it: how much of that belongs to the escape; -EINVAL: it is none; -ENOMEM. */
static int unescape(const char *s, size_t n, struct list *buf)
{
	static const char names[] = "abfnrtvs\\\"'", meaning[] = "\a\b\f\n\r\t\v \\\"'";
	const char *simple = n > 0 ? memchr(names, *s, sizeof names - 1) : NULL;
	size_t digits;
	long c;
	char byte;

	if (simple)
		return list_add_bytes(buf, meaning + (simple - names), 1) < 0 ? -ENOMEM : 1;
	if (n > 0 && (*s == 'u' || *s == 'U')) {
		digits = *s == 'u' ? 4 : 8;
		c = number(s + 1, n - 1, digits, 16);
		if (c <= 0 || c > 0x10ffff || (c >= 0xd800 && c < 0xe000))
			return -EINVAL;
		return add_character(buf, (unsigned long)c) < 0 ? -ENOMEM : (int)digits + 1;
	}
	c = n > 0 && *s == 'x' ? number(s + 1, n - 1, 2, 16) : number(s, n, 3, 8);
	if (c <= 0 || c > 255)
		return -EINVAL;
	byte = (char)c;
	return list_add_bytes(buf, &byte, 1) < 0 ? -ENOMEM : 3;
}

/* A literal semicolon: \; that stands alone. */
static bool is_semicolon(const struct piece *p, size_t at)
{
	return at + 2 <= p->n && p->text[at] == '\\' && p->text[at + 1] == ';' && (at + 2 == p->n || is_blank(p->text[at + 2]));
}

/* Neither ends a word nor means anything in it or in quotes. */
static bool is_ordinary(char c)
{
	return !is_blank(c) && c != '\\' && c != '"' && c != '\'';
}

int words_next(struct words *w, struct word *ret, struct list *buf)
{
	const char *s = w->piece->text;
	size_t n = w->piece->n, at = w->at, start = at;
	char quote = 0;
	bool plain = true;
	int r;

	while (at < n && is_blank(s[at]))
		at++;
	w->at = at;
	if (at == n)
		return 0;
	*ret = (struct word){ .offset = at, .end = at + 2 };
	if (is_semicolon(w->piece, at)) {
		w->at = ret->end;
		return list_add_bytes(buf, ";", 1) < 0 ? -ENOMEM : 1;
	}

	for (; at < n && (quote || !is_blank(s[at])); at++) {
		r = 0;
		if (s[at] == '\\') {
			r = unescape(s + at + 1, n - at - 1, buf);
			if (r == -EINVAL) {
				w->at = at;
				w->error = at + 1 == n ? "a single backslash at the end"
						       : "an unknown escape after the backslash; \\\\ is a backslash";
				return r;
			}
			plain = false;
			at += r > 0 ? (size_t)r : 0;
		} else if (quote ? s[at] == quote : s[at] == '"' || s[at] == '\'') {
			quote = (char)(quote ? 0 : s[at]);
			start = at;
			plain = false;
		} else {
			size_t more = at + 1;

			while (more < n && is_ordinary(s[more]))
				more++;
			r = list_add_bytes(buf, s + at, more - at);
			at = more - 1;
		}
		if (r < 0)
			return r;
	}
	if (quote) {
		w->at = start;
		w->error = "a quote that is not closed";
		return -EINVAL;
	}
	w->at = ret->end = at;
	ret->plain = plain;
	return 1;
}
