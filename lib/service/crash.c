/* SPDX-License-Identifier: MIT */
/*
 * SIGABRT: what systemd's watchdog sends to a service whose loop does not turn any more, and what abort() raises. No
 * signalfd would be read then, so this is a handler, on the alternate stack that the run has set up. It writes
 * the tree of tasks to stderr, which shows who runs and does not stop, and lets the signal take its course.
 *
 * It allocates nothing, takes no locks and uses no stdio. Only the service's own thread may look at the tree; a
 * signal that was sent to the process comes there by itself, as long as that thread does not block it.
 */
#include "service/service.h"

#include <signal.h>
#include <unistd.h>

#include "task/task.h"

enum { LINES_AT_MOST = 10000 };

static struct holt__sched *volatile watched;
static struct sigaction before;

static int say_line(void *arg, const struct holt__text *text)
{
	(void)arg;
	text->buf[text->len] = '\n'; /* in the place of its NUL: a line is one write */
	holt__sys_say(text->buf, text->len + 1);
	return 0;
}

static void on_abort(int sig)
{
	static const char head[] = "holt: SIGABRT, and this is what the tasks are doing:\n";
	struct holt__sched *s = watched;

	signal(sig, SIG_DFL);
	watched = NULL;
	if (s && getpid() == gettid()) {
		holt__sys_say(head, sizeof head - 1);
		holt__tree(s, LINES_AT_MOST, say_line, NULL);
	}
	holt__die_of(sig);
}

void holt__crash_begin(struct holt__sched *s)
{
	struct sigaction ours = { .sa_handler = on_abort, .sa_flags = SA_ONSTACK };

	sigemptyset(&ours.sa_mask);
	watched = s;
	sigaction(SIGABRT, &ours, &before);
}

void holt__crash_end(void)
{
	struct sigaction now;

	if (!watched)
		return;
	watched = NULL;
	if (sigaction(SIGABRT, NULL, &now) == 0 && now.sa_handler == on_abort)
		sigaction(SIGABRT, &before, NULL);
}
