/* SPDX-License-Identifier: MIT */
/*
 * The journal's native protocol is KEY=value and a newline, or, for a value with newlines in it, KEY, a newline, the
 * length as 64 bits little endian, the value, a newline.
 *
 * On a terminal control characters of a message are shown, not sent: what a client put into a log line shall not
 * move the cursor of who reads it. In both forms of text a field's value that would not stand as one word is quoted.
 */
#include "base/logline.h"

#include <string.h>

enum { KEY_MAX = 64 };

struct out {
	char *buf;
	size_t size, len; /* len: of all, also of what had no room */
};

static void put_n(struct out *o, const char *s, size_t n)
{
	size_t room = o->len < o->size ? o->size - o->len : 0;

	if (room > 0)
		memcpy(o->buf + o->len, s, n < room ? n : room);
	o->len += n;
}

static void put(struct out *o, const char *s)
{
	put_n(o, s, strlen(s));
}

bool holt__log_key(const char *key)
{
	size_t n = key ? strspn(key, "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_") : 0;

	return n > 0 && n <= KEY_MAX && !key[n] && key[0] >= 'A' && key[0] <= 'Z';
}

size_t holt__log_cut(const char *s, size_t n)
{
	size_t k = n;

	while (k > 0 && n - k < 3 && ((unsigned char)s[k] & 0xc0) == 0x80)
		k--;
	return ((unsigned char)s[k] & 0xc0) == 0x80 ? n : k;
}

/* ---- for the journal */

static void put_field(struct out *o, const char *key, const char *value, size_t n, const char *rest)
{
	uint64_t length = n + strlen(rest);
	char le[8];

	put(o, key);
	if (!memchr(value, '\n', n)) {
		put(o, "=");
	} else {
		put(o, "\n");
		for (size_t i = 0; i < sizeof le; i++)
			le[i] = (char)(length >> 8 * i);
		put_n(o, le, sizeof le);
	}
	put_n(o, value, n);
	put(o, rest);
	put(o, "\n");
}

static bool has_field(const struct holt__logline *l, const char *key)
{
	for (size_t i = 0; i < l->n; i++)
		if (!strcmp(l->fields[i].key, key))
			return true;
	return false;
}

static void put_entry(struct out *o, const struct holt__logline *l)
{
	char digit = (char)('0' + l->priority);

	put_field(o, "MESSAGE", l->message, l->n_message, l->cut ? "..." : "");
	put_field(o, "PRIORITY", &digit, 1, "");
	if (l->identifier && !has_field(l, "SYSLOG_IDENTIFIER"))
		put_field(o, "SYSLOG_IDENTIFIER", l->identifier, strlen(l->identifier), "");
	for (size_t i = 0; i < l->n; i++)
		put_field(o, l->fields[i].key, l->fields[i].value, strlen(l->fields[i].value), "");
}

/* ---- as text */

static const char off[] = "\033[0m", dim[] = "\033[2m";
static const char *const colors[] = { "\033[1;31m", "\033[1;31m", "\033[1;31m", "\033[31m", "\033[33m", "\033[1m", "",
	"\033[2m" };

static bool is_control(const char *p, const char *end)
{
	unsigned char c = (unsigned char)*p, next = end - p > 1 ? (unsigned char)p[1] : 0;

	return (c < ' ' && c != '\t') || c == 0x7f || (c == 0xc2 && next >= 0x80 && next < 0xa0); /* the last: U+0080 to U+009F */
}

static void put_escaped(struct out *o, char c)
{
	static const char hex[] = "0123456789abcdef";
	char escape[4] = { '\\', 'x', hex[(unsigned char)c >> 4], hex[(unsigned char)c & 15] };

	put_n(o, escape, sizeof escape);
}

static void put_visible(struct out *o, const char *s, size_t n)
{
	const char *end = s + n, *from = s;

	for (const char *p = s; p < end; p++) {
		if (!is_control(p, end))
			continue;
		put_n(o, from, (size_t)(p - from));
		put_escaped(o, *p);
		if ((unsigned char)*p == 0xc2)
			put_escaped(o, *++p);
		from = p + 1;
	}
	put_n(o, from, (size_t)(end - from));
}

static void put_quoted(struct out *o, const char *s)
{
	put(o, "\"");
	for (; *s; s++) {
		size_t plain = strcspn(s, "\"\\\n\t");

		put_visible(o, s, plain);
		s += plain;
		if (!*s)
			break;
		put(o, *s == '\n' ? "\\n" : *s == '\t' ? "\\t" : *s == '"' ? "\\\"" : "\\\\");
	}
	put(o, "\"");
}

static bool is_word(const char *s)
{
	const char *end = s + strlen(s);

	for (const char *p = s; p < end; p++)
		if (*p == ' ' || *p == '\t' || *p == '"' || is_control(p, end))
			return false;
	return s < end;
}

static void put_own_fields(struct out *o, const struct holt__logline *l, enum holt__log_form form)
{
	for (size_t i = 0; i < l->n_own; i++) {
		const struct holt_field *f = &l->fields[i];

		if (!strcmp(f->key, "MESSAGE_ID")) /* for the catalog, says nothing to a reader */
			continue;
		put(o, form == HOLT__LOG_COLORED ? dim : "");
		put(o, " ");
		put(o, f->key);
		put(o, "=");
		if (is_word(f->value))
			put(o, f->value);
		else
			put_quoted(o, f->value);
		put(o, form == HOLT__LOG_COLORED ? off : "");
	}
}

static void begin_text_line(struct out *o, const struct holt__logline *l, enum holt__log_form form, bool first)
{
	char prefix[3] = { '<', (char)('0' + l->priority), '>' };

	if (form == HOLT__LOG_PREFIXED)
		put_n(o, prefix, sizeof prefix);
	else if (!first)
		put(o, "  ");
	if (!first || !l->task)
		return;
	put(o, form == HOLT__LOG_COLORED ? dim : "");
	put(o, l->task);
	put(o, ":");
	put(o, form == HOLT__LOG_COLORED ? off : "");
	put(o, " ");
}

static void put_text(struct out *o, const struct holt__logline *l, enum holt__log_form form)
{
	const char *color = form == HOLT__LOG_COLORED ? colors[l->priority] : "";
	const char *p = l->message, *end = p + l->n_message, *stop;

	do {
		stop = memchr(p, '\n', (size_t)(end - p));
		stop = stop ? stop : end;
		begin_text_line(o, l, form, p == l->message);
		put(o, color);
		if (form == HOLT__LOG_PREFIXED)
			put_n(o, p, (size_t)(stop - p));
		else
			put_visible(o, p, (size_t)(stop - p));
		put(o, stop == end && l->cut ? "..." : "");
		put(o, *color ? off : "");
		if (stop == end)
			put_own_fields(o, l, form);
		put(o, "\n");
		p = stop + 1;
	} while (stop < end);
}

/* ---- both */

size_t holt__logline_write(const struct holt__logline *l, enum holt__log_form form, char *buf, size_t size)
{
	struct out o = { .buf = buf, .size = size };

	if (form == HOLT__LOG_ENTRY)
		put_entry(&o, l);
	else
		put_text(&o, l, form);
	return o.len;
}

static void drop_field(struct holt__logline *l, size_t i)
{
	l->n--;
	if (i < l->n_own)
		l->n_own--;
	memmove(&l->fields[i], &l->fields[i + 1], (l->n - i) * sizeof l->fields[0]);
}

void holt__logline_fit(struct holt__logline *l, enum holt__log_form form, size_t size)
{
	while (holt__logline_write(l, form, NULL, 0) > size && (l->n > 0 || l->n_message > 0)) {
		size_t longest = 0, longest_n = 0;

		for (size_t i = 0; i < l->n; i++) {
			size_t n = strlen(l->fields[i].value);

			if (n >= longest_n) {
				longest = i;
				longest_n = n;
			}
		}
		if (l->n > 0 && (longest_n > l->n_message || l->n_message < KEY_MAX)) {
			drop_field(l, longest);
		} else {
			l->n_message = holt__log_cut(l->message, l->n_message / 2);
			l->cut = true;
		}
	}
}
