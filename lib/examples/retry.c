/* SPDX-License-Identifier: MIT */
/*
 * retry - try again, each time under a time-out, and all of it under one more
 *
 * holt_timeout() is a plain call: it spawns nothing, and what the call does runs on our own stack. The outer one wins where
 * both apply: an inner time-out says -ETIME and we try again; the end of the outer one goes through the loop as
 * -ECANCELED and becomes -ETIME where it belongs, so the loop cannot mistake it for one more to be tried again.
 */
#include <holt.h>

/* Stands for a server that hangs twice and then answers. */
static int ask(void *arg)
{
	int *calls = arg;

	return holt_sleep(++*calls < 3 ? HOLT_HOUR : 5 * HOLT_MS);
}

static int ask_until_answered(void *arg)
{
	holt_time pause = 10 * HOLT_MS;
	int r;

	for (int i = 1; (r = holt_timeout(30 * HOLT_MS, ask, arg)) == -ETIME; i++) {
		printf("try %d: no answer in time\n", i);
		r = holt_sleep(pause);
		if (r < 0)
			return r;
		pause *= 2;
	}
	return r;
}

static int retry(void *arg)
{
	int calls = 0, r;

	(void)arg;
	r = holt_timeout(10 * HOLT_SEC, ask_until_answered, &calls);
	printf("answered at try %d\n", calls);
	if (r < 0)
		return r;

	calls = -1000; /* one that never answers */
	r = holt_timeout(100 * HOLT_MS, ask_until_answered, &calls);
	printf("the other one: %s\n", r == -ETIME ? "given up" : "answered?");
	return r == -ETIME ? 0 : r;
}

int main(void)
{
	return holt_run(retry, NULL) < 0;
}
