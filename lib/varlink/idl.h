/* SPDX-License-Identifier: MIT */
/*
 * What has to be known of an interface's description: its name and its methods. Pure.
 *
 * The description goes to tools that parse it, so its outline is checked strictly: an interface with a name, then types,
 * methods and errors, each with a name and what belongs to it in balanced parentheses. What stands in those is not looked at
 * closer than that its characters may occur there.
 */
#pragma once
#include "base/base.h"

/* -EINVAL: not a description; *ret_line is where, counted from 1. */
int holt__varlink_idl_check(const char *idl, unsigned *ret_line);

/* These two of one that was checked. */
const char *holt__varlink_idl_name(const char *idl, size_t *ret_n); /* inside the text; without NUL */
bool holt__varlink_idl_has(const char *idl, const char *method);

/* Whether n bytes are a name such as com.example.Sum, with at least two parts; and one such as Add. */
bool holt__varlink_is_interface(const char *s, size_t n);
bool holt__varlink_is_name(const char *s, size_t n);
/* Both, as in com.example.Sum.Add. *ret_n: bytes of the first; may be NULL. */
bool holt__varlink_is_member(const char *s, size_t *ret_n);
