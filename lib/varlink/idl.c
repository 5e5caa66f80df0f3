/* SPDX-License-Identifier: MIT */
/*
 * See idl.h. A token is a word, an arrow, or one other character; white space and comments stand between them.
 */
#include "varlink/idl.h"

#include <errno.h>
#include <string.h>

struct scan {
	const char *at; /* behind the token */
	const char *token;
	size_t n; /* 0: the end */
	unsigned line;
};

static bool is_letter(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

static bool is_word(char c)
{
	return is_letter(c) || (c >= '0' && c <= '9');
}

static void skip(struct scan *s)
{
	for (;; s->at++) {
		if (*s->at == '#')
			s->at += strcspn(s->at, "\n");
		if (*s->at == '\n')
			s->line++;
		else if (!*s->at || !strchr(" \t\r", *s->at))
			return;
	}
}

static void next(struct scan *s)
{
	const char *p;

	skip(s);
	p = s->token = s->at;
	while (is_word(*p) || *p == '.' || *p == '_' || (*p == '-' && p[1] != '>'))
		p++;
	if (p == s->token && *p)
		p += p[0] == '-' && p[1] == '>' ? 2 : 1;
	s->n = (size_t)(p - s->token);
	s->at = p;
}

static bool is(const struct scan *s, const char *word)
{
	return s->n == strlen(word) && memcmp(s->token, word, s->n) == 0;
}

/* ---- names */

/* Letters and digits, with single or more hyphens between them. */
static bool is_part(const char *s, size_t n)
{
	if (n == 0 || s[0] == '-' || s[n - 1] == '-')
		return false;
	for (size_t i = 0; i < n; i++)
		if (!is_word(s[i]) && s[i] != '-')
			return false;
	return true;
}

bool holt__varlink_is_interface(const char *s, size_t n)
{
	size_t parts = 0, start = 0;

	if (n == 0 || !is_letter(s[0]))
		return false;
	for (size_t i = 0; i <= n; i++) {
		if (i < n && s[i] != '.')
			continue;
		if (!is_part(s + start, i - start))
			return false;
		start = i + 1;
		parts++;
	}
	return parts >= 2;
}

bool holt__varlink_is_name(const char *s, size_t n)
{
	if (n == 0 || s[0] < 'A' || s[0] > 'Z')
		return false;
	for (size_t i = 1; i < n; i++)
		if (!is_word(s[i]))
			return false;
	return true;
}

bool holt__varlink_is_member(const char *s, size_t *ret_n)
{
	const char *dot = strrchr(s, '.');

	if (!dot || !holt__varlink_is_interface(s, (size_t)(dot - s)) || !holt__varlink_is_name(dot + 1, strlen(dot + 1)))
		return false;
	if (ret_n)
		*ret_n = (size_t)(dot - s);
	return true;
}

/* ---- descriptions */

/* From the opening parenthesis, which is the token, to behind the closing one. */
static bool pass_body(struct scan *s)
{
	size_t depth = 0;

	if (!is(s, "("))
		return false;
	do {
		if (s->n == 0 || (s->n == 1 && !is_word(s->token[0]) && !strchr("():,[]?", s->token[0])) || is(s, "->"))
			return false;
		depth += is(s, "(");
		depth -= is(s, ")");
		next(s);
	} while (depth > 0);
	return true;
}

/* One type, method or error; what stands behind it is the token then. */
static bool pass_member(struct scan *s)
{
	bool method = is(s, "method");

	if (!method && !is(s, "type") && !is(s, "error"))
		return false;
	next(s);
	if (!holt__varlink_is_name(s->token, s->n))
		return false;
	next(s);
	if (!pass_body(s))
		return false;
	if (!method)
		return true;
	if (!is(s, "->"))
		return false;
	next(s);
	return pass_body(s);
}

int holt__varlink_idl_check(const char *idl, unsigned *ret_line)
{
	struct scan s = { .at = idl, .line = 1 };
	bool good;

	next(&s);
	good = is(&s, "interface");
	next(&s);
	good = good && holt__varlink_is_interface(s.token, s.n);
	next(&s);
	while (good && s.n > 0)
		good = pass_member(&s);
	*ret_line = s.line;
	return good ? 0 : -EINVAL;
}

const char *holt__varlink_idl_name(const char *idl, size_t *ret_n)
{
	struct scan s = { .at = idl };

	next(&s);
	next(&s);
	*ret_n = s.n;
	return s.token;
}

bool holt__varlink_idl_has(const char *idl, const char *method)
{
	struct scan s = { .at = idl };
	size_t depth = 0;

	for (next(&s); s.n > 0; next(&s)) {
		depth += is(&s, "(");
		depth -= is(&s, ")");
		if (depth > 0 || !is(&s, "method"))
			continue;
		next(&s);
		if (is(&s, method))
			return true;
	}
	return false;
}
