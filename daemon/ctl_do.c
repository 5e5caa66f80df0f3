/* SPDX-License-Identifier: MIT */
/*
 * The commands that ask for something, and those that wait for it. As systemctl does, start, stop and restart
 * return when it is done, and say why if it will not be; --no-block asks only.
 */
#include <errno.h>
#include <jansson.h>
#include <string.h>

#include "daemon/ctl.h"

static json_t *path_param(const struct ctl *c)
{
	return json_pack("{s:s}", "path", c->path);
}

/* An exit status. */
static int wait_until(struct ctl *c, const char *what, bool patient)
{
	bool tree = c->path[c->path[0] == '/'] == 0;
	int r = ctl_wait(c, c->path, what, patient, NULL);

	if (r == 0 || (r == -EPIPE && tree && strcmp(what, "stopped") == 0))
		return CTL_OK; /* a daemon that is gone is the end of its tree */
	return r == -EREMOTEIO ? ctl_explain(c) : ctl_error(c->socket, r);
}

static int and_wait(struct ctl *c, int status)
{
	return status != CTL_OK || c->no_block ? status : wait_until(c, "ready", false);
}

int ctl_start(struct ctl *c)
{
	return and_wait(c, ctl_call(c, "Start", path_param(c), NULL));
}

int ctl_restart(struct ctl *c)
{
	return and_wait(c, ctl_call(c, "Restart", path_param(c), NULL));
}

int ctl_stop(struct ctl *c)
{
	int r = ctl_try(c, "Stop", json_pack("{s:s, s:b}", "path", c->path, "now", (int)c->now), NULL);

	if (r == -EREMOTEIO && !ctl_was(c, "Stopping")) /* if all of it stops, it is what was wanted */
		return ctl_explain(c);
	if ((r != 0 && r != -EREMOTEIO) || c->no_block)
		return r > 0 ? r : CTL_OK;
	return wait_until(c, "stopped", true);
}

int ctl_reload(struct ctl *c)
{
	return ctl_call(c, "Reload", c->path ? path_param(c) : json_object(), NULL);
}

int ctl_wait_for(struct ctl *c)
{
	return wait_until(c, c->wanted, true);
}
