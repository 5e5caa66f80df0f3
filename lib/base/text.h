/* SPDX-License-Identifier: MIT */
/*
 * Text put together in a buffer of the caller's: bounded, never allocates, never fails, safe in
 * signal handlers. What does not fit is left out, and the text stays NUL-terminated.
 */
#pragma once
#include <stdint.h>

#include "base/base.h"

struct holt__text {
	char *buf;
	size_t size, len; /* len < size, always */
};

#define HOLT__TEXT(array) \
	{ \
		.buf = (array), .size = sizeof(array) \
	}

void holt__text_add(struct holt__text *t, const char *s);
void holt__text_add_n(struct holt__text *t, const char *s, size_t n);
void holt__text_pad(struct holt__text *t, char c, size_t n);
void holt__text_uint(struct holt__text *t, uint64_t v);
void holt__text_int(struct holt__text *t, int64_t v);
void holt__text_hex(struct holt__text *t, uint64_t v);      /* with 0x */
void holt__text_span(struct holt__text *t, holt_time span); /* 1.2s, 3ms, never */
