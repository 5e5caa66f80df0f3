/* SPDX-License-Identifier: MIT */
/*
 * Waiting for signals. A record for each signal that somebody has waited for, from then until the loop ends: it holds
 * who waits, or the one signal that came while nobody did. Those that come on top of it become one with it, as the kernel does it.
 */
#include <errno.h>
#include <string.h>

#include "io/fd.h"
#include "loop/signal.h"

struct holt__io_signal {
	struct holt__signal signal; /* first: the loop's table leads back to us */
	struct holt__io_signal *next;
	int number;
	bool pending;
	struct signalfd_siginfo info;
	struct holt_waiters waiters; /* each one's data is where its info shall go */
};

static void on_signal(struct holt__signal *signal, const struct signalfd_siginfo *si)
{
	struct holt__io_signal *s = holt__container(signal, struct holt__io_signal, signal);
	struct holt__waiter *w = s->waiters.head;

	if (w) {
		*(struct signalfd_siginfo *)w->data = *si;
		holt__wake(w->task, 0);
	} else if (!s->pending) {
		s->info = *si;
		s->pending = true;
	}
}

void holt__io_signals_free(struct holt__ios *ios)
{
	while (ios->signals) {
		struct holt__io_signal *s = ios->signals;

		ios->signals = s->next;
		holt__free(s);
	}
}

static int take(struct holt_loop *loop, int number, struct holt__io_signal **ret)
{
	struct holt__ios *ios = holt__ios(loop);
	struct holt__io_signal *s;
	int r;

	if (!ios)
		return -ENOMEM;
	for (s = ios->signals; s; s = s->next) {
		if (s->number == number) {
			*ret = s;
			return 0;
		}
	}
	s = holt__calloc(1, sizeof *s);
	if (!s)
		return -ENOMEM;
	s->signal.fire = on_signal;
	s->number = number;
	r = holt__signal_take(loop, number, &s->signal);
	if (r < 0) {
		holt__free(s);
		return r;
	}
	s->next = ios->signals;
	ios->signals = s;
	*ret = s;
	return 0;
}

int holt_signal_wait(int sig, struct signalfd_siginfo *ret)
{
	struct signalfd_siginfo info;
	struct holt__io_signal *s;
	struct holt__waiter w = { .data = &info };
	holt_task *t;
	int r;

	r = holt__enter(&t);
	if (r < 0)
		return r;
	r = take(t->loop, sig, &s);
	if (r < 0)
		return r;
	if (s->pending) {
		s->pending = false;
		info = s->info;
	} else {
		r = holt__wait(t, &s->waiters, &w, "signal", (void *)(intptr_t)sig);
		if (r < 0)
			return r;
	}
	if (ret)
		*ret = info;
	return 0;
}
