/* SPDX-License-Identifier: MIT */
/*
 * What waits for a lock says so by this very string, and the lock is what it waits on: so the owners' circles are found.
 */
#pragma once
#include "task/task.h"

extern const char holt__waits_for_lock[] __attribute__((visibility("hidden")));
