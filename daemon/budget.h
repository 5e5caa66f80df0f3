/* SPDX-License-Identifier: MIT */
/*
 * How long a stop may take. Deadlines go down the tree as points in time: a node has its own TimeoutStopSec=, but never
 * more than what is left of its parent's, less what the parent's finally commands need. Pure.
 */
#pragma once
#include "daemon/config.h"

#define KILL_WAIT (2 * HOLT_SEC) /* from SIGKILL until a process that cannot be killed is given up */

/* What the finally commands of a group may take: each its time-out. */
holt_time budget_finally(const struct node *n);

/* By when n, whose stop begins now, has to be gone; parent: its parent's deadline, HOLT_NEVER for the tree. */
holt_time budget_deadline(const struct node *n, holt_time now, holt_time parent);

/* By when n's members have to be gone, of a group that has until deadline. */
holt_time budget_members(const struct node *n, holt_time deadline);

/* The longest that a stop of n can take, all of its members up: what `holtctl check` tells. */
holt_time budget_worst(const struct node *n);
