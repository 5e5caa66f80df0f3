/* SPDX-License-Identifier: MIT */
/*
 * Configurations out of texts, for the suites that test them. Each includes it once.
 */
#pragma once
#include "harness.h"

#include "daemon/config.h"

static struct config *config;

static const struct config_options config_defaults = { .home = "/home", .runtime = "/run" };

/* All problems, a line each, as they are printed. */
static inline char *problems_text(const struct config *c)
{
	static char text[1 << 16];
	FILE *f = fmemopen(text, sizeof text, "w");

	config_print_problems(c, f);
	fclose(f);
	return text;
}

/* Loads what has to be good, without a warning. */
static inline void load_text(const char *text)
{
	int r;

	config = config_free(config);
	r = config_parse(&config, "shop.tree", text, strlen(text), &config_defaults);
	ck_assert_msg(r == 0 && config->n_problems == 0, "%d: %s", r, config ? problems_text(config) : "");
}

/* Loads what has to have just these problems; those that begin with "warning" do not count as errors. */
static inline void load_bad(const char *text, const char *problems)
{
	int r;

	config = config_free(config);
	r = config_parse(&config, "t", text, strlen(text), &config_defaults);
	ck_assert_int_eq(r, config->n_errors ? -EINVAL : 0);
	harness_same(problems_text(config), problems);
	ck_assert(config->n_errors ? !config->tree && config->nodes.n == 0 : config->tree != NULL);
	config = config_free(config);
}

static inline struct node *node_at(const char *path)
{
	struct node *n = config_find(config, path);

	ck_assert_msg(n, "there is no %s", path);
	return n;
}

/* "a b c": the paths of a list. */
static inline const char *paths_of(const struct nodes *list)
{
	static char text[4][2000];
	static int turn;
	char *to = text[turn = (turn + 1) % 4];

	*to = 0;
	for (size_t i = 0; i < list->n; i++)
		sprintf(to + strlen(to), "%s%s", i ? " " : "", list->v[i]->path);
	return to;
}

/* "<word><word>" */
static inline const char *words_of_command(const struct command *c)
{
	static char text[2000];

	text[0] = 0;
	for (unsigned i = 0; i < c->argc; i++)
		sprintf(text + strlen(text), "<%s>", c->argv[i]);
	ck_assert_ptr_null(c->argv[c->argc]);
	ck_assert_str_eq(c->path, c->argv[0]);
	return text;
}
