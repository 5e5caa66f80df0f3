/* SPDX-License-Identifier: MIT */
/*
 * The syntax of unit files, as systemd.syntax(7) has it: sections, assignments, comments, continued lines, quoting. What is
 * said is no concern here, only where it stands: each piece knows its line and column, and so does each word of it.
 *
 * Nothing is copied. A continued line is put together in place, in the buffer that it was read into: it only gets shorter,
 * for a backslash, the end of its line, comments and the blanks before the next part become one blank. Where the parts came
 * from is kept beside, as joins.
 */
#pragma once
#include "daemon/memory.h"

/* A piece of a logical line, without blanks at its ends. */
struct piece {
	const char *text; /* not terminated */
	unsigned n;
	unsigned line, column; /* of its first character, from 1; a column counts characters, not bytes */
	unsigned joins;        /* those of its logical line begin here in syntax.joins */
	unsigned n_joins;
};

struct join {
	const char *text;      /* from here on … */
	unsigned line, column; /* … it stood there */
};

enum item_kind { ITEM_SECTION, ITEM_ASSIGNMENT, ITEM_BAD };

struct item {
	enum item_kind kind;
	struct piece name;  /* what is between [ and ]; the key */
	struct piece value; /* of an assignment */
	const char *error;  /* ITEM_BAD: why; where is name's line and column */
};

struct syntax {
	char *text, *at, *end;
	unsigned line;     /* of at */
	struct list joins; /* of struct join */
};

/*
 * Whether this can be a configuration at all: UTF-8, no NUL, not over SYNTAX_MAX. NULL: it can; else why not, and where
 * (line 0: as a whole).
 */
const char *syntax_check(const char *text, size_t n, unsigned *ret_line, unsigned *ret_column);

enum { SYNTAX_MAX = 1 << 20 };

void syntax_init(struct syntax *s, char *text, size_t n); /* text is changed, and has to live as long as what is found in it */
void syntax_free(struct syntax *s);

/* The next item: 1; 0: there is none; -ENOMEM. */
int syntax_next(struct syntax *s, struct item *ret);

/* Where the character at offset of a piece stood. */
void syntax_place(const struct syntax *s, const struct piece *p, size_t offset, unsigned *ret_line, unsigned *ret_column);

/* Takes the first word, as far as the first blank, off a piece; what is left has no blanks before it. */
struct piece syntax_first(const struct syntax *s, struct piece *p);

/* ---- quoting: "…" and '…' anywhere in a word, C escapes in and outside of quotes, words between blanks */

struct words {
	const struct piece *piece;
	size_t at;         /* offset in it */
	const char *error; /* of -EINVAL, which is about the character at `at` */
};

struct word {
	size_t offset; /* of its first character, a quote perhaps */
	size_t end;    /* of the one after its last */
	bool plain;    /* it had no quotes and no escapes */
};

/* The next word: 1, its text is added to buf (a list of characters); 0: there is none; -EINVAL; -ENOMEM. \; alone is a word, too. */
int words_next(struct words *w, struct word *ret, struct list *buf);
