/* SPDX-License-Identifier: MIT */
/*
 * backpressure - a source, a filter and a sink that hold each other back
 *
 * Between two of them is a queue with room for two. The sink is the slowest, so its queue is full most of the time; then the
 * filter's put waits, then its own queue fills, and the source waits, too. Nothing piles up, however fast the source would
 * be, and nobody counts or polls. Beside it a sensor that nobody waits for: its queue drops the oldest reading, so that
 * who looks always finds the newest ones.
 *
 * The end goes the same way as the items: each one that is done shuts its queue down, the next takes what is left in it, then get
 * says -EPIPE.
 */
#include <holt.h>

enum { ITEMS = 20, ROOM = 2 };

struct line {
	holt_queue *raw, *fine, *readings;
	int made, sold, most;
};

static int source(void *arg)
{
	struct line *line = arg;
	int r = 0;

	for (int i = 0; r == 0 && i < ITEMS; i++) {
		r = holt_queue_put(line->raw, &i); /* waits while it is full */
		if (r < 0)
			break;
		line->made++;
		if (line->made - line->sold > line->most)
			line->most = line->made - line->sold;
	}
	holt_queue_shutdown(line->raw, false);
	return r;
}

static int filter(void *arg)
{
	struct line *line = arg;
	int i, r;

	while ((r = holt_queue_get(line->raw, &i)) == 0) {
		i *= 10;
		r = holt_queue_put(line->fine, &i);
		if (r < 0)
			break;
	}
	holt_queue_shutdown(line->fine, false);
	return r == -EPIPE ? 0 : r;
}

static int sink(void *arg)
{
	struct line *line = arg;
	int i, r;

	while ((r = holt_queue_get(line->fine, &i)) == 0) {
		r = holt_sleep(5 * HOLT_MS);
		if (r < 0)
			return r;
		line->sold++;
	}
	return r == -EPIPE ? 0 : r;
}

static int sensor(void *arg)
{
	struct line *line = arg;
	int r = 0;

	for (int i = 1; r == 0; i++) {
		r = holt_queue_put(line->readings, &i); /* never waits: drops the oldest */
		if (r == 0)
			r = holt_sleep(HOLT_MS);
	}
	return r;
}

static int run_line(void *arg)
{
	holt_auto(queue) raw = NULL;
	holt_auto(queue) fine = NULL;
	holt_auto(queue) readings = NULL;
	holt_auto(group) g = NULL; /* declared last, so closed first */
	struct line line = { .made = 0 };
	int r;

	(void)arg;
	r = holt_queue_open(&raw, sizeof(int), ROOM);
	if (r >= 0)
		r = holt_queue_open(&fine, sizeof(int), ROOM);
	if (r >= 0)
		r = holt_queue_open(&readings, sizeof(int), 3, .full = HOLT_DROP_OLDEST);
	if (r >= 0)
		r = holt_group_open(&g, .name = "line");
	line.raw = raw;
	line.fine = fine;
	line.readings = readings;
	if (r >= 0)
		r = holt_spawn(g, source, &line);
	if (r >= 0)
		r = holt_spawn(g, filter, &line);
	if (r >= 0)
		r = holt_spawn(g, sink, &line);
	if (r >= 0)
		r = holt_spawn(g, sensor, &line, .background = true); /* ends with the others */
	r = holt_group_close(holt_take(g), r);
	printf("made %d, sold %d\n", line.made, line.sold);
	printf("on the way at once: at most %s\n", line.most <= 2 * ROOM + 2 ? "what has room" : "too many");
	printf("newest readings kept: %zu\n", holt_queue_size(readings));
	return r;
}

int main(void)
{
	return holt_run(run_line, NULL) < 0;
}
