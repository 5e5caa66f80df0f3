/* SPDX-License-Identifier: MIT */
/*
 * Bounded text without stdio: a crash handler and an ordinary dump print with the same code.
 */
#include "base/text.h"

#include <string.h>

void holt__text_add_n(struct holt__text *t, const char *s, size_t n)
{
	size_t room = t->size - t->len - 1;

	if (n > room)
		n = room;
	memcpy(t->buf + t->len, s, n);
	t->len += n;
	t->buf[t->len] = 0;
}

void holt__text_add(struct holt__text *t, const char *s)
{
	holt__text_add_n(t, s, strlen(s));
}

void holt__text_pad(struct holt__text *t, char c, size_t n)
{
	while (n-- > 0)
		holt__text_add_n(t, &c, 1);
}

static void add_base(struct holt__text *t, uint64_t v, unsigned base)
{
	char digits[24], *p = digits + sizeof digits;

	do {
		*--p = "0123456789abcdef"[v % base];
		v /= base;
	} while (v);
	holt__text_add_n(t, p, (size_t)(digits + sizeof digits - p));
}

void holt__text_uint(struct holt__text *t, uint64_t v)
{
	add_base(t, v, 10);
}

void holt__text_int(struct holt__text *t, int64_t v)
{
	if (v < 0)
		holt__text_add(t, "-");
	add_base(t, v < 0 ? 0 - (uint64_t)v : (uint64_t)v, 10);
}

void holt__text_hex(struct holt__text *t, uint64_t v)
{
	holt__text_add(t, "0x");
	add_base(t, v, 16);
}

void holt__text_span(struct holt__text *t, holt_time span)
{
	static const struct {
		holt_time unit;
		const char *name;
	} units[] = { { HOLT_HOUR, "h" }, { HOLT_MIN, "min" }, { HOLT_SEC, "s" }, { HOLT_MS, "ms" }, { HOLT_US, "us" } };

	if (span == HOLT_NEVER) {
		holt__text_add(t, "never");
		return;
	}
	for (size_t i = 0; i < HOLT__N(units); i++) {
		holt_time tenths = span / (units[i].unit / 10);

		if (span < units[i].unit)
			continue;
		add_base(t, tenths / 10, 10);
		if (tenths < 1000 && tenths % 10) {
			holt__text_add(t, ".");
			add_base(t, tenths % 10, 10);
		}
		holt__text_add(t, units[i].name);
		return;
	}
	add_base(t, span, 10);
	holt__text_add(t, "ns");
}
