/* SPDX-License-Identifier: MIT */
/*
 * A loop's part in the log: while lines wait for the journal, the loop watches the log's socket, and drains them as
 * soon as there is room.
 */
#pragma once
#include "loop/loop.h"

struct holt__logdrain;

/* NULL: no memory. The others take NULL. */
struct holt__logdrain *holt__logdrain_open(struct holt_loop *loop);

/*
 * Before epoll_wait, behind the store that says that the loop sleeps: a line that has to wait from then on wakes it. Costs
 * one load when none does.
 */
void holt__logdrain_look(struct holt__logdrain *d);

void holt__logdrain_close(struct holt__logdrain *d); /* while the loop's epoll is still open */
