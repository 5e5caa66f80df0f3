/* SPDX-License-Identifier: MIT */
/*
 * echod - sends back what it is sent, and stops without losing a byte
 *
 *	echod [ADDRESS]
 *
 * ADDRESS is where it listens, as for holt_listen(): "tcp:[::]:7007" unless told, "unix:/run/echo", or "fd:echo" for a
 * socket that systemd opened. It shows what a daemon on holt looks like; there is nothing in it that an echo needs
 * for being an echo only.
 *
 * What happens at a stop, and who says so:
 *
 *	the listener    serve's scope ends at once; the socket is closed, so that a new client is refused, not forgotten
 *	idle clients    their read is in a scope that a stop ends: hung up at once
 *	busy clients    a stop does not end a write: 20 s for what is in flight (the grace of "conns")
 *	the rest        canceled, and gone 5 s later at the latest (the cleanup of the service)
 */
#include <holt.h>

#define IDLE (30 * HOLT_SEC)

/* Waits for a request: bytes, 0 at the end of the stream, -ETIME when the client sleeps, -ESHUTDOWN when we stop. */
static ssize_t next_request(int fd, char *buf, size_t n)
{
	struct holt_scope idle;

	holt_scope_begin(&idle, holt_in(IDLE), HOLT_ON_STOP);
	return holt_scope_end(&idle, holt_read(fd, buf, n));
}

/* One connection. The descriptor is this task's own from the moment that it was spawned. */
static int echo(void *arg)
{
	holt_auto(fd) fd = (int)(intptr_t)arg;
	char buf[4096];
	ssize_t n;

	while ((n = next_request(fd, buf, sizeof buf)) > 0) {
		n = holt_write_full(fd, buf, (size_t)n);
		if (n < 0)
			break;
	}
	return n == -ETIME || n == -ESHUTDOWN ? 0 : (int)n;
}

/* Takes clients until a stop: -ESHUTDOWN, or what else went wrong. */
static int accept_all(int listener, holt_group *conns)
{
	struct holt_scope accepting;
	int r;

	holt_scope_begin(&accepting, HOLT_NEVER, HOLT_ON_STOP);
	for (;;) {
		int fd = r = holt_accept(listener, NULL, NULL);

		if (r < 0)
			break;
		r = holt_spawn(conns, echo, (void *)(intptr_t)fd);
		if (r < 0) {
			holt_close(fd); /* not started, so nobody else closes it */
			break;
		}
	}
	return (int)holt_scope_end(&accepting, r);
}

static int serve(void *arg)
{
	const char *address = arg;
	holt_auto(fd) listener = holt_listen(address);
	holt_auto(group) conns = NULL;
	int r;

	if (listener < 0)
		return listener;
	r = holt_group_open(&conns, .name = "conns", .kind = HOLT_EACH, .limit = 1024, .grace = 20 * HOLT_SEC);
	if (r < 0)
		return r;
	holt_service_ready("echoing on %s", address);

	r = accept_all(listener, conns);
	holt_close(holt_take_fd(listener));
	return holt_group_close(holt_take(conns), r == -ESHUTDOWN ? 0 : r);
}

int main(int argc, char **argv)
{
	const struct holt_service echod = {
		.size = sizeof echod,
		.name = "echod",
		.grace = 25 * HOLT_SEC,
		.cleanup = 5 * HOLT_SEC,
	};

	return holt_service_run(&echod, serve, argc > 1 ? argv[1] : (char[]){ "tcp:[::]:7007" }) < 0;
}
