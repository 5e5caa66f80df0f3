/* SPDX-License-Identifier: MIT */
/*
 * Users and groups. The database may be a file or a server far away, and asking it blocks; so the last answer is kept for a
 * second: enough for the thousand replicas of one node, too short for a change to be missed.
 */
#include <errno.h>
#include <grp.h>
#include <pwd.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <holt/run.h>

#include "base/alloc.h"
#include "daemon/exec_parts.h"

enum { ENTRY_FIRST = 1024, ENTRY_MAX = 1 << 20 };
#define KEPT HOLT_SEC

void exec_user_forget(struct exec_base *b)
{
	struct exec_user *u = b->user;

	b->user = NULL;
	if (!u)
		return;
	holt__free(u->asked);
	holt__free(u->entry);
	holt__free(u);
}

/* A number that is one, and no id that means "none". */
static bool is_id(const char *s, uint32_t *ret)
{
	unsigned long long v = 0;
	size_t n = strlen(s);

	if (n < 1 || n > 10 || strspn(s, "0123456789") != n)
		return false;
	v = strtoull(s, NULL, 10);
	*ret = (uint32_t)v;
	return v < UINT32_MAX;
}

/* The entry with its strings behind it, in one allocation. NULL and 0: there is none. */
static int ask(const char *name, uid_t uid, struct passwd **ret)
{
	for (size_t size = ENTRY_FIRST; size <= ENTRY_MAX; size *= 4) {
		struct passwd *p = holt__malloc(sizeof *p + size), *found = NULL;
		int r;

		if (!p)
			return -ENOMEM;
		r = name ? getpwnam_r(name, p, (char *)(p + 1), size, &found) : getpwuid_r(uid, p, (char *)(p + 1), size, &found);
		*ret = found;
		if (found)
			return 0;
		holt__free(p);
		if (r != ERANGE)
			return r == ENOENT || r == ESRCH || r == EBADF || r == EPERM ? 0 : -r;
	}
	return -ERANGE;
}

static int look_up(struct exec_user *u, const char *name)
{
	uint32_t id;
	int r;

	u->uid = geteuid();
	u->gid = getegid();
	if (name && !is_id(name, &id))
		r = ask(name, 0, &u->entry);
	else
		r = ask(NULL, name ? id : u->uid, &u->entry);
	if (r < 0)
		return r;
	if (u->entry) {
		u->known = true;
		u->uid = u->entry->pw_uid;
		u->gid = name ? u->entry->pw_gid : u->gid;
		u->name = u->entry->pw_name;
		u->home = u->entry->pw_dir;
		u->shell = u->entry->pw_shell && *u->entry->pw_shell ? u->entry->pw_shell : "/bin/sh";
	} else if (name && is_id(name, &id)) {
		u->uid = id;
	} else if (name) {
		return -ESRCH;
	}
	return 0;
}

static bool same(const char *a, const char *b)
{
	return a == b || (a && b && !strcmp(a, b));
}

int exec_user_find(struct exec_base *b, const char *name, const struct exec_user **ret)
{
	holt_time now = holt_now();
	int r;

	if (!b->user || !same(b->user->asked, name) || now - b->user->at > KEPT) {
		exec_user_forget(b);
		b->user = holt__calloc(1, sizeof *b->user);
		if (!b->user)
			return -ENOMEM;
		b->user->asked = holt__strdup(name);
		b->user->at = now;
		r = name && !b->user->asked ? -ENOMEM : look_up(b->user, name);
		if (r < 0) {
			exec_user_forget(b);
			return r;
		}
	}
	*ret = b->user;
	return 0;
}

static int find_group(const char *name, gid_t *ret)
{
	uint32_t id;

	if (is_id(name, &id)) {
		*ret = id;
		return 0;
	}
	for (size_t size = ENTRY_FIRST; size <= ENTRY_MAX; size *= 4) {
		struct group g, *found = NULL;
		char *buf = holt__malloc(size);
		int r;

		if (!buf)
			return -ENOMEM;
		r = getgrnam_r(name, &g, buf, size, &found);
		if (found)
			*ret = g.gr_gid;
		holt__free(buf);
		if (found)
			return 0;
		if (r != ERANGE)
			return r == 0 || r == ENOENT || r == ESRCH || r == EBADF || r == EPERM ? -ESRCH : -r;
	}
	return -ERANGE;
}

int exec_user_of(struct exec_base *b, const struct node *n, uid_t *ret_uid, gid_t *ret_gid)
{
	const struct exec_user *u;
	gid_t gid = getegid();
	int r = 0;

	if (!n->process || !n->process->user) {
		*ret_uid = geteuid();
	} else {
		r = exec_user_find(b, n->process->user, &u);
		if (r < 0)
			return r;
		if (!u->known && !n->process->group)
			return -ESRCH; /* as holt_process_start() says it: which group would it be? */
		*ret_uid = u->uid;
		gid = u->gid;
	}
	if (n->process && n->process->group)
		r = find_group(n->process->group, &gid);
	if (r < 0)
		return r;
	*ret_gid = gid;
	return 0;
}
