/* SPDX-License-Identifier: MIT */
/*
 * Which of the known names was meant by a mistyped one. A letter that is missing, too many, another, or has changed places
 * with its neighbor counts as one step; capitals and small letters are the same. Too many steps, and nothing was meant.
 */
#pragma once
#include "base/base.h"

struct nearest {
	const char *word;
	size_t n;
	unsigned limit;   /* best has fewer steps than that */
	const char *best; /* NULL: none is near */
};

void nearest_init(struct nearest *x, const char *word, size_t n);
void nearest_try(struct nearest *x, const char *name); /* of two that are equally near the first wins */
