/* SPDX-License-Identifier: MIT */
/*
 * holt/watch.h - what happens to a file or in a folder: inotify(7), one path a watch
 *
 * A watch is of what the path led to when it was opened, not of its name: a file that is replaced by another is told as deleted or
 * moved. To hear of a file that others replace, watch its folder.
 */
#ifndef HOLT_WATCH_H
#define HOLT_WATCH_H

#include <sys/inotify.h>

#include <holt/base.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef struct holt_watch holt_watch; /* a file or folder that is looked at */

HOLT__AUTO(watch, holt_watch *) /* closes it */

/**
 * holt_watch_open() - begin to watch a file or folder
 * @ret: the watch, which the caller closes; see holt_auto(watch)
 * @path: what to watch
 * @mask: which events, IN_CREATE | IN_CLOSE_WRITE and so on; with IN_ONLYDIR, IN_DONT_FOLLOW, IN_EXCL_UNLINK, IN_ONESHOT, as for
 *	inotify_add_watch(2)
 *
 * What happens from now on is kept until it is asked for. It takes a descriptor.
 *
 * Suspends by contract; in this version nothing in it waits. Returns 0, or:
 * -EINVAL: no event in @mask, or NULL for @ret.
 * -ENOENT, -ENOTDIR, -EACCES: no such path, no folder with IN_ONLYDIR, not allowed to read it.
 * -EMFILE, -ENFILE, -ENOSPC: too many inotify instances, descriptors, or watches of this user.
 * -ENOMEM; -errno of inotify_add_watch(2); -ECANCELED; -EPERM outside tasks.
 */
HOLT_EXPORT int holt_watch_open(holt_watch **ret, const char *path, uint32_t mask);

/**
 * holt_watch_next() - wait for the next event
 * @w: the watch, which one task at a time may wait for
 * @ret_mask: what happened: one of the events asked for, with IN_ISDIR for a folder; or IN_UNMOUNT; may be NULL
 * @ret_name: the name in the watched folder; NULL when it is about the watched path itself; valid until the next call or the
 *	close; may be NULL
 *
 * Events come in order. One that a canceled call would have returned is still there for the next. Like ones that nobody has asked
 * for yet are one, as the kernel does it.
 *
 * Suspends. Returns 0, or:
 * -EOVERFLOW: so much happened that some of it was lost: look again at everything. The next call goes on with what came later.
 * -ENOENT: the end: what was watched is gone, unmounted, or has had its one event (IN_ONESHOT). From then on always.
 * -EBUSY: another task waits in it.
 * -ECANCELED; -EPERM outside tasks; -ENOMEM and -ENOSPC when the loop cannot watch one more descriptor.
 */
HOLT_EXPORT int holt_watch_next(holt_watch *w, uint32_t *ret_mask, const char **ret_name);

/**
 * holt_watch_close() - end and free a watch
 * @w: the watch, or NULL; taken. That a task waits in it aborts with one sentence
 *
 * Does not suspend. Allowed outside tasks. Returns NULL.
 */
HOLT_EXPORT holt_watch *holt_watch_close(holt_watch *w);

#ifdef __cplusplus
}
#endif
#endif
