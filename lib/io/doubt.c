/* SPDX-License-Identifier: MIT */
/*
 * A task that waits on a number that it has closed itself, by plain close, and that is another file now, would wait for
 * ever: the record still says that there is nothing to read, and epoll has dropped the file that it knew. To prove the number
 * at each wait would cost a system call a request. So it is done for those only that have waited for 100 to 200 ms without an
 * event: once for each wait, a few of them at a time.
 */
#include <errno.h>

#include "io/fd.h"

enum { AT_A_TIME = 1024, IN_DOUBT = 2 };

#define CHECK_EVERY (100 * HOLT_MS)

static void look_at(struct holt_loop *loop, struct holt__io *io)
{
	if (io->doubt == 0)
		return;
	loop->ios->doubts = true;
	if (io->doubt++ < IN_DOUBT)
		return;
	io->doubt = 0;
	if (holt__loop_modify(loop, &io->source, io->interest) < 0)
		holt__io_retry(loop, io);
}

static void check(struct holt__timer *timer)
{
	struct holt__ios *ios = holt__container(timer, struct holt__ios, check);
	struct holt_loop *loop = &holt__here->loop;

	for (int i = 0; i < AT_A_TIME && ios->check_next; i++) {
		struct holt__io *io = ios->check_next;

		ios->check_next = io->next;
		look_at(loop, io);
	}
	if (ios->check_next || ios->doubts)
		holt__io_check_later(loop);
}

void holt__io_check_later(struct holt_loop *loop)
{
	struct holt__ios *ios = loop->ios;

	if (!ios->check_next) { /* a new round */
		ios->check_next = ios->all;
		ios->doubts = false;
	}
	ios->check.fire = check;
	holt__timer_start(&loop->timers, &ios->check, holt__time_add(loop->now, CHECK_EVERY));
}
