/* SPDX-License-Identifier: MIT */
/*
 * The files that a tree is made of: its own, and its drop-ins, the snippets in FILE.d/ beside it, in the order of their names.
 * A tree below /etc/holt has such folders in /run/holt and /usr/lib/holt, too, at the same place; of snippets of one name
 * the strongest folder's counts, in that order, and an empty one, or a link to /dev/null, is how to mask one.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/alloc.h"
#include "daemon/loader.h"

enum { ROOTS = 3 };

struct snippet {
	char *path;
	const char *name; /* in path */
};

static const char *const default_roots[ROOTS] = { "/etc/holt", "/run/holt", "/usr/lib/holt" };

/* ---- opening and reading */

/* A descriptor; -ENOENT; -EINVAL: something else is wrong with it, and is noted; -ENOMEM. */
static int open_trusted(struct loader *l, const char *path, int flags, const struct place *at, const char *what)
{
	struct refusal refused;
	int r;

	if (l->options.check_owner) {
		r = trust_open(&l->trust, path, flags, &refused);
	} else {
		r = open(path, flags | O_CLOEXEC);
		r = r < 0 ? -errno : r;
	}
	if (r >= 0 || r == -ENOENT)
		return r;
	if (r == -EPERM && l->options.check_owner)
		r = complain(l, at, "%srefused: %s %s", what, refused.path, refused.why);
	else
		r = complain(l, at, "%scannot be opened: %s", what, strerror(-r));
	return r < 0 ? r : -EINVAL;
}

/* Reads at most SYNTAX_MAX bytes and one more. */
static int read_all(int fd, char **ret, size_t *ret_n)
{
	struct list text = { 0 };
	char buf[4096];
	ssize_t n;

	if (list_add_bytes(&text, "", 0) < 0) /* an empty text is one, too */
		return -ENOMEM;
	while ((n = read(fd, buf, sizeof buf)) != 0 && text.n <= SYNTAX_MAX) {
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0 || list_add_bytes(&text, buf, (size_t)n) < 0) {
			n = n < 0 ? -errno : -ENOMEM;
			list_free(&text);
			return (int)n;
		}
	}
	*ret = text.v;
	*ret_n = text.n;
	return 0;
}

int sources_add(struct loader *l, const char *name, char *text, size_t n)
{
	struct source *s = l->sources.n < UINT16_MAX ? list_add(&l->sources, sizeof *s) : NULL;
	struct place at = { .file = memory_string(l->memory, name, strlen(name)) };
	const char *why;

	if (!s || !at.file) {
		holt__free(text);
		return -ENOMEM;
	}
	s->name = at.file;
	s->text = text;
	why = syntax_check(text, n, &at.line, &at.column);
	syntax_init(&s->syntax, text, why ? 0 : n);
	return why ? complain(l, &at, "%s", why) : 0;
}

/* Reads what was opened, and closes it. -EINVAL: it cannot be read, which is noted. */
static int read_file(struct loader *l, int fd, const struct place *at, char **ret, size_t *ret_n)
{
	struct stat st;
	int r = fstat(fd, &st) < 0 ? -errno : S_ISREG(st.st_mode) ? 0 : -EINVAL;

	if (r == 0)
		r = read_all(fd, ret, ret_n);
	close(fd);
	if (r == 0 || r == -ENOMEM)
		return r;
	r = r == -EINVAL ? complain(l, at, "is not a file") : complain(l, at, "cannot be read: %s", strerror(-r));
	return r < 0 ? r : -EINVAL;
}

/* Adds a file as the next source. One that is missing is a problem. */
static int load(struct loader *l, const char *path)
{
	struct place at = { .file = memory_string(l->memory, path, strlen(path)) };
	char *text = NULL;
	size_t n = 0;
	int r;

	if (!at.file)
		return -ENOMEM;
	r = open_trusted(l, path, O_RDONLY | O_NONBLOCK | O_NOCTTY, &at, "");
	if (r == -ENOENT)
		return complain(l, &at, "cannot be opened: %s", strerror(ENOENT));
	if (r >= 0)
		r = read_file(l, r, &at, &text, &n);
	if (r < 0)
		return r == -ENOMEM ? r : 0;
	return sources_add(l, path, text, n);
}

int sources_judge(struct loader *l, const struct entry *e, const char *path)
{
	struct place at = place_of_entry(l, e);
	int fd;

	if (!l->options.check_owner)
		return 0;
	fd = open_trusted(l, path, O_RDONLY | O_NONBLOCK | O_NOCTTY, &at, "EnvironmentFile= is ");
	if (fd >= 0)
		close(fd);
	return fd == -ENOMEM ? fd : 0;
}

/* ---- drop-ins */

static bool is_snippet(const char *name)
{
	size_t n = strlen(name);

	return n > 5 && *name != '.' && strcmp(name + n - 5, ".conf") == 0;
}

static bool is_known(const struct list *snippets, const char *name)
{
	const struct snippet *s = snippets->v;

	for (size_t i = 0; i < snippets->n; i++)
		if (strcmp(s[i].name, name) == 0)
			return true;
	return false;
}

static int add_snippet(struct list *snippets, const char *folder, const char *name)
{
	size_t n = strlen(folder);
	struct snippet *s;

	if (!is_snippet(name) || is_known(snippets, name))
		return 0;
	s = list_add(snippets, sizeof *s);
	if (!s)
		return -ENOMEM;
	s->path = holt__malloc(n + strlen(name) + 2);
	if (!s->path) {
		snippets->n--; /* it has no name to be sorted by */
		return -ENOMEM;
	}
	sprintf(s->path, "%s/%s", folder, name);
	s->name = s->path + n + 1;
	return 0;
}

/* Adds the snippets of a folder, if there is one, but for those whose name is known already. */
static int look_into(struct loader *l, struct list *snippets, const char *folder)
{
	struct place at = { .file = memory_string(l->memory, folder, strlen(folder)) };
	struct dirent *e;
	int fd, r = 0;
	DIR *d;

	if (!at.file)
		return -ENOMEM;
	fd = open_trusted(l, folder, O_RDONLY | O_DIRECTORY, &at, "");
	if (fd < 0)
		return fd == -ENOMEM ? fd : 0;
	d = fdopendir(fd);
	if (!d) {
		close(fd);
		return -ENOMEM;
	}
	while (r == 0 && (e = readdir(d)))
		r = add_snippet(snippets, folder, e->d_name);
	closedir(d);
	return r;
}

/* Masked: an empty file is so by itself. */
static bool is_masked(const char *path)
{
	char to[PATH_MAX];

	return realpath(path, to) && strcmp(to, "/dev/null") == 0;
}

static int by_name(const void *a, const void *b)
{
	return strcmp(((const struct snippet *)a)->name, ((const struct snippet *)b)->name);
}

/* Where the file is below the first root: "/sub/" for /etc/holt/sub/x.tree; NULL: elsewhere. */
static const char *below_root(const char *file, const char *root, char *buf)
{
	char folder[PATH_MAX], real_root[PATH_MAX];
	const char *slash = strrchr(file, '/');
	size_t n = slash ? (size_t)(slash - file) + 1 : 0;

	if (n >= sizeof folder)
		return NULL;
	memcpy(folder, n ? file : ".", n ? n : 1);
	folder[n ? n : 1] = 0;
	if (!realpath(folder, buf) || !realpath(root, real_root))
		return NULL;
	n = strlen(real_root);
	if (strncmp(buf, real_root, n) != 0 || (buf[n] && buf[n] != '/'))
		return NULL;
	return buf + n;
}

static int look_everywhere(struct loader *l, struct list *snippets, const char *file)
{
	const char *const *roots = l->options.roots ? l->options.roots : default_roots;
	const char *name = strrchr(file, '/'), *below;
	char folder[PATH_MAX], buf[PATH_MAX];
	int r = 0;

	if (snprintf(folder, sizeof folder, "%s.d", file) < (int)sizeof folder)
		r = look_into(l, snippets, folder);
	below = below_root(file, roots[0], buf);
	for (int i = 1; r == 0 && below && i < ROOTS; i++)
		if (snprintf(folder, sizeof folder, "%s%s/%s.d", roots[i], below, name ? name + 1 : file) < (int)sizeof folder)
			r = look_into(l, snippets, folder);
	return r;
}

int sources_load(struct loader *l, const char *file)
{
	struct list snippets = { 0 };
	struct snippet *s;
	int r = load(l, file);

	if (r == 0)
		r = look_everywhere(l, &snippets, file);
	if (snippets.n > 1)
		qsort(snippets.v, snippets.n, sizeof *s, by_name);
	for (s = snippets.v; s && s < (struct snippet *)snippets.v + snippets.n; s++) {
		if (r == 0 && !is_masked(s->path))
			r = load(l, s->path);
		holt__free(s->path);
	}
	list_free(&snippets);
	return r;
}
