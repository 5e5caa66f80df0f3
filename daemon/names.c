/* SPDX-License-Identifier: MIT */
/*
 * What stands for something else in a value: specifiers (%i, %n, …), and names of other nodes in After= and Requires=.
 */
#include <errno.h>
#include <pwd.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "daemon/keys.h"
#include "daemon/nearest.h"
#include "daemon/values.h"

/* ---- specifiers */

static int add_text(struct list *to, const char *s)
{
	return list_add_bytes(to, s, strlen(s));
}

/* A number that is at least 1. */
static int add_number(struct list *to, unsigned n)
{
	char digits[10];
	size_t i = sizeof digits;

	for (; n; n /= 10)
		digits[--i] = (char)('0' + n % 10);
	return list_add_bytes(to, digits + i, sizeof digits - i);
}

static int add_path(struct draft *d, struct list *to)
{
	const char *path = section_at(d->l, d->section)->path;
	int r = add_text(to, *path ? path : "/"); /* the tree has none, and $HOLT_NODE says so, too */

	d->varies |= d->replica > 0;
	if (r == 0 && d->replica > 0)
		r = list_add_bytes(to, "@", 1);
	return r == 0 && d->replica > 0 ? add_number(to, d->replica) : r;
}

static const char *home_of(const struct config_options *o)
{
	const struct passwd *pw;
	const char *home = o->home ? o->home : getenv("HOME");

	if (home && *home)
		return home;
	pw = getpwuid(geteuid());
	return pw ? pw->pw_dir : NULL;
}

static const char *runtime_of(const struct config_options *o)
{
	const char *runtime = o->runtime ? o->runtime : getenv("XDG_RUNTIME_DIR");

	return runtime && *runtime ? runtime : geteuid() == 0 ? "/run" : NULL;
}

/* What %c stands for, added to d->text. *ret_why: it stands for nothing here. */
static int specifier(struct draft *d, char c, const char **ret_why)
{
	const char *s = NULL;

	switch (c) {
	case '%':
		return list_add_bytes(&d->text, "%", 1);
	case 'i':
		*ret_why = d->replica ? NULL : "%i is a replica's number, but there is no Replicas=";
		d->varies |= d->replica > 0;
		return d->replica ? add_number(&d->text, d->replica) : 0;
	case 'n':
		return add_path(d, &d->text);
	case 'N':
		return add_text(&d->text, d->l->config->name);
	case 'h':
		s = home_of(&d->l->options);
		*ret_why = s ? NULL : "%h is not known: there is no $HOME";
		return s ? add_text(&d->text, s) : 0;
	case 't':
		s = runtime_of(&d->l->options);
		*ret_why = s ? NULL : "%t is not known: there is no $XDG_RUNTIME_DIR";
		return s ? add_text(&d->text, s) : 0;
	default:
		*ret_why = "an unknown specifier; there are %i %n %N %h %t, and %% for a percent sign";
		return 0;
	}
}

int put_in(struct draft *d, const struct entry *e, size_t offset, const char *s, size_t n)
{
	const char *end = s + n, *why = NULL, *percent;
	int r = 0;

	for (; r == 0 && (percent = memchr(s, '%', (size_t)(end - s))); s = percent + 2) {
		r = list_add_bytes(&d->text, s, (size_t)(percent - s));
		if (r == 0)
			r = specifier(d, (char)(percent + 1 < end ? percent[1] : 0), &why);
		if (r == 0 && why) {
			r = complain_at(d->l, e, offset + (n - (size_t)(end - percent)), "%s", why);
			return r < 0 ? r : -EINVAL;
		}
	}
	if (r == 0)
		r = list_add_bytes(&d->text, s, (size_t)(end - s));
	return r < 0 ? r : list_add_bytes(&d->text, "", 1);
}

int words_of(struct draft *d, const struct entry *e, struct word_reader *w, char **ret)
{
	int r;

	w->words.piece = &e->value;
	d->raw.n = d->text.n = 0;
	r = list_add_bytes(&d->raw, "", 0); /* so that it is there, also for an empty word */
	if (r == 0)
		r = words_next(&w->words, &w->word, &d->raw);
	if (r == -EINVAL) {
		r = complain_at(d->l, e, w->words.at, "%s", w->words.error);
		return r < 0 ? r : -EINVAL;
	}
	if (r <= 0)
		return r;
	r = put_in(d, e, w->word.offset, d->raw.v, d->raw.n);
	*ret = d->text.v;
	return r < 0 ? r : 1;
}

/* ---- names of nodes */

static bool is_inside(const struct loader *l, unsigned node, unsigned group)
{
	while (node != NONE && node > group)
		node = section_at(l, node)->parent;
	return node == group;
}

static bool ends_in(const char *path, const char *name)
{
	size_t n = strlen(path), n_name = strlen(name);

	return n > n_name && path[n - n_name - 1] == '/' && strcmp(path + n - n_name, name) == 0;
}

/* A path that may have been meant: of what is called so elsewhere, or one that is near; NULL. */
static const char *meant(const struct loader *l, const char *name, const char *path)
{
	struct nearest x;

	name += *name == '/';
	nearest_init(&x, path, strlen(path));
	for (unsigned i = 1; i < l->sections.n; i++) {
		const char *known = section_at(l, i)->path;

		if (strcmp(known, name) == 0 || ends_in(known, name))
			return known;
		nearest_try(&x, known);
	}
	return x.best;
}

/* Cuts the number of a replica off a path. 0: there is none; -EINVAL: it is no number. */
static int cut_replica(char *path, unsigned *ret)
{
	char *at = strrchr(path, '@');
	uint64_t n = 0;

	*ret = 0;
	if (!at)
		return 0;
	if (at[1] == '0' || value_number(at + 1, 1, REPLICAS_MAX, &n) < 0)
		return -EINVAL;
	*at = 0;
	*ret = (unsigned)n;
	return 0;
}

/* Why a node cannot come after another, each of them given by its section; NULL: it can. */
static const char *refused(const struct loader *l, unsigned from, unsigned to, unsigned replica)
{
	const struct section *s = section_at(l, to);

	if (from == to)
		return "a node cannot wait for itself";
	if (is_inside(l, from, to))
		return "a node cannot wait for a group that it is in: that is ready only when all in it are";
	if (is_inside(l, to, from))
		return "a group cannot wait for what is in it: that starts only when the group does";
	if (replica > s->replicas)
		return s->replicas ? "there are not so many replicas" : "there is no Replicas=, so no @";
	return NULL;
}

/* name as written; path: from the root, with a replica's number, perhaps, free to be changed. */
static int refer(struct draft *d, const struct entry *e, size_t at, const char *name, char *path)
{
	struct loader *l = d->l;
	unsigned replica, to;
	struct reference *ref;
	const char *why, *near;

	if (cut_replica(path, &replica) < 0)
		return complain_at(l, e, at, "%s: what is behind @ is no number of a replica", name);
	to = section_find(l, path, strlen(path));
	if (to == NONE) {
		near = meant(l, name, path);
		return complain_at(l, e, at, "there is no node %s%s%s%s", path, near ? ", is /" : "", near ? near : "",
			near ? " meant?" : "");
	}
	why = refused(l, d->section, to, replica);
	if (why)
		return complain_at(l, e, at, "%s: %s", name, why);
	ref = list_add(&l->references, sizeof *ref);
	if (!ref)
		return -ENOMEM;
	*ref = (struct reference){
		.from = d->section,
		.to = to,
		.replica = d->replica,
		.to_replica = replica,
		.place = place_of(l, e->source, &e->value, at),
		.requires = key_is(e->key, "Requires"),
	};
	return 0;
}

/* After=, Requires=: an empty one forgets those of its kind. */
static void forget(struct draft *d, bool requires)
{
	struct reference *v = d->l->references.v;
	size_t n = d->references;

	for (size_t i = n; i < d->l->references.n; i++)
		if (v[i].requires != requires)
			v[n++] = v[i];
	d->l->references.n = n;
}

int parse_names(struct draft *d, const struct key *k, const struct entry *e, char *text)
{
	const struct section *s = section_at(d->l, d->section);
	const char *group = section_at(d->l, s->parent)->path;
	bool requires = key_is(e->key, "Requires");
	struct word_reader w = { 0 };
	struct list path = { 0 };
	int r;

	(void)k;
	d->after_given |= !requires;
	if (e->value.n == 0)
		forget(d, requires);
	while ((r = words_of(d, e, &w, &text)) > 0) {
		path.n = 0;
		r = *text == '/' || !*group ? 0 : add_text(&path, group);
		if (r == 0 && *text != '/' && *group)
			r = list_add_bytes(&path, "/", 1);
		if (r == 0)
			r = list_add_bytes(&path, text + (*text == '/'), strlen(text) + 1 - (*text == '/'));
		if (r == 0)
			r = refer(d, e, w.word.offset, text, path.v);
		if (r < 0)
			break;
	}
	list_free(&path);
	return r == -EINVAL ? 0 : r;
}
