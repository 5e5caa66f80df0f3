/* SPDX-License-Identifier: MIT */
/*
 * What the log asks of the floors above it: who logs. The task floor puts its answer in at the first run.
 */
#pragma once
#include <stdatomic.h>
#include <stdint.h>

#include <holt/log.h>

struct holt__log_context {
	char task[256];   /* its path; empty outside of tasks */
	uint64_t id;
	const char *why;  /* NULL: no stop, no cancellation */
};

extern _Atomic(void (*)(struct holt__log_context *c)) holt__log_context;
