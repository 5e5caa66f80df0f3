/* SPDX-License-Identifier: MIT */
/*
 * See config.h, and loader.h for who does what. Here the sections become nodes, one draft after the other, and are judged as a
 * whole. A section with replicas is drafted once; only if something in it is another for each replica (%i, %n), once for each.
 */
#include "daemon/config.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/text.h"
#include "daemon/keys.h"
#include "daemon/nearest.h"
#include "daemon/values.h"

/* ---- replicas */

/* The number in a section's last Replicas=. It has to be known before any name is resolved. */
static int find_replicas(struct loader *l, struct section *s)
{
	for (unsigned i = s->first_entry; i != NONE; i = entry_at(l, i)->next) {
		const struct entry *e = entry_at(l, i);
		uint64_t n = 0;
		char buf[24];
		int r;

		if (!key_is(e->key, "Replicas"))
			continue;
		r = value_part(e->value.text, e->value.text + e->value.n, buf, sizeof buf);
		if (r == 0 && e->value.n > 0)
			r = value_number(buf, 1, REPLICAS_MAX, &n);
		s->replicas = (unsigned)n;
		if (r < 0) {
			r = complain_at(l, e, 0, "Replicas=%.*s is no number from 1 to %d",
				(int)(e->value.n < 60 ? e->value.n : 60), e->value.text, REPLICAS_MAX);
			if (r < 0)
				return r;
		}
	}
	return 0;
}

static int find_all_replicas(struct loader *l)
{
	struct place whole = { 0 };
	size_t n = 0;
	int r = 0;

	for (unsigned i = 0; r == 0 && i < l->sections.n; i++) {
		struct section *s = section_at(l, i);
		size_t own;

		r = find_replicas(l, s);
		own = s->replicas ? s->replicas : 1;
		n += own;
		s->nodes = n <= NODES_MAX && r == 0 ? memory_get(l->memory, own * sizeof *s->nodes) : NULL;
		if (r == 0 && n > NODES_MAX) {
			r = complain(l, &whole, "more than %d nodes, with all replicas", NODES_MAX);
			return r < 0 ? r : -EINVAL;
		}
		if (!s->nodes)
			return -ENOMEM;
	}
	return r;
}

/* ---- judging a draft */

static const struct entry *last_of(const struct draft *d, const char *key)
{
	const struct entry *last = NULL, *e;

	for (unsigned i = section_at(d->l, d->section)->first_entry; i != NONE; i = e->next) {
		e = entry_at(d->l, i);
		if (key_is(e->key, key))
			last = e;
	}
	return last;
}

static int judge_start(struct draft *d)
{
	const struct section *s = section_at(d->l, d->section);
	const struct command *start = d->start.v;
	struct place second;

	if (d->start.n == 0)
		return d->start_is_bad ? 0 : complain(d->l, &s->place, "%s has no ExecStart=", s->path);
	if (d->start.n == 1 || d->process.type == TYPE_ONESHOT)
		return 0;
	second = (struct place){ start[1].file, start[1].line, 1 };
	return complain(d->l, &second,
		"%s has a second ExecStart=, which only Type=oneshot can have; an empty ExecStart= takes back those before",
		s->path);
}

static int judge_process(struct draft *d)
{
	const struct entry *restart = last_of(d, "Restart");
	int r = judge_start(d);

	if (r == 0 && restart && d->process.type == TYPE_ONESHOT && d->node.restart == HOLT_RESTART_ALWAYS)
		r = complain_at(d->l, restart, 0,
			"Restart=always would run a Type=oneshot again and again: no and on-failure are possible");
	/* as in systemd, where standard output goes to */
	if (d->process.stdio[2].kind == STDIO_INHERIT)
		d->process.stdio[2] = d->process.stdio[1];
	return r;
}

/* ---- from the draft to the node */

static int keep_list(struct draft *d, const struct list *from, size_t item_size, void *ret_v, size_t *ret_n)
{
	void *v = memory_same(d->l->memory, from->v, from->n * item_size);

	if (from->n > 0 && !v)
		return -ENOMEM;
	memcpy(ret_v, &v, sizeof v);
	*ret_n = from->n;
	return 0;
}

static int keep_commands(struct draft *d, const struct list *from, struct commands *to)
{
	return keep_list(d, from, sizeof *to->v, &to->v, &to->n);
}

static int keep_process(struct draft *d)
{
	struct process_conf *p = &d->process;
	int r = keep_commands(d, &d->start, &d->node.start);

	r = r < 0 ? r : keep_commands(d, &d->start_pre, &p->start_pre);
	r = r < 0 ? r : keep_commands(d, &d->reload, &p->reload);
	r = r < 0 ? r : keep_commands(d, &d->stop, &p->stop);
	r = r < 0 ? r : keep_commands(d, &d->stop_post, &p->stop_post);
	r = r < 0 ? r : keep_list(d, &d->environment, sizeof(char *), &p->environment.v, &p->environment.n);
	r = r < 0
		? r
		: keep_list(d, &d->supplementary_groups, sizeof(char *), &p->supplementary_groups.v, &p->supplementary_groups.n);
	r = r < 0 ? r : keep_list(d, &d->env_files, sizeof *p->env_files, &p->env_files, &p->n_env_files);
	r = r < 0 ? r : keep_list(d, &d->limits, sizeof *p->limits, &p->limits, &p->n_limits);
	r = r < 0 ? r : keep_list(d, &d->cgroup_limits, sizeof *p->cgroup_limits, &p->cgroup_limits, &p->n_cgroup_limits);
	r = r < 0 ? r : keep_list(d, &d->credentials, sizeof *p->credentials, &p->credentials, &p->n_credentials);
	d->node.process = r < 0 ? NULL : memory_same(d->l->memory, p, sizeof *p);
	return d->node.process ? 0 : -ENOMEM;
}

static void keep_tree(struct draft *d)
{
	struct config *c = d->l->config;

	c->control_group = d->tree.control_group;
	c->log_target = d->tree.log_target;
	c->log_directory = d->tree.log_directory;
	c->log_file_max = d->tree.log_file_max;
	c->log_file_keep = d->tree.log_file_keep;
}

/* Fills in the node of a replica; 0: of a section without. */
static int keep_node(struct draft *d, unsigned replica)
{
	struct section *s = section_at(d->l, d->section);
	struct node *n = &s->nodes[replica ? replica - 1 : 0];
	char path[1024];
	const char *slash;

	*n = d->node;
	n->file = s->place.file;
	n->line = s->place.line;
	n->replica = replica;
	n->replicas = s->replicas;
	n->path = s->path;
	if (replica > 0) {
		struct holt__text t = HOLT__TEXT(path);

		holt__text_add(&t, s->path);
		holt__text_add(&t, "@");
		holt__text_uint(&t, replica);
		n->path = memory_string(d->l->memory, t.buf, t.len);
		if (!n->path)
			return -ENOMEM;
	}
	slash = strrchr(n->path, '/');
	n->name = s->kind == NODE_TREE ? d->l->config->name : slash ? slash + 1 : n->path;
	return 0;
}

/* Makes the draft for one replica, or for the section as it is. */
static int draft_section(struct draft *d, unsigned replica)
{
	struct section *s = section_at(d->l, d->section);
	int r = 0;

	d->replica = replica;
	draft_begin(d, s->kind);
	for (unsigned i = s->first_entry; r == 0 && i != NONE; i = entry_at(d->l, i)->next)
		r = draft_add(d, entry_at(d->l, i));
	if (r == 0 && s->kind == NODE_PROCESS && !s->later)
		r = judge_process(d);
	if (r == 0)
		r = keep_commands(d, &d->finally, &d->node.finally);
	if (r == 0 && s->kind == NODE_PROCESS)
		r = keep_process(d);
	if (s->kind == NODE_TREE)
		keep_tree(d);
	s->after_given |= d->after_given;
	return r;
}

static int keep_section(struct draft *d)
{
	struct section *s = section_at(d->l, d->section);
	int r = draft_section(d, s->replicas ? 1 : 0);

	if (r == 0)
		r = keep_node(d, d->replica);
	if (d->varies)
		d->l->again = true;
	else
		for (unsigned i = d->references; i < d->l->references.n; i++)
			reference_at(d->l, i)->replica = 0; /* of all of them */
	for (unsigned k = 2; r == 0 && k <= s->replicas; k++) {
		r = d->l->again ? draft_section(d, k) : 0;
		if (r == 0)
			r = keep_node(d, k);
	}
	d->l->again = false;
	return r;
}

static int keep_sections(struct loader *l)
{
	struct draft d = { .l = l };
	int r = 0;

	for (; r == 0 && d.section < l->sections.n; d.section++)
		r = keep_section(&d);
	draft_free(&d);
	return r;
}

/* ---- loading */

static int name_tree(struct loader *l, const char *file)
{
	const char *name = strrchr(file, '/'), *given = l->options.name;
	struct place at = { 0 };
	size_t n;

	name = given ? given : name ? name + 1 : file;
	n = strlen(name);
	if (!given && n > 5 && strcmp(name + n - 5, ".tree") == 0)
		n -= 5;
	l->config->file = memory_string(l->memory, file, strlen(file));
	l->config->name = memory_string(l->memory, name, n);
	if (!l->config->file || !l->config->name)
		return -ENOMEM;
	for (size_t i = 0; i < n; i++)
		if (name[i] != '@' && name[i] != '.' && !value_is_node_name(name + i, 1))
			return complain(l, &at, "the tree's name, %s, has other characters than letters, digits and _ . : - @",
				l->config->name);
	if (n == 0 || n > 200 || strcmp(l->config->name, ".") == 0 || strcmp(l->config->name, "..") == 0)
		return complain(l, &at, "'%s' cannot be the name of a tree", l->config->name);
	return 0;
}

static int loader_open(struct loader *l, const char *file, const struct config_options *o)
{
	*l = (struct loader){ .options = o ? *o : (struct config_options){ 0 } };
	trust_init(&l->trust);
	l->config = holt__calloc(1, sizeof *l->config);
	if (!l->config)
		return -ENOMEM;
	if (memory_open(&l->memory) < 0)
		return -ENOMEM;
	l->config->memory = l->memory;
	return name_tree(l, file);
}

static void loader_close(struct loader *l)
{
	for (unsigned i = 0; i < l->sources.n; i++) {
		syntax_free(&source_at(l, i)->syntax);
		holt__free(source_at(l, i)->text);
	}
	list_free(&l->sources);
	list_free(&l->sections);
	list_free(&l->entries);
	list_free(&l->references);
	list_free(&l->problems);
	holt__free(l->paths);
}

/* Where a problem belongs among the others: first what is of the whole, then by file, line, column. */
static uint64_t rank(const struct loader *l, const struct problem *p)
{
	uint64_t source = 0;

	while (*p->file && source < l->sources.n && source_at(l, (unsigned)source)->name != p->file)
		source++;
	return (*p->file ? source + 1 : 0) << 48 | (uint64_t)p->line << 24 | (p->column & 0xffffff);
}

static void sort_problems(const struct loader *l)
{
	struct problem *v = l->problems.v;

	for (size_t i = 1; i < l->problems.n && i < PROBLEMS_MAX; i++)
		for (size_t k = i; k > 0 && rank(l, &v[k]) < rank(l, &v[k - 1]); k--) {
			struct problem p = v[k];

			v[k] = v[k - 1];
			v[k - 1] = p;
		}
}

/* Problems go into the configuration's own memory. */
static int settle(struct loader *l)
{
	struct config *c = l->config;

	sort_problems(l);
	c->problems = memory_get(l->memory, l->problems.n * sizeof *c->problems);
	if (!c->problems)
		return -ENOMEM;
	if (l->problems.n > 0)
		memcpy(c->problems, l->problems.v, l->problems.n * sizeof *c->problems);
	c->n_problems = l->problems.n;
	memory_settle(l->memory);
	return 0;
}

/* All after the sources are there. What ends it early, as too many nodes, is noted as a problem. */
static int make(struct loader *l)
{
	int r = sections_read(l);

	if (r == 0)
		r = find_all_replicas(l);
	if (r == 0)
		r = keep_sections(l);
	if (r == 0)
		r = unfold(l);
	if (r == 0 || r == -EINVAL)
		r = settle(l);
	return r;
}

static int finish(struct loader *l, int r, struct config **ret)
{
	if (r == 0)
		r = make(l);
	loader_close(l);
	if (r < 0) {
		config_free(l->config);
		return r;
	}
	*ret = l->config;
	if (l->config->n_errors == 0)
		return 0;
	l->config->tree = NULL;
	l->config->nodes = (struct nodes){ 0 };
	return -EINVAL;
}

int config_load(struct config **ret, const char *file, const struct config_options *o)
{
	struct loader l;
	int r = loader_open(&l, file, o);

	if (r == 0)
		r = sources_load(&l, file);
	return finish(&l, r, ret);
}

int config_parse(struct config **ret, const char *file, const char *text, size_t n, const struct config_options *o)
{
	struct loader l;
	char *copy;
	int r = loader_open(&l, file, o);

	if (r == 0) {
		copy = holt__malloc(n + 1);
		if (copy && n > 0)
			memcpy(copy, text, n);
		r = copy ? sources_add(&l, file, copy, n) : -ENOMEM;
	}
	return finish(&l, r, ret);
}

struct config *config_free(struct config *c)
{
	if (!c)
		return NULL;
	memory_close(c->memory);
	holt__free(c);
	return NULL;
}

size_t config_size(const struct config *c)
{
	return sizeof *c + memory_size(c->memory);
}

/* ---- finding */

struct node *config_find(const struct config *c, const char *path)
{
	size_t low = 0, high = c->nodes.n;

	path += *path == '/';
	while (low < high) {
		size_t middle = (low + high) / 2;
		struct node *n = c->nodes.v[c->by_path[middle]];
		int order = strcmp(path, n->path);

		if (order == 0)
			return n;
		if (order < 0)
			high = middle;
		else
			low = middle + 1;
	}
	return NULL;
}

struct node *config_nearest(const struct config *c, const char *path)
{
	const char *last = strrchr(path, '/');
	struct node *best = NULL;
	struct nearest x;

	path += *path == '/';
	nearest_init(&x, path, strlen(path));
	for (size_t i = 1; i < c->nodes.n; i++) {
		struct node *n = c->nodes.v[i];

		if (strcmp(n->name, last ? last + 1 : path) == 0)
			return n; /* only its groups were forgotten */
		nearest_try(&x, n->path);
		best = x.best == n->path ? n : best;
	}
	return best;
}
