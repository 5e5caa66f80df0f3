/* SPDX-License-Identifier: MIT */
/*
 * Sorts what was read: a section for each node, in the order of the file, with a list of its assignments, in which those of
 * drop-ins come last. Groups that are not written are made here. Values are not looked at yet.
 */
#include <errno.h>
#include <string.h>

#include "base/alloc.h"
#include "daemon/keys.h"
#include "daemon/nearest.h"
#include "daemon/values.h"

const char *kind_name(enum node_kind kind)
{
	return kind == NODE_TREE ? "tree" : kind == NODE_GROUP ? "group" : "process";
}

/* ---- paths */

static unsigned hash_of(const char *s, size_t n)
{
	unsigned h = 2166136261u;

	for (size_t i = 0; i < n; i++)
		h = (h ^ (unsigned char)s[i]) * 16777619u;
	return h ^ h >> 15;
}

/* Where a path is in the table, or would be. */
static unsigned *slot(const struct loader *l, const char *path, size_t n)
{
	size_t at = hash_of(path, n) & (l->paths_room - 1);

	for (; l->paths[at]; at = (at + 1) & (l->paths_room - 1)) {
		const char *known = section_at(l, l->paths[at] - 1)->path;

		if (strncmp(known, path, n) == 0 && !known[n])
			break;
	}
	return &l->paths[at];
}

unsigned section_find(const struct loader *l, const char *path, size_t n)
{
	return l->paths_room ? *slot(l, path, n) - 1 : NONE; /* an empty slot is 0 */
}

static int grow_paths(struct loader *l)
{
	unsigned *old = l->paths;
	size_t room = l->paths_room ? 2 * l->paths_room : 64;

	l->paths = holt__calloc(room, sizeof *l->paths);
	if (!l->paths) {
		l->paths = old;
		return -ENOMEM;
	}
	l->paths_room = room;
	holt__free(old);
	for (unsigned i = 0; i < l->sections.n; i++) {
		const char *path = section_at(l, i)->path;

		*slot(l, path, strlen(path)) = i + 1;
	}
	return 0;
}

static int add_section(struct loader *l, const char *path, size_t n, unsigned parent, enum node_kind kind, unsigned *ret)
{
	struct section *s;

	if (2 * l->sections.n >= l->paths_room && grow_paths(l) < 0)
		return -ENOMEM;
	s = list_add(&l->sections, sizeof *s);
	if (!s)
		return -ENOMEM;
	*s = (struct section){
		.path = memory_string(l->memory, path, n),
		.parent = parent,
		.kind = kind,
		.first_entry = NONE,
		.last_entry = NONE,
		.source = NONE,
		.last_enabled = NONE,
	};
	if (!s->path) {
		l->sections.n--;
		return -ENOMEM;
	}
	*ret = (unsigned)l->sections.n - 1;
	*slot(l, path, n) = *ret + 1;
	return 0;
}

/* Whether the path of a header can be one; what cannot is noted: -EINVAL. */
static int check_path(struct loader *l, unsigned source, const struct piece *path)
{
	size_t at = 0, n;
	unsigned depth = 0;
	const char *why = path->n > 1000 ? "is too long" : NULL;
	struct place place;
	int r;

	for (; !why && at <= path->n; at += n + 1) {
		const char *slash = memchr(path->text + at, '/', path->n - at);

		n = slash ? (size_t)(slash - path->text) - at : path->n - at;
		if (n == 0)
			why = "has an empty part: it is the names of groups and of the node, with a / in between";
		else if (memchr(path->text + at, '@', n))
			why = "has an @, which is for the numbers of replicas";
		else if (!value_is_node_name(path->text + at, n))
			why = "has a part that is no name: letters, digits and _ . : - make one, but . and .. are none";
		else if (++depth > DEPTH_MAX)
			why = "has too many parts";
		if (why)
			break;
	}
	if (!why)
		return 0;
	place = place_of(l, source, path, path->n > at ? at : 0);
	r = complain(l, &place, "the path %.*s %s", (int)(path->n < 100 ? path->n : 100), path->text, why);
	return r < 0 ? r : -EINVAL;
}

/* The group that a path is in, made if need be. -EINVAL: it is a process, which is noted. */
static int find_parent(struct loader *l, const struct piece *path, const struct place *at, unsigned *ret)
{
	unsigned parent = 0, next;
	int r;

	for (size_t n = 0; n < path->n; n++) {
		if (path->text[n] != '/')
			continue;
		next = section_find(l, path->text, n);
		if (next == NONE) {
			r = add_section(l, path->text, n, parent, NODE_GROUP, &next);
			if (r < 0)
				return r;
		}
		parent = next;
		if (section_at(l, parent)->kind == NODE_PROCESS) {
			const struct section *s = section_at(l, parent);

			r = complain(
				l, at, "%s is no group, so nothing can be in it (%s:%u)", s->path, s->place.file, s->place.line);
			return r < 0 ? r : -EINVAL;
		}
	}
	*ret = parent;
	return 0;
}

/* ---- headers */

struct reading {
	struct loader *l;
	unsigned source;
	unsigned section; /* where assignments go; NONE: nowhere */
	unsigned kind;    /* IN_… */
	bool ignored;     /* they are not even looked at */
};

static int unknown_kind(struct reading *g, const struct piece *kind)
{
	struct place at = place_of(g->l, g->source, kind, 0);
	struct nearest x;

	nearest_init(&x, kind->text, kind->n);
	for (unsigned k = IN_TREE; k <= IN_CHECK; k *= 2)
		nearest_try(&x, section_name(k));
	return complain(g->l, &at, "unknown section [%.*s]%s%s%s", (int)(kind->n < 60 ? kind->n : 60), kind->text,
		x.best ? ", is [" : "", x.best ? x.best : "", x.best ? "] meant?" : "");
}

/* There is a section of that path: whether the header may add to it. */
static int again(struct reading *g, struct section *s, enum node_kind kind, const struct place *at)
{
	const char *name = *s->path ? s->path : "[tree]";

	if (s->place.file && s->source == g->source)
		return complain(g->l, at, "repeated path: %s is in line %u already", name, s->place.line);
	if (s->kind == kind)
		return 1;
	if (s->place.file)
		return complain(g->l, at, "%s is a %s (%s:%u)", name, kind_name(s->kind), s->place.file, s->place.line);
	return complain(g->l, at, "%s is a group, because something is in it", name);
}

/* Finds or makes the section of a header. */
static int enter(struct reading *g, const struct piece *path, enum node_kind kind, const struct place *at)
{
	unsigned parent = NONE, i = section_find(g->l, path->text, path->n);
	struct section *s;
	int r = 1;

	if (i == NONE) {
		r = find_parent(g->l, path, at, &parent);
		if (r == 0)
			r = add_section(g->l, path->text, path->n, parent, kind, &i);
	} else {
		r = again(g, section_at(g->l, i), kind, at);
		if (r == 0)
			return 0; /* and that is noted */
	}
	if (r < 0)
		return r == -EINVAL ? 0 : r;
	s = section_at(g->l, i);
	if (!s->place.file)
		s->place = *at;
	s->source = g->source;
	s->later = g->kind & ~(unsigned)(IN_GROUPS | IN_PROCESS);
	g->section = i;
	g->ignored = s->later;
	return 0;
}

static int header(struct reading *g, const struct item *item)
{
	struct loader *l = g->l;
	struct piece path = item->name, kind = syntax_first(&source_at(l, g->source)->syntax, &path);
	struct place at = place_of(l, g->source, &kind, 0);
	int r;

	g->section = NONE;
	g->ignored = true;
	for (g->kind = IN_TREE; g->kind <= IN_CHECK; g->kind *= 2)
		if (strlen(section_name(g->kind)) == kind.n && memcmp(section_name(g->kind), kind.text, kind.n) == 0)
			break;
	if (kind.n > 2 && memcmp(kind.text, "X-", 2) == 0)
		return 0;
	if (g->kind > IN_CHECK)
		return unknown_kind(g, &kind);
	if (g->kind == IN_TREE && path.n > 0)
		return complain(l, &at, "[tree] has no path: its name is the file's");
	if (g->kind != IN_TREE && path.n == 0)
		return complain(l, &at, "[%s] needs a path: [%s NAME]", section_name(g->kind), section_name(g->kind));
	r = g->kind == IN_TREE ? 0 : check_path(l, g->source, &path);
	if (r < 0)
		return r == -EINVAL ? 0 : r;
	if (path.n > 0)
		at = place_of(l, g->source, &path, 0);
	if (g->kind > IN_PROCESS) {
		r = complain(l, &at, "[%s] is not in this version", section_name(g->kind));
		if (r < 0)
			return r;
	}
	return enter(g, &path, g->kind == IN_TREE ? NODE_TREE : g->kind == IN_GROUP ? NODE_GROUP : NODE_PROCESS, &at);
}

/* ---- assignments */

static int assignment(struct reading *g, const struct item *item)
{
	struct loader *l = g->l;
	struct section *s;
	struct entry *e;
	unsigned key, i;
	int r;

	if (g->section == NONE && !g->ignored) {
		struct place at = place_of(l, g->source, &item->name, 0);

		return complain(l, &at, "an assignment before the first section");
	}
	if (g->ignored || (item->name.n > 2 && memcmp(item->name.text, "X-", 2) == 0))
		return 0;
	r = key_find(l, g->source, &item->name, g->kind, &key);
	if (r < 0 || key == KEY_NONE)
		return r;
	e = list_add(&l->entries, sizeof *e);
	if (!e)
		return -ENOMEM;
	*e = (struct entry){ .value = item->value, .next = NONE, .source = (uint16_t)g->source, .key = (uint16_t)key };
	i = (unsigned)l->entries.n - 1;
	s = section_at(l, g->section);
	if (s->last_entry == NONE)
		s->first_entry = i;
	else
		entry_at(l, s->last_entry)->next = i;
	s->last_entry = i;
	return 0;
}

static int read_source(struct loader *l, unsigned source)
{
	struct reading g = { .l = l, .source = source, .section = NONE };
	struct item item;
	int r;

	while ((r = syntax_next(&source_at(l, source)->syntax, &item)) > 0) {
		struct place at = { source_at(l, source)->name, item.name.line, item.name.column };

		r = item.kind == ITEM_SECTION          ? header(&g, &item)
			: item.kind == ITEM_ASSIGNMENT ? assignment(&g, &item)
						       : complain(l, &at, "%s", item.error);
		if (r < 0)
			break;
	}
	return r;
}

int sections_read(struct loader *l)
{
	unsigned tree;
	int r = add_section(l, "", 0, NONE, NODE_TREE, &tree);

	for (unsigned i = 0; r == 0 && i < l->sources.n; i++)
		r = read_source(l, i);
	return r;
}
