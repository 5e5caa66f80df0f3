/* SPDX-License-Identifier: MIT */
/*
 * A log line as bytes: an entry of the journal's native protocol, or text for people and pipes. Pure: no
 * allocation, no system call, no state.
 */
#pragma once
#include <holt/log.h>

#include "base/base.h"

enum holt__log_form {
	HOLT__LOG_ENTRY,    /* for the journal's socket */
	HOLT__LOG_PREFIXED, /* <N> before each line of text, as systemd and syslog read it */
	HOLT__LOG_PLAIN,    /* for a terminal */
	HOLT__LOG_COLORED,  /* for a terminal that knows colors */
};

struct holt__logline {
	int priority;           /* 0 to 7 */
	const char *identifier; /* SYSLOG_IDENTIFIER, unless a field says so; NULL: none */
	const char *task;       /* a path, stands before text; NULL: none */
	const char *message;
	size_t n_message;
	bool cut; /* the message is not whole: "..." comes after it */
	struct holt_field *fields;
	size_t n_own, n; /* the first n_own are the caller's; text has only them */
};

/* Capital letters, digits and _, not first _ or a digit, 64 at most: what the journal takes from others. */
bool holt__log_key(const char *key);

/* Whole characters of UTF-8 in the first n bytes of s, if s is UTF-8. */
size_t holt__log_cut(const char *s, size_t n);

/* Returns how long the line is in that form. Never writes more than size bytes; no NUL after it. */
size_t holt__logline_write(const struct holt__logline *l, enum holt__log_form form, char *buf, size_t size);

/* Takes away from the line, the longest part first, until it fits. For when there is no memory for all of it. */
void holt__logline_fit(struct holt__logline *l, enum holt__log_form form, size_t size);
