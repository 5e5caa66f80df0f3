/* SPDX-License-Identifier: MIT */
/*
 * The same workloads on libevent: timers (without arguments), and the server for the echo
 * workload: "echo FD" on plain events, "echo FD bufferevent" on what most of its users take.
 */
#include <event2/buffer.h>
#include <event2/bufferevent.h>
#include <event2/event.h>
#include <sys/socket.h>

#include "bench.h"
#include "times.h"

static struct event_base *base;

static void readable(evutil_socket_t fd, short what, void *arg)
{
	char buf[4096];
	ssize_t n = read(fd, buf, sizeof buf);

	(void)what;
	if (n > 0)
		n = write(fd, buf, (size_t)n);
	if (n == 0) {
		event_free(arg);
		close(fd);
	}
}

static void accept_plain(evutil_socket_t lfd, short what, void *arg)
{
	int fd = accept4(lfd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
	struct event *e = event_new(base, fd, EV_READ | EV_PERSIST, readable, event_self_cbarg());

	(void)what;
	(void)arg;
	bench_must(fd >= 0 && e && event_add(e, NULL) == 0, "a connection of libevent");
}

static void buffer_readable(struct bufferevent *b, void *arg)
{
	(void)arg;
	bufferevent_write_buffer(b, bufferevent_get_input(b));
}

static void buffer_ended(struct bufferevent *b, short what, void *arg)
{
	(void)what;
	(void)arg;
	bufferevent_free(b);
}

static void accept_buffered(evutil_socket_t lfd, short what, void *arg)
{
	int fd = accept4(lfd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
	struct bufferevent *b = bufferevent_socket_new(base, fd, BEV_OPT_CLOSE_ON_FREE);

	(void)what;
	(void)arg;
	bench_must(fd >= 0 && b, "a connection of libevent");
	bufferevent_setcb(b, buffer_readable, NULL, buffer_ended, NULL);
	bench_must(bufferevent_enable(b, EV_READ | EV_WRITE) == 0, "a bufferevent");
}

static void serve(int lfd, event_callback_fn accepting)
{
	struct event *e = event_new(base, lfd, EV_READ | EV_PERSIST, accepting, NULL);

	bench_must(e && event_add(e, NULL) == 0, "a server of libevent");
	event_base_dispatch(base);
}

static void never(evutil_socket_t fd, short what, void *arg)
{
	(void)fd;
	(void)what;
	(void)arg;
}

static void add(struct event *e, uint64_t span)
{
	struct timeval tv = { .tv_sec = (time_t)(span / 1000000000), .tv_usec = (suseconds_t)(span % 1000000000 / 1000) };

	evtimer_add(e, &tv);
}

static void timers(void)
{
	struct event *live = calloc(TIMES_LIVE, event_get_struct_event_size());
	struct event **timer = calloc(TIMES_BATCH, sizeof *timer);
	size_t batches = bench_count(TIMES_PEER_BATCHES);
	struct times_cost c = { 0, 0 };

	bench_must(live && timer, "memory for events");
	times_draw();
	for (size_t i = 0; i < times_live_count; i++) {
		struct event *e = (void *)((char *)live + i * event_get_struct_event_size());

		evtimer_assign(e, base, never, NULL);
		add(e, times_live[i]);
	}
	for (size_t i = 0; i < TIMES_BATCH; i++)
		timer[i] = evtimer_new(base, never, NULL);
	TIMES_MEASURE(c, batches, add(timer[i], times_batch[b % TIMES_BATCHES][i]), evtimer_del(timer[i]))
	times_tell("libevent", c, batches);
}

int main(int argc, char **argv)
{
	base = event_base_new();
	bench_must(base != NULL, "event_base_new");
	if (argc > 2 && strcmp(argv[1], "echo") == 0)
		serve(atoi(argv[2]), argc > 3 ? accept_buffered : accept_plain);
	else
		timers();
	return 0;
}
