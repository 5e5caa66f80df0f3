/* SPDX-License-Identifier: MIT */
/*
 * Invocation ids, and the little of /proc that holtd reads of other processes. Nothing is kept open.
 */
#include "daemon/invocation.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <unistd.h>

#include "base/base.h"

enum { ENVIRON_MAX = 256 * 1024 };

static const char variable[] = "HOLT_INVOCATION_ID=";

struct invocation invocation_new(void)
{
	struct invocation i = { { 0, 0 } };

	while (!i.v[0] && !i.v[1]) {
		if (getrandom(&i, sizeof i, 0) != sizeof i)
			abort(); /* no kernel of ours does that: so few bytes are never refused once there are any */
	}
	return i;
}

void invocation_text(const struct invocation *i, char ret[INVOCATION_DIGITS + 1])
{
	for (int k = 0; k < INVOCATION_DIGITS; k++)
		ret[k] = "0123456789abcdef"[i->v[k / 16] >> (60 - k % 16 * 4) & 15];
	ret[INVOCATION_DIGITS] = 0;
}

static int digit(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	c |= 0x20;
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

bool invocation_parse(struct invocation *ret, const char *s, size_t n)
{
	struct invocation i = { { 0, 0 } };

	if (n != INVOCATION_DIGITS)
		return false;
	for (size_t k = 0; k < n; k++) {
		int d = digit(s[k]);

		if (d < 0)
			return false;
		i.v[k / 16] = i.v[k / 16] << 4 | (unsigned)d;
	}
	if (!i.v[0] && !i.v[1])
		return false;
	*ret = i;
	return true;
}

/* ---- /proc */

static int open_of(int proc, pid_t pid, const char *file)
{
	char path[64];
	int fd;

	if (pid)
		snprintf(path, sizeof path, "%d/%s", (int)pid, file);
	else
		snprintf(path, sizeof path, "self/%s", file);
	fd = openat(proc, path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return errno == ENOENT ? -ESRCH : -errno;
	return fd;
}

static ssize_t read_some(int fd, char *buf, size_t n)
{
	ssize_t r;

	do
		r = read(fd, buf, n);
	while (r < 0 && errno == EINTR);
	return r < 0 ? -errno : r;
}

ssize_t proc_read(int proc, pid_t pid, const char *file, char *buf, size_t n)
{
	int fd = open_of(proc, pid, file);
	size_t len = 0;
	ssize_t r;

	if (fd < 0)
		return fd;
	do {
		r = read_some(fd, buf + len, n - 1 - len);
		if (r > 0)
			len += (size_t)r;
	} while (r > 0 && len < n - 1);
	close(fd);
	if (r < 0)
		return r;
	buf[len] = 0;
	return (ssize_t)len;
}

int proc_stat(int proc, pid_t pid, struct proc_stat *ret)
{
	enum { STATE = 3, PARENT = 4, ENV_END = 51 }; /* as proc(5) numbers them */
	char buf[1024], *p;
	ssize_t n = proc_read(proc, pid, "stat", buf, sizeof buf);

	if (n < 0)
		return (int)n;
	p = strrchr(buf, ')'); /* a name may hold anything, numbers do not hold this */
	if (!p)
		return -ESRCH;
	memset(ret, 0, sizeof *ret);
	for (int field = STATE; (p = strchr(p, ' ')); field++) {
		p++;
		if (field == STATE)
			ret->state = *p;
		else if (field == PARENT)
			ret->parent = (pid_t)strtol(p, NULL, 10);
		else if (field == ENV_END)
			ret->has_environment = strtoull(p, NULL, 10) != 0;
	}
	return 0;
}

/* ---- the environment, as it comes: in pieces, variables cut anywhere */

struct search {
	size_t matched; /* bytes of "HOLT_INVOCATION_ID=" that the present variable began with; SIZE_MAX: another one */
	size_t n;       /* of its value */
	char value[INVOCATION_DIGITS + 1];
};

/* True: it is found, whatever is in it. */
static bool search(struct search *s, const char *p, const char *end)
{
	const size_t whole = sizeof variable - 1;

	while (p < end) {
		if (s->matched == SIZE_MAX) {
			p = memchr(p, 0, (size_t)(end - p));
			if (!p)
				return false;
			s->matched = 0;
			p++;
		} else if (s->matched < whole) {
			if (*p == variable[s->matched]) {
				s->matched++;
				p++;
			} else {
				s->matched = SIZE_MAX;
			}
		} else if (*p == 0) {
			return true;
		} else {
			if (s->n < sizeof s->value)
				s->value[s->n++] = *p;
			p++;
		}
	}
	return false;
}

/* What was found, or -ENODATA: not a byte. */
static int read_environ(int proc, pid_t pid, struct invocation *ret)
{
	struct search s = { 0 };
	size_t total = 0;
	char buf[4096];
	bool found = false;
	ssize_t n;
	int fd;

	fd = open_of(proc, pid, "environ");
	if (fd < 0)
		return fd == -EPERM ? -EACCES : fd;
	do {
		n = read_some(fd, buf, sizeof buf);
		if (n > 0) {
			total += (size_t)n;
			found = search(&s, buf, buf + n);
		}
	} while (n > 0 && !found && total < ENVIRON_MAX);
	close(fd);
	if (n < 0)
		return n == -EPERM ? -EACCES : (int)n;
	if (total == 0)
		return -ENODATA;
	/* at its very end the last NUL may be missing: a program may write over it */
	if (s.matched != sizeof variable - 1 || !invocation_parse(ret, s.value, s.n))
		return -ENOENT;
	return 0;
}

int invocation_read(int proc, pid_t pid, struct invocation *ret)
{
	int r = read_environ(proc, pid, ret), e;
	struct proc_stat stat;

	if (r != -ENODATA)
		return r;
	/* It has none, or is on its way: to execute something, or to its end. The first, if it has none after it was seen to be there. */
	e = proc_stat(proc, pid, &stat);
	if (e < 0)
		return e;
	if (!stat.has_environment)
		return -EAGAIN;
	r = read_environ(proc, pid, ret);
	return r == -ENODATA ? -ENOENT : r;
}

int invocation_of(int proc, pid_t pid, struct invocation *ret)
{
	struct proc_stat stat;
	int r = proc_stat(proc, pid, &stat);

	if (r < 0)
		return r;
	if (stat.state == 'Z' || stat.state == 'X')
		return -ESRCH;
	if (stat.state == 'D')
		return -EBUSY;
	return invocation_read(proc, pid, ret);
}
