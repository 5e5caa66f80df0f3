/* SPDX-License-Identifier: MIT */
/*
 * What starting a program costs until it is executed (the time in which the loop stands still), and until its exit is
 * known. LIMIT is posix_spawn, with the same descriptors, and then waitpid. The wait is a part of the second figure only.
 */
#include <spawn.h>

#include <holt/holt.h>

#include "bench.h"

static char *const argv[] = { "/bin/true", NULL };

enum { BATCH = 25 };

struct sums {
	size_t n;
	double start, all; /* ns */
};

static void limit(struct sums *s)
{
	double begin = bench_now();
	int status;
	pid_t pid;

	bench_must(posix_spawn(&pid, argv[0], NULL, NULL, argv, environ) == 0, "posix_spawn");
	s->start += bench_now() - begin;
	bench_must(waitpid(pid, &status, 0) == pid && status == 0, "waitpid");
	s->all += bench_now() - begin;
	s->n++;
}

static void holt(struct sums *s)
{
	const struct holt_process_options o = { .size = sizeof o, .argv = (const char *const *)argv };
	holt_auto(process) p = NULL;
	double begin = bench_now();
	struct holt_exit e;

	bench_must(holt_process_start(&p, &o) >= 0, "holt_process_start");
	s->start += bench_now() - begin;
	bench_must(holt_process_wait(p, &e) >= 0 && !e.signaled && e.code == 0, "holt_process_wait");
	s->all += bench_now() - begin;
	s->n++;
}

static void tell(const char *series, const struct sums *s)
{
	bench_tell("process: start, us", "1.1x", series, s->start / (double)s->n / 1000);
	bench_tell("process: start + wait, us", "1.1x", series, s->all / (double)s->n / 1000);
}

/* In small batches, in turns: what else the machine does comes to both. */
static int compare(void *arg)
{
	size_t n = *(size_t *)arg;
	struct sums l = { 0 }, h = { 0 };

	for (size_t done = 0; done < n; done += BATCH) {
		for (int i = 0; i < BATCH; i++)
			limit(&l);
		for (int i = 0; i < BATCH; i++)
			holt(&h);
	}
	tell("LIMIT", &l);
	tell("holt", &h);
	return 0;
}

int main(void)
{
	size_t n = bench_count(1000);

	for (int i = 0; i < bench_rounds(2); i++)
		bench_must(holt_run(compare, &n) >= 0, "the run");
	return 0;
}
