/* SPDX-License-Identifier: MIT */
/*
 * The same workloads on libuv: timers (without arguments), and the server for the echo workload
 * ("echo FD"). As fast as its interface allows: uv_try_write, one buffer for all connections.
 */
#include <uv.h>

#include "bench.h"
#include "times.h"

static char buffer[4096];

static void give_buffer(uv_handle_t *h, size_t size, uv_buf_t *ret)
{
	(void)h;
	(void)size;
	*ret = uv_buf_init(buffer, sizeof buffer);
}

static void closed(uv_handle_t *h)
{
	free(h);
}

static void has_read(uv_stream_t *s, ssize_t n, const uv_buf_t *b)
{
	uv_buf_t answer = uv_buf_init(b->base, n > 0 ? (unsigned)n : 0);

	if (n < 0 || (n > 0 && uv_try_write(s, &answer, 1) != (int)n))
		uv_close((uv_handle_t *)s, closed);
}

static void connection(uv_stream_t *server, int status)
{
	uv_tcp_t *c = malloc(sizeof *c);

	bench_must(status == 0 && c && uv_tcp_init(server->loop, c) == 0 && uv_accept(server, (uv_stream_t *)c) == 0 &&
			uv_read_start((uv_stream_t *)c, give_buffer, has_read) == 0,
		"a connection of libuv");
}

static void serve(int lfd)
{
	uv_loop_t *loop = uv_default_loop();
	uv_tcp_t server;

	bench_must(uv_tcp_init(loop, &server) == 0 && uv_tcp_open(&server, lfd) == 0 &&
			uv_listen((uv_stream_t *)&server, 1000, connection) == 0,
		"a server of libuv");
	uv_run(loop, UV_RUN_DEFAULT);
}

static void never(uv_timer_t *t)
{
	(void)t;
}

static void timers(void)
{
	static uv_timer_t live[TIMES_LIVE], timer[TIMES_BATCH];
	uv_loop_t *loop = uv_default_loop();
	size_t batches = bench_count(TIMES_PEER_BATCHES);
	struct times_cost c = { 0, 0 };

	times_draw();
	uv_update_time(loop);
	for (size_t i = 0; i < times_live_count; i++) {
		uv_timer_init(loop, &live[i]);
		uv_timer_start(&live[i], never, times_live[i] / 1000000, 0);
	}
	for (size_t i = 0; i < TIMES_BATCH; i++)
		uv_timer_init(loop, &timer[i]);
	TIMES_MEASURE(c, batches, uv_timer_start(&timer[i], never, times_batch[b % TIMES_BATCHES][i] / 1000000, 0),
		uv_timer_stop(&timer[i]))
	times_tell("libuv", c, batches);
}

int main(int argc, char **argv)
{
	if (argc > 2 && strcmp(argv[1], "echo") == 0)
		serve(atoi(argv[2]));
	else
		timers();
	return 0;
}
