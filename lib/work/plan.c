/* SPDX-License-Identifier: MIT */
/*
 * From the options of holt_process_start to a plan for the child. All that can fail for want of memory or of a name fails
 * here, and nothing is left open or allocated but what holt__plan_done gives back.
 *
 * What is to be executed is a list of paths for the child to try, since what may be executed is a question of its user and
 * working directory, not of ours. The environment is copied only if something in it has to change.
 */
#include "work/plan.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h> /* environ */

#include "base/alloc.h"
#include "base/text.h"

enum { FDS_MAX = 4096, NAME_LONGEST = 255, PID_ROOM = 12, NUMBER_ROOM = 24 };

#define DEFAULT_PATH "/bin:/usr/bin"

/* ---- the program */

static const char *search_path(char *const *env)
{
	for (; *env; env++)
		if (strncmp(*env, "PATH=", 5) == 0)
			return *env + 5;
	return DEFAULT_PATH;
}

/* "FOLDER/NAME" for each folder of a search path; an empty one is the working directory. */
static void join(char **paths, char *to, const char *path, const char *name)
{
	size_t n = strlen(name) + 1;

	for (;;) {
		size_t k = strcspn(path, ":");

		*paths++ = to;
		memcpy(to, path, k);
		to += k;
		if (k > 0)
			*to++ = '/';
		memcpy(to, name, n);
		to += n;
		if (!path[k])
			break;
		path += k + 1;
	}
	*paths = NULL;
}

static int make_paths(struct holt__plan *plan, const struct holt_process_options *o)
{
	const char *name = o->path ? o->path : o->argv[0];
	bool search = !o->path && *name && !strchr(name, '/');
	const char *path = search ? search_path(plan->spawn.env) : "";
	size_t n = 1, text = strlen(path);

	for (const char *p = path; (p = strchr(p, ':')); p++)
		n++;
	plan->paths = holt__malloc((n + 1) * sizeof *plan->paths + text + n * (strlen(name) + 2));
	if (!plan->paths)
		return -ENOMEM;
	join(plan->paths, (char *)(plan->paths + n + 1), path, name);
	plan->spawn.paths = plan->paths;
	return 0;
}

/* ---- the environment */

static bool is_about_fds(const char *variable)
{
	static const char *const names[] = { "PID=", "PIDFDID=", "FDS=", "FDNAMES=" };

	if (strncmp(variable, "LISTEN_", 7) != 0)
		return false;
	for (size_t i = 0; i < HOLT__N(names); i++)
		if (strncmp(variable + 7, names[i], strlen(names[i])) == 0)
			return true;
	return false;
}

static const char *name_of(const struct holt_named_fd *fd)
{
	return fd->name ? fd->name : "unknown";
}

static size_t names_size(const struct holt_process_options *o)
{
	size_t n = 0;

	for (size_t i = 0; i < o->n_fds; i++)
		n += strlen(name_of(&o->fds[i])) + 1;
	return n;
}

/* The three variables, one behind the other, in room that is large enough. */
static void tell_fds(struct holt__plan *plan, const struct holt_process_options *o, char **env, struct holt__text room)
{
	*env++ = room.buf;
	holt__text_add(&room, "LISTEN_PID=");
	plan->spawn.pid_text = room.buf + room.len;
	room.len += PID_ROOM;
	*env++ = room.buf + room.len;
	holt__text_add(&room, "LISTEN_FDS=");
	holt__text_uint(&room, o->n_fds);
	room.len++;
	*env++ = room.buf + room.len;
	holt__text_add(&room, "LISTEN_FDNAMES=");
	for (size_t i = 0; i < o->n_fds; i++) {
		holt__text_add(&room, i > 0 ? ":" : "");
		holt__text_add(&room, name_of(&o->fds[i]));
	}
	*env = NULL;
}

static int make_env(struct holt__plan *plan, const struct holt_process_options *o)
{
	char *const *from = o->env ? (char *const *)o->env : environ;
	size_t n = 0, kept = 0, size;

	for (; from && from[n]; n++)
		kept += !is_about_fds(from[n]);
	if (from && kept == n && o->n_fds == 0) {
		plan->spawn.env = from;
		return 0;
	}
	size = o->n_fds == 0 ? 0 : sizeof "LISTEN_PID=LISTEN_FDS=LISTEN_FDNAMES=" + PID_ROOM + NUMBER_ROOM + names_size(o);
	plan->env = holt__malloc((kept + 4) * sizeof *plan->env + size);
	if (!plan->env)
		return -ENOMEM;
	kept = 0;
	for (size_t i = 0; i < n; i++)
		if (!is_about_fds(from[i]))
			plan->env[kept++] = from[i];
	plan->env[kept] = NULL;
	if (size > 0)
		tell_fds(plan, o, plan->env + kept, (struct holt__text){ .buf = (char *)(plan->env + kept + 4), .size = size });
	plan->spawn.env = plan->env;
	return 0;
}

/* ---- descriptors */

/* Our end is non-blocking; theirs, an open file of its own, is not. */
static int make_pipe(struct holt__plan *plan, int which)
{
	int fds[2], r = holt__sys->pipe(fds);

	if (r < 0)
		return r;
	plan->ours[which] = fds[which == 0];
	plan->theirs[which] = fds[which != 0];
	return holt__sys->set_flags(plan->ours[which], O_NONBLOCK);
}

static int make_stdio(struct holt__plan *plan, const struct holt_process_options *o)
{
	int r = 0;

	plan->spawn.failed = "stdio";
	for (int i = 0; r >= 0 && i < 3; i++) {
		switch (o->stdio[i].how) {
		case HOLT_STDIO_INHERIT:
			plan->fds[i] = HOLT__FD_KEEP;
			break;
		case HOLT_STDIO_NULL:
			plan->fds[i] = HOLT__FD_NULL;
			break;
		case HOLT_STDIO_PIPE:
			r = make_pipe(plan, i);
			plan->fds[i] = plan->theirs[i];
			break;
		case HOLT_STDIO_FD:
			plan->fds[i] = o->stdio[i].fd;
			r = plan->fds[i] < 0 ? -EBADF : 0;
			break;
		case HOLT_STDIO_STDOUT:
			plan->fds[i] = HOLT__FD_STDOUT;
			break;
		}
	}
	return r;
}

static int make_fds(struct holt__plan *plan, const struct holt_process_options *o)
{
	int r;

	plan->fds = holt__malloc((3 + o->n_fds) * sizeof *plan->fds);
	if (!plan->fds)
		return -ENOMEM;
	plan->spawn.fds = plan->fds;
	plan->spawn.n_fds = 3 + (int)o->n_fds;
	r = make_stdio(plan, o);
	if (r < 0)
		return r;
	plan->spawn.failed = "fds";
	for (size_t i = 0; i < o->n_fds; i++) {
		if (o->fds[i].fd < 0)
			return -EBADF;
		plan->fds[3 + i] = o->fds[i].fd;
	}
	return 0;
}

/* ---- the rest */

static uint64_t limit_value(rlim_t value)
{
	return value == RLIM_INFINITY ? UINT64_MAX : (uint64_t)value;
}

static int make_limits(struct holt__plan *plan, const struct holt_process_options *o)
{
	if (o->n_limits == 0)
		return 0;
	plan->limits = holt__calloc(o->n_limits, sizeof *plan->limits);
	if (!plan->limits)
		return -ENOMEM;
	for (size_t i = 0; i < o->n_limits; i++) {
		plan->limits[i].resource = o->limits[i].resource;
		plan->limits[i].value[0] = limit_value(o->limits[i].value.rlim_cur);
		plan->limits[i].value[1] = limit_value(o->limits[i].value.rlim_max);
	}
	plan->spawn.limits = plan->limits;
	plan->spawn.n_limits = o->n_limits;
	return 0;
}

static int make_ids(struct holt__plan *plan, const struct holt_process_options *o)
{
	int r = holt__ids_find(&plan->ids, o->user, o->group, o->supplementary_groups, &plan->spawn.failed);

	if (r < 0)
		return r;
	plan->spawn.uid = plan->ids.uid;
	plan->spawn.gid = plan->ids.gid;
	plan->spawn.groups = plan->ids.groups;
	plan->spawn.n_groups = plan->ids.n_groups;
	return 0;
}

static bool is_name(const char *name)
{
	size_t n = 0;

	for (; name[n]; n++)
		if (name[n] < ' ' || name[n] > '~' || name[n] == ':')
			return false;
	return n <= NAME_LONGEST;
}

static bool make_sense(const struct holt_process_options *o)
{
	if (!o->argv || !o->argv[0] || o->nice < -20 || o->nice > 19 || o->n_fds > FDS_MAX)
		return false;
	if ((o->n_fds > 0 && !o->fds) || (o->n_limits > 0 && !o->limits))
		return false;
	for (int i = 0; i < 3; i++)
		if ((unsigned)o->stdio[i].how > (i == 2 ? HOLT_STDIO_STDOUT : HOLT_STDIO_FD))
			return false;
	for (size_t i = 0; i < o->n_fds; i++)
		if (!is_name(name_of(&o->fds[i])))
			return false;
	return true;
}

int holt__plan_make(struct holt__plan *plan, const struct holt_process_options *o)
{
	int r;

	*plan = (struct holt__plan){ .ours = { -1, -1, -1 }, .theirs = { -1, -1, -1 }, .spawn.failed = "options" };
	if (!make_sense(o))
		return -EINVAL;
	plan->spawn.argv = (char *const *)o->argv;
	plan->spawn.cwd = o->cwd;
	plan->spawn.cgroup_fd = o->cgroup_fd_plus_1 - 1;
	plan->spawn.nice = o->nice;
	plan->spawn.umask = (int)o->umask_plus_1 - 1;
	plan->spawn.death_signal = o->death_signal;
	plan->spawn.own_group = !o->same_group;
	plan->spawn.no_new_privileges = o->no_new_privileges;

	r = make_ids(plan, o);
	if (r < 0)
		return r;
	plan->spawn.failed = "process"; /* no memory */
	r = make_env(plan, o);
	if (r >= 0)
		r = make_paths(plan, o);
	if (r >= 0)
		r = make_limits(plan, o);
	if (r >= 0)
		r = make_fds(plan, o);
	return r;
}

static void close_ends(int ends[3])
{
	for (int i = 0; i < 3; i++)
		if (ends[i] >= 0)
			holt__sys->close(ends[i]);
}

void holt__plan_done(struct holt__plan *plan)
{
	close_ends(plan->ours);
	close_ends(plan->theirs);
	holt__ids_done(&plan->ids);
	holt__free(plan->limits);
	holt__free(plan->fds);
	holt__free(plan->paths);
	holt__free(plan->env);
}
