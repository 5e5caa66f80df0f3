/* SPDX-License-Identifier: MIT */
/*
 * Any bytes, as a tree file. Nothing may come of it but problems, or a tree in which everything is where it should be.
 *
 *	clang -g -fsanitize=fuzzer,address,undefined -D_GNU_SOURCE -I. -Ilib -Ilib/include tests/fuzz/tree.c \
 *		daemon/{memory,syntax,nearest,values,symbols,graph,trust,problem,sources,sections,names,parsers,cmdline,keys,config,unfold,utf8}.c \
 *		lib/base/{alloc,text}.c -o fuzz && ./fuzz -max_len=4096 tests/fuzz/tree_corpus
 *
 * tests/test_config_files.c replays the corpus.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/config.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void must(bool fact)
{
	if (!fact)
		abort();
}

static void look_at_list(const struct config *c, const struct nodes *list)
{
	for (size_t i = 0; i < list->n; i++) {
		must(list->v[i]->index < c->nodes.n && c->nodes.v[list->v[i]->index] == list->v[i]);
		must(i == 0 || list->v[i - 1]->index < list->v[i]->index);
	}
}

static void look_at_commands(const struct commands *list)
{
	for (size_t i = 0; i < list->n; i++) {
		must(list->v[i].argc > 0 && list->v[i].path == list->v[i].argv[0] && *list->v[i].path);
		must(!list->v[i].argv[list->v[i].argc]);
	}
}

static void look_at_process(const struct node *n)
{
	const struct process_conf *p = n->process;

	must(n->start.n == 1 || (n->start.n > 1 && p->type == TYPE_ONESHOT));
	look_at_commands(&n->start);
	look_at_commands(&p->start_pre);
	look_at_commands(&p->reload);
	look_at_commands(&p->stop);
	look_at_commands(&p->stop_post);
	for (size_t i = 0; i < p->environment.n; i++)
		must(strchr(p->environment.v[i], '=') != NULL);
}

static void look_at_node(const struct config *c, const struct node *n)
{
	must(config_find(c, n->path) == n);
	must(n == c->tree ? !n->parent : n->parent->members.v[n->order] == n && n->parent->index < n->index);
	must(n->restart_min <= n->restart_max);
	must((n->kind == NODE_PROCESS) == (n->process != NULL));
	look_at_list(c, &n->after);
	look_at_list(c, &n->requires);
	look_at_list(c, &n->before);
	look_at_list(c, &n->required_by);
	must(n->requires.n <= n->after.n && n->required_by.n <= n->before.n);
	look_at_commands(&n->finally);
	if (n->process)
		look_at_process(n);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct config_options o = { .name = "fuzz", .home = "/home", .runtime = "/run" };
	struct config *c = NULL;
	int r = config_parse(&c, "fuzz.tree", (const char *)data, size, &o);

	must(r == 0 || r == -EINVAL || r == -ENOMEM);
	if (r == 0) {
		must(c->n_errors == 0);
		for (size_t i = 0; i < c->nodes.n; i++)
			look_at_node(c, c->nodes.v[i]);
	} else if (r == -EINVAL) {
		must(c->n_errors > 0 && !c->tree);
	}
	config_free(c);
	return 0;
}
