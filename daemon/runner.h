/* SPDX-License-Identifier: MIT */
/*
 * Who does what policy.h and life.h decide: starts processes, watches them, signals them, runs finally commands, keeps the
 * records, tells the log and systemd. One task, which waits for everything in one place (watch.h); a process of the tree
 * costs a struct child and no stack.
 *
 * The rule: an event is told to the life of its process or to the policy, and what comes out is done, until nothing comes
 * out any more; only then does the task wait. Nothing here chooses. Only that task starts and waits for processes: others (the
 * control socket's, the one that hears of a stop) tell the policy, and wake it by runner_kick().
 */
#pragma once
#include <holt/sync.h>
#include <holt/work.h>

#include "daemon/cgroup.h"
#include "daemon/config.h"
#include "daemon/exec.h"
#include "daemon/life.h"
#include "daemon/lines.h"
#include "daemon/notify.h"
#include "daemon/orphans.h"
#include "daemon/policy.h"
#include "daemon/state.h"
#include "daemon/watch.h"

struct runner;
struct child;

/* A process that we started, and have not waited for yet. */
struct running {
	holt_process *process; /* NULL: none */
	struct watch watch;    /* its pidfd */
	struct lines_stream *out;
	struct child *child; /* NULL: a finally command */
};

/* What only those have that use NOTIFY_SOCKET. */
struct notified {
	struct notify notify;
	struct fdstore store;
	struct child *child;
	int main_pidfd; /* of a main process that somebody else started (MAINPID=); -1: none */
	pid_t main_pid;
	bool lost_main; /* MAINPID= named one that had ended already: how, nobody knows */
	struct watch main_watch;
	holt_time watchdog; /* span; 0: none */
	char *status;       /* STATUS=; NULL: none */
};

struct child {
	struct runner *runner;
	struct unit *unit;
	struct life life;
	bool clearing;                 /* what is left has been sent SIGKILL, not only KillSignal= */
	bool reload_asked, clear_owed; /* LIFE_CLEAR begins when the reload command has ended */
	size_t reloading;              /* the ExecReload= that runs */
	struct running main, command, reload;
	pid_t recorded;           /* its main process, in the records; 0: none */
	struct lines_node *log;   /* NULL: it has not been started yet */
	struct holt__timer timer; /* of the life's state */
	holt_time start_by;       /* TimeoutStartSec=, as extended */
	struct invocation invocation;
	struct cgroup cgroup;
	struct orphan_wait left;
	struct ending ending; /* what its main process came to, or the command that failed */
	struct notified *notified;
};

struct finishing;
struct leftover;

struct runner {
	struct config *config;
	struct policy policy;
	struct watcher watcher;
	holt_task *task;          /* that is in runner_run() */
	int (*reload)(void *arg); /* reads the tree file again; -EINVAL: it has errors, and they were logged */
	struct watch kick;        /* an eventfd */
	int kick_fd;
	struct watch_later announce; /* STATUS=, once a round */
	struct orphans orphans;
	struct orphan_wait last; /* what has no owner, when the tree has ended */
	struct holt__timer last_call;
	struct cgroups cgroups;
	struct notify_dir notify;
	struct state *state;
	struct exec_base exec;
	struct lines *lines;
	struct child *children;     /* as policy.units; those of groups do nothing */
	struct notified **notified; /* those of the children that have one */
	size_t n_notified;
	struct finishing *finishing;
	struct leftover *leftovers;            /* processes that outlived their node */
	struct holt_event changed;             /* pulsed (set, cleared) when something about a unit has changed: look again */
	holt_time extend_until;                /* by when systemd lets us start, as told */
	bool busy, reload_asked, ended, clean; /* clean: nothing of the tree is left */
	int status;                            /* the exit status, when ended */
};

/* The state is borrowed, and so is the configuration. */
int runner_open(struct runner *r, struct config *c, struct state *s);
void runner_close(struct runner *r);

/*
 * The runner's task: starts the tree, and returns when it has ended and nothing is left of it. Suspends. 0: it has, see
 * r->status; -ECANCELED: not yet, it may be called again.
 */
int runner_run(struct runner *r);

/*
 * All of a task that runs the tree (a holt_fn, of a runner that is open): a stop of it is an orderly one of the tree; a
 * cancellation makes all go at once; when its shield breaks all is killed, and what finally owes is still done.
 */
int runner_task(void *runner);

/* ---- from other tasks of the loop; none suspends */
void runner_kick(struct runner *r);
void runner_end(struct runner *r);                    /* an orderly stop of the tree; repeats are harmless */
void runner_hurry(struct runner *r);                  /* once: all at once; twice: killed */
int runner_start(struct runner *r, struct unit *u);   /* as policy_unit_start() */
int runner_stop(struct runner *r, struct unit *u);    /* as policy_unit_stop() */
int runner_restart(struct runner *r, struct unit *u); /* as policy_unit_restart() */
int runner_reload(
	struct runner *r, struct unit *u); /* ExecReload=. -EOPNOTSUPP: it has none; -EHOSTDOWN: it is not ready; -EBUSY */

static inline struct child *runner_child(const struct runner *r, const struct unit *u)
{
	return &r->children[u->conf->index];
}

/* ---- for the eye */
pid_t child_pid(const struct child *c);          /* of its main process; 0: none */
uint64_t child_memory(const struct child *c);    /* bytes; 0: not known */
const char *child_status(const struct child *c); /* its own words; NULL: none */
void runner_dump(struct runner *r);              /* the tree, to the log */
