/* SPDX-License-Identifier: MIT */
/*
 * chat - each line that a guest says goes to all others, and who sleeps holds up nobody
 *
 *	chat ADDRESS    a service: "tcp:[::]:7008", "unix:/run/chat"; talk to it with nc or socat
 *	chat            tries itself: three guests, one of whom sleeps, and a stop
 *
 * A guest's first line is the name. A guest is two tasks on one stream: one reads, and puts what was said into the queues of the
 * others, which never waits; one takes from the guest's own queue, and writes, which waits as long as the guest is
 * slow. A queue that is full drops its oldest line: so what a sleeper costs is bounded, and it is the sleeper who pays.
 *
 * At a stop the reads end at once; each guest's queue takes a last line and is shut down, its writer sends what is left and
 * ends the stream. Who sleeps even then is hung up when the grace is over.
 */
#include <string.h>
#include <unistd.h>

#include <holt.h>

enum { LINE = 200, LINES = 32 };

struct line {
	char text[LINE + 40];
};

struct guest {
	struct guest *next, **link;
	char name[32];
	holt_stream *stream;
	holt_queue *lines; /* said to it, and not yet sent */
	unsigned missed;
};

static struct guest *guests;
static unsigned slept_through; /* lines that were dropped, of all who left */
static holt_time grace = 5 * HOLT_SEC;

/* ---- the house */

static void say_to(struct guest *g, const struct line *l)
{
	if (holt_queue_size(g->lines) == LINES)
		g->missed++;
	holt_queue_try_put(g->lines, l);
}

static void say_to_others(const struct guest *from, const char *what, const char *text)
{
	struct line l;

	snprintf(l.text, sizeof l.text, "%s%s%s", from->name, what, text);
	for (struct guest *g = guests; g; g = g->next)
		if (g != from)
			say_to(g, &l);
}

static void join(struct guest *g)
{
	g->next = guests;
	g->link = &guests;
	if (g->next)
		g->next->link = &g->next;
	guests = g;
	say_to_others(g, " comes in", "");
}

static void leave(struct guest *g)
{
	*g->link = g->next;
	if (g->next)
		g->next->link = g->link;
	slept_through += g->missed;
	say_to_others(g, " leaves", "");
}

/* The length of what the guest says next; -ENODATA: nothing any more; -ESHUTDOWN: the house closes. */
static ssize_t listen_to(struct guest *g, char **ret_line)
{
	struct holt_scope idle;
	ssize_t n;

	holt_scope_begin(&idle, HOLT_NEVER, HOLT_ON_STOP);
	n = holt_scope_end(&idle, holt_stream_read_line(g->stream, ret_line));
	return n == 0 && !*ret_line ? -ENODATA : n;
}

static int send_lines(void *arg)
{
	struct guest *g = arg;
	struct line l;
	int r = 0;

	while (r == 0 && holt_queue_get(g->lines, &l) == 0)
		r = holt_stream_printf(g->stream, "%s\n", l.text);
	return r < 0 ? r : holt_stream_end(g->stream);
}

static int converse(struct guest *g)
{
	char *line;
	ssize_t n = listen_to(g, &line);

	if (n < 0)
		return (int)n;
	snprintf(g->name, sizeof g->name, "%s", line);
	join(g);
	while ((n = listen_to(g, &line)) >= 0)
		say_to_others(g, ": ", line);
	leave(g);
	return (int)n;
}

/* One guest, from the door to the door. What goes wrong with one is no matter of the house. */
static int receive(void *arg)
{
	int fd = (int)(intptr_t)arg, r;
	holt_auto(stream) stream = NULL;
	holt_auto(queue) lines = NULL;
	holt_auto(group) writer = NULL; /* closed first: its task uses the other two */
	struct guest g = { .next = NULL };

	r = holt_stream_open(&stream, fd, .limit = LINE, .buffer = 4096);
	if (r < 0) {
		holt_close(fd);
		return r;
	}
	r = holt_queue_open(&lines, sizeof(struct line), LINES, .full = HOLT_DROP_OLDEST);
	if (r >= 0)
		r = holt_group_open(&writer, .name = "writer");
	if (r < 0)
		return r;
	g.stream = stream;
	g.lines = lines;
	r = holt_spawn(writer, send_lines, &g);
	if (r >= 0)
		r = converse(&g);
	if (r == -ESHUTDOWN)
		say_to(&g, &(struct line){ "the house closes, good night" });
	else if (r == -EMSGSIZE)
		say_to(&g, &(struct line){ "that was too long a line" });
	holt_queue_shutdown(lines, false);
	holt_group_close(holt_take(writer), r == -ECANCELED ? r : 0);
	return 0;
}

static int serve(void *arg)
{
	holt_auto(fd) listener = holt_listen(arg);
	holt_auto(group) house = NULL;
	struct holt_scope accepting;
	int r, fd;

	if (listener < 0)
		return listener;
	r = holt_group_open(&house, .name = "guests", .kind = HOLT_EACH, .limit = 1000, .grace = grace);
	if (r < 0)
		return r;
	holt_ready();
	holt_service_ready("chatting on %s", (const char *)arg);
	holt_scope_begin(&accepting, HOLT_NEVER, HOLT_ON_STOP);
	while ((r = fd = holt_accept(listener, NULL, NULL)) >= 0) {
		r = holt_spawn(house, receive, (void *)(intptr_t)fd);
		if (r < 0) {
			holt_close(fd);
			break;
		}
	}
	r = (int)holt_scope_end(&accepting, r);
	return holt_group_close(holt_take(house), r == -ESHUTDOWN ? 0 : r);
}

/* ---- the trial: one task plays all guests, for nothing that it writes waits for who should read it */

enum { STORIES = 2000 };

static int enter(const char *address, const char *name, holt_stream **ret)
{
	int fd = holt_dial(address), r;

	if (fd < 0)
		return fd;
	r = holt_stream_open(ret, fd);
	if (r < 0) {
		holt_close(fd);
		return r;
	}
	return holt_stream_printf(*ret, "%s\n", name);
}

static int hear(holt_stream *s, const char *expected)
{
	char *line;
	ssize_t n = holt_stream_read_line(s, &line);

	if (n < 0)
		return (int)n;
	return line && strcmp(line, expected) == 0 ? 0 : -EBADMSG;
}

/* Among what else there is until the end. */
static bool is_told(holt_stream *s, const char *what)
{
	bool told = false;
	char *line;

	while (holt_stream_read_line(s, &line) >= 0 && line)
		told = told || strcmp(line, what) == 0;
	return told;
}

static int talk(holt_stream *anna, holt_stream *bert)
{
	char heard[LINE];
	int r = 0;

	for (int i = 0; r >= 0 && i < STORIES; i++) {
		r = holt_stream_printf(anna, "this is story number %d, and many more are to come, for the night is long\n", i);
		snprintf(heard, sizeof heard, "anna: this is story number %d, and many more are to come, for the night is long",
			i);
		if (r >= 0)
			r = hear(bert, heard);
	}
	if (r >= 0)
		printf("bert has heard all %d stories\n", STORIES);
	return r;
}

static int evening(char *address)
{
	holt_auto(stream) anna = NULL;
	holt_auto(stream) bert = NULL;
	holt_auto(stream) carl = NULL; /* who comes in, and sleeps */
	holt_auto(group) house = NULL;
	int r = holt_group_open(&house, .name = "house", .grace = HOLT_SEC);

	if (r >= 0)
		r = holt_spawn(house, serve, address, .until_ready = true);
	if (r >= 0)
		r = enter(address, "anna", &anna);
	if (r >= 0)
		r = enter(address, "bert", &bert);
	if (r >= 0)
		r = hear(anna, "bert comes in");
	if (r >= 0)
		r = enter(address, "carl", &carl);
	if (r >= 0)
		r = hear(bert, "carl comes in");
	if (r >= 0)
		r = talk(anna, bert);
	if (r >= 0)
		holt_group_stop(house, "closing time");
	r = holt_group_close(holt_take(house), r);
	if (r >= 0 && is_told(bert, "the house closes, good night"))
		printf("bert is told good night\n");
	printf("carl has slept through %s\n", slept_through > 0 ? "most of it" : "nothing");
	printf("the house is closed: %d\n", r);
	return r;
}

static int trial(void *arg)
{
	char address[64];

	(void)arg;
	snprintf(address, sizeof address, "unix:@holt-chat-%d", (int)getpid());
	grace = 100 * HOLT_MS;
	return evening(address);
}

int main(int argc, char **argv)
{
	const struct holt_service chat = { .size = sizeof chat, .name = "chat", .grace = 10 * HOLT_SEC };

	if (argc > 1)
		return holt_service_run(&chat, serve, argv[1]) < 0;
	return holt_run(trial, NULL) < 0;
}
