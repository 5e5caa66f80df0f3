/* SPDX-License-Identifier: MIT */
/*
 * Option structs begin with their size as the caller knew it. What the caller did not know is zero; what we
 * do not know must be zero, else the caller counts on something that would not happen.
 */
#pragma once
#include <errno.h>
#include <stddef.h>
#include <string.h>

/* Fills the *known* bytes of to; from may be NULL (all defaults). -E2BIG, -EINVAL (no size). */
static inline int holt__options(void *to, size_t known, const void *from)
{
	size_t size = 0;

	if (from) {
		memcpy(&size, from, sizeof size);
		if (size < sizeof size)
			return -EINVAL;
		for (size_t i = known; i < size; i++)
			if (((const char *)from)[i])
				return -E2BIG;
	}
	memset(to, 0, known);
	if (from)
		memcpy(to, from, size < known ? size : known);
	return 0;
}
