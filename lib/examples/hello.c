/* SPDX-License-Identifier: MIT */
/*
 * hello - a first task, in a group, with a finally handler
 *
 * Two tasks run at once in one thread: each sleep suspends the task that calls it and nobody else. The group ends when
 * both have, and only then its finally handler runs. Ctrl-C ends it early: the sleeps say -ECANCELED, the tasks
 * return, and the handler runs all the same.
 */
#include <holt.h>

static int greet(void *arg)
{
	const char *whom = arg;

	for (int i = 1; i <= 3; i++) {
		int r = holt_sleep(50 * HOLT_MS);

		if (r < 0)
			return r;
		printf("hello, %s (%d)\n", whom, i);
	}
	return 0;
}

static int bye(void *arg, int result)
{
	(void)arg;
	printf("goodbye, all (%d)\n", result);
	return 0;
}

static int hello(void *arg)
{
	holt_auto(group) greeters = NULL;
	int r;

	(void)arg;
	r = holt_group_open(&greeters, .name = "greeters");
	if (r < 0)
		return r;
	r = holt_finally(greeters, bye, NULL);
	if (r >= 0)
		r = holt_spawn(greeters, greet, "world", .name = "world");
	if (r >= 0)
		r = holt_spawn(greeters, greet, "moon", .name = "moon");
	return holt_group_close(holt_take(greeters), r);
}

int main(void)
{
	return holt_run(hello, NULL) < 0;
}
