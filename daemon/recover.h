/* SPDX-License-Identifier: MIT */
/*
 * What a holtd that was killed has left behind: processes that still live are killed, and finally commands that it owed
 * are run. "holtd --recover" does nothing else; the next start does it first.
 *
 * A process is one of ours if the number, the start time, the boot and the pid namespace are those that were recorded,
 * all compared after a pidfd of it was opened; or if it has the HOLT_INVOCATION_ID of a recorded one in its environment,
 * read after a pidfd of it was opened; or if it has none, as a program that writes a title over it (nginx), and is in the process
 * group or session of a recorded one whose number nobody has now. Its cgroup is killed whole. So no signal reaches a stranger,
 * but for one that is in a group whose number was given out anew, and whose leader has ended, too. Killing goes on until
 * a look at all processes finds none, 5 s at most: who forks fast has no children that we do not see in the next round.
 *
 * Then the commands, one after the other: of each activation the newest first, and those of a group after all that are
 * owed further down in it. Each has its own time limit; one that fails is logged, and the rest still run. It is marked as done
 * after it ended: if we are killed, too, it runs again, but never is one forgotten.
 */
#pragma once
#include "daemon/state.h"

struct recover_report {
	unsigned killed;  /* processes that were sent SIGKILL */
	unsigned left;    /* ... and still live */
	unsigned ran;     /* finally commands */
	unsigned failed;  /* ... of which so many did not end well */
	unsigned skipped; /* ... that are still owed, because we were canceled */
};

/*
 * S is open, and so locked. The commands get HOLT_RESULT=crashed, HOLT_REASON= and HOLT_NODE= beside what was recorded for
 * them; they run as we are, with our environment, in "/", and their output goes where our stderr goes. At the end the
 * records hold only what is still owed and who is still there.
 *
 * Suspends. 0, also if there was nothing to do, or not all could be done: see the report; -ECANCELED; -ENOMEM; -errno: the
 * records cannot be read.
 */
int recover_run(struct state *s, struct recover_report *ret);
