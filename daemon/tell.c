/* SPDX-License-Identifier: MIT */
/*
 * See tell.h. What happens a thousand times when a tree of a thousand starts is one line a node.
 */
#include "daemon/tell.h"

#include <holt/log.h>
#include <stdarg.h>
#include <stdio.h>

#include "daemon/messages.h"

static const char *name_of(const struct unit *u)
{
	return u->conf->path[0] ? u->conf->path : u->conf->name;
}

void tell(const struct unit *u, int priority, const char *id, const char *fmt, ...)
{
	struct holt_field fields[3] = {
		{ "HOLT_NODE", name_of(u) },
		{ "HOLT_TREE", u->policy->config->name },
		{ "MESSAGE_ID", id },
	};
	char line[1024];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(line, sizeof line, fmt, ap);
	va_end(ap);
	holt_log_at(priority, NULL, 0, NULL, fields, id ? 3 : 2, "%s: %s", name_of(u), line);
}

/* How it ended is told where that is not what one expects. */
static void tell_stopped(const struct unit *u)
{
	char line[128] = "";
	struct holt__text t = HOLT__TEXT(line);

	if (!u->group && u->ending.failed)
		ending_text(&t, &u->ending);
	tell(u, LOG_INFO, MSG_STOPPED, "stopped%s%s", line[0] ? ": " : "", line);
}

static void tell_idle(const struct unit *u)
{
	char line[256] = "";
	struct holt__text t = HOLT__TEXT(line);

	unit_why(u, &t);
	if (u->outcome == OUTCOME_FAILED && !u->parent)
		tell(u, LOG_ERR, MSG_TREE_FAILED, "the tree failed: %s", line);
	else if (u->outcome == OUTCOME_FAILED)
		tell(u, LOG_ERR, MSG_FAILED, "failed: %s", line);
	else if (u->outcome == OUTCOME_DONE)
		tell(u, LOG_INFO, MSG_ENDED, "%s", line);
	else if (u->outcome != OUTCOME_NONE && u->starts)
		tell_stopped(u);
}

void tell_changed(const struct unit *u)
{
	char line[256] = "";
	struct holt__text t = HOLT__TEXT(line);

	switch (u->phase) {
	case PHASE_STARTING:
		tell(u, LOG_DEBUG, NULL, "starting");
		break;
	case PHASE_UP:
		if (u->going)
			tell(u, LOG_DEBUG, NULL, "its process has ended");
		else
			tell(u, LOG_INFO, u->parent ? MSG_READY : MSG_TREE_READY, "ready");
		break;
	case PHASE_BACKOFF:
		unit_why(u, &t);
		tell(u, LOG_WARNING, MSG_BACKOFF, "%s", line);
		break;
	case PHASE_STOPPING:
		unit_why(u, &t);
		tell(u, u->group && u->group->verdict == OUTCOME_FAILED ? LOG_ERR : LOG_DEBUG, NULL, "stopping: %s", line);
		break;
	case PHASE_IDLE:
		tell_idle(u);
		break;
	default:
		break;
	}
}

void tell_cannot_run(const struct unit *u, const struct command *c, const struct ending *e, const char *detail)
{
	char line[256] = "";
	struct holt__text t = HOLT__TEXT(line);

	ending_text(&t, e);
	tell(u, c->ignore ? LOG_WARNING : LOG_ERR, MSG_CANNOT_RUN, "%s:%u: cannot execute \"%s\": %s%s%s", c->file, c->line,
		c->path, line, detail[0] ? ": " : "", detail);
}
