/* SPDX-License-Identifier: MIT */
/*
 * Users and groups by name or number, as a child is to have them: looked up before it is made, since the user database
 * may take locks, memory and sockets.
 *
 * A user brings its group and its supplementary groups along, as at a login. A number is a number first: it needs no
 * entry, but without one it has no group either, and ours would be a gift that nobody meant. Who is not root and asks to
 * be what it is gets that, although setgroups would be refused.
 */
#include "work/ids.h"

#include <errno.h>
#include <stdint.h>
#include <unistd.h>

#include "base/alloc.h"
#include "sys/sys.h"

enum { ENTRY_MIN = 1024, ENTRY_MAX = 1 << 20, GROUPS_MIN = 16, GROUPS_MAX = 65536 };

/* An entry of the database, with room for its words. */
struct entry {
	struct passwd pw, *found;
	char *room;
};

static bool parse_id(const char *text, uint32_t *ret)
{
	uint64_t v = 0;

	if (!*text)
		return false;
	for (; *text; text++) {
		if (*text < '0' || *text > '9')
			return false;
		v = v * 10 + (uint64_t)(*text - '0');
		if (v >= UINT32_MAX) /* -1 means "as it is" */
			return false;
	}
	*ret = (uint32_t)v;
	return true;
}

/* Asks with more and more room; what was enough is the caller's. */
static int with_room(int (*look)(void *arg, char *room, size_t size), void *arg, char **ret_room)
{
	int r = -ERANGE;

	for (size_t size = ENTRY_MIN; r == -ERANGE && size <= ENTRY_MAX; size *= 4) {
		char *room = holt__malloc(size);

		if (!room)
			return -ENOMEM;
		do
			r = look(arg, room, size);
		while (r == -EINTR);
		if (r >= 0)
			*ret_room = room;
		else
			holt__free(room);
	}
	return r == -ENOENT ? -ESRCH : r; /* some say it so */
}

struct user_query {
	const char *name; /* NULL: by uid */
	uid_t uid;
	struct entry *e;
};

static int look_for_user(void *arg, char *room, size_t size)
{
	struct user_query *q = arg;

	if (q->name)
		return holt__sys->user_by_name(q->name, &q->e->pw, room, size, &q->e->found);
	return holt__sys->user_by_id(q->uid, &q->e->pw, room, size, &q->e->found);
}

/* e->found NULL: a number without an entry. */
static int find_user(const char *user, uid_t *ret_uid, struct entry *e)
{
	struct user_query q = { .e = e };
	int r;

	if (!parse_id(user, &q.uid))
		q.name = user;
	r = with_room(look_for_user, &q, &e->room);
	if (r < 0 && (r != -ESRCH || q.name))
		return r;
	if (!e->found && q.name)
		return -ESRCH;
	*ret_uid = e->found ? e->pw.pw_uid : q.uid;
	return 0;
}

struct group_query {
	const char *name;
	gid_t *ret;
};

static int look_for_group(void *arg, char *room, size_t size)
{
	struct group_query *q = arg;
	struct group gr, *found = NULL;
	int r = holt__sys->group_by_name(q->name, &gr, room, size, &found);

	if (r < 0 || !found)
		return r < 0 ? r : -ESRCH;
	*q->ret = gr.gr_gid;
	return 0;
}

static int find_group(const char *group, gid_t *ret_gid)
{
	struct group_query q = { group, ret_gid };
	char *room = NULL;
	int r;

	if (parse_id(group, ret_gid))
		return 0;
	r = with_room(look_for_group, &q, &room);
	if (r >= 0)
		holt__free(room);
	return r;
}

/* The groups of a user, with room for more. */
static int list_groups(const char *name, gid_t gid, size_t more, struct holt__ids *ids)
{
	int r = -ERANGE;

	for (int room = GROUPS_MIN; r == -ERANGE && room <= GROUPS_MAX; room *= 4) {
		gid_t *groups = holt__realloc(ids->groups, ((size_t)room + more) * sizeof *groups);

		if (!groups)
			return -ENOMEM;
		ids->groups = groups;
		ids->n_groups = room;
		r = holt__sys->groups_of(name, gid, groups, &ids->n_groups);
	}
	return r;
}

static int add_groups(const char *const *supplementary, struct holt__ids *ids)
{
	int r = 0;

	for (; supplementary && *supplementary && r >= 0; supplementary++)
		r = find_group(*supplementary, &ids->groups[ids->n_groups++]);
	return r;
}

static int set_groups(const struct entry *e, const char *const *supplementary, struct holt__ids *ids)
{
	size_t more = 0;
	int r;

	while (supplementary && supplementary[more])
		more++;
	if (more > GROUPS_MAX)
		return -EINVAL;
	if (e->found) {
		r = list_groups(e->pw.pw_name, ids->gid, more, ids);
		if (r < 0)
			return r;
	} else {
		ids->groups = holt__malloc((more + 1) * sizeof *ids->groups);
		if (!ids->groups)
			return -ENOMEM;
		ids->n_groups = 0;
	}
	return add_groups(supplementary, ids);
}

static bool is_us(const struct holt__ids *ids)
{
	return geteuid() != 0 && ids->uid == geteuid() && ids->uid == getuid() && ids->gid == getegid() && ids->gid == getgid();
}

static int find(struct entry *e, const char *user, const char *group, const char *const *supplementary, struct holt__ids *ids,
	const char **failed)
{
	int r = 0;

	if (user) {
		*failed = "user";
		r = find_user(user, &ids->uid, e);
		if (r >= 0 && e->found)
			ids->gid = e->pw.pw_gid;
		else if (r >= 0 && !group)
			r = -EINVAL;
	}
	if (r >= 0 && group) {
		*failed = "group";
		r = find_group(group, &ids->gid);
	}
	if (r < 0 || (!user && !supplementary))
		return r;
	if (!supplementary && is_us(ids)) {
		ids->uid = (uid_t)-1;
		ids->gid = (gid_t)-1;
		return 0;
	}
	*failed = "supplementary_groups";
	return set_groups(e, supplementary, ids);
}

int holt__ids_find(
	struct holt__ids *ret, const char *user, const char *group, const char *const *supplementary, const char **failed)
{
	struct holt__ids ids = { .uid = (uid_t)-1, .gid = (gid_t)-1, .n_groups = -1 };
	struct entry e = { .found = NULL };
	int r = find(&e, user, group, supplementary, &ids, failed);

	holt__free(e.room);
	if (r < 0)
		holt__ids_done(&ids);
	else
		*ret = ids;
	return r < 0 ? r : 0;
}

void holt__ids_done(struct holt__ids *ids)
{
	holt__free(ids->groups);
	ids->groups = NULL;
}
