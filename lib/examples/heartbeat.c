/* SPDX-License-Identifier: MIT */
/*
 * heartbeat - a task that never ends, beside work that does
 *
 * A background task does not hold its group open: when the group is being closed and nothing else is left in it, it is
 * canceled. That is not a failure. It adds its period to a point in time, so it does not drift however long a beat
 * takes. Under systemd it would call holt_heartbeat() too, and a beat that is overdue would hold back the watchdog.
 */
#include <holt.h>

static int beat(void *arg)
{
	const int *done = arg;
	holt_time next = holt_now();
	int r;

	for (;;) {
		next += 20 * HOLT_MS;
		r = holt_sleep_until(next);
		if (r < 0)
			break;
		printf("beat: %d done\n", *done);
	}
	printf("beat ends: %s\n", holt_why());
	return r;
}

static int work(void *arg)
{
	int *done = arg, r = 0;

	while (r == 0 && *done < 10) {
		r = holt_sleep(10 * HOLT_MS);
		*done += r == 0;
	}
	printf("work ends\n");
	return r;
}

static int heartbeat(void *arg)
{
	holt_auto(group) g = NULL;
	int done = 0, r;

	(void)arg;
	r = holt_group_open(&g, .name = "job");
	if (r >= 0)
		r = holt_spawn(g, beat, &done, .background = true);
	if (r >= 0)
		r = holt_spawn(g, work, &done);
	r = holt_group_close(holt_take(g), r);
	printf("closed: %d\n", r);
	return r;
}

int main(void)
{
	return holt_run(heartbeat, NULL) < 0;
}
