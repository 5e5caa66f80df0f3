/* SPDX-License-Identifier: MIT */
/*
 * A folder of its own for each test that needs files: made below /tmp, removed with all that is in it. For suites that include it
 * once. When a check fails, the folder stays.
 */
#pragma once
#include <fcntl.h>
#include <ftw.h>
#include <stdarg.h>
#include <sys/stat.h>

#include "harness.h"

static char folder[64];

static inline void folder_make(void)
{
	strcpy(folder, "/tmp/holt-test-XXXXXX");
	ck_assert_ptr_nonnull(mkdtemp(folder));
}

static inline int folder_remove_one(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
	(void)st;
	(void)type;
	(void)ftw;
	return remove(path);
}

static inline void folder_remove(void)
{
	ck_assert_int_eq(nftw(folder, folder_remove_one, 16, FTW_DEPTH | FTW_PHYS), 0);
}

/* A path in it, good for the next 63 calls. */
static inline __attribute__((format(printf, 1, 2))) const char *in_folder(const char *fmt, ...)
{
	static char paths[64][256];
	static unsigned next;
	char *path = paths[next++ % 64];
	int n = snprintf(path, sizeof paths[0], "%s/", folder);
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(path + n, sizeof paths[0] - (size_t)n, fmt, ap);
	va_end(ap);
	return path;
}

static inline void file_write(const char *path, const void *data, size_t n)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);

	ck_assert_int_ge(fd, 0);
	ck_assert_int_eq(write(fd, data, n), (ssize_t)n);
	close(fd);
}

static inline void file_says(const char *path, const char *text)
{
	file_write(path, text, strlen(text));
}

/* All of it, with a NUL behind it, until the next call; "" if it is not there. */
static inline const char *file_read(const char *path, size_t *ret_n)
{
	static char text[1 << 20];
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	ssize_t n = fd < 0 ? 0 : read(fd, text, sizeof text - 1);

	ck_assert_int_ge(n, 0);
	if (fd >= 0)
		close(fd);
	text[n] = 0;
	if (ret_n)
		*ret_n = (size_t)n;
	return text;
}

static inline bool file_is_there(const char *path)
{
	struct stat st;

	return lstat(path, &st) == 0;
}

static inline unsigned file_mode(const char *path)
{
	struct stat st;

	ck_assert_int_eq(lstat(path, &st), 0);
	return st.st_mode & 07777;
}
