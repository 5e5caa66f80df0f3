/* SPDX-License-Identifier: MIT */
/*
 * A sweep: the same run once for each point that it has.
 *
 * How many there are is not asked before: a run whose number was too high for it has shown that there are no more.
 */
#include <errno.h>
#include <string.h>

#include "base/options.h"
#include "sim/sim.h"
#include "sys/log.h"

struct sweep {
	struct holt_sim o;
	int (*fn)(void *arg);
	int (*check)(void *arg, int result);
	void *arg;
	struct holt_sim_report all;
	int first; /* of the failures: what it was */
};

/* The ways to meddle with a run; the number of the point is written into its options, and the run tells how many it had. */
static const struct kind {
	unsigned what;
	const char *name;
	size_t option, count; /* where in struct holt_sim, and in the report */
	bool cancel_one;
} kinds[] = {
	{ HOLT_SWEEP_CANCEL, "cancel_at", offsetof(struct holt_sim, cancel_at), offsetof(struct holt_sim_report, suspensions),
		false },
	{ HOLT_SWEEP_CANCEL_ONE, "cancel_one, cancel_at", offsetof(struct holt_sim, cancel_at),
		offsetof(struct holt_sim_report, suspensions), true },
	{ HOLT_SWEEP_ALLOC, "fail_alloc_at", offsetof(struct holt_sim, fail_alloc_at),
		offsetof(struct holt_sim_report, allocations), false },
	{ HOLT_SWEEP_SYSCALL, "fail_syscall_at", offsetof(struct holt_sim, fail_syscall_at),
		offsetof(struct holt_sim_report, syscalls), false },
};

static uint64_t *number(void *where, size_t offset)
{
	return (uint64_t *)((char *)where + offset);
}

static void note_failure(
	struct sweep *w, int error, const struct holt_sim *o, const struct kind *kind, uint64_t n, const char *what)
{
	struct holt__text text = HOLT__TEXT(w->all.text);

	if (w->all.failures++ > 0)
		return;
	w->first = error;
	w->all.bad_seed = o->seed;
	w->all.bad_n = n;
	holt__text_add(&text, "seed ");
	holt__text_uint(&text, o->seed);
	if (kind) {
		holt__text_add(&text, ", ");
		holt__text_add(&text, kind->name);
		holt__text_add(&text, " ");
		holt__text_uint(&text, n);
	}
	holt__text_add(&text, ": ");
	holt__text_add(&text, what);
}

/* One run and its check; fills what the run had. kind NULL: as it is. */
static void one(struct sweep *w, const struct holt_sim *o, const struct kind *kind, uint64_t n, struct holt_sim_report *ret)
{
	int r = holt_sim_run(o, w->fn, w->arg, ret), checked = 0;

	w->all.runs++;
	if (w->check)
		checked = w->check(w->arg, r);
	else if (!kind && r < 0)
		checked = r;
	if (ret->failures > 0) {
		note_failure(w, r, o, kind, n, ret->text);
	} else if (checked < 0) {
		char what[96];
		struct holt__text text = HOLT__TEXT(what);

		holt__text_add(&text, w->check ? "the check failed (" : "it failed (");
		holt__text_add(&text, strerror(-checked));
		holt__text_add(&text, "), and the run's result was ");
		holt__text_int(&text, r);
		note_failure(w, checked, o, kind, n, what);
	}
}

/* Has so many more points than the run as it is that it will not end: fn does not begin anew, and has more each time. */
static bool grows(struct sweep *w, const struct kind *kind, const struct holt_sim *o, uint64_t n, uint64_t plain)
{
	if (n <= 10 * plain + 1000)
		return false;
	note_failure(w, -EOVERFLOW, o, kind, n, "there are ever more points; does fn begin anew each time?");
	return true;
}

static void all_points(struct sweep *w, const struct kind *kind, uint64_t seed, uint64_t plain)
{
	struct holt_sim o = w->o;
	struct holt_sim_report report;

	o.seed = seed;
	o.cancel_one = o.cancel_one || kind->cancel_one;
	for (uint64_t n = 1;; n++) {
		*number(&o, kind->option) = n;
		one(w, &o, kind, n, &report);
		if (*number(&report, kind->count) < n || grows(w, kind, &o, n, plain))
			return;
		++*number(&w->all, kind->count);
	}
}

int holt_sim_sweep(const struct holt_sim *s, unsigned what, unsigned seeds, int (*fn)(void *arg),
	int (*check)(void *arg, int result), void *arg, struct holt_sim_report *ret)
{
	struct sweep w = { .fn = fn, .check = check, .arg = arg };
	struct holt_sim_report report;
	bool silent;
	int r;

	if (ret)
		memset(ret, 0, sizeof *ret);
	r = holt__options(&w.o, sizeof w.o, s);
	if (r < 0)
		return r;
	if (!fn || seeds == 0 || what >= 2 * HOLT_SWEEP_CANCEL_ONE || w.o.short_io_percent > 100 || w.o.eintr_percent > 99)
		return -EINVAL;
	if (holt__sim || (holt__here && holt__here->running))
		return -EDEADLK;
	w.o.size = sizeof w.o;
	silent = holt__log_silent(true);
	for (unsigned i = 0; i < seeds; i++) {
		struct holt_sim o = w.o;

		o.seed += i;
		one(&w, &o, NULL, 0, &report);
		for (size_t k = 0; k < sizeof kinds / sizeof kinds[0] && report.failures == 0; k++)
			if (what & kinds[k].what)
				all_points(&w, &kinds[k], o.seed, *number(&report, kinds[k].count));
	}
	holt__log_silent(silent);
	if (ret)
		*ret = w.all;
	return w.first;
}
