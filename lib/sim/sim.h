/* SPDX-License-Identifier: MIT */
/*
 * One simulated run, as its parts see it. There is at most one in a process, and what counts is its own thread: all that
 * others do passes through untouched.
 */
#pragma once
#include <holt/sim.h>

#include "sys/sys.h"
#include "task/task.h"

enum { HOLT__SIM_WHO = 56 };

struct holt__sim {
	struct holt_sim o;
	struct holt_sim_report report;
	int problem; /* the first that was found; 0: none */

	struct holt__sched *sched;
	uint64_t random;
	uint64_t switches;
	uint64_t empty; /* turns of the loop since a task ran */
	unsigned idle;  /* jumps of the clock since a task ran */
	int signalfd;   /* the loop's; -1: none */
	bool inet;      /* there are sockets whose kernel has clocks of its own */
	holt_fn fn;
	void *arg;
	int result;
	bool returned; /* fn has */

	struct holt__sim_task *tasks;
	size_t n_tasks, tasks_size;
};

extern struct holt__sim *holt__sim; /* NULL: none runs */
extern const struct holt__sys *holt__sim_below;

bool holt__sim_here(void); /* in the thread of the run */

static inline uint64_t holt__sim_random(struct holt__sim *s)
{
	uint64_t z = s->random += 0x9e3779b97f4a7c15; /* splitmix64 */

	z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9;
	z = (z ^ z >> 27) * 0x94d049bb133111eb;
	return z ^ z >> 31;
}

static inline bool holt__sim_percent(struct holt__sim *s, unsigned percent)
{
	return percent > 0 && holt__sim_random(s) % 100 < percent;
}

/* The first problem is the report; one that comes of it later is not told. */
struct holt__text *holt__sim_problem(struct holt__sim *s, int error); /* what to write to; NULL: there was one */
void holt__sim_stuck(struct holt__sim *s);                            /* every task waits, and nothing will come */
void holt__sim_overdue(struct holt__sim *s);                          /* the process would leave now */
void holt__sim_who(char who[HOLT__SIM_WHO]);                          /* the running task's path */

/* world.c: system calls and the clock */
void holt__sim_world_begin(holt_time now);
void holt__sim_world_end(void);

/* leaks.c: memory and descriptors */
void holt__sim_leaks_begin(void);
void holt__sim_leaks_end(struct holt__sim *s); /* looks, and forgets */
void holt__sim_fd_made(int fd);                /* by the running task */
void holt__sim_fd_closed(int fd);
