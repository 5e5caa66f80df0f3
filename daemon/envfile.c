/* SPDX-License-Identifier: MIT */
/*
 * What is read is written back in place: the reader is never behind the writer, since nothing becomes longer.
 */
#include "daemon/envfile.h"

#include <stdbool.h>
#include <string.h>

struct scan {
	char *p, *end, *to; /* to <= p, always */
	unsigned line;
};

static bool is_end_of_line(char c)
{
	return c == '\n' || c == '\r';
}

static bool is_blank(char c)
{
	return c == ' ' || c == '\t' || is_end_of_line(c);
}

static char take(struct scan *s)
{
	s->line += *s->p == '\n';
	return *s->p++;
}

static void skip_line(struct scan *s)
{
	while (s->p < s->end && !is_end_of_line(take(s)))
		;
}

static bool is_name(const char *s, const char *end)
{
	if (s == end || (*s >= '0' && *s <= '9'))
		return false;
	for (; s < end; s++)
		if ((*s < '0' || *s > '9') && (*s < 'A' || *s > 'Z') && (*s < 'a' || *s > 'z') && *s != '_')
			return false;
	return true;
}

/* Behind an opening quote; false: it is not closed. */
static bool read_quoted(struct scan *s, char quote)
{
	while (s->p < s->end) {
		char c = take(s);

		if (c == quote)
			return true;
		if (c == '\\' && quote == '"' && s->p < s->end) {
			char d = take(s);

			if (d == '\n')
				continue;
			if (!strchr("\"\\`$", d))
				*s->to++ = '\\';
			c = d;
		}
		*s->to++ = c;
	}
	return false;
}

/* To the line's end. False: a quote is not closed. */
static bool read_value(struct scan *s)
{
	char *keep = s->to; /* blanks behind it go */
	bool begun = false; /* no blanks are skipped any more */

	while (s->p < s->end) {
		char c = take(s);

		if (is_end_of_line(c))
			break;
		if (!begun && is_blank(c))
			continue;
		if (!begun && (c == '"' || c == '\'')) {
			if (!read_quoted(s, c))
				return false;
			keep = s->to;
			continue;
		}
		begun = true;
		if (c == '\\' && s->p < s->end) {
			c = take(s);
			if (!is_end_of_line(c))
				*s->to++ = c;
			keep = s->to;
			continue;
		}
		*s->to++ = c;
		if (!is_blank(c))
			keep = s->to;
	}
	s->to = keep;
	return true;
}

static int read_assignment(struct envfile *f, struct scan *s)
{
	unsigned line = s->line;
	char *name = s->p, *stop = s->p, *end;
	bool closed;

	while (stop < s->end && *stop != '=' && !is_end_of_line(*stop))
		stop++;
	if (stop == s->end || *stop != '=') {
		skip_line(s);
		f->skip(f, line, "is not NAME=value");
		return 0;
	}
	for (end = stop; end > name && is_blank(end[-1]); end--)
		;
	s->p = stop + 1;
	s->to = end;
	*s->to++ = '=';
	closed = read_value(s);
	*s->to = 0;
	if (!closed)
		f->skip(f, line, "has a quote that is not closed");
	else if (!is_name(name, end))
		f->skip(f, line, "has a name that is none");
	else if (strlen(name) != (size_t)(s->to - name))
		f->skip(f, line, "has a NUL in it");
	else
		return f->assign(f, name);
	return 0;
}

int envfile_parse(struct envfile *f, char *text, size_t n)
{
	struct scan s = { .p = text, .end = text + n, .line = 1 };
	int r = 0;

	while (r >= 0 && s.p < s.end) {
		if (is_blank(*s.p))
			take(&s);
		else if (*s.p == '#' || *s.p == ';')
			skip_line(&s);
		else
			r = read_assignment(f, &s);
	}
	return r < 0 ? r : 0;
}
