/* SPDX-License-Identifier: MIT */
/*
 * Whom a unit's state is owed to: the step from a node to the one that it waits for, or by which it failed. Following it
 * leads to what one has to look at: the process that is not ready, the one that failed. Pure.
 */
#pragma once
#include "daemon/policy.h"

/* The next one; NULL: there is none, it is a matter of the unit itself. */
const struct unit *cause_next(const struct unit *u);
