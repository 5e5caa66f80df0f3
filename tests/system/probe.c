/* SPDX-License-Identifier: MIT */
/*
 * The second program under test: what an echo server cannot show. One service, one subcommand each:
 *
 *	reload [fail]           a reload that takes a moment
 *	watchdog                spins for ever at SIGUSR2, beside a task that only waits
 *	heartbeat PERIOD_MS     a task misses its heartbeat for three periods, then is in time again
 *	fdstore ADDRESS         an echo server whose listener and connections outlive it in the manager's store
 *	stubborn GRACE_MS CLEANUP_MS    tasks that ignore whatever can be ignored, and others that say what they saw
 *	shield GRACE_MS CLEANUP_MS      the latter only: tasks that end at a stop, a cancellation, a break
 *	finally GRACE_MS        a group with two finally handlers, whose task only a cancellation ends
 *	fail                    fails as soon as it is ready
 *	log                     entries for a reader of the journal
 *	flood N                 N entries without a pause
 *	env                     prints what is left of the manager's variables, and how many descriptors it was handed
 *
 * It tells the test where it is by X_... fields on the notify socket, which a manager ignores. It uses the public
 * headers only, and will not check anything itself: that is the test's.
 */
#include <holt.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

extern char **environ;

static char **args; /* after the subcommand; ends with NULL */

static long number(int i)
{
	return args[0] && (i == 0 || args[1]) ? atol(args[i]) : 0;
}

/* Waits until the service stops: 0, or what else ended it. */
static int until_stop(void)
{
	struct holt_scope s;

	holt_scope_begin(&s, HOLT_NEVER, HOLT_ON_STOP);
	int r = (int)holt_scope_end(&s, holt_sleep(HOLT_NEVER));

	return r == -ESHUTDOWN ? 0 : r;
}

static int bystander(void *arg)
{
	(void)arg;
	return holt_sleep(HOLT_NEVER);
}

/* ---- reload */

static int reload_fn(void *arg)
{
	static unsigned times;
	int r = holt_sleep(20 * HOLT_MS);

	(void)arg;
	holt_notify("X_RELOADED=%u", ++times);
	holt_status("reloaded %u", times);
	return args[0] && strcmp(args[0], "fail") == 0 ? -EIO : r;
}

static int reload(void *arg)
{
	(void)arg;
	holt_service_ready("waiting for a reload");
	return until_stop();
}

/* ---- watchdog */

static int spinner(void *arg)
{
	static volatile unsigned turns;
	struct signalfd_siginfo si;
	int r;

	(void)arg;
	holt_ready();
	r = holt_signal_wait(SIGUSR2, &si);
	if (r < 0)
		return r;
	holt_notify("X_SPINNING=1");
	for (;;)
		turns++;
}

static int watchdog(void *arg)
{
	holt_auto(group) g = NULL;
	int r;

	(void)arg;
	r = holt_group_open(&g, .name = "mill", .grace = HOLT_NOW);
	if (r < 0)
		return r;
	r = holt_spawn(g, spinner, NULL, .until_ready = true);
	if (r < 0)
		return r;
	r = holt_spawn(g, bystander, NULL);
	if (r < 0)
		return r;
	holt_service_ready("waiting for a stall");
	return holt_group_close(holt_take(g), 0);
}

/* ---- heartbeat */

static struct holt_event relief;

static int sluggish(void *arg)
{
	holt_time period = *(holt_time *)arg;
	int r;

	holt_heartbeat(period / 4);
	holt_ready();
	r = holt_event_wait(&relief);
	holt_heartbeat(HOLT_HOUR);
	holt_notify("X_IN_TIME=1");
	return r < 0 ? r : until_stop();
}

static int heartbeat(void *arg)
{
	holt_auto(group) g = NULL;
	holt_time period = (holt_time)number(0) * HOLT_MS;
	int r;

	(void)arg;
	r = holt_group_open(&g, .name = "ward");
	if (r < 0)
		return r;
	holt_service_ready("one heartbeat is missing");
	r = holt_spawn(g, sluggish, &period, .until_ready = true);
	for (int i = 0; r >= 0 && i < 4; i++) {
		r = holt_sleep(period); /* from the first of these on the heartbeat is overdue */
		holt_notify("X_PERIOD=%d", i);
	}
	holt_event_set(&relief);
	return holt_group_close(holt_take(g), r);
}

/* ---- fdstore */

static int serve_one(void *arg)
{
	holt_auto(fd) fd = (int)(intptr_t)arg;
	char buf[4096];
	ssize_t n;

	do {
		struct holt_scope idle;

		holt_scope_begin(&idle, HOLT_NEVER, HOLT_ON_STOP);
		n = holt_scope_end(&idle, holt_read(fd, buf, sizeof buf));
		if (n > 0)
			n = holt_write_full(fd, buf, (size_t)n);
	} while (n > 0);
	if (n == 0)
		holt_fdstore_drop("conn"); /* the test has one connection */
	return n == -ESHUTDOWN ? 0 : (int)n;
}

static int fdstore(void *arg)
{
	holt_auto(group) g = NULL;
	holt_auto(fd) lfd = -1;
	struct holt_scope accepting;
	int fd, r, kept = 0;

	(void)arg;
	r = holt_group_open(&g, .name = "conns", .kind = HOLT_EACH);
	if (r < 0)
		return r;
	lfd = holt_fdstore_take("listener");
	if (lfd < 0) {
		lfd = holt_listen(args[0]);
		if (lfd < 0)
			return lfd;
		r = holt_fdstore_put("listener", lfd);
		if (r < 0)
			holt_log(LOG_WARNING, "the listener cannot be stored: %s", strerror(-r));
	} else {
		kept |= 1;
	}
	while ((fd = holt_fdstore_take("conn")) >= 0) {
		kept |= 2;
		r = holt_spawn(g, serve_one, (void *)(intptr_t)fd);
		if (r < 0) {
			holt_close(fd);
			return r;
		}
	}
	holt_service_ready("kept: %s%s", kept & 1 ? "listener " : "", kept & 2 ? "connection" : "");

	holt_scope_begin(&accepting, HOLT_NEVER, HOLT_ON_STOP);
	while ((r = holt_accept(lfd, NULL, NULL)) >= 0) {
		fd = r;
		r = holt_fdstore_put("conn", fd);
		if (r >= 0)
			r = holt_spawn(g, serve_one, (void *)(intptr_t)fd);
		if (r < 0) {
			holt_close(fd);
			break;
		}
	}
	r = (int)holt_scope_end(&accepting, r);
	return holt_group_close(holt_take(g), r == -ESHUTDOWN ? 0 : r);
}

/* ---- stubborn, shield */

static struct holt_lock yoke;
static struct holt_cond never;

/* Ignores each -ECANCELED, so a break leaves it spinning. It never lets go of the lock. */
static int owner(void *arg)
{
	(void)arg;
	holt_lock_acquire(&yoke);
	holt_ready();
	while (holt_self()) { /* for ever */
		struct holt_scope s;

		holt_scope_begin(&s, holt_in(HOLT_HOUR), HOLT_SHIELD);
		holt_sleep(HOLT_HOUR);
		holt_scope_end(&s, 0);
	}
	return 0;
}

/* Wants back a lock that never comes: the one wait that nothing ends. */
static int mule(void *arg)
{
	(void)arg;
	holt_lock_acquire(&yoke);
	holt_ready();
	return holt_cond_wait(&never, &yoke);
}

/* Three witnesses, one of each step. */
static int polite(void *arg)
{
	int r;

	(void)arg;
	holt_ready();
	r = until_stop();
	if (r == 0)
		holt_log(LOG_NOTICE, "was stopped");
	return r;
}

static int shielded(void *arg)
{
	struct holt_scope s;
	int r;

	(void)arg;
	holt_ready();
	holt_scope_begin(&s, holt_in(HOLT_HOUR), HOLT_SHIELD);
	r = holt_sleep(HOLT_HOUR);
	holt_notify("X_BROKEN=%d", r);
	holt_log(LOG_NOTICE, "was broken");
	return (int)holt_scope_end(&s, r);
}

static int cancelable(void *arg)
{
	int r;

	(void)arg;
	holt_ready();
	r = holt_sleep(HOLT_NEVER);
	holt_notify("X_CANCELED=%d", r);
	holt_log(LOG_NOTICE, "was canceled");
	return r;
}

struct member {
	const char *name;
	holt_fn fn;
};

static int run_group(const struct member *all, size_t n, const char *status)
{
	holt_auto(group) g = NULL;
	int r;

	r = holt_group_open(&g, .name = "work", .kind = HOLT_EACH);
	for (size_t i = 0; r >= 0 && i < n; i++)
		r = holt_spawn(g, all[i].fn, NULL, .name = all[i].name, .until_ready = true);
	if (r < 0)
		return r;
	holt_service_ready("%s", status);
	return holt_group_close(holt_take(g), 0);
}

static int stubborn(void *arg)
{
	static const struct member all[] = {
		{ "mule", mule },
		{ "owner", owner },
		{ "polite", polite },
		{ "cancelable", cancelable },
		{ "shielded", shielded },
	};

	(void)arg;
	return run_group(all, sizeof all / sizeof *all, "will not go");
}

static int shield(void *arg)
{
	static const struct member all[] = { { "polite", polite }, { "cancelable", cancelable }, { "shielded", shielded } };

	(void)arg;
	return run_group(all, sizeof all / sizeof *all, "behind a shield");
}

/* ---- finally, fail */

static int release(void *arg, int result)
{
	int r = holt_sleep(HOLT_MS); /* a handler may wait: it is shielded */

	holt_notify("X_RELEASED=%s %d %d", (char *)arg, result, r);
	return r;
}

static int finally(void *arg)
{
	holt_auto(group) g = NULL;
	int r;

	(void)arg;
	r = holt_group_open(&g, .name = "work");
	if (r < 0)
		return r;
	holt_finally(g, release, "first");
	holt_finally(g, release, "second");
	r = holt_spawn(g, cancelable, NULL, .until_ready = true);
	holt_service_ready("holds two things");
	return holt_group_close(holt_take(g), r);
}

static int fail(void *arg)
{
	(void)arg;
	holt_service_ready("about to fail");
	return -ENOSPC;
}

/* ---- log, flood */

static int writer(void *arg)
{
	static char big[300 * 1024];
	const struct holt_field fields[] = { { "PROBE_COLOR", "green" }, { "PROBE_LINES", "one\ntwo\n" } };
	struct holt_scope s;

	(void)arg;
	for (int p = LOG_CRIT; p <= LOG_DEBUG; p++)
		holt_log(p, "priority %d", p);
	holt_log_fields(LOG_INFO, fields, 2, "with fields");
	holt_log(LOG_INFO, "first line\nsecond line\n\nfourth line");
	for (size_t i = 0; i < sizeof big - 1; i++)
		big[i] = (char)(i % 80 == 79 ? '\n' : 'a' + i % 26);
	holt_log(LOG_INFO, "%s", big);
	holt_scope_begin(&s, HOLT_NEVER, 0);
	holt_scope_cancel(&s, "the probe wants a reason");
	holt_log(LOG_INFO, "with a reason");
	holt_scope_end(&s, holt_check());
	for (int i = 0; i < 300; i++)
		holt_log(LOG_INFO, "count %d", i);
	return 0;
}

static int log_(void *arg)
{
	holt_auto(group) g = NULL;
	int r;

	(void)arg;
	holt_log_level(LOG_DEBUG);
	holt_service_ready("writing");
	r = holt_group_open(&g, .name = "logs");
	if (r < 0)
		return r;
	return holt_group_close(holt_take(g), holt_spawn(g, writer, NULL));
}

static int flood(void *arg)
{
	(void)arg;
	for (long i = 0; i < number(0); i++)
		holt_log(LOG_INFO, "flood %ld", i);
	holt_service_ready("flooded");
	return until_stop();
}

/* ---- env */

static int env(void *arg)
{
	int fds[8], n = holt_listen_fds(args[0], fds, 8);

	(void)arg;
	printf("fds %d\n", n);
	for (char **e = environ; *e; e++) {
		if (strncmp(*e, "LISTEN_", 7) == 0 || strncmp(*e, "NOTIFY_", 7) == 0 || strncmp(*e, "WATCHDOG_", 9) == 0)
			printf("left %s\n", *e);
	}
	printf("again %d\n", holt_listen_fds(args[0], fds, 8));
	fflush(stdout);
	holt_service_ready("printed");
	return 0;
}

int main(int argc, char **argv)
{
	static const struct {
		const char *name;
		holt_fn fn;
	} commands[] = {
		{ "reload", reload },
		{ "watchdog", watchdog },
		{ "heartbeat", heartbeat },
		{ "fdstore", fdstore },
		{ "stubborn", stubborn },
		{ "shield", shield },
		{ "finally", finally },
		{ "fail", fail },
		{ "log", log_ },
		{ "flood", flood },
		{ "env", env },
	};
	struct holt_service s = { .size = sizeof s, .name = "probe", .grace = 10 * HOLT_SEC, .cleanup = 5 * HOLT_SEC };

	args = argv + (argc > 1 ? 2 : 1);
	for (size_t i = 0; argc > 1 && i < sizeof commands / sizeof *commands; i++) {
		if (strcmp(argv[1], commands[i].name) != 0)
			continue;
		if (commands[i].fn == reload)
			s.reload = reload_fn;
		if (commands[i].fn == stubborn || commands[i].fn == shield || commands[i].fn == finally)
			s.grace = (holt_time)number(0) * HOLT_MS;
		if (commands[i].fn == stubborn || commands[i].fn == shield)
			s.cleanup = (holt_time)number(1) * HOLT_MS;
		return holt_service_run(&s, commands[i].fn, NULL) < 0;
	}
	fprintf(stderr, "usage: probe COMMAND [ARGUMENT...]; the commands are at the top of probe.c\n");
	return 2;
}
