/* SPDX-License-Identifier: MIT */
/*
 * A table of who has which signal, and the signalfd behind it. Synchronous faults, SIGKILL and
 * SIGSTOP cannot be waited for.
 */
#include "loop/loop.h"
#include "loop/signal.h"

#include <errno.h>

#include "base/alloc.h"

enum { BATCH = 8 };

struct holt__signals {
	struct holt_loop *loop;
	struct holt__source source; /* of the signalfd */
	sigset_t taken, unblock;    /* unblock: those that were not blocked before */
	struct holt__signal *owner[_NSIG];
};

static void on_readable(struct holt__source *source, uint32_t events)
{
	struct holt__signals *all = holt__container(source, struct holt__signals, source);
	struct signalfd_siginfo si[BATCH];
	ssize_t n;

	(void)events;
	do {
		n = holt__sys->read(source->fd, si, sizeof si);
		for (size_t i = 0; n > 0 && i < (size_t)n / sizeof si[0]; i++) {
			struct holt__signal *s = si[i].ssi_signo < _NSIG ? all->owner[si[i].ssi_signo] : NULL;

			if (s)
				s->fire(s, &si[i]);
		}
	} while (n == (ssize_t)sizeof si || n == -EINTR);
}

static int signals_open(struct holt_loop *loop)
{
	struct holt__signals *all = holt__calloc(1, sizeof *all);
	int fd, r;

	if (!all)
		return -ENOMEM;
	all->loop = loop;
	all->source.fire = on_readable;
	sigemptyset(&all->taken);
	sigemptyset(&all->unblock);
	fd = holt__sys->signalfd(-1, &all->taken, SFD_NONBLOCK | SFD_CLOEXEC);
	r = fd < 0 ? fd : holt__loop_attach(loop, &all->source, fd, EPOLLIN | EPOLLET);
	if (r < 0) {
		if (fd >= 0)
			holt__sys->close(fd);
		holt__free(all);
		return r;
	}
	loop->signals = all;
	return 0;
}

static bool can_be_taken(int sig)
{
	switch (sig) {
	case SIGKILL:
	case SIGSTOP:
	case SIGSEGV:
	case SIGBUS:
	case SIGFPE:
	case SIGILL:
	case SIGTRAP:
		return false;
	default:
		return sig > 0 && sig < _NSIG && (sig < 32 || (sig >= SIGRTMIN && sig <= SIGRTMAX)); /* 32, 33: libc's own */
	}
}

int holt__signal_take(struct holt_loop *loop, int sig, struct holt__signal *s)
{
	struct holt__signals *all;
	sigset_t mask, old;
	int r;

	if (!can_be_taken(sig))
		return -EINVAL;
	if (!loop->signals) {
		r = signals_open(loop);
		if (r < 0)
			return r;
	}
	all = loop->signals;
	if (all->owner[sig])
		return all->owner[sig] == s ? 0 : -EBUSY;
	mask = all->taken;
	sigaddset(&mask, sig);
	r = holt__sys->mask_signals(SIG_BLOCK, &mask, &old);
	if (r < 0)
		return r;
	r = holt__sys->signalfd(all->source.fd, &mask, SFD_NONBLOCK | SFD_CLOEXEC);
	if (r < 0) {
		holt__sys->mask_signals(SIG_SETMASK, &old, NULL);
		return r;
	}
	/* One that is pending already makes no edge: MOD looks again. */
	holt__loop_modify(loop, &all->source, EPOLLIN | EPOLLET);
	all->taken = mask;
	if (sigismember(&old, sig) == 0 && !s->keep_blocked)
		sigaddset(&all->unblock, sig);
	all->owner[sig] = s;
	return 0;
}

struct holt__signal *holt__signal_taken(struct holt_loop *loop, int sig)
{
	return loop->signals && sig > 0 && sig < _NSIG ? loop->signals->owner[sig] : NULL;
}

void holt__signals_close(struct holt_loop *loop)
{
	struct holt__signals *all = loop->signals;
	int fd;

	if (!all)
		return;
	loop->signals = NULL;
	fd = all->source.fd;
	holt__loop_detach(loop, &all->source);
	holt__sys->close(fd);
	holt__sys->mask_signals(SIG_UNBLOCK, &all->unblock, NULL);
	holt__free(all);
}
