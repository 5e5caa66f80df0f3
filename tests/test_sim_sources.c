/* SPDX-License-Identifier: MIT */
/*
 * Tickers, alarms and watches, swept: a cancellation comes at each suspension, each allocation and each system call fails. No tick
 * and no event is lost, no alarm goes off early, and what could not be had is said.
 */
#include <fcntl.h>

#include "sweep.h"

static int is_expected(void *arg, int result)
{
	(void)arg;
	switch (result) {
	case -ECANCELED:
	case -ENOMEM:
	case -EMFILE:
	case -EINTR:
	case -EIO:
	case -ENOSPC:
		return 0;
	default:
		return result < 0 ? result : 0;
	}
}

/* ---- tickers */

static uint64_t counted;

static int counts_ticks(void *arg)
{
	uint64_t missed;
	int r = 0;

	for (int i = 0; i < 4 && r == 0; i++) {
		r = holt_ticker_next(arg, &missed);
		if (r == 0)
			counted += 1 + missed;
	}
	return r;
}

static int ticks(void *arg)
{
	holt_ticker *t = NULL;
	holt_group *g = NULL;
	holt_time began = holt_now();
	uint64_t missed;
	int r;

	(void)arg;
	counted = 0;
	r = holt_ticker_open(&t, HOLT_SEC);
	if (r == 0)
		r = holt_group_open(&g, .kind = HOLT_EACH);
	for (int i = 0; r == 0 && i < 2; i++)
		r = holt_spawn(g, counts_ticks, t);
	if (g)
		r = holt_group_close(g, r);
	EXPECT(counted <= (holt_now() - began) / HOLT_SEC); /* none came early */
	if (r == 0) {
		r = holt_ticker_next(t, &missed); /* and those that a canceled one left are still there */
		if (r == 0)
			EXPECT(counted + 1 + missed == (holt_now() - began) / HOLT_SEC);
	}
	holt_ticker_close(t);
	return r;
}
SWEEP(no_tick_is_lost, .fn = ticks, .check = is_expected)

/* ---- alarms */

static int64_t wall_seconds(void)
{
	return holt__sys->wall_now() / 1000000;
}

static int hears_alarms(void *arg)
{
	int r = 0;

	for (int i = 0; i < 2 && r == 0; i++) {
		int64_t before = wall_seconds();

		r = holt_alarm(arg);
		if (r == 0)
			EXPECT(wall_seconds() % 30 == 0 && wall_seconds() > before && wall_seconds() <= before + 30);
	}
	return r;
}

static int alarms(void *calendar)
{
	holt_group *g = NULL;
	int r = holt_group_open(&g, .kind = HOLT_EACH);

	for (int i = 0; r == 0 && i < 2; i++)
		r = holt_spawn(g, hears_alarms, calendar);
	return g ? holt_group_close(g, r) : r;
}
SWEEP(alarms_come_on_time_or_say_why_not, .fn = alarms, .check = is_expected, .arg = WORD("*:*:0/30 UTC"))
SWEEP(alarms_of_a_zone_do_so_too, .fn = alarms, .check = is_expected, .arg = WORD("*:*:0/30 Europe/Berlin"))
SWEEP(interrupted_alarms_do_so_too, .fn = alarms, .check = is_expected, .arg = WORD("*:*:0/30"), .sim = { .eintr_percent = 20 })

/* Somebody sets the clock while they wait: an eventfd stands for the kernel's timer, and the simulator's clock is put ahead. */
static int watcher;
static int64_t ahead;
static const struct holt__sys *simulated;

static int64_t set_wall_now(void)
{
	return simulated->wall_now() + ahead;
}

static int watches(int fd)
{
	if (fd < 0)
		watcher = fd = holt__sys_linux.eventfd(EFD_NONBLOCK | EFD_CLOEXEC);
	return fd;
}

static int sets_the_clock(void *arg)
{
	static const int64_t by[] = { 7, -1800, 40, 7200 };
	uint64_t one = 1;
	int r = 0;

	(void)arg;
	for (size_t i = 0; i < HOLT__N(by) && r == 0; i++) {
		r = holt_sleep(11 * HOLT_SEC);
		ahead += by[i] * 1000000;
		if (watcher >= 0)
			ck_assert_int_eq(holt__sys_linux.write(watcher, &one, sizeof one), sizeof one);
	}
	return r;
}

static bool was_reached;

static int hears_one(void *arg)
{
	int64_t before = wall_seconds() / 3600;
	int r = holt_alarm(arg);

	if (r == 0)
		was_reached = true;
	EXPECT(r < 0 || wall_seconds() / 3600 > before - 1);
	return r;
}

static int alarms_while_set(void *arg)
{
	struct holt__sys sys = *holt__sys;
	holt_group *g = NULL;
	holt_time began = holt_now();
	int r;

	simulated = holt__sys;
	sys.wall_now = set_wall_now;
	holt__sys = &sys;
	ahead = 0;
	watcher = -1;
	was_reached = false;
	r = holt_group_open(&g, .kind = HOLT_EACH);
	for (int i = 0; r == 0 && i < 2; i++)
		r = holt_spawn(g, hears_one, arg);
	if (r == 0)
		r = holt_spawn(g, sets_the_clock, NULL);
	if (g)
		r = holt_group_close(g, r);
	if (r == 0 && was_reached) /* the last change is over the hour, and nobody sleeps through it */
		EXPECT(holt_now() - began <= 45 * HOLT_SEC || ahead < 3600 * INT64_C(1000000));
	holt__sys = simulated;
	return r;
}

static void put_watches(void)
{
	harness_sys.wall_watch = watches;
}
SWEEP(alarms_survive_a_clock_that_is_set, .fn = alarms_while_set, .check = is_expected, .arg = WORD("hourly"),
	.before = put_watches)

/* ---- watches */

enum { NAMES = 6 };

static char folder[64];
static int made, seen, out_of_order;

static void name_of(char name[128], int i)
{
	snprintf(name, 128, "%s/%d", folder, i);
}

static int makes_names(void *arg)
{
	int r = 0;

	(void)arg;
	for (int i = 0; i < NAMES && r == 0; i++) {
		char name[128];
		int fd;

		name_of(name, i);
		fd = open(name, O_CREAT | O_WRONLY | O_CLOEXEC, 0600); /* the test's own, not the library's */
		if (fd >= 0)
			close(fd);
		made++;
		r = i % 3 ? holt_yield() : holt_sleep(HOLT_SEC);
	}
	return r;
}

static int see(holt_watch *w)
{
	const char *name;
	int r = holt_watch_next(w, NULL, &name);

	if (r == 0)
		out_of_order += atoi(name) != seen++;
	return r;
}

static int sees_names(void *w)
{
	int r = 0;

	while (r == 0 && seen < NAMES)
		r = see(w);
	return r;
}

static int watches_names(void *arg)
{
	holt_watch *w = NULL;
	holt_group *g = NULL;
	int r;

	(void)arg;
	made = seen = out_of_order = 0;
	for (int i = 0; i < NAMES; i++) {
		char name[128];

		name_of(name, i);
		unlink(name);
	}
	r = holt_watch_open(&w, folder, IN_CREATE);
	if (r == 0)
		r = holt_group_open(&g, .kind = HOLT_EACH);
	if (r == 0)
		r = holt_spawn(g, makes_names, NULL);
	if (r == 0)
		r = holt_spawn(g, sees_names, w, .background = true); /* the other may end early */
	if (g)
		r = holt_group_close(g, r);
	while (r == 0 && seen < made)
		r = see(w); /* what a canceled one left is still there */
	EXPECT(out_of_order == 0 && seen <= made);
	EXPECT(r < 0 || seen == made);
	holt_watch_close(w);
	return r;
}

static void make_folder(void)
{
	strcpy(folder, "/tmp/holt-sweep-XXXXXX");
	ck_assert_ptr_nonnull(mkdtemp(folder));
}

static void remove_folder(void)
{
	char rm[128];

	snprintf(rm, sizeof rm, "rm -rf %s", folder);
	ck_assert_int_eq(system(rm), 0);
}

TEST(no_event_of_a_watch_is_lost)
{
	sweep((struct scenario){
		.name = "no_event_of_a_watch_is_lost", .fn = watches_names, .check = is_expected, .before = make_folder });
	remove_folder();
}

TEST(no_event_of_an_interrupted_watch_is_lost)
{
	sweep((struct scenario){ .name = "no_event_of_an_interrupted_watch_is_lost",
		.fn = watches_names,
		.check = is_expected,
		.before = make_folder,
		.sim = { .eintr_percent = 20 } });
	remove_folder();
}
