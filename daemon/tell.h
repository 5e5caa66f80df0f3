/* SPDX-License-Identifier: MIT */
/*
 * What the log says of a node: one line for each change that somebody may want to know of, with HOLT_NODE=, HOLT_TREE= and
 * a MESSAGE_ID= that the catalog explains. Decides nothing but the words.
 */
#pragma once
#include "daemon/policy.h"

/* A line about a node, with an id of messages.h or NULL. */
void tell(const struct unit *u, int priority, const char *id, const char *fmt, ...) __attribute__((format(printf, 4, 5)));

/* Its phase or outcome is another. */
void tell_changed(const struct unit *u);

/* A command that could not be executed: node, file, line and reason. what: the key, "ExecStart="; detail: may be "". */
void tell_cannot_run(const struct unit *u, const struct command *c, const struct ending *e, const char *detail);
