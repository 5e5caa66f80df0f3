/* SPDX-License-Identifier: MIT */
/*
 * One line for a terminal: columns, colors, and a cut at its edge that counts what is seen, not bytes. Never
 * allocates, never fails; what is longer than the buffer is cut, too.
 *
 * Colors are put in as single control characters, and become escape sequences in row_end() only. That works because no
 * text that comes from elsewhere has control characters any more once row_text() has taken it.
 */
#pragma once
#include <stdbool.h>
#include <stddef.h>

enum row_color { ROW_PLAIN = 1, ROW_RED, ROW_GREEN, ROW_YELLOW, ROW_DIM };

struct row {
	bool ascii;
	size_t n, width, pad; /* bytes; columns; blanks that come before what is added next, if anything is */
	char buf[4096], out[4096];
};

void row_begin(struct row *r, bool ascii);
void row_text(struct row *r, const char *s);                       /* anybody's words */
void row_sign(struct row *r, const char *sign, const char *ascii); /* ours: one of the two */
void row_gap(struct row *r, size_t n);                             /* so many blanks, if something follows */
void row_to(struct row *r, size_t column); /* what follows begins there, or two behind what is there already */
void row_color(struct row *r, enum row_color c);

/* The line, cut to so many columns (0: not), with or without its colors. Lives until the next row_begin(). */
const char *row_end(struct row *r, size_t columns, bool color);

size_t row_width(const char *s, bool ascii); /* of anybody's words, as row_text() shows them */
