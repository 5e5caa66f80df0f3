/* SPDX-License-Identifier: MIT */
/*
 * A store of descriptors: a list, oldest first. The rule: what is in the list is open and ours, what is not is closed.
 */
#include "daemon/fdstore.h"

#include <errno.h>
#include <string.h>
#include <sys/syscall.h>

#include "base/alloc.h"

enum { SAME_FILE = 0 }; /* KCMP_FILE */

struct stored_fd {
	struct stored_fd *next;
	struct fdstore *store;
	struct watch watch; /* for its end; also keeps the descriptor */
	char name[];
};

static void forget(struct fdstore *s, struct stored_fd **at)
{
	struct stored_fd *f = *at;

	*at = f->next;
	s->n--;
	watch_remove(s->watcher, &f->watch);
	close(f->watch.fd);
	holt__free(f);
}

static void hung_up(struct watch *watch, uint32_t events)
{
	struct stored_fd *f = holt__container(watch, struct stored_fd, watch);
	struct stored_fd **at = &f->store->first;

	(void)events;
	while (*at != f)
		at = &(*at)->next;
	forget(f->store, at);
}

/* A kernel that cannot compare says that they differ. */
static bool same_file(int a, int b)
{
	pid_t pid = getpid();

	return syscall(SYS_kcmp, pid, pid, SAME_FILE, a, b) == 0;
}

static int put(struct fdstore *s, const char *name, int fd, bool poll)
{
	size_t size = strlen(name) + 1;
	struct stored_fd **at, *f;
	int r;

	for (at = &s->first; *at; at = &(*at)->next)
		if (same_file((*at)->watch.fd, fd))
			return -EEXIST;
	if (s->n >= FDSTORE_MAX)
		return -ENOSPC;
	f = holt__calloc(1, sizeof *f + size);
	if (!f)
		return -ENOMEM;
	memcpy(f->name, name, size);
	f->store = s;
	f->watch.fire = hung_up;
	r = poll ? watch_add(s->watcher, &f->watch, fd, 0) : 0; /* its end is always told */
	if (r < 0 && r != -EPERM) {                             /* a file, which has none */
		holt__free(f);
		return r;
	}
	f->watch.fd = fd;
	*at = f;
	s->n++;
	return 0;
}

int fdstore_put(struct fdstore *s, const char *name, int fd, bool poll)
{
	int r = put(s, name, fd, poll);

	if (r < 0)
		close(fd);
	return r == -EEXIST ? 0 : r;
}

void fdstore_remove(struct fdstore *s, const char *name)
{
	struct stored_fd **at = &s->first;

	while (*at) {
		if (strcmp((*at)->name, name) == 0)
			forget(s, at);
		else
			at = &(*at)->next;
	}
}

void fdstore_clear(struct fdstore *s)
{
	while (s->first)
		forget(s, &s->first);
}

size_t fdstore_list(const struct fdstore *s, struct holt_named_fd *ret, size_t n)
{
	size_t i = 0;

	for (const struct stored_fd *f = s->first; f && i < n; f = f->next)
		ret[i++] = (struct holt_named_fd){ .name = f->name, .fd = f->watch.fd };
	return i;
}
