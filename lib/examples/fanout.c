/* SPDX-License-Identifier: MIT */
/*
 * fanout - ask several, and take the first good answer
 *
 * A group of kind HOLT_ANY is canceled by its first success: nobody has to look after the slower ones, and a failure
 * only counts when all have failed. When close returns, every one of them has ended, and the answer is theirs to
 * write until then: it may live on the stack of who asks.
 */
#include <holt.h>

struct mirror {
	const char *name;
	holt_time delay;
	int result;
	const char **answer;
};

/* Stands for a request to one of several servers. */
static int ask(void *arg)
{
	const struct mirror *m = arg;
	int r = holt_sleep(m->delay);

	printf("%s: %s\n", m->name, r < 0 ? "canceled, no longer needed" : m->result < 0 ? "no answer" : "here you are");
	if (r < 0 || m->result < 0)
		return r < 0 ? r : m->result;
	*m->answer = m->name;
	return 0;
}

static int fan_out(void *arg)
{
	holt_auto(group) asked = NULL;
	const char *answer = "nobody";
	struct mirror mirrors[] = {
		{ "oslo", 60 * HOLT_SEC, 0, &answer },
		{ "rome", 20 * HOLT_MS, -ECONNREFUSED, &answer },
		{ "cairo", 80 * HOLT_MS, 0, &answer },
	};
	int r;

	(void)arg;
	r = holt_group_open(&asked, .name = "asked", .kind = HOLT_ANY);
	for (size_t i = 0; r >= 0 && i < sizeof mirrors / sizeof mirrors[0]; i++)
		r = holt_spawn(asked, ask, &mirrors[i]);
	r = holt_group_close(holt_take(asked), r);
	printf("first: %s\n", r < 0 ? "none, all failed" : answer);
	return r;
}

int main(void)
{
	return holt_run(fan_out, NULL) < 0;
}
