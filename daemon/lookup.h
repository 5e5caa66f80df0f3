/* SPDX-License-Identifier: MIT */
/*
 * To ask whose a process is, when the kernel holds it (state D). Its memory may be locked then for as long as a file server does
 * not answer, and so would be who reads its environment. So a thread does that, and if it hangs, it hangs alone:
 * at most LOOKUPS at once, each asked for one process, ended with its answer or with us.
 *
 * That is rare: no thread and no descriptor before the first question.
 */
#pragma once
#include "daemon/invocation.h"
#include "daemon/watch.h"

enum { LOOKUPS = 4 };

/* To be zeroed, but for the first three. */
struct lookup {
	struct watcher *watcher;
	int proc; /* /proc; borrowed */
	/* R: as of invocation_read(). COOKIE: so that who asked sees whether that process is still the one he meant. */
	void (*answer)(struct lookup *l, pid_t pid, uint32_t cookie, int r, const struct invocation *id);
	struct watch watch; /* a pipe of answers */
	int out;
	unsigned running;
};

int lookup_start(struct lookup *l, pid_t pid, uint32_t cookie); /* -EBUSY: as many as may be are at it; -errno */
void lookup_close(struct lookup *l); /* threads that hang are left to the kernel, with some bytes and descriptors each */
