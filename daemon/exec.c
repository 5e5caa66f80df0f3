/* SPDX-License-Identifier: MIT */
/*
 * See exec.h. All strings are either somebody's who lives longer (the configuration, our environment, the caller) or in the pieces of
 * memory of the struct exec, so nothing is freed but these, and the descriptors that were opened.
 */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <holt/log.h>

#include "base/alloc.h"
#include "daemon/envfile.h"
#include "daemon/exec_parts.h"
#include "daemon/trust.h"

enum { PIECE = 4096, ENV_FILE_MAX = 1 << 20 };

/* ---- memory */

void *exec_get(struct exec *e, size_t n)
{
	struct exec_piece *p = e->memory;
	void *at;

	n = (n + sizeof(void *) - 1) & ~(sizeof(void *) - 1);
	if (!p || p->room - p->n < n) {
		size_t room = n > PIECE - sizeof *p ? n : PIECE - sizeof *p;

		p = holt__malloc(sizeof *p + room);
		if (!p)
			return NULL;
		*p = (struct exec_piece){ .next = e->memory, .room = room };
		e->memory = p;
	}
	at = p->bytes + p->n;
	p->n += n;
	return at;
}

int exec_list_add(struct exec *e, struct exec_list *l, const char *s)
{
	if (l->n + 1 >= l->room) {
		size_t room = l->room ? 2 * l->room : 32;
		const char **v = exec_get(e, room * sizeof *v);

		if (!v)
			return -ENOMEM;
		if (l->n)
			memcpy(v, l->v, l->n * sizeof *v);
		l->v = v;
		l->room = room;
	}
	l->v[l->n++] = s;
	l->v[l->n] = NULL;
	return 0;
}

static const char *join(struct exec *e, const char *a, const char *b)
{
	size_t n = strlen(a), k = strlen(b);
	char *s = exec_get(e, n + k + 1);

	if (!s)
		return NULL;
	memcpy(s, a, n);
	memcpy(s + n, b, k + 1);
	return s;
}

int exec_fails(struct exec *e, const char *what, const char *name, const char *text, int r)
{
	snprintf(e->why, sizeof e->why, "%s=%s%s%s", what, name ? name : "", name ? ": " : " ", text ? text : strerror(-r));
	return r;
}

/* ---- what is the same for all */

/* Not a child's. A name that ends with * stands for all that begin so. */
static bool is_ours_alone(const char *assignment)
{
	static const char *const names[] = { "NOTIFY_SOCKET", "WATCHDOG_*", "LISTEN_*", "CREDENTIALS_DIRECTORY", "JOURNAL_STREAM",
		"RUNTIME_DIRECTORY", "INVOCATION_ID", "SYSTEMD_EXEC_PID", "MAINPID", "MANAGERPID", "FDSTORE", "HOLT_*" };
	size_t n = strcspn(assignment, "=");

	for (size_t i = 0; i < HOLT__N(names); i++) {
		size_t k = strlen(names[i]);

		if (names[i][k - 1] == '*' ? n >= k - 1 && !strncmp(assignment, names[i], k - 1)
					   : n == k && !strncmp(assignment, names[i], k))
			return true;
	}
	return false;
}

int exec_base_open(struct exec_base *b, const char *tree, const char *state, char *const *environment)
{
	static const char credentials[] = "CREDENTIALS_DIRECTORY=";
	size_t n = 0;

	*b = (struct exec_base){ .tree = tree, .state = state };
	while (environment[n])
		n++;
	b->env = holt__calloc(n + 1, sizeof *b->env);
	if (!b->env)
		return -ENOMEM;
	for (size_t i = 0; i < n; i++) {
		if (!strncmp(environment[i], credentials, sizeof credentials - 1))
			b->own_credentials = environment[i] + sizeof credentials - 1;
		if (environment[i][0] != '=' && strchr(environment[i], '=') && !is_ours_alone(environment[i]))
			b->env[b->n_env++] = environment[i];
	}
	return 0;
}

void exec_base_close(struct exec_base *b)
{
	exec_user_forget(b);
	holt__free(b->env);
	*b = (struct exec_base){ .tree = NULL };
}

/* ---- the environment */

static const char invocation_is[] = "HOLT_INVOCATION_ID=";

/* Takes the place of one of the same name. */
static int put(struct exec *e, struct exec_list *env, const char *assignment)
{
	size_t n = strcspn(assignment, "=") + 1;

	if (n == sizeof invocation_is - 1 && !strncmp(assignment, invocation_is, n))
		return 0;
	for (size_t i = 0; i < env->n; i++) {
		if (strncmp(env->v[i], assignment, n) != 0)
			continue;
		env->v[i] = assignment;
		return 0;
	}
	return exec_list_add(e, env, assignment);
}

static int set(struct exec *e, struct exec_list *env, const char *name, const char *value)
{
	const char *s = value ? join(e, name, value) : NULL;

	if (!value)
		return 0;
	return s ? put(e, env, s) : -ENOMEM;
}

static int set_number(struct exec *e, struct exec_list *env, const char *name, uint64_t v)
{
	char digits[24];

	snprintf(digits, sizeof digits, "%llu", (unsigned long long)v);
	return v ? set(e, env, name, digits) : 0;
}

static int put_base(struct exec *e, struct exec_list *env, const struct exec_base *b, const struct invocation *id)
{
	char text[sizeof invocation_is + INVOCATION_DIGITS];
	const char *s;
	int r = 0;

	if (id) {
		memcpy(text, invocation_is, sizeof invocation_is - 1);
		invocation_text(id, text + sizeof invocation_is - 1);
		s = join(e, text, "");
		r = s ? exec_list_add(e, env, s) : -ENOMEM;
	}
	for (size_t i = 0; r == 0 && i < b->n_env; i++)
		r = exec_list_add(e, env, b->env[i]);
	if (r == 0 && !exec_value(env, "PATH", 4))
		r = exec_list_add(e, env, "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin");
	return r;
}

static int put_user(struct exec *e, struct exec_list *env, struct exec_base *b, const char *name)
{
	const struct exec_user *u;
	int r;

	if (!name)
		return 0;
	r = exec_user_find(b, name, &u);
	if (r < 0)
		return exec_fails(e, "User", name, r == -ESRCH ? "there is no such user" : NULL, r);
	if (!u->known)
		return 0;
	r = set(e, env, "HOME=", u->home);
	if (r == 0)
		r = set(e, env, "LOGNAME=", u->name);
	if (r == 0)
		r = set(e, env, "USER=", u->name);
	return r < 0 ? r : set(e, env, "SHELL=", u->shell);
}

static int put_told(
	struct exec *e, struct exec_list *env, const struct exec_base *b, const struct node *n, const struct exec_extra *x)
{
	int r = set(e, env, "HOLT_TREE=", b->tree);

	if (r == 0)
		r = set(e, env, "HOLT_NODE=", n->path[0] ? n->path : "/");
	if (r == 0)
		r = set_number(e, env, "HOLT_REPLICA=", n->replica);
	if (r == 0)
		r = set(e, env, "NOTIFY_SOCKET=", x->notify_socket);
	if (r == 0)
		r = set_number(e, env, "WATCHDOG_USEC=", x->watchdog / HOLT_US);
	if (r == 0)
		r = set_number(e, env, "MAINPID=", (uint64_t)x->main_pid);
	if (r == 0 && n->process && n->process->n_credentials && b->state && x->id) {
		const char *path = exec_credentials_path(e, b, x->id);

		r = path ? set(e, env, "CREDENTIALS_DIRECTORY=", path) : -ENOMEM;
	}
	return r;
}

/* ---- EnvironmentFile= */

struct file {
	struct envfile parser;
	struct exec *exec;
	struct exec_list *env;
	const char *path;
};

static int assign(struct envfile *p, char *assignment)
{
	struct file *f = holt__container(p, struct file, parser);

	return put(f->exec, f->env, assignment);
}

static void skip(struct envfile *p, unsigned line, const char *why)
{
	holt_log(LOG_WARNING, "%s:%u: ignored, for it %s", holt__container(p, struct file, parser)->path, line, why);
}

/* As root, what another could have written is refused: it may say LD_PRELOAD. */
static int open_env_file(struct exec *e, const char *path)
{
	struct refusal refusal;
	char text[160];
	struct trust t;
	int fd;

	if (geteuid() != 0) {
		fd = open(path, O_RDONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
		return fd < 0 ? -errno : fd;
	}
	trust_init(&t);
	fd = trust_open(&t, path, O_RDONLY | O_NONBLOCK | O_NOCTTY, &refusal);
	if (fd != -EPERM)
		return fd;
	snprintf(text, sizeof text, "%.100s %s", refusal.path, refusal.why);
	return exec_fails(e, "EnvironmentFile", path, text, -EPERM);
}

static int read_env_file(struct exec *e, int fd, char **ret_text, size_t *ret_n)
{
	struct stat st;
	size_t n = 0, size;
	ssize_t k = 1;

	if (fstat(fd, &st) < 0)
		return -errno;
	if (!S_ISREG(st.st_mode))
		return S_ISDIR(st.st_mode) ? -EISDIR : -EINVAL;
	if (st.st_size > ENV_FILE_MAX)
		return -EFBIG;
	size = (size_t)st.st_size;
	*ret_text = exec_get(e, size + 1);
	if (!*ret_text)
		return -ENOMEM;
	while (n < size && (k = read(fd, *ret_text + n, size - n)) > 0)
		n += (size_t)k;
	*ret_n = n;
	return k < 0 ? -errno : 0;
}

static int put_file(struct exec *e, struct exec_list *env, const struct env_file *file)
{
	struct file f = { .parser = { .assign = assign, .skip = skip }, .exec = e, .env = env, .path = file->path };
	int fd = open_env_file(e, file->path), r;
	size_t n = 0;
	char *text = NULL;

	if (fd == -ENOENT && file->optional)
		return 0;
	if (fd < 0)
		return e->why[0] ? fd : exec_fails(e, "EnvironmentFile", file->path, NULL, fd);
	r = read_env_file(e, fd, &text, &n);
	close(fd);
	if (r == 0)
		r = envfile_parse(&f.parser, text, n);
	return r < 0 ? exec_fails(e, "EnvironmentFile", file->path, NULL, r) : 0;
}

static int environment(
	struct exec *e, struct exec_list *env, struct exec_base *b, const struct node *n, const struct exec_extra *x)
{
	const struct process_conf *c = n->process;
	int r = put_base(e, env, b, x->id);

	if (r == 0 && c)
		r = put_user(e, env, b, c->user);
	if (r == 0)
		r = put_told(e, env, b, n, x);
	for (size_t i = 0; r == 0 && c && i < c->environment.n; i++)
		r = put(e, env, c->environment.v[i]);
	for (size_t i = 0; r == 0 && c && i < c->n_env_files; i++)
		r = put_file(e, env, &c->env_files[i]);
	for (size_t i = 0; r == 0 && x->env && x->env[i]; i++)
		r = put(e, env, x->env[i]);
	return r;
}

/* ---- descriptors 0, 1 and 2 */

/*
 * Blocking for the process, but opening must not hold us up, as that of a fifo without a reader would: so it is opened
 * without waiting, and the flag is taken off again; the open file is ours alone until then.
 */
static int open_stdio(const struct stdio_spec *s, int which, bool first)
{
	int flags = O_NONBLOCK | O_NOCTTY | O_CLOEXEC, fd;

	if (which == 0)
		flags |= O_RDONLY;
	else
		flags |= O_WRONLY | O_CREAT;
	if (s->kind == STDIO_APPEND || (s->kind == STDIO_TRUNCATE && !first))
		flags |= O_APPEND;
	else if (s->kind == STDIO_TRUNCATE)
		flags |= O_TRUNC | O_APPEND;
	fd = open(s->path, flags, 0644);
	if (fd < 0)
		return -errno;
	if (fcntl(fd, F_SETFL, flags & O_APPEND) < 0) {
		int r = -errno;

		close(fd);
		return r;
	}
	return fd;
}

static bool same_file(const struct stdio_spec *a, const struct stdio_spec *b)
{
	return a->kind == b->kind && a->path && b->path && !strcmp(a->path, b->path);
}

static int one_stdio(struct exec *e, const struct stdio_spec *spec, int i, const struct exec_extra *x)
{
	static const char *const names[] = { "StandardInput", "StandardOutput", "StandardError" };
	struct holt_process_options *o = &e->options;
	int fd;

	switch (spec[i].kind) {
	case STDIO_NULL:
		o->stdio[i].how = HOLT_STDIO_NULL;
		return 0;
	case STDIO_INHERIT:
		o->stdio[i].how = HOLT_STDIO_INHERIT;
		return 0;
	case STDIO_LOG:
		o->stdio[i].how = x->log_fd                   ? HOLT_STDIO_FD
			: i == 2 && spec[1].kind == STDIO_LOG ? HOLT_STDIO_STDOUT
							      : HOLT_STDIO_PIPE;
		o->stdio[i].fd = x->log_fd;
		return 0;
	default:
		break;
	}
	if (i == 2 && same_file(&spec[1], &spec[2])) {
		o->stdio[2].how = HOLT_STDIO_STDOUT;
		return 0;
	}
	fd = open_stdio(&spec[i], i, x->first);
	if (fd < 0)
		return exec_fails(e, names[i], spec[i].path, NULL, fd);
	e->files[i] = o->stdio[i].fd = fd;
	o->stdio[i].how = HOLT_STDIO_FD;
	return 0;
}

static int stdio(struct exec *e, const struct node *n, const struct exec_extra *x)
{
	static const struct stdio_spec usual[3] = { { .kind = STDIO_NULL }, { .kind = STDIO_LOG }, { .kind = STDIO_LOG } };
	const struct stdio_spec *spec = n->process ? n->process->stdio : usual;
	int r = 0;

	for (int i = 0; r == 0 && i < 3; i++)
		r = one_stdio(e, spec, i, x);
	return r;
}

/* ---- the rest */

static int groups(struct exec *e, const struct strings *groups)
{
	struct exec_list l = { .v = NULL };
	int r = 0;

	for (size_t i = 0; r == 0 && i < groups->n; i++)
		r = exec_list_add(e, &l, groups->v[i]);
	e->options.supplementary_groups = l.v;
	return r;
}

static int limits(struct exec *e, const struct process_conf *c)
{
	struct holt_limit *l = c->n_limits ? exec_get(e, c->n_limits * sizeof *l) : NULL;

	if (c->n_limits && !l)
		return -ENOMEM;
	for (size_t i = 0; i < c->n_limits; i++)
		l[i] = (struct holt_limit){ c->limits[i].resource, c->limits[i].value };
	e->options.limits = l;
	e->options.n_limits = c->n_limits;
	return 0;
}

static int home(struct exec *e, struct exec_base *b, const struct process_conf *c, const struct exec_list *env, const char **ret)
{
	const char *s = c->user ? NULL : exec_value(env, "HOME", 4);
	const struct exec_user *u;
	int r;

	if (!s || !*s) {
		r = exec_user_find(b, c->user, &u);
		if (r < 0)
			return exec_fails(e, "WorkingDirectory", "~", NULL, r);
		s = u->known ? u->home : NULL;
	}
	s = s && *s == '/' ? join(e, s, "") : "/";
	*ret = s;
	return s ? 0 : -ENOMEM;
}

static int working_directory(struct exec *e, struct exec_base *b, const struct process_conf *c, const struct exec_list *env)
{
	const char *dir = c && c->working_directory ? c->working_directory : geteuid() == 0 || !c ? "/" : "~";
	struct stat st;
	int r;

	if (!strcmp(dir, "~")) {
		r = home(e, b, c, env, &dir);
		if (r < 0)
			return r;
	}
	if (c && c->working_directory_optional && (stat(dir, &st) < 0 || !S_ISDIR(st.st_mode)))
		dir = "/";
	e->options.cwd = dir;
	return 0;
}

static int options(struct exec *e, const struct process_conf *c, const struct command *cmd, const struct exec_extra *x)
{
	struct holt_process_options *o = &e->options;
	int r;

	o->path = strchr(cmd->path, '/') ? cmd->path : NULL;
	o->fds = x->fds;
	o->n_fds = x->n_fds;
	o->cgroup_fd_plus_1 = x->cgroup_fd ? x->cgroup_fd + 1 : 0;
	o->death_signal = SIGKILL;
	if (!c)
		return 0;
	o->user = c->user;
	o->group = c->group;
	o->umask_plus_1 = c->umask + 1;
	o->nice = c->nice_set ? c->nice : 0;
	o->no_new_privileges = c->no_new_privileges;
	r = groups(e, &c->supplementary_groups);
	return r < 0 ? r : limits(e, c);
}

static int prepare(struct exec *e, struct exec_base *b, const struct node *n, const struct command *c, const struct exec_extra *x)
{
	struct exec_list env = { .v = NULL }, argv = { .v = NULL };
	int r = environment(e, &env, b, n, x);

	if (r == 0)
		r = exec_words(e, &argv, c, &env);
	e->options.env = env.v;
	e->options.argv = argv.v;
	if (r == 0)
		r = working_directory(e, b, n->process, &env);
	if (r == 0)
		r = options(e, n->process, c, x);
	if (r == 0)
		r = stdio(e, n, x);
	if (r == 0 && x->first && n->process && n->process->n_credentials) /* the last, for they would have to be removed again */
		r = exec_credentials_make(e, b, n, x->id);
	return r;
}

int exec_prepare(struct exec *e, struct exec_base *b, const struct node *n, const struct command *c, const struct exec_extra *x)
{
	int r;

	e->memory = NULL;
	e->why[0] = 0;
	e->options = (struct holt_process_options){ .size = sizeof e->options };
	for (int i = 0; i < 3; i++)
		e->files[i] = -1;
	r = prepare(e, b, n, c, x);
	if (r < 0) {
		if (!e->why[0])
			snprintf(e->why, sizeof e->why, "%s", strerror(-r));
		exec_release(e);
	}
	return r;
}

void exec_release(struct exec *e)
{
	while (e->memory) {
		struct exec_piece *p = e->memory;

		e->memory = p->next;
		holt__free(p);
	}
	for (int i = 0; i < 3; i++)
		if (e->files[i] >= 0)
			close(e->files[i]);
	for (int i = 0; i < 3; i++)
		e->files[i] = -1;
}
