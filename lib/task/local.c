/* SPDX-License-Identifier: MIT */
/*
 * Values that follow the tree: each hangs in the scope that was innermost when it was set, and is found from
 * everywhere inside.
 */
#include <errno.h>

#include "task/task.h"

static struct holt__local **find(struct holt__scope *s, const struct holt_local *key)
{
	struct holt__local **l = &s->locals;

	while (*l && (*l)->key != key)
		l = &(*l)->next;
	return l;
}

static void drop(const struct holt_local *key, void *value)
{
	if (value && key->free)
		key->free(value);
}

int holt_local_set(const struct holt_local *key, void *value)
{
	holt_task *t = holt__self;
	struct holt__local **where, *l;
	void *old;

	if (!key)
		return -EINVAL;
	if (!t) {
		holt__check_fork("holt_local_set");
		return -EPERM;
	}
	where = find(t->scope, key);
	l = *where;
	if (!l) {
		if (!value)
			return 0;
		l = holt__malloc(sizeof *l);
		if (!l)
			return -ENOMEM;
		*l = (struct holt__local){ .key = key, .value = value };
		*where = l;
		return 0;
	}
	old = l->value;
	l->value = value;
	if (!value) {
		*where = l->next;
		holt__free(l);
	}
	if (old != value)
		drop(key, old);
	return 0;
}

void *holt_local_get(const struct holt_local *key)
{
	if (!holt__self)
		return NULL;
	for (struct holt__scope *s = holt__self->scope; s; s = s->parent) {
		const struct holt__local *l = *find(s, key);

		if (l)
			return l->value;
	}
	return NULL;
}
