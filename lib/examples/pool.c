/* SPDX-License-Identifier: MIT */
/*
 * pool - three workers on a queue that holds back who fills it
 *
 * The queue has room for two jobs, so the producer is never more than that ahead of the workers: put waits. A
 * shutdown ends it softly. The jobs that are in it are still done; then get says -EPIPE, and the workers go home. A
 * worker that fails cancels the others and the producer: the group is of kind HOLT_ALL.
 */
#include <holt.h>

static const char *const names[] = { "anna", "bert", "cleo" };

struct shop {
	holt_queue *jobs;
	int sum;
};

static int work(void *arg)
{
	struct shop *shop = arg;
	int job, r;

	while ((r = holt_queue_get(shop->jobs, &job)) == 0) {
		r = holt_sleep(10 * HOLT_MS);
		if (r < 0)
			return r;
		printf("%s: job %d done\n", holt_task_name(holt_self()), job);
		shop->sum += job;
	}
	return r == -EPIPE ? 0 : r;
}

static int pool(void *arg)
{
	holt_auto(queue) jobs = NULL;
	holt_auto(group) workers = NULL; /* declared later, so closed first: nobody uses the queue after its end */
	struct shop shop = { .sum = 0 };
	int r;

	(void)arg;
	r = holt_queue_open(&jobs, sizeof(int), 2);
	if (r >= 0)
		r = holt_group_open(&workers, .name = "workers");
	shop.jobs = jobs;
	for (size_t i = 0; r >= 0 && i < sizeof names / sizeof names[0]; i++)
		r = holt_spawn(workers, work, &shop, .name = names[i]);
	for (int job = 1; r >= 0 && job <= 9; job++)
		r = holt_queue_put(jobs, &job);
	if (r >= 0)
		holt_queue_shutdown(jobs, false);
	r = holt_group_close(holt_take(workers), r);
	printf("all done, the sum is %d\n", shop.sum);
	return r;
}

int main(void)
{
	return holt_run(pool, NULL) < 0;
}
