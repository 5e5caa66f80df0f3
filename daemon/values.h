/* SPDX-License-Identifier: MIT */
/*
 * What can be written as a value: time spans, sizes, switches, signals, limits and so on, as systemd.time(7),
 * systemd.syntax(7) and systemd.exec(5) have them. Pure: a text in, a value or an error out. Strict: the whole text has to be a
 * value, nothing wraps round, nothing is cut off.
 *
 * Texts have no blanks at their ends. -EINVAL: it is none; -ERANGE: it is one, but too small or too large.
 */
#pragma once
#include <sys/resource.h>
#include <sys/types.h>

#include "base/base.h"
#include "daemon/config.h"

int value_bool(const char *s, bool *ret);                                   /* 1 yes y true t on, 0 no n false f off */
int value_number(const char *s, uint64_t min, uint64_t max, uint64_t *ret); /* decimal digits */
int value_integer(const char *s, int64_t min, int64_t max, int64_t *ret);   /* with a sign, perhaps */
int value_mode(const char *s, mode_t *ret);                                 /* octal, up to 0777 */
int value_span(const char *s, holt_time *ret);                              /* "90", "1min 30s", "infinity": HOLT_NEVER */
int value_span_in(const char *s, holt_time unitless, holt_time *ret);       /* the same; a number without a unit counts these */
int value_spans(const char *s, holt_time *ret_min, holt_time *ret_max);     /* MIN..MAX, both finite; or one for both */
int value_rate(const char *s, unsigned *ret_n, holt_time *ret_within);      /* N/SPAN, SPAN more than 0 */
int value_size(const char *s, uint64_t *ret);                               /* "1.5G", base 1024 */
int value_percent(const char *s, unsigned *ret);                            /* "12.5%", in hundredths of a percent, up to 100% */
int value_signal(const char *s, int *ret);                                  /* "SIGTERM", "TERM", "RTMIN+3", "15" */
int value_exit_status(const char *s, struct success_status *add);           /* 0 to 255, TEMPFAIL, SIGKILL: added */
int value_limit(int resource, const char *s, struct rlimit *ret); /* one for both, or SOFT:HARD; -EILSEQ: soft is over hard */

/* Absolute; // and /./ and a / at its end are taken out. -EINVAL: it is not, has a .., or is too long. */
int value_path(char *s);

bool value_is_variable(const char *s, size_t n);  /* a name for the environment */
bool value_is_user(const char *s);                /* a name or number of a user or group, as far as one can see */
bool value_is_node_name(const char *s, size_t n); /* one part of a node's path */

/* The resource that Limit…= stands for, by what comes after "Limit"; -EINVAL. */
int value_resource(const char *name);

/* s up to end, without the blanks there, as a string of its own. -EINVAL: it is too long. */
int value_part(const char *s, const char *end, char *buf, size_t size);
