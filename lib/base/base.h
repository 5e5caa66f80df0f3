/* SPDX-License-Identifier: MIT */
/*
 * The few words that every floor uses. Nothing here does anything by itself.
 */
#pragma once
#include <stddef.h>
#include <stdbool.h>
#include <stdint.h>

#include <holt/base.h>

#define holt__likely(x) __builtin_expect(!!(x), 1)
#define holt__unlikely(x) __builtin_expect(!!(x), 0)
#define holt__container(ptr, type, member) ((type *)((char *)(ptr)-offsetof(type, member)))
#define HOLT__N(array) (sizeof(array) / sizeof *(array))
#define HOLT__COLD __attribute__((cold, noinline))

/* Time only saturates: a span added to a point never wraps round to the past. */
static inline holt_time holt__time_add(holt_time point, holt_time span)
{
	return span >= HOLT_NEVER - point ? HOLT_NEVER : point + span;
}

static inline holt_time holt__time_min(holt_time a, holt_time b)
{
	return a < b ? a : b;
}
