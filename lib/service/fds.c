/* SPDX-License-Identifier: MIT */
/*
 * Descriptors that come from the manager, and those that it keeps for the next start. What comes is found by name in
 * lib/sys/listenfds.c; what is to be kept goes out by SCM_RIGHTS on the notify socket.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include <holt/service.h>

#include "service/service.h"
#include "sys/listenfds.h"
#include "task/task.h"

enum { NAME_AT_MOST = 255 };

int holt_listen_fds(const char *name, int *ret_fds, size_t n)
{
	holt__check_fork("holt_listen_fds");
	return (int)holt__listenfds_take(name, ret_fds, ret_fds ? n : 0);
}

int holt_fdstore_take(const char *name)
{
	int fd;

	holt__check_fork("holt_fdstore_take");
	if (!name)
		return -EINVAL;
	return holt__listenfds_take(name, &fd, 1) > 0 ? fd : -ENOENT;
}

/* As systemd sees it, which ignores the message else: printable ASCII, no ':'. */
static bool is_name(const char *name)
{
	size_t n = 0;

	for (; name && name[n]; n++)
		if (n == NAME_AT_MOST || name[n] < ' ' || name[n] > '~' || name[n] == ':')
			return false;
	return n > 0;
}

/* The manager drops what poll says has hung up; a listening socket need not be watched so. */
static bool is_listener(int fd)
{
	int on = 0;
	socklen_t size = sizeof on;

	return holt__sys->getsockopt(fd, SOL_SOCKET, SO_ACCEPTCONN, &on, &size) >= 0 && on;
}

static int send_store(const char *what, const char *name, const char *more, int fd)
{
	char text[NAME_AT_MOST + 64];
	int n = snprintf(text, sizeof text, "%s=1\nFDNAME=%s%s", what, name, more);
	int r = holt__notify_send(text, (size_t)n, fd);

	return r == 0 ? -ENOTCONN : r;
}

int holt_fdstore_put(const char *name, int fd)
{
	holt__check_fork("holt_fdstore_put");
	if (!is_name(name))
		return -EINVAL;
	if (fd < 0 || holt__sys->get_flags(fd) < 0)
		return -EBADF;
	return send_store("FDSTORE", name, is_listener(fd) ? "\nFDPOLL=0" : "", fd);
}

int holt_fdstore_drop(const char *name)
{
	holt__check_fork("holt_fdstore_drop");
	if (!is_name(name))
		return -EINVAL;
	return send_store("FDSTOREREMOVE", name, "", -1);
}
