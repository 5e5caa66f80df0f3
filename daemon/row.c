/* SPDX-License-Identifier: MIT */
/*
 * See row.h.
 */
#include "daemon/row.h"

#include <string.h>

#include "base/base.h"
#include "daemon/utf8.h"

void row_begin(struct row *r, bool ascii)
{
	r->ascii = ascii;
	r->n = r->width = r->pad = 0;
}

/* One character, of so many columns; the pad before it. */
static void add(struct row *r, const char *s, size_t n, size_t width)
{
	if (r->n + r->pad + n > sizeof r->buf)
		return;
	memset(r->buf + r->n, ' ', r->pad);
	r->n += r->pad;
	r->width += r->pad + width;
	r->pad = 0;
	memcpy(r->buf + r->n, s, n);
	r->n += n;
}

/* The next character of s as it is shown; gives how many of its bytes that took. */
static size_t next_shown(const char *s, size_t n, bool ascii, const char **ret, size_t *ret_n, size_t *ret_width)
{
	uint32_t c;
	size_t step = utf8_next(s, n, &c);

	*ret = "?";
	*ret_n = *ret_width = 1;
	if (step == 0)
		return 1;
	if (utf8_width(c) < 0 || (ascii && step > 1))
		return step;
	*ret = s;
	*ret_n = step;
	*ret_width = (size_t)utf8_width(c);
	return step;
}

void row_text(struct row *r, const char *s)
{
	size_t length = strlen(s), n, width;
	const char *shown;

	while (length > 0) {
		size_t step = next_shown(s, length, r->ascii, &shown, &n, &width);

		add(r, shown, n, width);
		s += step;
		length -= step;
	}
}

size_t row_width(const char *s, bool ascii)
{
	size_t length = strlen(s), sum = 0, n, width;
	const char *shown;

	while (length > 0) {
		size_t step = next_shown(s, length, ascii, &shown, &n, &width);

		sum += width;
		s += step;
		length -= step;
	}
	return sum;
}

void row_sign(struct row *r, const char *sign, const char *ascii)
{
	row_text(r, r->ascii ? ascii : sign);
}

void row_gap(struct row *r, size_t n)
{
	r->pad += n;
}

void row_to(struct row *r, size_t column)
{
	size_t at = r->width + r->pad;

	if (column < at + 2 && column != at)
		column = at + 2;
	r->pad += column - at;
}

void row_color(struct row *r, enum row_color c)
{
	char mark = (char)c;

	if (c == ROW_PLAIN && r->n + 1 <= sizeof r->buf)
		r->buf[r->n++] = mark; /* ends before the pad */
	else
		add(r, &mark, 1, 0);
}

static size_t put(char *out, size_t n, const char *s)
{
	return (size_t)(stpcpy(out + n, s) - out);
}

const char *row_end(struct row *r, size_t columns, bool color)
{
	static const char *const escape[] = { [ROW_PLAIN] = "\033[0m",
		[ROW_RED] = "\033[31m",
		[ROW_GREEN] = "\033[32m",
		[ROW_YELLOW] = "\033[33m",
		[ROW_DIM] = "\033[2m" };
	bool cut = columns > 0 && r->width > columns, colored = false;
	const char *more = r->ascii ? ">" : "…";
	size_t n = 0, seen = 0, step;
	uint32_t c;

	for (size_t i = 0; i < r->n && n + 16 < sizeof r->out; i += step) {
		step = utf8_next(r->buf + i, r->n - i, &c);
		if (step == 0)
			break; /* cut by the buffer */
		if (c < HOLT__N(escape) && c > 0) {
			colored = c != ROW_PLAIN;
			if (color)
				n = put(r->out, n, escape[c]);
			continue;
		}
		if (cut && seen + (size_t)utf8_width(c) > columns - 1) {
			n = put(r->out, n, more);
			break;
		}
		seen += (size_t)utf8_width(c);
		memcpy(r->out + n, r->buf + i, step);
		n += step;
	}
	r->out[n] = 0;
	if (colored && color)
		put(r->out, n, escape[ROW_PLAIN]);
	return r->out;
}
