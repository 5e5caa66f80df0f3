/* SPDX-License-Identifier: MIT */
/*
 * A unit as the control socket tells of it: a Node of io.holt.Tree. For control.c.
 */
#pragma once
#include "daemon/runner.h"

struct json_t;

enum { CONTROL_WHY = 512 };

/* A new object; NULL: no memory. Without the memory of the process. */
struct json_t *control_node(const struct runner *r, const struct unit *u);

/* Adds that, if it runs and it is known. -ENOMEM */
int control_node_memory(struct json_t *node, const struct runner *r, const struct unit *u);

/* unit_why(), in UTF-8 whatever is in it. */
void control_why(const struct unit *u, char why[CONTROL_WHY]);
