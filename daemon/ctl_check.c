/* SPDX-License-Identifier: MIT */
/*
 * check: whether a tree file is right, without a daemon, and what it comes to: how many nodes, how many steps a start takes one
 * after the other, and how long a stop takes at the worst.
 */
#include <errno.h>
#include <stdio.h>
#include <unistd.h>

#include "base/alloc.h"
#include "daemon/budget.h"
#include "daemon/ctl.h"

/* The first step in which n can start: after its group's own beginning, and after all that come before it. */
static unsigned first_step(const struct node *n, const unsigned *begins, const unsigned *ends)
{
	unsigned step = n->parent ? begins[n->parent->index] : 1;

	for (size_t i = 0; i < n->after.n; i++)
		if (ends[n->after.v[i]->index] >= step)
			step = ends[n->after.v[i]->index] + 1;
	return step;
}

/* How it stands with all of them, once more; false: nothing has changed. Most files need two rounds. */
static bool look_again(const struct config *c, unsigned *begins, unsigned *ends)
{
	bool changed = false;

	for (size_t i = 0; i < c->nodes.n; i++) {
		const struct node *n = c->nodes.v[i];
		unsigned step = first_step(n, begins, ends);

		begins[n->index] = step;
		for (; n && ends[n->index] < step; n = n->parent) {
			if (!node_is_group(n) || n->members.n > 0) {
				ends[n->index] = step;
				changed = true;
			}
		}
	}
	return changed;
}

/* The longest chain of processes of which each has to be ready before the next one starts. */
static int count_steps(const struct config *c, unsigned *ret)
{
	unsigned *begins = holt__calloc(2 * c->nodes.n + 1, sizeof *begins), *ends = begins + c->nodes.n;

	if (!begins)
		return -ENOMEM;
	while (look_again(c, begins, ends))
		;
	*ret = ends[c->tree->index];
	holt__free(begins);
	return 0;
}

static void say_count(size_t n, const char *what, const char *plural)
{
	printf("%zu %s%s", n, what, n == 1 ? "" : plural);
}

static void say_nodes(const struct config *c, unsigned steps)
{
	size_t processes = 0, disabled = 0;

	for (size_t i = 0; i < c->nodes.n; i++) {
		processes += c->nodes.v[i]->kind == NODE_PROCESS;
		disabled += !c->nodes.v[i]->enabled;
	}
	fputs("  ", stdout);
	say_count(processes, "process", "es");
	fputs(" in ", stdout);
	say_count(c->nodes.n - processes, "group", "s");
	if (disabled > 0)
		printf(", %zu of them disabled", disabled);
	fputs("; starts in ", stdout);
	say_count(steps, "step", "s");
	putchar('\n');
}

/* What a unit needs is whole seconds, and one for the daemon itself. */
static void say_stop(const struct config *c)
{
	holt_time worst = budget_worst(c->tree);
	char buf[64] = "";
	struct holt__text t = HOLT__TEXT(buf);

	if (worst == HOLT_NEVER) {
		puts("  may stop for ever: a TimeoutStopSec= or FinallyTimeoutSec= is infinity; StopBudgetSec= of [tree] sets a limit");
		return;
	}
	draw_span(&t, worst);
	printf("  stops within %s at the worst; a unit that runs it needs TimeoutStopSec=%llus or more\n", buf,
		(unsigned long long)((worst + HOLT_SEC - 1) / HOLT_SEC + 1));
}

static int say_errors(const struct config *c)
{
	fprintf(stderr, "%s: ", c->file);
	fprintf(stderr, c->n_errors == 1 ? "one error\n" : "%zu errors\n", c->n_errors);
	return CTL_FAILED;
}

static int say_all(const struct config *c)
{
	unsigned steps;
	int r = count_steps(c, &steps);

	if (r < 0)
		return ctl_error(c->file, r);
	printf("%s: good\n", c->file);
	say_nodes(c, steps);
	say_stop(c);
	return CTL_OK;
}

int ctl_check(struct ctl *c)
{
	const struct config_options o = { .check_owner = geteuid() == 0 };
	struct config *config;
	int r;

	r = config_load(&config, c->path, &o);
	if (r < 0 && r != -EINVAL)
		return ctl_error(c->path, r);
	config_print_problems(config, stderr);
	r = r == 0 ? say_all(config) : say_errors(config);
	config_free(config);
	return r;
}
