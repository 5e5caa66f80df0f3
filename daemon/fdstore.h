/* SPDX-License-Identifier: MIT */
/*
 * The descriptors that a process gave us to keep (FDSTORE=1), which it gets back when it is started again. So many and no
 * more; the same open file twice is kept once; one whose other end hung up is forgotten, unless FDPOLL=0 was said.
 */
#pragma once
#include <holt/work.h>

#include "daemon/watch.h"

enum { FDSTORE_MAX = 64 }; /* descriptors of one store */

/* To be zeroed, but for the watcher. What is in it is ours. */
struct fdstore {
	struct watcher *watcher;
	struct stored_fd *first;
	size_t n;
};

/* Takes FD, whatever it returns. 0: also if it is there already; -ENOMEM; -ENOSPC: full. POLL: forgotten when it hangs up. */
int fdstore_put(struct fdstore *s, const char *name, int fd, bool poll);
void fdstore_remove(struct fdstore *s, const char *name); /* all of that name */
void fdstore_clear(struct fdstore *s);

/* The first n of them, oldest first, as holt_process_start() takes them; borrowed until something is removed. How many. */
size_t fdstore_list(const struct fdstore *s, struct holt_named_fd *ret, size_t n);
