/* SPDX-License-Identifier: MIT */
/*
 * The descriptors that the manager handed to this process, for socket activation or out of its fd store, by name.
 *
 * The environment is read once: when a service begins, which removes the variables too, or else when the first name is
 * asked for, which leaves them (other threads may be reading it; LISTEN_PID keeps children from taking them for
 * theirs). From then on each descriptor is CLOEXEC, and is taken once. From any thread.
 */
#pragma once
#include <stdbool.h>
#include <stddef.h>

int holt__listenfds_read(bool remove_variables); /* -ENOMEM: nothing was read or removed */

/*
 * How many of that name there are; NULL: any. The first n of them are taken, in the order in which they were passed, and
 * are the caller's from then on. 0: none.
 */
size_t holt__listenfds_take(const char *name, int *ret_fds, size_t n);
