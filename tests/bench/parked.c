/* SPDX-License-Identifier: MIT */
/*
 * Bytes of resident memory for each task that is parked: what /proc/self/statm says with all of
 * them waiting, less what it said before. 100,000 tasks, and with BENCH_MILLION=1 a million
 * (4 GiB; they must work with the default limits of the system). And what it took to bring each of
 * them there from nothing: address space, a guard page, the first touch of its page.
 *
 * LIMIT is a bare coroutine: the one page that has its record and its frames, and a guard page.
 */
#include <holt/holt.h>

#include <errno.h>
#include <fcntl.h>

#include "bare.h"
#include "bench.h"

static double resident_bytes(void)
{
	char buf[128] = "", *p;
	int fd = open("/proc/self/statm", O_RDONLY | O_CLOEXEC);

	bench_must(fd >= 0 && read(fd, buf, sizeof buf - 1) > 0, "/proc/self/statm");
	close(fd);
	p = strchr(buf, ' ');
	bench_must(p != NULL, "the second field of /proc/self/statm");
	return (double)strtoull(p, NULL, 10) * (double)sysconf(_SC_PAGESIZE);
}

static const char *cold;

#ifdef BARE
static int bare_parker(void *arg)
{
	bare_park();
	return arg != NULL;
}

static double limit(size_t n)
{
	double before = resident_bytes(), begin = bench_now();

	bare_fill(n, true);
	for (size_t i = 0; i < n; i++)
		bare_spawn(bare_parker, NULL);
	bare_yield();
	bench_tell(cold, "-", "LIMIT", (bench_now() - begin) / (double)n);
	return (resident_bytes() - before) / (double)n;
}
#endif

static struct holt_event done;
static size_t tasks;
static double each;

static int parker(void *arg)
{
	int r = holt_event_wait(&done);

	return arg ? -EINVAL : r;
}

static int park_all(void *arg)
{
	double before = resident_bytes(), begin;
	holt_group *g;
	int r;

	r = holt_group_open(&g);
	if (r < 0)
		return r;
	begin = bench_now();
	for (size_t i = 0; i < tasks && r >= 0; i++)
		r = holt_spawn(g, parker, arg);
	if (r >= 0)
		r = holt_yield(); /* all run, and wait */
	bench_tell(cold, "-", "holt", (bench_now() - begin) / (double)tasks);
	each = (resident_bytes() - before) / (double)tasks;
	bench_must(r < 0 || holt_group_count(g) == tasks, "all are parked");
	holt_event_set(&done);
	return holt_group_close(g, r);
}

static double with_holt(size_t n)
{
	tasks = n;
	bench_must(holt_run(park_all, NULL) >= 0, "tasks that are parked");
	return each;
}

static void measure(const char *workload, const char *cold_workload, size_t n)
{
	cold = cold_workload;
#ifdef BARE
	bench_tell(workload, "<=4200", "LIMIT", bench_fresh(limit, n));
#endif
	bench_tell(workload, "<=4200", "holt", bench_fresh(with_holt, n));
}

int main(void)
{
	const char *million = getenv("BENCH_MILLION");

	measure("parked task, of 100,000, bytes", "cold spawn + park, of 100,000, ns", bench_count(100000));
	if (million && strcmp(million, "1") == 0 && !bench_smoke())
		measure("parked task, of 1,000,000, bytes", "cold spawn + park, of 1,000,000, ns", 1000000);
	return 0;
}
