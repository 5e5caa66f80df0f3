/* SPDX-License-Identifier: MIT */
/*
 * See ending.h. Which exits are clean is systemd's rule: status 0, and, but for oneshots, the signals that ask a process to
 * end; SuccessExitStatus= adds to them.
 */
#include "daemon/ending.h"

#include <signal.h>
#include <string.h>

static bool clean_signal(const struct node *n, int sig)
{
	if (n->process->success.signals >> (sig - 1) & 1)
		return true;
	return n->process->type != TYPE_ONESHOT && (sig == SIGHUP || sig == SIGINT || sig == SIGTERM || sig == SIGPIPE);
}

bool ending_failed(const struct node *n, bool signaled, int code)
{
	if (signaled)
		return !clean_signal(n, code);
	return code != 0 && !(n->process->success.codes[code / 8 & 31] >> code % 8 & 1);
}

static void signal_name(struct holt__text *t, int sig)
{
	const char *name = sigabbrev_np(sig);

	holt__text_add(t, "SIG");
	if (name) {
		holt__text_add(t, name);
		return;
	}
	holt__text_add(t, "RTMIN+");
	holt__text_int(t, sig - SIGRTMIN);
}

void ending_text(struct holt__text *t, const struct ending *e)
{
	switch (e->kind) {
	case ENDING_EXIT:
		holt__text_add(t, "exit ");
		holt__text_int(t, e->value);
		break;
	case ENDING_SIGNAL:
		holt__text_add(t, "killed by ");
		signal_name(t, e->value);
		if (e->core)
			holt__text_add(t, ", core dumped");
		break;
	case ENDING_CANNOT_RUN:
		holt__text_add(t, e->step ? e->step : "exec");
		holt__text_add(t, ": ");
		holt__text_add(t, strerrordesc_np(e->value) ? strerrordesc_np(e->value) : "unknown error");
		break;
	case ENDING_START_TIMEOUT:
		holt__text_add(t, "not ready in time");
		break;
	case ENDING_WATCHDOG:
		holt__text_add(t, "watchdog: no sign of life in time");
		break;
	case ENDING_NOT_READY:
		holt__text_add(t, "ended before it was ready");
		break;
	case ENDING_START_COMMAND:
		holt__text_add(t, "ExecStartPre: ");
		if (e->value < 0) {
			holt__text_add(t, "killed by ");
			signal_name(t, -e->value);
		} else {
			holt__text_add(t, "exit ");
			holt__text_int(t, e->value);
		}
		break;
	default:
		holt__text_add(t, "none");
		break;
	}
}
