/* SPDX-License-Identifier: MIT */
/*
 * A look at a message before a parser sees it: how deep it nests, and what its values may cost. Pure: a single pass over
 * the bytes, no recursion, no memory. It does not say that the text is JSON; up to the first byte at which it is not, the
 * parser sees no more than was seen here.
 */
#pragma once
#include "base/base.h"

/* False: it nests deeper than depth. *ret_cost: bytes that the values, and parsing them, take at most. */
bool holt__varlink_scan(const char *text, size_t n, size_t depth, size_t *ret_cost);
