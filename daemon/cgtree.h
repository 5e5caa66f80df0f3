/* SPDX-License-Identifier: MIT */
/*
 * Cgroups as folders: where ours is, whether it was delegated to us, and the few things one does with the files in one.
 * For daemon/cgroup.c.
 */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#include "base/text.h"

/*
 * Finds the folder that was delegated to us. 0, and all three are set (the descriptor and the strings are the caller's);
 * -EOPNOTSUPP, with the reason in WHY; -ENOMEM. OWN is its name as /proc/PID/cgroup says it, PATH its place in the file system.
 */
int cgtree_find(int *ret_fd, char **ret_path, char **ret_own, struct holt__text *why);

/* The name of its cgroup as /proc/PID/cgroup says it; pid 0: ours. Its length; -ENAMETOOLONG, -ENODATA: no cgroup v2; -errno. */
ssize_t cgtree_of(pid_t pid, char *buf, size_t n);

/* FILE may be a path below DIR. 0, -errno. */
int cgtree_write(int dir, const char *file, const char *text);
/* At most n - 1 bytes, and a NUL. Its length, -errno. */
ssize_t cgtree_read(int dir, const char *file, char *buf, size_t n);

/* "populated 1" in what FD, an open cgroup.events, says now. 0, 1, -errno. */
int cgtree_populated(int fd);

/* Whether a list of words has that one. */
bool cgtree_has_word(const char *list, const char *word);

/* Removes folder NAME of DIR with all below it, deepest first. 0, also when it is not there; -EBUSY: somebody is in it; -errno. */
int cgtree_remove(int dir, const char *name);

/* Each process in DIR and below it; numbers only: they may be another's when fn gets them. 0, -errno of reading. */
int cgtree_each_pid(int dir, void (*fn)(void *arg, pid_t pid), void *arg);
